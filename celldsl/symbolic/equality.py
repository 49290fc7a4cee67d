"""Are two cells the same function?

`compare` proves it by normal forms, names as they are or up to a renaming; where it cannot, numbers decide: two cells
that differ on some input are different, and `differences` shows where; two that agree on all tried stay undecided.
A proof holds for runs from the cells' own initial states, wherever both sides are defined (a quotient by itself is 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, Literal

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Expr
from celldsl.symbolic.agreement import TOLERANCE, deviation_of
from celldsl.symbolic.difference import Difference, find_differences
from celldsl.symbolic.knots import Table
from celldsl.symbolic.match import Binding, Matcher, Pair, Part
from celldsl.symbolic.normal import Normal


@dataclass(frozen=True)
class Comparison:
    """What was found about two cells.

    verdict: `equal` (proved), `different` (shown by numbers, or no renaming found), `undecided` (numbers agree,
    no proof).
    how: what the proof uses, or what was tried.
    pairs: for `rename`: the first cell's parameters in terms of the second's; signals: likewise its states and inputs.
    differences: for cells that are not proved equal, under the names they have.
    deviation: the largest difference of outputs in runs with random numbers, None where runs cannot be compared.
    """

    a: Cell
    b: Cell
    verdict: Literal["equal", "different", "undecided"]
    how: str
    pairs: tuple[Pair, ...] = ()
    signals: Mapping[str, str] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    deviation: float | None = None

    @property
    def equal(self) -> bool:
        return self.verdict == "equal"

    @property
    def renaming(self) -> dict[str, str]:
        """The first cell's parameters -> the second's: a name, `W[:, :n]` for columns, `b + d` for a sum of
        biases, `-W` where the sign is the opposite."""
        return {pair.key: pair.text for pair in self.pairs}

    @property
    def negated(self) -> tuple[str, ...]:
        """The first cell's parameters that have the opposite sign in the second."""
        return tuple(str(pair.part) for pair in self.pairs if pair.negated)

    def __str__(self) -> str:
        lines = [f"{self.a.name} and {self.b.name}: {self.verdict} ({self.how})"]
        names = {**self.signals, **self.renaming}
        if any(one != other for one, other in names.items()):
            lines.append("  " + ", ".join(f"{one} is {other}" for one, other in names.items() if one != other))
        return "\n".join(lines)


def compare(a: Cell, b: Cell, rename: bool = False) -> Comparison:
    """Compare two cells under the names they have, or (`rename`) under the best renaming of parameters, inputs and
    signals. Noise is left out: cells are equal if they are so in evaluation."""
    found = _compare(a.evaluated, b.evaluated, rename)
    return replace(found, how=f"{found.how}, in evaluation") if a.masks or b.masks else found


def _compare(a: Cell, b: Cell, rename: bool) -> Comparison:
    try:
        found = _search(a, b) if rename else _prove(a, b)
    except _GivenUp:
        return Comparison(a, b, "undecided", "the search for names was given up: too many parts look alike")
    if found is not None:
        pairs = found.pairs if rename else _same_names(a, b)
        deviation = deviation_of(a, b, pairs, found.signals)
        if deviation is not None and deviation > TOLERANCE:  # near a pole, say: neither side is to be trusted
            return replace(found, verdict="undecided", how=f"{found.how}, but runs differ", deviation=deviation)
        return replace(found, deviation=deviation)
    differences = find_differences(a, b)
    deviation = deviation_of(a, b, _same_names(a, b), {})
    if deviation is not None and deviation <= TOLERANCE and not rename:
        return Comparison(a, b, "undecided", "runs agree, but no proof was found", (), {}, differences, deviation)
    how = "no renaming makes them one"
    if not rename:
        how = "inputs or widths differ" if deviation is None else "runs differ"
    return Comparison(a, b, "different", how, (), {}, differences, deviation)


# --- proofs --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Level:
    """One way to make normal forms, the cheapest first."""

    how: str
    unfold: bool = False
    tanh_as_sigmoid: bool = False

    def normal(self, cell: Cell) -> Normal:
        return Normal(cell, Table(self.tanh_as_sigmoid), unfold=self.unfold)


_LEVELS = (
    _Level("equal normal forms"),
    _Level("equal normal forms, earlier outputs written out by their own equation", unfold=True),
    _Level("equal normal forms, with tanh(a) = 2 sigmoid(2a) - 1", unfold=True, tanh_as_sigmoid=True),
)


def _prove(a: Cell, b: Cell) -> Comparison | None:
    """Parameters, settings and inputs as they are called; states and intermediates may be called otherwise."""
    if _same_equations(a, b):
        return Comparison(a, b, "equal", "every equation says the same")
    for name in a.parameter.keys() & b.parameter.keys():
        if a.parameter[name].shape != b.parameter[name].shape:
            return None
    for level in _LEVELS:
        binding = _first(Matcher(level.normal(a), level.normal(b), fixed=True))
        if binding is not None:
            return Comparison(a, b, "equal", level.how, signals=_signals(binding))
    return None


def _same_equations(a: Cell, b: Cell) -> bool:
    """The quick case: one set of signals, and nothing that differs."""
    signals = {info.name: (info.shape, info.role) for info in a.signals}
    return signals == {info.name: (info.shape, info.role) for info in b.signals} and not find_differences(a, b)


