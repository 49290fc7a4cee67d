"""Zoneout put into a cell: states that at random keep their old value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from celldsl.check.cell import Cell, Expr, Signal
from celldsl.syntax import tree
from celldsl.transform.change import changed, fresh
from celldsl.transform.masks import number, probability
from celldsl.transform.respell import respell


def zoneout(cell: Cell, rates: float | Mapping[str, float]) -> Cell:
    """Each entry of a state keeps its old value with a probability, a new mask each step (Krueger et al. 2017).

    rates: one for all states, or by pattern of names: `{"c": 0.5, "h": 0.05}`. Whatever else a step computes of a
    state's new value reads it as it was before the mask, as the paper's h_t does of c_t. Raises ValueError for a name
    that is no state.
    """
    states = [info.name for info in cell.states if info.role == "state"]
    given: dict[str, float] = {}
    for pattern, p in rates.items() if isinstance(rates, Mapping) else [("*", rates)]:
        names = [name for name in states if fnmatchcase(name, pattern)]
        if not names:
            raise ValueError(f"zoneout: {cell.name} has no state {pattern!r}; it has {', '.join(states) or 'none'}")
        given.update(dict.fromkeys(names, probability("zoneout", p)))
    given = {name: p for name, p in given.items() if p}
    read = {node.name for e in cell.steps for node in e.value.walk() if isinstance(node, Signal) and node.delay == 0}
    renamed: dict[str, str] = {}
    for name in given:
        if name in read:
            renamed[name] = fresh(cell, f"{name}_new")

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Signal) and node.delay == 0 and node.name in renamed:
            return Signal(node.shape, renamed[node.name], 0)
        return None

    equations = []
    for equation in cell.steps:
        value = equation.value.transform(change)
        target = equation.target
        if target not in given:
            if value is not equation.value:
                equations.append(replace(equation.written, value=respell(value, equation)))
            continue
        new = respell(value, equation)
        if target in renamed:
            equations.append(replace(equation.written, target=tree.Name(renamed[target], 0), value=new))
            new = tree.Name(renamed[target], 0)
        call = tree.Call("zoneout", (new, tree.Name(target, 1), tree.Number(number(given[target]))))
        label = None if target in renamed else equation.label
        equations.append(tree.Equation(tree.Name(target, 0), call, label))
    return changed(cell, {}, equations) if given else cell
