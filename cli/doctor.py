"""`celldsl doctor`: what this machine can do, and why not."""

from __future__ import annotations

import sys

import click

SIGNS = {True: "yes", False: "no", None: ""}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(as_json: bool) -> int:
    """Say what this machine can do with celldsl.

    And what it cannot, why not, and what would change that.

    Exit code 1 if cells cannot even be compiled and run here.
    """
    from celldsl.cli.screen import print_json, print_table
    from celldsl.doctor import able, examine

    findings = examine()
    if as_json:
        print_json({"able": able(findings), "findings": [finding.to_json() for finding in findings]})
    else:
        for part in dict.fromkeys(finding.part for finding in findings):
            rows = [
                (each.subject, SIGNS[each.ok], f"{each.found}. {each.fix}" if each.fix else each.found)
                for each in findings
                if each.part == part
            ]
            click.echo(click.style(part, bold=True) if sys.stdout.isatty() else part)
            print_table(("", "", ""), rows, sys.stdout)
            click.echo()
    return 0 if able(findings) else 1
