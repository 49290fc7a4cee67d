"""docs/zoo.md: every shipped cell, what it was compared with, and the largest difference.

Remake it with `python -m tests.zoo.table`; a package that is not installed is left out, so install the extra `peers`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

import celldsl
from celldsl.catalogue import catalogue
from celldsl.catalogue.features import tier
from tests.peers.measure import measure
from tests.peers.packages import TABLES, missing, rows
from tests.zoo import test_references

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"

TEXT = """# The shipped cells, and what they were compared with

{cells} cells. Each is compared with a step written in NumPy from its paper (`tests/zoo/references`), and where a
package implements it, with that (`tests/peers`): on copied weights, inputs and first states at random, outputs, states,
every gradient and the number of parameters. {compared} cells have such a peer. The largest difference is that of all
these tensors, each against the larger of 1 and its own largest entry; of the NumPy step, outputs and states alone.
Everything is computed in double precision, but for Keras, whose products on torch are in single precision.

Tier 1 is said by equations, widths and settings; tier 2 needs delays, given or learned first values, matrix algebra or
structure of parameters, layer norm, softmax, noise, several inputs, parts of vectors, or cells inside cells.

Remake this page with `python -m tests.zoo.table`.

| cell | family | tier | compared with | largest difference |
|---|---|---|---|---|
{rows}

## Where packages compute something else

| cell | package | what it does | difference of outputs |
|---|---|---|---|
{deviations}

## Cells from elsewhere, each in under 15 lines

From papers beside the usual lists, each added as a spec alone, without a change to the compiler:
[statistical recurrent unit](../specs/classic/statistical_ru.cell) (Oliva et al. 2017),
[MomentumRNN](../specs/classic/momentum_rnn.cell) (Nguyen et al. 2020),
[recurrent identity network](../specs/classic/rin.cell) (Hu et al. 2018),
[GRU-ODE](../specs/ode/gru_ode.cell) (De Brouwer et al. 2019),
[AUGRU](../specs/gru-variants/augru.cell) (Zhou et al. 2019), and before them
[SCRN](../specs/classic/scrn.cell) (Mikolov et al. 2015),
[Delta-RNN](../specs/gru-variants/delta_rnn.cell) (Ororbia et al. 2017) and
[τ-GRU](../specs/gru-variants/tau_gru.cell) (Erichson et al. 2022).
"""


def page() -> str:
    """The page's text, everything on it measured now."""
    torch.set_num_threads(1)
    found: dict[str, list[tuple[str, float]]] = {}
    for name, reference in sorted(test_references.REFERENCES.items()):
        found.setdefault(name, []).append(("NumPy", test_references.apart(name, reference)))
    deviations = []
    for table, (package, _) in TABLES.items():
        if missing(table):
            print(f"{package} is not installed", file=sys.stderr)
            continue
        for row in rows(table):
            measured = measure(row)
            if row.deviates:
                deviations.append(f"| {row.cell} | {package} {row.peer} | {row.deviates} | {measured.outputs:.2g} |")
            else:
                note = f" ({measured.note})" if measured.note else ""
                found.setdefault(row.cell, []).append((f"{package} `{row.peer}`{note}", measured.largest))
    lines = list(_lines(found))
    return TEXT.format(
        cells=len(celldsl.zoo()),
        compared=sum(len(each) > 1 for each in found.values()),
        rows="\n".join(lines),
        deviations="\n".join(deviations),
    )


def _lines(found: dict[str, list[tuple[str, float]]]) -> Iterator[str]:
    for entry in sorted(catalogue(), key=lambda entry: (entry.family, entry.spec)):
        with_what = "<br>".join(what for what, _ in found[entry.spec])
        largest = "<br>".join(f"{value:.0e}" for _, value in found[entry.spec])
        yield f"| {entry.spec} | {entry.family} | {tier(entry.features)} | {with_what} | {largest} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
