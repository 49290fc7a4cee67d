"""Which recurrences of a cell are linear in their state, and so parallel over time.

The carried signals are sorted into components that feed back into each other, those of earlier components being known
sequences to later ones. A component is classified by how its new values depend on its old ones, in normal form, so
that z * h + (1 - z) * h is seen to be h:

map          on none of them: no recurrence at all
diagonal     s' = a * s + b, entry by entry, for one state: an associative scan
block        the same for several coupled states: a scan of small matrices
max-plus     s' = max(s + a, b): a scan over (max, +)
dense        linear, but a matrix mixes the entries
elementwise  not linear, but entry by entry: no product inside the loop
sequential   everything else, and whatever reads itself more than one step back (`lag`)

The classification is sound, not complete: what is called linear is, other recurrences might be too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import sympy

from celldsl.check.cell import Add, Call, Cell, Expr, Mul, Pow, Signal
from celldsl.symbolic.algebra import signal_symbol
from celldsl.symbolic.form import Form
from celldsl.symbolic.knots import Table
from celldsl.symbolic.normal import Normal
from celldsl.symbolic.polynomial import Monomial, Name, Polynomial

Kind = Literal["map", "diagonal", "block", "max-plus", "dense", "elementwise", "sequential"]

SCANNED: frozenset[Kind] = frozenset({"diagonal", "block", "max-plus"})
"""The kinds for which a scan over time is worth while."""


LIMIT = 100
"""Of the terms that a new value may have, multiplied out: cells with more are not looked into and called sequential."""


@dataclass(frozen=True)
class Recurrence:
    """One component: its states, and how their new values depend on the old ones.

    coefficients: (state, state read) -> a, and offsets: state -> b, of s' = Σ a * s + b; for the kinds diagonal and
    block. Both in the author's names, of what the component does not change.
    lag: how many steps back the component reads itself at most.
    """

    states: tuple[str, ...]
    kind: Kind
    lag: int = 1
    coefficients: dict[tuple[str, str], sympy.Expr] = field(default_factory=dict)
    offsets: dict[str, sympy.Expr] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{', '.join(self.states)}: {self.kind}" + (f", {self.lag} steps back" if self.lag > 1 else "")]
        for state in self.offsets:
            parts = [f"({a}) * {signal_symbol(r, 1)}" for (s, r), a in self.coefficients.items() if s == state]
            lines.append(f"  {signal_symbol(state, 0)} = {' + '.join(parts)} + {self.offsets[state]}")
        return "\n".join(lines)


def recurrences(form: Form) -> tuple[Recurrence, ...]:
    """The components of a cell's states, each after those it reads."""
    cell = form.cell
    if _expanded(cell) > LIMIT:
        return (Recurrence(tuple(info.name for info in cell.states if info.role == "state"), "sequential"),)
    normal = Normal(cell, Table())
    states = [info.name for info in cell.signals if info.depth > 0 and info.role == "state"]
    reads = {state: _earlier(normal.table, normal.of(state)) for state in states}
    graph = {state: {name for name, _ in reads[state]} & set(states) for state in states}
    found = []
    for component in _components(states, graph):
        lag = max([delay for s in component for name, delay in reads[s] if name in component], default=0)
        if lag == 0:
            found.append(Recurrence(component, "map", 0))
            continue
        kind = _kind(normal, component, lag)
        coefficients, offsets = _affine(form, component) if kind in ("diagonal", "block") else ({}, {})
        found.append(Recurrence(component, kind, lag, coefficients, offsets))
    return tuple(found)


def _expanded(cell: Cell) -> int:
    """How many terms the longest of the new values has at most, intermediates written out and multiplied out."""
    sizes: dict[str, int] = {}

    def size(node: Expr) -> int:
        if isinstance(node, Signal):
            return sizes.get(node.name, 1) if node.delay == 0 else 1
        if isinstance(node, Add):
            return sum(map(size, node.terms))
        if isinstance(node, Mul):
            return size(node.left) * size(node.right)
        if isinstance(node, Pow):
            return size(node.left) ** 2
        return max((size(child) for child in node.children), default=1) if not isinstance(node, Call) else 1

    for name in cell.order:
        sizes[name] = min(size(cell.equation[name].value), 2 * LIMIT)
    return max(sizes.values(), default=1)


def _earlier(table: Table, value: Polynomial) -> set[tuple[str, int]]:
    """(signal, delay) of every earlier value that an expression reads."""
    found: set[tuple[str, int]] = set()
    for name in value.names:
        knot = table.knot(name)
        if knot is not None:
            for argument in knot.arguments:
                found |= _earlier(table, argument)
        elif name.kind == "signal" and name.delay:
            found.add((name.name, name.delay))
    return found


