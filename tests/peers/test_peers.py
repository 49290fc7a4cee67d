"""Each cell against each package that has it: outputs, states, gradients, parameters; halves against the whole."""

from __future__ import annotations

import pytest
import torch

import celldsl
from tests.peers.measure import measure
from tests.peers.packages import TABLES, installed, missing
from tests.peers.rows import Row

torch.set_num_threads(1)
CASES = [pytest.param(table, row, id=f"{table}-{row.peer}-{row.cell}") for table, row in installed()]


@pytest.mark.parametrize("table", TABLES)
def test_package_is_there(table):
    """What is not installed is named, and nothing of it is compared."""
    absent = missing(table)
    if absent:
        pytest.skip(f"{TABLES[table][0]} is not compared with: {', '.join(absent)} not installed")


@pytest.mark.parametrize(("table", "row"), CASES)
def test_cell_is_what_the_package_computes(table: str, row: Row, record_property):
    found = measure(row)
    record_property("peer", [TABLES[table][0], row.peer, row.cell, "deviates" if row.deviates else "equal"])
    assert found.halves <= 1e-12
    assert found.theirs - found.constant == found.ours - found.zeroed
    if row.deviates:
        assert max(found.outputs, found.states) > 1e-4, f"{row.peer} computes {row.cell} after all"
    else:
        assert found.largest <= row.tolerance, found


def test_cells_and_packages_are_compared_once():
    seen = [(table, row.peer, row.cell) for table, row in installed()]
    assert len(set(seen)) == len(seen)
    assert {row.cell for _, row in installed()} <= set(celldsl.zoo())
