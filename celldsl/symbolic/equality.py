"""Are two cells the same function?

`compare` proves it by normal forms, names as they are or up to a renaming; where it cannot, numbers decide: two cells
that differ on some input are different, and `differences` shows where; two that agree on all tried stay undecided.
A proof holds for runs from the cells' own initial states, wherever both sides are defined (a quotient by itself is 1).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Expr
from celldsl.symbolic import numeric
from celldsl.symbolic.difference import Difference, find_differences
from celldsl.symbolic.knots import Table
from celldsl.symbolic.match import Binding, Matcher, Part
from celldsl.symbolic.normal import Normal

TOLERANCE = 1e-9
"""Largest deviation of two runs in double precision that counts as none."""


@dataclass(frozen=True)
class Pair:
    """A parameter (or columns of one) of the first cell, and what it is in the second.

    names: the second cell's parameters, whose sum it is: more than one where that cell adds biases to each other.
    negated: it has the opposite sign there.
    """

    part: Part
    names: tuple[Part, ...]
    negated: bool = False

    @property
    def text(self) -> str:
        total = " + ".join(str(name) for name in self.names)
        return total if not self.negated else f"-({total})" if len(self.names) > 1 else f"-{total}"


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
        return {str(pair.part): pair.text for pair in self.pairs}

    @property
    def negated(self) -> tuple[str, ...]:
        """The first cell's parameters that have the opposite sign in the second."""
        return tuple(str(pair.part) for pair in self.pairs if pair.negated)

    def __str__(self) -> str:
        lines = [f"{self.a.name} and {self.b.name}: {self.verdict} ({self.how})"]
        names = {**self.signals, **self.renaming}
        if any(one != other for one, other in names.items()):
            lines.append("  " + ", ".join(f"{one} is {other}" for one, other in names.items() if one != other))
        for each in self.differences:
            lines.append(f"  {each.name}: {self.a.name:<8} {each.left or '-'}")
            lines.append(f"  {'':<{len(each.name)}}  {self.b.name:<8} {each.right or '-'}")
        return "\n".join(lines)


def compare(a: Cell, b: Cell, rename: bool = False) -> Comparison:
    """Compare two cells under the names they have, or (`rename`) under the best renaming of parameters, inputs and
    signals."""
    found = _search(a, b) if rename else _prove(a, b)
    if found is not None:
        pairs = found.pairs if rename else _same_names(a, b)
        deviation = _deviation(a, b, pairs, found.signals)
        if deviation is not None and deviation > TOLERANCE:  # near a pole, say: neither side is to be trusted
            return replace(found, verdict="undecided", how=f"{found.how}, but runs differ", deviation=deviation)
        return replace(found, deviation=deviation)
    differences = find_differences(a, b)
    deviation = _deviation(a, b, _same_names(a, b), {})
    if deviation is not None and deviation <= TOLERANCE and not rename:
        return Comparison(a, b, "undecided", "runs agree, but no proof was found", (), {}, differences, deviation)
    how = (
        "no renaming makes them one" if rename else "runs differ" if deviation is not None else "other inputs or widths"
    )
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
        binding = next(Matcher(level.normal(a), level.normal(b), fixed=True).matches(), None)
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
    for one, merged, note in ((b, {}, ""), (*merge_biases(b), ", sums of biases taken as one")):
        if note and not merged:
            continue
        for level in _LEVELS:
            binding = next(Matcher(level.normal(a), level.normal(one)).matches(), None)
            if binding is not None:
                pairs = _pairs(binding, merged, frozenset())
                return Comparison(a, b, "equal", f"{level.how}, up to names{note}", pairs, _signals(binding))
        for gates in _gates(one):
            ours, theirs = Normal(a, Table()), Normal(_negate(one, gates), Table())
            binding = next(Matcher(ours, theirs).matches(), None)
            if binding is not None:
                pairs = _pairs(binding, merged, gates)
                how = f"equal up to names and the sign of parameters{note}"
                return Comparison(a, b, "equal", how, pairs, _signals(binding))
    return None


def _signals(binding: Binding) -> dict[str, str]:
    return {one[1]: other[1] for one, other in binding.to.items() if isinstance(one, tuple) and one[0] == "signal"}


