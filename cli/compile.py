"""`celldsl compile`: specs to modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Target(click.ParamType):
    """A row of `celldsl.emit.TARGETS`, which is looked up only once a command runs: importing it brings SymPy."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from celldsl.emit import TARGETS

        if value not in TARGETS:
            self.fail(f"there is no target {value!r}; there is {', '.join(TARGETS)}", param, ctx)
        return str(value)


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "-o",
    "--output",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the modules, one file per spec; - prints them.",
)
@click.option("--target", type=Target(), default="torch", show_default=True, help="What to emit.")
@click.option("--force", is_flag=True, help="Replace files that celldsl did not write.")
def command(specs: tuple[str, ...], output: Path, target: str, force: bool) -> None:
    """Compile specs to modules that need torch alone, or to C++ (--target cpu) that needs a compiler alone.

    A spec's module is named after its file; emitted files are replaced, other files are not.

    \b
    celldsl compile lstm1 my.cell -o cells/
    celldsl compile lstm -o -
    """
    from celldsl.driver import compile
    from celldsl.emit import SUFFIXES
    from celldsl.files import module_name, write_module
    from celldsl.library import load

    for spec in specs:
        source = load(spec)
        text = compile(source, target)
        if str(output) == "-":
            click.echo(text, nl=False)
        else:
            path = output / f"{module_name(source)}.{SUFFIXES[target]}"
            write_module(path, text, force=force)
            click.echo(f"{spec} -> {path}")
