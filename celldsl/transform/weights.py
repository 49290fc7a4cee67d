"""DropConnect put into a cell: masks of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from celldsl.check.cell import Cell, Expr, Parameter
from celldsl.syntax import tree
from celldsl.transform.change import fresh
from celldsl.transform.masks import number, probability, with_values


def weight_drop(cell: Cell, rates: Mapping[str, float]) -> Cell:
    """DropConnect: one mask of a parameter for each batch of sequences (Merity, Keskar & Socher 2018).

    rates: pattern of names -> probability, `{"U_*": 0.5}`; of two patterns that fit a name the later one counts.
    """
    found: dict[str, float] = {}
    for pattern, p in rates.items():
        for name in _parameters_like(cell, "weight_drop", pattern):
            found[name] = probability("weight_drop", p)
    found = {name: p for name, p in found.items() if p}
    dropped: dict[str, str] = {}
    for name in found:
        dropped[name] = fresh(cell, f"{name}_prime")

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Parameter) and node.name in dropped:
            return Parameter(node.shape, dropped[node.name])
        return None

    new = [
        tree.Equation(tree.Name(dropped[name]), tree.Call("dropout", (tree.Name(name), tree.Number(number(p)))))
        for name, p in found.items()
    ]
    return with_values(cell, {e.target: e.value.transform(change) for e in cell.equations}, *new)


def _parameters_like(cell: Cell, option: str, pattern: str) -> list[str]:
    """The trained parameters that a pattern, `U_*`, speaks of, or the derived one of this very name. Raises ValueError
    for none."""
    derived = [equation.target for equation in cell.derived]
    names = [pattern] if pattern in derived else [name for name in _trained(cell) if fnmatchcase(name, pattern)]
    if not names:
        raise ValueError(
            f"{option}: {cell.name} has no parameter {pattern!r}; it has {', '.join([*_trained(cell), *derived])}"
        )
    return names


def _trained(cell: Cell) -> Iterator[str]:
    """Parameters that stand in equations; learned first values of states do not."""
    first = {f"{info.name}_0" for info in cell.states if info.initial == "learned"}
    yield from (info.name for info in cell.parameters if info.name not in first)
