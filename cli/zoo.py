"""`celldsl zoo`: the shipped specs."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(as_json: bool) -> None:
    """List the shipped specs: name, size, FLOPs, paper.

    m is the width of the input, n that of the output; one bias per gate.
    """
    from celldsl.catalogue import catalogue

    entries = catalogue()
    if as_json:
        from celldsl.cli.screen import print_json

        print_json([entry.to_json() for entry in entries])
        return
    from celldsl.cli.screen import print_table

    rows = [(entry.name, entry.parameters, entry.flops, entry.paper or entry.about) for entry in entries]
    print_table(("cell", "parameters", "FLOPs per step", "paper"), rows, sys.stdout)
