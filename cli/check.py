"""`celldsl check`: are these specs right? Imports neither torch nor SymPy."""

from __future__ import annotations

import sys
from typing import Any

import click


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json is for editors: every message with its place.",
)
def command(specs: tuple[str, ...], style: str) -> int:
    """Check specs: syntax, roles, widths, order. All mistakes are reported at once.

    Exit code 1 if there is an error in any of them.

    \b
    celldsl check my.cell
    celldsl check lstm gru --format json
    cat my.cell | celldsl check -
    """
    from celldsl.errors import SpecError
    from celldsl.library import load
    from celldsl.relatives import check

    failed = False
    report: list[dict[str, Any]] = []
    for spec in specs:
        try:
            cells = check(load(spec))
            found = [warning for cell in cells for warning in cell.warnings]
        except SpecError as error:
            cells, found, failed = (), list(error.diagnostics), True
        report.append(
            {"spec": spec, "cells": [cell.name for cell in cells], "diagnostics": [each.to_json() for each in found]}
        )
        if style == "text":
            _say(spec, cells, found)
    if style == "json":
        from celldsl.cli.screen import print_json

        print_json({"ok": not failed, "specs": report})
    return 1 if failed else 0


def _say(spec: str, cells: tuple[Any, ...], found: list[Any]) -> None:
    from celldsl.cli.screen import paint

    for diagnostic in found:
        click.echo(paint(diagnostic.render(), sys.stderr) + "\n", err=True)
    for cell in cells:
        signals = [
            f"{title} {', '.join(f'{info.name}: {_width(info)}' for info in infos)}"
            for title, infos in (("input", cell.inputs), ("state", cell.states))
            if infos
        ]
        click.echo(f"{spec}: {cell.name} is well formed ({'; '.join(signals)}; output {cell.output})")


def _width(info: Any) -> str:
    """`n` for an n-vector."""
    return str(info.shape).removesuffix("-vector")
