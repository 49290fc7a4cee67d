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
@click.argument("specs", nargs=-1, metavar="SPEC...")
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
@click.option(
    "--build",
    is_flag=True,
    help="With --target cpu: build the kernels into the cache, ahead of their use, and write no files. Without SPEC, "
    "those of every shipped cell.",
)
def command(specs: tuple[str, ...], output: Path, target: str, force: bool, build: bool) -> None:
    """Compile specs to modules that need torch alone, or to C++ (--target cpu) that needs a compiler alone.

    A spec's module is named after its file; emitted files are replaced, other files are not.

    \b
    celldsl compile lstm1 my.cell -o cells/
    celldsl compile lstm -o -
    celldsl compile --target cpu --build lstm gru
    """
    if build:
        if target != "cpu":
            raise click.UsageError("--build goes with --target cpu: other targets need no building")
        _build_ahead(specs)
        return
    if not specs:
        raise click.UsageError("Missing argument 'SPEC...'.")
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


def _build_ahead(specs: tuple[str, ...]) -> None:
    from celldsl import relatives
    from celldsl.library import load, zoo
    from celldsl.runtime.kernel.ahead import build_ahead
    from celldsl.runtime.kernel.build import why_not
    from celldsl.schedule.cpu_program import NotForCpu

    reason = why_not()
    if reason is not None:
        raise click.ClickException(f"kernels cannot be built here: {reason}")
    for spec in specs or zoo():
        try:
            for built in build_ahead(relatives.check(load(spec))[-1]):
                click.echo(f"{spec}: {built.variant} in {built.seconds:.1f} s")
        except NotForCpu as error:
            click.echo(f"{spec}: no kernel: {error}")
