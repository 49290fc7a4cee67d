"""Short ways to check a spec and to look at what came out."""

from __future__ import annotations

import pytest

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.errors import SpecError
from celldsl.source import Source


def cell_of(text: str) -> Cell:
    """The last cell of a text; equations alone are put into a cell `A`."""
    if not text.lstrip().startswith("cell"):
        text = f"cell A {{\n{text}\n}}"
    return relatives.check(Source(text, "test.cell"))[-1]


def codes_of(text: str) -> list[str]:
    """The rules a text breaks, in the order of its lines."""
    with pytest.raises(SpecError) as caught:
        cell_of(text)
    return [each.code for each in caught.value.diagnostics]


def shapes_of(cell: Cell) -> dict[str, str]:
    """The shape of every signal and parameter, as text."""
    return {info.name: str(info.shape) for info in (*cell.signals, *cell.parameters)}
