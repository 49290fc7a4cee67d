"""Specs that use the language beyond the shipped cells: what is understood of each is compared with the text beside it.

The counts stand in the specs as claims, which checking proves. CELLDSL_ACCEPT=1 writes the texts anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.source import Source

FOLDER = Path(__file__).parent / "cases" / "good"
CASES = sorted(FOLDER.glob("*.cell"))


def cells_of(path: Path) -> tuple[Cell, ...]:
    return relatives.check(Source(path.read_text(encoding="utf-8"), path.name))


def understood(cell: Cell) -> str:
    """Roles, shapes and starting values, one a line."""
    widths = [dim.name if dim.value is None else f"{dim.name} = {dim.value}" for dim in cell.dims]
    lines = [f"cell {cell.name}", f"  widths: {', '.join(widths)}"]
    for info in cell.signals:
        role = f"output, {info.role}" if info.name == cell.output else info.role
        depth = f", {info.depth} back" if info.depth else ""
        initial = (
            ""
            if info.initial is None
            else ", starts " + (info.initial if isinstance(info.initial, str) else info.initial.span.text)
        )
        lines.append(f"  {info.name}: {info.shape} ({role}{depth}{initial})")
    for parameter in cell.parameters:
        start = ""
        if parameter.init is not None:
            start = f", starts {' '.join([parameter.init.kind, *map(str, parameter.init.arguments)])}"
        lines.append(f"  {parameter.name}: {parameter.shape} ({'bias' if parameter.bias else 'parameter'}{start})")
    for equation in cell.derived:
        lines.append(f"  {equation.target}: {equation.value.shape} (derived)")
    for setting in cell.settings:
        lines.append(f"  {setting.name} = {setting.text} ({setting.kind}{', a width' if setting.is_width else ''})")
    lines.append(f"  order: {', '.join(cell.order)}")
    lines.append(f"  params: {cell.parameter_count}; state: {cell.state_size}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_understood(path: Path):
    cells = cells_of(path)
    assert not [warning for cell in cells for warning in cell.warnings]
    said = "\n".join(understood(cell) for cell in cells)
    expected = path.with_suffix(".txt")
    if os.environ.get("CELLDSL_ACCEPT"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_counts_are_claimed(path: Path):
    """Each file proves at least one count of its own, so that no text beside it can be accepted in error."""
    assert any(cell.claims for cell in cells_of(path)) or path.stem == "deep_extension"


def test_dropping_equals_replacing_the_equations():
    by_equations, by_drop, *_ = cells_of(FOLDER / "drop_equals_equations.cell")
    same = ("dims", "signals", "parameters", "order", "output")
    for name in same:
        assert getattr(by_equations, name) == getattr(by_drop, name)
    assert [e.value for e in by_equations.equations] == [e.value for e in by_drop.equations]
