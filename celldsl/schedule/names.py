"""Names of temporaries: short, after what they hold, and none twice."""

from __future__ import annotations

from celldsl.check.cell import Cell, Expr, Parameter, Signal
from celldsl.schedule.schedule import Reference


class Names:
    """Gives out names that nothing else in the cell has."""

    def __init__(self, cell: Cell):
        self.taken = {*cell.signal, *cell.parameter, *cell.setting, *(dim.name for dim in cell.dims)}
        self.taken.update(equation.target for equation in cell.derived)

    def candidate(self, base: str, suffix: str = "") -> str:
        """`base`, or `base_suffix`, or `base_2` …: the first that is free."""
        name = base
        if name in self.taken and suffix:
            name = base = f"{base}_{suffix}"
        count = 2
        while name in self.taken:
            name = f"{base}_{count}"
            count += 1
        return name

    def new(self, base: str, suffix: str = "") -> str:
        name = self.candidate(base, suffix)
        self.taken.add(name)
        return name


def stem(expr: Expr) -> str:
    """A name for what an expression is about: its first parameter, signal or temporary."""
    for node in expr.walk():
        if isinstance(node, Parameter | Signal | Reference):
            return node.name
    return ""


def join(first: str, second: str, between: str) -> str:
    return f"{first}{between}{second}" if first and second else first or second
