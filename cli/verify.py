"""`celldsl verify`: are the claims true, and the module what the spec says?"""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("specs", nargs=-1, metavar="SPEC...")
@click.option("--all", "everything", is_flag=True, help="All shipped specs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(specs: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Verify claims, sizes, and modules against their equations.

    Every claim is proved or refuted; the emitted module's own count of parameters is compared with the formula, its
    outputs and gradients with a plain evaluation of the equations, with its scripted form and with torch.nn's module
    where there is one.

    Exit code 1 if anything is false.

    \b
    celldsl verify lstm lstm1 lstm2 lstm3 ulstm
    celldsl verify my.cell --json
    """
    if not specs and not everything:
        raise click.UsageError("name a SPEC, or give --all for the shipped ones")
    from celldsl.api import compile, zoo
    from celldsl.cli.screen import print_json, progress
    from celldsl.runtime.verify import verify

    reports = []
    every = (*specs, *(zoo() if everything else ()))
    for at, spec in enumerate(every):
        with progress() as say:
            say(f"{spec}: {at + 1} of {len(every)}", at / len(every))
            reports.append(verify(compile(spec)))
        if not as_json:
            _print(reports[-1])
    ok = all(report.ok for report in reports)
    if as_json:
        print_json({"ok": ok, "cells": [report.to_json() for report in reports]})
    return 0 if ok else 1


def _print(report: object) -> None:
    from celldsl.cli.screen import print_table
    from celldsl.runtime.verify import Report

    assert isinstance(report, Report)
    false = [row for row in report.rows if not row.ok]
    verdict = f"{len(false)} of {len(report.rows)} checks are false" if false else f"all {len(report.rows)} checks hold"
    click.secho(f"{report.cell}: {verdict}", bold=True, fg="red" if false else "green", color=None)
    rows = [("ok" if row.ok else "FALSE", row.check, row.subject, row.expected, row.found) for row in report.rows]
    print_table(("", "check", "of", "expected", "found"), rows, sys.stdout)
    for row in false:
        if row.detail:
            click.echo(f"{row.subject}: {row.detail}")
    click.echo()