def _pairs(binding: Binding, merged: Mapping[str, tuple[str, ...]], negated: frozenset[str]) -> tuple[Pair, ...]:
    found = []
    for one, other in binding.to.items():
        if isinstance(one, Part):
            found.append(Pair(one, (other,), other.name in negated))
        elif isinstance(one, tuple) and one[0] == "parameter":
            names = merged.get(other[1], (other[1],))
            found.append(Pair(Part(one[1]), tuple(Part(name) for name in names), other[1] in negated))
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


# --- numbers -------------------------------------------------------------------------------


def _same_names(a: Cell, b: Cell) -> tuple[Pair, ...]:
    return tuple(
        Pair(Part(info.name), (Part(info.name),))
        for info in a.parameters
        if info.name in b.parameter and b.parameter[info.name].shape == info.shape
    )


def _deviation(a: Cell, b: Cell, pairs: tuple[Pair, ...], signals: Mapping[str, str]) -> float | None:
    """The largest difference of outputs over three random runs of four steps; a's parameters are made of b's by the
    pairs, others keep values of their own. None where the two take other inputs or give other widths."""
    inputs = {info.name: signals.get(info.name, info.name) for info in a.inputs}
    if any(
        name not in b.signal or b.signal[name].role != "input" or b.signal[name].shape != a.signal[own].shape
        for own, name in inputs.items()
    ):
        return None
    if len(a.inputs) != len(b.inputs) or a.signal[a.output].shape != b.signal[b.output].shape:
        return None
    sizes = numeric.small_sizes(a, b)
    worst = 0.0
    for seed in range(3):
        generator = random.Random(seed)
        every = numeric.all_sizes(b, sizes)
        theirs = numeric.random_parameters(b, sizes, generator)
        ours = numeric.random_parameters(a, sizes, generator)
        _transfer(a, pairs, theirs, ours, sizes)
        for info in a.states:  # learned first values go with their signals
            other = f"{signals.get(info.name, info.name)}_0"
            if f"{info.name}_0" in ours and other in theirs:
                ours[f"{info.name}_0"] = theirs[other]
        given = {info.name: [numeric.random_value(info.shape, every, generator) for _ in range(4)] for info in b.inputs}
        one = numeric.run(a, ours, {own: given[name] for own, name in inputs.items()}, sizes)[a.output]
        other_run = numeric.run(b, theirs, given, sizes)[b.output]
        worst = max(worst, _distance(one, other_run))
    return worst


def _transfer(
    a: Cell, pairs: tuple[Pair, ...], theirs: dict[str, Any], ours: dict[str, Any], sizes: Mapping[str, int]
) -> None:
    every = numeric.all_sizes(a, sizes)
    for pair in pairs:
        value = _sum_of([_part_value(theirs[part.name], part, every) for part in pair.names])
        if pair.negated:
            value = _scaled(value, -1.0)
        if pair.part.columns is None:
            ours[pair.part.name] = value
        else:
            start = int(pair.part.columns[0].at(every))  # type: ignore[arg-type]
            for row, block in zip(ours[pair.part.name], value, strict=True):
                row[start : start + len(block)] = block


def _part_value(value: Any, part: Part, sizes: Mapping[str, Any]) -> Any:
    if part.transposed:
        return [list(column) for column in zip(*value, strict=True)]
    if part.columns is not None:
        start, stop = (int(bound.at(sizes)) for bound in part.columns)
        return [row[start:stop] for row in value]
    return value


def _sum_of(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], list):
        return [_sum_of(list(entries)) for entries in zip(*values, strict=True)]
    return sum(values)


def _scaled(value: Any, factor: float) -> Any:
    return [_scaled(entry, factor) for entry in value] if isinstance(value, list) else value * factor


def _distance(one: Any, other: Any) -> float:
    """The largest difference of entries, relative to the larger of 1 and the entry; undefined ones against each other
    count as equal."""
    if isinstance(one, list):
        return max((_distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    if one != one and other != other:
        return 0.0
    if one != one or other != other:
        return float("inf")
    return abs(one - other) / max(1.0, abs(other)) if one != other else 0.0
