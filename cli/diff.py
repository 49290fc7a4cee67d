"""`celldsl diff`: are two cells the same function?"""

from __future__ import annotations

import click

from celldsl.formulas import plain


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--rename", is_flag=True, help="Names do not matter: equal under any renaming is equal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(a: str, b: str, rename: bool, as_json: bool) -> int:
    """Prove two specs the same cell, or show where they differ.

    Cells that differ under the names they have, but are one under others, or with a gate's parameters negated
    (σ(-a) = 1 - σ(a)), are shown with these names.

    Exit code 0 if they are proved equal (under the names they have, unless --rename), 1 if they differ or no proof was
    found.

    \b
    celldsl diff lstm my.cell
    celldsl diff gru theirs.cell --rename
    """
    from celldsl.api import compile
    from celldsl.cli.screen import print_json
    from celldsl.symbolic.account import account
    from celldsl.symbolic.equality import compare

    one, other = compile(a), compile(b)
    found = compare(one.checked, other.checked, rename=rename)
    renamed = found if rename or found.equal else compare(one.checked, other.checked, rename=True)
    told = None if renamed.equal else account(one.checked, other.checked)
    sizes = [(title, getattr(one, key), getattr(other, key)) for title, key in _SIZES]
    if as_json:
        print_json(
            {
                "a": found.a.name,
                "b": found.b.name,
                "verdict": found.verdict,
                "how": found.how,
                "renaming": {**found.signals, **found.renaming},
                "names": {} if told is None else told.names,
                "differences": [
                    {"name": each.name, "a": each.left, "b": each.right, "equations": list(each.whole)}
                    for each in (found.differences if told is None else told.differences)
                ],
                "deviation": found.deviation,
                "up_to_names": {
                    "equal": renamed.equal,
                    "how": renamed.how,
                    "renaming": {**renamed.signals, **renamed.renaming},
                },
                "sizes": {title: [plain(mine), plain(its), plain(mine - its)] for title, mine, its in sizes},
            }
        )
    else:
        click.echo(str(renamed if renamed.equal else found))
        if told is not None:
            click.echo("\n".join(f"  {line}" for line in str(told).splitlines()))
        if renamed.equal and not found.equal:
            click.echo("  under the names they have, they differ: --rename counts them as equal")
        for title, mine, its in sizes:
            gap = (mine - its).expand()
            taken = f"({plain(its)})" if " + " in plain(its) or " - " in plain(its) else plain(its)
            shown = f"both {plain(mine)}" if gap == 0 else f"{plain(mine)} - {taken} = {plain(gap)}"
            click.echo(f"  {title}: {shown}")
    return 0 if found.equal else 1


_SIZES = (("parameters", "params"), ("FLOPs per step", "flops"), ("numbers carried", "state_size"))
