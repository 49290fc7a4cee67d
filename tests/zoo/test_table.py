"""docs/zoo.md speaks of every shipped cell and of every comparison."""

from __future__ import annotations

import pytest

from celldsl import library
from tests.peers.packages import TABLES, missing, rows
from tests.zoo.table import PAGE

REMAKE = "docs/zoo.md is out of date: python -m tests.zoo.table"
LINES = [
    line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")
]
TOLD = {line[0]: line[1:] for line in LINES if len(line) == 5 and line[0] != "cell"}
"""Of each cell its family, its tier, what it was compared with and the largest differences."""


def test_every_cell_is_in_the_table():
    assert sorted(TOLD) == library.zoo(), REMAKE
    for name in library.zoo():
        assert TOLD[name][0] == (library.family(name) or "basic"), REMAKE


@pytest.mark.parametrize("table", [table for table in TABLES if not missing(table)])
def test_every_comparison_is_in_the_table(table):
    text = PAGE.read_text(encoding="utf-8")
    for row in rows(table):
        if row.deviates:
            assert f"| {row.cell} | {TABLES[table][0]} {row.peer} | {row.deviates} |" in text, REMAKE
        else:
            assert f"{TABLES[table][0]} `{row.peer}`" in TOLD[row.cell][2], REMAKE
