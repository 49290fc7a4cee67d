"""What each part of a cell depends on: nothing that changes, the input alone, or the state.

What reads no state leaves the time loop; what nothing in the loop reads can be computed after it, for all steps at
once. `phases` sorts the equations so; `terms` does the same inside an equation; `shared_operands` groups the
products that read one vector and so are one stacked product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Equation, Expr
from celldsl.symbolic.form import Form, Product

Phase = Literal["once", "before", "loop", "after"]
"""once: constant in time; before: reads inputs but no state; loop: on the way from state to state; after: reads
the state but no state reads it (an output map), so all its steps can be computed together."""


@dataclass(frozen=True)
class Dependence:
    """Which signals of a cell change in time (`varying`), and which depend on the step before (`stateful`)."""

    varying: frozenset[str]
    stateful: frozenset[str]

    def varies(self, expr: Expr) -> bool:
        return any(isinstance(n, checked.Signal) and (n.delay > 0 or n.name in self.varying) for n in expr.walk())

    def reads_state(self, expr: Expr, cell: Cell) -> bool:
        """True where the value depends on the step before, at once or through other signals; the input's own
        earlier values are input."""
        for node in expr.walk():
            if isinstance(node, checked.Signal):
                carried = node.delay > 0 and cell.signal[node.name].role != "input"
                if carried or node.name in self.stateful:
                    return True
        return False


def find_dependence(cell: Cell) -> Dependence:
    """One walk over the equations, in order."""
    stateful: set[str] = set()
    for equation in cell.steps:
        if Dependence(cell.varying, frozenset(stateful)).reads_state(equation.value, cell):
            stateful.add(equation.target)
    return Dependence(cell.varying, frozenset(stateful))


def phases(cell: Cell) -> dict[str, Phase]:
    """The phase of each signal's equation.

    A carried signal whose new value reads no state (a gate that is read one step later, say) is computed before
    the loop like any other: its earlier values are then known, but the equations that read them stay in the loop.
    """
    dependence = find_dependence(cell)
    needed = _needed_by_states(cell, dependence)
    found: dict[str, Phase] = {}
    for equation in cell.steps:
        name = equation.target
        if name not in dependence.varying:
            found[name] = "once"
        elif name not in dependence.stateful:
            found[name] = "before"
        else:
            found[name] = "loop" if name in needed else "after"
    return found


def _needed_by_states(cell: Cell, dependence: Dependence) -> set[str]:
    """The signals that the new value of some carried signal is computed from, those included."""
    needed = {info.name for info in cell.signals if info.depth > 0}
    for equation in reversed(cell.steps):
        if equation.target in needed:
            needed |= {n.name for n in equation.value.walk() if isinstance(n, checked.Signal) and n.delay == 0}
    return needed


def constant_signals(cell: Cell) -> tuple[str, ...]:
    """The signals that are the same at every step (gates made of parameters alone), in the author's order."""
    return tuple(e.target for e in cell.equations if not e.timeless and e.target not in cell.varying)


@dataclass(frozen=True)
class Term:
    """A part of an equation, with its phase: `once`, `before` (hoistable) or `loop`."""

    equation: Equation
    expr: Expr
    phase: Phase


def terms(cell: Cell) -> tuple[Term, ...]:
    """The largest parts of each equation that read no state, and the products and signals between them that do."""
    dependence = find_dependence(cell)

    def phase(expr: Expr) -> Phase:
        if not dependence.varies(expr):
            return "once"
        return "loop" if dependence.reads_state(expr, cell) else "before"

    found: list[Term] = []

    def visit(equation: Equation, expr: Expr) -> None:
        own = phase(expr)
        if own != "loop" or isinstance(expr, (checked.Product, checked.Signal)):
            found.append(Term(equation, expr, own))
            return
        for child in expr.children:
            visit(equation, child)

    for equation in cell.steps:
        visit(equation, equation.value)
    return tuple(found)


def shared_operands(form: Form) -> tuple[tuple[Product, ...], ...]:
    """The products of each operand, in order: every group can be one stacked product."""
    groups: dict[Expr, list[Product]] = {}
    for product in form.products:
        groups.setdefault(product.operand, []).append(product)
    return tuple(tuple(group) for group in groups.values())