def _components(states: list[str], graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Strongly connected components, each after those it reads (Tarjan), states in the author's order."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(state: str) -> None:
        index[state] = low[state] = len(index)
        stack.append(state)
        for other in sorted(graph[state]):
            if other not in index:
                visit(other)
                low[state] = min(low[state], low[other])
            elif other in stack:
                low[state] = min(low[state], index[other])
        if low[state] == index[state]:
            members = set()
            while state not in members:
                members.add(stack.pop())
            found.append(tuple(s for s in states if s in members))

    for state in states:
        if state not in index:
            visit(state)
    return found


# --- classes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Class:
    """How an expression depends on a component. degree: 0 not at all, 1 linearly, 2 otherwise; mixing: entries of a
    vector meet; tropical: it is max(state + constant, …) + constant."""

    degree: int = 0
    mixing: bool = False
    tropical: bool = False


def _kind(normal: Normal, component: tuple[str, ...], lag: int) -> Kind:
    classes = [_Classifier(normal, component).of(normal.of(state)) for state in component]
    degree, mixing = max(c.degree for c in classes), any(c.mixing for c in classes)
    if lag > 1:
        return "sequential"
    if degree <= 1:
        return "dense" if mixing else "diagonal" if len(component) == 1 else "block"
    if len(component) == 1 and classes[0].tropical:
        return "max-plus"
    return "sequential" if mixing else "elementwise"


class _Classifier:
    def __init__(self, normal: Normal, component: Iterable[str]):
        self.normal, self.component = normal, set(component)
        self.memo: dict[Name, _Class] = {}

    def of(self, value: Polynomial) -> _Class:
        degree, mixing, moving = 0, False, []
        for factors, coefficient in value.terms:
            classes = [(self.name(name), name, exponent) for name, exponent in factors]
            dependent = [(each, name, exponent) for each, name, exponent in classes if each.degree]
            if not dependent:
                continue
            own = sum(each.degree if exponent == 1 else 2 for each, _, exponent in dependent)
            degree, mixing = max(degree, min(own, 2)), mixing or any(each.mixing for each, _, _ in dependent)
            moving.append((factors, coefficient, dependent))
        return _Class(degree, mixing, len(moving) == 1 and self.alone(*moving[0]))

    def alone(self, factors: Monomial, coefficient: Fraction, dependent: list[tuple[_Class, Name, int]]) -> bool:
        """Whether the one term that depends on the component is the state itself, or a tropical expression."""
        if len(factors) != 1 or coefficient != 1:
            return False
        each, name, exponent = dependent[0]
        return exponent == 1 and (name.kind == "signal" or each.tropical)

    def name(self, name: Name) -> _Class:
        if name not in self.memo:
            self.memo[name] = self.classify(name)
        return self.memo[name]

    def classify(self, name: Name) -> _Class:
        knot = self.normal.table.knot(name)
        if knot is None:
            return _Class(1) if name.kind == "signal" and name.delay and name.name in self.component else _Class()
        parts = [self.of(argument) for argument in knot.arguments]
        if not any(part.degree for part in parts):
            return _Class()
        mixing = any(part.mixing for part in parts)
        match knot.function:
            case "group":
                return parts[0]
            case "product":
                return _Class(parts[0].degree, True)
            case "sum" | "concat" | "cumsum" | "slice" | "repeat":
                return _Class(max(part.degree for part in parts), True)
            case "max":
                return _Class(2, mixing, all(part.degree == 0 or part.tropical for part in parts))
        return _Class(2, mixing or knot.function in _ACROSS)


_ACROSS = {"softmax", "cumax", "layernorm", "rmsnorm"}


# --- coefficients --------------------------------------------------------------------------


def _affine(form: Form, component: tuple[str, ...]) -> tuple[dict[tuple[str, str], sympy.Expr], dict[str, sympy.Expr]]:
    """a and b of s' = Σ a * s + b: signals of the step that depend on the component are put in place, the others keep
    their names."""
    old = {state: signal_symbol(state, 1) for state in component}
    placed: dict[sympy.Symbol, sympy.Expr] = {}
    for line in form.lines:  # no atom depends on the component: it would mix its entries
        if line.value.free_symbols & {*placed, *old.values()}:
            placed[line.symbol] = line.value.xreplace(placed)
    nowhere = dict.fromkeys(old.values(), sympy.Integer(0))
    coefficients: dict[tuple[str, str], sympy.Expr] = {}
    offsets: dict[str, sympy.Expr] = {}
    for state in component:
        value = placed[signal_symbol(state, 0)]
        for other, symbol in old.items():
            slope = value.diff(symbol)
            if slope.free_symbols & set(old.values()):
                slope = sympy.expand(slope)
            if slope != 0:
                coefficients[state, other] = slope
        offsets[state] = value.xreplace(nowhere)
    return coefficients, offsets
