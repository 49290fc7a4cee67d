"""What differs between two cells, equation by equation, in their authors' notation and as little as possible.

Equations are compared in normal form, signals that both cells have kept as names. Where two differ, the parts that
agree are peeled off: of two gates of which one lacks a term, the term is shown, not the gates.
"""

from __future__ import annotations

from dataclasses import dataclass

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Equation, Expr
from celldsl.symbolic.knots import Table
from celldsl.symbolic.normal import Normal
from celldsl.symbolic.polynomial import Polynomial
from celldsl.symbolic.text import show, written

LONGEST = 100
"""Names and numbers in an intermediate that is put in its places."""


@dataclass(frozen=True)
class Difference:
    """What one place of two cells says. name: the signal, parameter or setting; left, right: the parts that differ,
    empty where that side has nothing there; whole: both equations, where the parts are parts of equations."""

    name: str
    left: str
    right: str
    whole: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        return f"{self.name}: {self.left or 'nothing'} against {self.right or 'nothing'}"


def find_differences(a: Cell, b: Cell, widths: bool = False) -> tuple[Difference, ...]:
    """Where two cells differ, names taken as they are; empty where every equation says the same in evaluation. widths:
    those of parameters may differ, as those of signals do."""
    a, b = a.evaluated, b.evaluated
    found: list[Difference] = []
    for name in dict.fromkeys([*(p.name for p in a.parameters), *(p.name for p in b.parameters)]):
        one, other = a.parameter.get(name), b.parameter.get(name)
        if one is not None and other is not None and one.shape != other.shape:
            if widths and one.shape.rank == other.shape.rank:
                continue
            found.append(Difference(name, str(one.shape), str(other.shape)))
    if found:  # names do not mean the same: equations cannot be compared
        return tuple(found)
    table = Table()
    common = frozenset(e.target for e in a.steps) & frozenset(e.target for e in b.steps)
    ours, theirs = (Normal(cell, table, keep=common | _long(cell, common)) for cell in (a, b))
    for name in dict.fromkeys(e.target for e in (*a.equations, *b.equations) if e.target in common):
        if ours.of(name) != theirs.of(name):
            found += _of_equation(a.equation[name], b.equation[name], ours, theirs)
    carried = {info.name for cell in (a, b) for info in cell.signals if info.depth > 0}
    for name in sorted(carried & common):
        if ours.initial(name) != theirs.initial(name) and None not in (ours.initial(name), theirs.initial(name)):
            found.append(Difference(f"{name}_0", _initial(a, name), _initial(b, name)))
    for name in (info.name for info in a.settings if info.name in b.setting):
        if a.setting[name].value != b.setting[name].value:
            found.append(Difference(name, a.setting[name].text, b.setting[name].text))
    if a.output != b.output:
        found.append(Difference("output", a.output, b.output))
    found += [Difference(e.target, written(e), "") for e in a.steps if e.target not in b.equation and found]
    found += [Difference(e.target, "", written(e)) for e in b.steps if e.target not in a.equation and found]
    return tuple(found)


def _long(cell: Cell, common: frozenset[str]) -> frozenset[str]:
    """Intermediates too long to be written out, which stay names though one cell alone has them."""
    lengths: dict[str, int] = {}
    found: set[str] = set()
    for equation in cell.steps:
        length = sum(
            lengths.get(node.name, 1) if isinstance(node, checked.Signal) and not node.delay else 1
            for node in equation.value.walk()
            if not node.children
        )
        lengths[equation.target] = 1 if equation.target in common or length > LONGEST else length
        if length > LONGEST:
            found.add(equation.target)
    return frozenset(found)


def _initial(cell: Cell, name: str) -> str:
    value = cell.signal[name].initial
    return "learned" if value == "learned" else "0" if value is None else show(value)


def _of_equation(one: Equation, other: Equation, ours: Normal, theirs: Normal) -> list[Difference]:
    whole = (written(one), written(other))
    pairs = _peel(one.value, other.value, ours, theirs)
    return [Difference(one.target, left, right, whole) for left, right in pairs]


def _peel(one: Expr, other: Expr, ours: Normal, theirs: Normal) -> list[tuple[str, str]]:
    """The parts of two unequal expressions that differ."""
    if isinstance(one, checked.Add) or isinstance(other, checked.Add):
        left, right = _unmatched(_terms(one), _terms(other), ours, theirs)
        if len(left) == len(right) == 1 and isinstance(left[0], checked.Neg) == isinstance(right[0], checked.Neg):
            return _deeper(left[0], right[0], ours, theirs)
        return [(_sum(left), _sum(right))]
    if isinstance(one, checked.Mul) and isinstance(other, checked.Mul):
        left, right = _unmatched(_factors(one), _factors(other), ours, theirs)
        if len(left) == len(right) == 1:
            return _deeper(left[0], right[0], ours, theirs)
        return [(written(one), written(other))]
    return _deeper(one, other, ours, theirs)


def _deeper(one: Expr, other: Expr, ours: Normal, theirs: Normal) -> list[tuple[str, str]]:
    """Into two nodes of one kind that differ in one child; else both as they are."""
    same_kind = type(one) is type(other) and len(one.children) == len(other.children)
    named = not isinstance(one, checked.Call) or (isinstance(other, checked.Call) and one.function == other.function)
    if same_kind and named and one.children and not isinstance(one, checked.Add | checked.Mul):
        pairs = [p for p in zip(one.children, other.children, strict=True) if not _equal(*p, ours, theirs)]
        if len(pairs) == 1 and pairs[0][0].shape.rank == pairs[0][1].shape.rank < 2:
            return _peel(*pairs[0], ours, theirs)
    elif same_kind and isinstance(one, checked.Add | checked.Mul):
        return _peel(one, other, ours, theirs)
    return [(written(one), written(other))]


def _equal(one: Expr, other: Expr, ours: Normal, theirs: Normal) -> bool:
    if one.shape.rank == 2 or other.shape.rank == 2:
        return one.shape == other.shape and ours.matrix(one) == theirs.matrix(other)
    return ours.value(one) == theirs.value(other)


def _unmatched(left: list[Expr], right: list[Expr], ours: Normal, theirs: Normal) -> tuple[list[Expr], list[Expr]]:
    """What is left of both when equal parts are paired off."""
    waiting: list[tuple[Expr, Polynomial]] = [(expr, theirs.value(expr)) for expr in right]
    alone = []
    for expr in left:
        value = ours.value(expr)
        at = next((at for at, (_, other) in enumerate(waiting) if other == value), None)
        if at is None:
            alone.append(expr)
        else:
            waiting.pop(at)
    return alone, [expr for expr, _ in waiting]


def _terms(expr: Expr) -> list[Expr]:
    if isinstance(expr, checked.Add):
        return [part for term in expr.terms for part in _terms(term)]
    return [expr]


def _factors(expr: Expr) -> list[Expr]:
    if isinstance(expr, checked.Mul):
        return [*_factors(expr.left), *_factors(expr.right)]
    return [expr]


def _sum(terms: list[Expr]) -> str:
    text = ""
    for term in terms:
        sign, inner = ("-", term.operand) if isinstance(term, checked.Neg) else ("+", term)
        text += f" {sign} {written(inner)}" if text else (f"-{written(inner)}" if sign == "-" else written(inner))
    return text
