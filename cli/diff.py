"""`celldsl diff`: are two cells the same function?"""

from __future__ import annotations

import click


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--rename", is_flag=True, help="Look for names under which they are the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(a: str, b: str, rename: bool, as_json: bool) -> int:
    """Prove two specs the same cell, or show where they differ.

    Exit code 0 if they are proved equal, 1 if they differ or no proof was found.

    \b
    celldsl diff lstm my.cell
    celldsl diff gru theirs.cell --rename
    """
    from celldsl.api import compile
    from celldsl.cli.screen import print_json
    from celldsl.symbolic.equality import compare

    found = compare(compile(a).checked, compile(b).checked, rename=rename)
    if as_json:
        print_json(
            {
                "a": found.a.name,
                "b": found.b.name,
                "verdict": found.verdict,
                "how": found.how,
                "renaming": {**found.signals, **found.renaming},
                "differences": [
                    {"name": each.name, "a": each.left, "b": each.right, "equations": list(each.whole)}
                    for each in found.differences
                ],
                "deviation": found.deviation,
            }
        )
    else:
        click.echo(str(found))
    return 0 if found.equal else 1