def _search(a: Cell, b: Cell) -> Comparison | None:
    """A renaming of a's parameters, inputs and signals that makes it b: plain; with sums of biases as one; with
    gates whose parameters have the opposite sign."""
    for (one, mine), (other, its) in product(_layouts(a), _layouts(b)):
        note = ", sums of biases taken as one" if mine or its else ""
        for level in _LEVELS:
            binding = _first(Matcher(level.normal(one), level.normal(other)))
            if binding is not None:
                pairs = _pairs(binding, mine, its, frozenset())
                return Comparison(a, b, "equal", f"{level.how}, up to names{note}", pairs, _signals(binding))
        for gates in _gates(other):
            binding = _first(Matcher(Normal(one, Table()), Normal(_negate(other, gates), Table())))
            if binding is not None:
                pairs = _pairs(binding, mine, its, gates)
                how = f"equal up to names and the sign of parameters{note}"
                return Comparison(a, b, "equal", how, pairs, _signals(binding))
    return None


class _GivenUp(Exception):
    """The search for a renaming grew too large."""


def _first(matcher: Matcher) -> Binding | None:
    binding = next(matcher.matches(), None)
    if binding is None and matcher.budget <= 0:
        raise _GivenUp
    return binding


_Merged = Mapping[str, tuple[str, ...]]


def _layouts(cell: Cell) -> Iterator[tuple[Cell, _Merged]]:
    """The cell, and where it adds biases to each other, the cell with their sums as one."""
    yield cell, {}
    merged = merge_biases(cell)
    if merged[1]:
        yield merged


def _signals(binding: Binding) -> dict[str, str]:
    return {one[1]: other[1] for one, other in binding.to.items() if isinstance(one, tuple) and one[0] == "signal"}


def _pairs(binding: Binding, mine: _Merged, its: _Merged, negated: frozenset[str]) -> tuple[Pair, ...]:
    found = []
    for one, other in binding.to.items():
        if isinstance(one, Part):
            found.append(Pair(one, (other,), other.name in negated))
        elif isinstance(one, tuple) and one[0] == "parameter":
            names = tuple(Part(name) for name in its.get(other[1], (other[1],)))
            found.append(Pair(Part(one[1]), names, other[1] in negated, mine.get(one[1], (one[1],))[1:]))
    return tuple(sorted(found, key=lambda pair: str(pair.part)))


def merge_biases(cell: Cell) -> tuple[Cell, dict[str, tuple[str, ...]]]:
    """The cell with one bias in the place of several that only ever stand in the same sums, and which they were."""
    places: dict[str, list[int]] = {info.name: [] for info in cell.parameters if info.bias}
    count = 0
    for equation in cell.equations:
        for node in equation.value.walk():
            if isinstance(node, checked.Add):
                count += 1
                for term in node.terms:
                    inner = _unsigned(term)
                    if isinstance(inner, checked.Parameter) and inner.name in places:
                        places[inner.name].append(-count if isinstance(term, checked.Neg) else count)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, where in places.items():
        if where:
            groups.setdefault((cell.parameter[name].shape, *where), []).append(name)
    merged = {names[0]: tuple(names) for names in groups.values() if len(names) > 1}
    gone = {name for names in merged.values() for name in names[1:]}

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, checked.Add):
            return None
        kept = tuple(
            term.transform(change)
            for term in node.terms
            if not (isinstance(inner := _unsigned(term), checked.Parameter) and inner.name in gone)
        )
        return replace(node, terms=kept)

    return _with_values(cell, change), merged


def _unsigned(term: Expr) -> Expr:
    return term.operand if isinstance(term, checked.Neg) else term


def _with_values(cell: Cell, change: Any) -> Cell:
    equations = tuple(replace(e, value=e.value.transform(change)) for e in cell.equations)
    return replace(cell, equations=equations)


def _gates(cell: Cell) -> Iterator[frozenset[str]]:
    """Sets of parameters whose sign may be turned together: all those of a sigmoid's own argument, for one gate,
    two, …"""
    gates: list[frozenset[str]] = []
    for equation in cell.steps:
        for node in equation.value.walk():
            if isinstance(node, checked.Call) and node.function in ("sigmoid", "hard_sigmoid"):
                inside = frozenset(n.name for n in node.arguments[0].walk() if isinstance(n, checked.Parameter))
                if inside and inside not in gates:
                    gates.append(inside)
    for many in range(1, min(len(gates), 3) + 1):
        for chosen in combinations(gates[:6], many):
            yield frozenset().union(*chosen)


def _negate(cell: Cell, names: frozenset[str]) -> Cell:
    def change(node: Expr) -> Expr | None:
        if isinstance(node, checked.Parameter) and node.name in names:
            return checked.Neg(node.shape, operand=node)
        return None

    return _with_values(cell, change)


def _same_names(a: Cell, b: Cell) -> tuple[Pair, ...]:
    return tuple(
        Pair(Part(info.name), (Part(info.name),))
        for info in a.parameters
        if info.name in b.parameter and b.parameter[info.name].shape == info.shape
    )
