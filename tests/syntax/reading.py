"""Short ways to read things in tests."""

from __future__ import annotations

from celldsl.errors import SpecError
from celldsl.source import Source
from celldsl.syntax import parse, tree


def items(text: str) -> tuple[tree.Item, ...]:
    """The items of a cell with this body."""
    return parse(Source(f"cell C {{\n{text}\n}}", "c.cell")).cells[0].items


def item(text: str) -> tree.Item:
    (only,) = items(text)
    return only


def expression(text: str) -> tree.Expr:
    found = item(f"y_t = {text}")
    assert isinstance(found, tree.Equation)
    return found.value


def codes(text: str) -> list[str]:
    """The codes of the errors of a whole file, in their order; empty if there is none."""
    try:
        parse(Source(text, "c.cell"))
    except SpecError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return []
