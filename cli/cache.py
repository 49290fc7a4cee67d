"""`celldsl cache`: what is kept between processes, and how to be rid of it."""

from __future__ import annotations

import sys

import click

UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def age(seconds: float) -> str:
    """`3 h`, `12 s`: one unit is enough."""
    for unit, size in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@click.command()
@click.option("--clear", is_flag=True, help="Remove everything; what is missed is made again.")
@click.option("--path", "only_path", is_flag=True, help="Print the folder, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(clear: bool, only_path: bool, as_json: bool) -> None:
    """List what celldsl keeps between processes: built kernels and emitted modules.

    Nothing in the folder is worth keeping; CELLDSL_CACHE names another.

    \b
    celldsl cache
    celldsl cache --clear
    """
    from celldsl.cli.screen import print_json, print_table
    from celldsl.runtime import cache, entries

    folder = cache.folder()
    if only_path:
        click.echo(str(folder))
        return
    if clear:
        freed = entries.clear()
        if as_json:
            print_json({"path": str(folder), "freed": freed})
        else:
            click.echo(f"{freed / 1e6:.1f} MB removed from {folder}")
        return
    found = entries.entries()
    if as_json:
        print_json({"path": str(folder), "entries": [entry.to_json() for entry in found]})
        return
    rows = [
        (
            entry.cell,
            entry.target,
            f"{entry.bytes / 1e3:.0f} kB",
            age(entry.age),
            "" if entry.seconds is None else f"{entry.seconds:.1f} s",
            " ".join(flag for flag in entry.flags if flag not in ("-fPIC", "-shared", "-w")),
        )
        for entry in found
    ]
    print_table(("cell", "target", "size", "age", "built in", "flags"), rows, sys.stdout)
    kernels = sum(entry.target.startswith("cpu ") and "module" not in entry.target for entry in found)
    total = sum(entry.bytes for entry in found) / 1e6
    click.echo(f"{kernels} kernels, {len(found) - kernels} modules, {total:.1f} MB in {folder}")
