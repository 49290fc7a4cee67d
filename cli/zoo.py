"""`celldsl zoo`: the shipped specs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--family", metavar="NAME", help="Only this family: the folder of the specs.")
@click.option("--year", metavar="YEAR[-YEAR]", help="Only papers of these years.")
@click.option("--feature", "wanted", multiple=True, metavar="TEXT", help="Only cells with this feature; repeatable.")
@click.option("--verify", is_flag=True, help="Prove every claim, and say which hold.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write them as one web page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    words: tuple[str, ...],
    family: str | None,
    year: str | None,
    wanted: tuple[str, ...],
    verify: bool,
    page: Path | None,
    as_json: bool,
) -> int:
    """List the shipped specs: name, family, year, size, FLOPs, paper.

    With WORDs, those in whose name, paper, family or features all of them occur. m is the width of the input, n that
    of the output; one bias per gate. Exit code 1 if nothing fits, or if a claim that was to be verified is false.

    \b
    celldsl zoo salem
    celldsl zoo --feature scannable --year 2016-2024
    celldsl zoo --family greff --verify
    celldsl zoo --html zoo.html
    """
    from celldsl.catalogue import catalogue
    from celldsl.cli.screen import print_json, print_table

    years = _years(year)
    entries = [
        entry
        for entry in catalogue()
        if entry.fits(words)
        and (family is None or entry.family == family)
        and (years is None or (entry.year is not None and years[0] <= entry.year <= years[1]))
        and all(any(text.casefold() in feature for feature in entry.features) for text in wanted)
    ]
    proofs = _proofs([entry.spec for entry in entries]) if verify else {}
    if page is not None:
        from celldsl.catalogue.page import render

        page.write_text(render(entries, proofs), encoding="utf-8")
        click.echo(f"{len(entries)} cells -> {page}")
    elif as_json:
        print_json([entry.to_json() | ({"claims": proofs[entry.spec]} if verify else {}) for entry in entries])
    elif entries:
        titles = ["cell", "family", "year", "parameters", "FLOPs per step"]
        rows = [[entry.name, entry.family, str(entry.year or ""), entry.parameters, entry.flops] for entry in entries]
        for row, entry in zip(rows, entries, strict=True):
            row += [_counted(proofs[entry.spec])] if verify else []
            row.append(entry.paper or entry.about)
        print_table((*titles, *(["claims that hold"] if verify else []), "paper"), rows, sys.stdout)
    else:
        click.echo("no shipped cell fits", err=True)
    return 1 if not entries or any(not claim["holds"] for found in proofs.values() for claim in found) else 0


def _years(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise click.BadParameter("a year, 2016, or a range of years, 2014-2018", param_hint="--year") from None


def _proofs(specs: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The claims of each spec, and whether they hold."""
    from celldsl.api import compile
    from celldsl.cli.screen import progress
    from celldsl.symbolic.claims import verify_claims

    proofs = {}
    with progress() as say:
        for at, spec in enumerate(specs):
            say(spec, at / len(specs))
            proofs[spec] = [{"claim": found.text, "holds": found.ok} for found in verify_claims(compile(spec).checked)]
    return proofs


def _counted(proofs: list[dict[str, Any]]) -> str:
    false = [proof["claim"] for proof in proofs if not proof["holds"]]
    return f"all {len(proofs)}" if not false else f"{len(proofs) - len(false)} of {len(proofs)}, not {'; '.join(false)}"
