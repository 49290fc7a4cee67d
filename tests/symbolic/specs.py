"""Cells read from spec text, and the shipped ones."""

from __future__ import annotations

from functools import cache

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.source import Source


def read(text: str) -> Cell:
    """The last cell of a spec text."""
    return relatives.check(Source(text, "<test>"))[-1]


def body(equations: str) -> Cell:
    """A cell of these equations."""
    return read(f"cell Test {{\n{equations}\n}}")


@cache
def shipped(name: str) -> Cell:
    cell = relatives.find(name)
    assert cell is not None
    return cell


FIVE = ("lstm", "lstm1", "lstm2", "lstm3", "ulstm")
ALL = (*FIVE, "gru", "gru_reset_after", "rnn")
