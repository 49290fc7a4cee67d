"""One cell as another under other names: a search for the renaming, by backtracking over normal forms.

Names are bound one by one while the polynomials of outputs and states are walked side by side; names that stand in
different places (by a signature blind to names) are never tried. A matrix may be bound to a block of columns of
another, `U_i` to the part of `W_i` that meets h in `W_i [h; x]`, or to a transpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Any

from celldsl.check.width import Width
from celldsl.symbolic.knots import Factor, Knot, Matrix, Word
from celldsl.symbolic.normal import Normal
from celldsl.symbolic.polynomial import Monomial, Name, Polynomial


@dataclass(frozen=True, order=True)
class Part:
    """A parameter, some of its columns, or its transpose."""

    name: str
    columns: tuple[Width, Width] | None = field(default=None, compare=True)
    transposed: bool = False

    def __str__(self) -> str:
        text = self.name + ("^T" if self.transposed else "")
        if self.columns is None:
            return text
        start, stop = self.columns
        return f"{text}[:, {start if start.terms else ''}:{stop}]"


@dataclass(frozen=True)
class Pair:
    """A parameter (or columns of one) of the first cell, and what it is in the second.

    names: the second cell's parameters, whose sum it is: more than one where that cell adds biases to each other.
    negated: it has the opposite sign there.
    further: parameters of the first cell that only ever add to `part`; their sum with it is meant.
    """

    part: Part
    names: tuple[Part, ...]
    negated: bool = False
    further: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The first cell's side, as text."""
        return " + ".join([str(self.part), *self.further])

    @property
    def text(self) -> str:
        """The second cell's side, as text."""
        total = " + ".join(str(name) for name in self.names)
        return total if not self.negated else f"-({total})" if len(self.names) > 1 else f"-{total}"


@dataclass(frozen=True)
class Binding:
    """What is bound so far. keys and values: names, and `Part`s of matrices."""

    to: dict[Any, Any] = field(default_factory=dict)
    used: dict[Any, Any] = field(default_factory=dict)

    def bind(self, one: Any, other: Any) -> Binding | None:
        """With one ↔ other; None where one of them is bound elsewhere."""
        if one in self.to or other in self.used:
            return self if one in self.to and self.to[one] == other else None
        return Binding({**self.to, one: other}, {**self.used, other: one})


@dataclass
class Matcher:
    """a and b over tables of their own. fixed: parameters, settings and inputs keep their names; only states and
    intermediates may differ."""

    a: Normal
    b: Normal
    fixed: bool = False
    budget: int = 50_000
    """Pairs of terms that are tried before the search is given up; what is left of it is 0 then."""
    codes: dict[Any, int] = field(default_factory=dict)
    memo: dict[Any, int] = field(default_factory=dict)

    def matches(self) -> Iterator[Binding]:
        """Every way to read a as b, from output to output."""
        start = Binding().bind(("signal", self.a.cell.output), ("signal", self.b.cell.output))
        assert start is not None
        if not self.same_start(self.a.cell.output, self.b.cell.output):
            return
        first, second = self.a.of(self.a.cell.output), self.b.of(self.b.cell.output)
        for binding in self.polynomial(first, second, start):
            if _blocks_apart(binding):
                yield binding

    # --- walking side by side --------------------------------------------------------------

    def polynomial(self, one: Polynomial, other: Polynomial, binding: Binding) -> Iterator[Binding]:
        if self.sign(self.a, one) == self.sign(self.b, other):
            yield from self.terms(list(one.terms), list(other.terms), binding)

    def terms(self, ours: list, theirs: list, binding: Binding) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        (factors, coefficient), rest = ours[0], ours[1:]
        wanted = self.monomial_sign(self.a, factors)
        for at, (others, number) in enumerate(theirs):
            self.budget -= 1
            if self.budget <= 0:
                return
            if number == coefficient and self.monomial_sign(self.b, others) == wanted:
                for found in self.factors(list(factors), list(others), binding):
                    yield from self.terms(rest, theirs[:at] + theirs[at + 1 :], found)

    def factors(self, ours: list, theirs: list, binding: Binding) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        (name, exponent), rest = ours[0], ours[1:]
        for at, (other, power) in enumerate(theirs):
            if power == exponent:
                for found in self.name(name, other, binding):
                    yield from self.factors(rest, theirs[:at] + theirs[at + 1 :], found)

    def name(self, one: Name, other: Name, binding: Binding) -> Iterator[Binding]:
        if one.kind != other.kind or one.delay != other.delay:
            return
        if one.kind == "knot":
            yield from self.knot(one, other, binding)
        elif one.kind == "dim":
            if one == other:
                yield binding
        elif one.kind == "signal":
            yield from self.signal(one, other, binding)
        elif self.name_sign(self.a, one) == self.name_sign(self.b, other):
            found = binding.bind((one.kind, one.name), (other.kind, other.name))
            if found is not None:
                yield found

    def knot(self, one: Name, other: Name, binding: Binding) -> Iterator[Binding]:
        if one in binding.to or self.name_sign(self.a, one) != self.name_sign(self.b, other):
            if binding.to.get(one) == other:
                yield binding
            return
        ours, theirs = self.a.table.knot(one), self.b.table.knot(other)
        assert ours is not None
        assert theirs is not None
        orders = permutations(theirs.arguments) if ours.function == "max" else [theirs.arguments]
        for arguments in orders:
            for found in self.arguments(ours.arguments, tuple(arguments), binding):
                for with_word in self.word(ours.word, theirs.word, found):
                    for whole in self.matrices(ours.matrices, theirs.matrices, with_word):
                        bound = whole.bind(one, other)
                        if bound is not None:
                            yield bound

    def arguments(
        self, ours: tuple[Polynomial, ...], theirs: tuple[Polynomial, ...], binding: Binding
    ) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        for found in self.polynomial(ours[0], theirs[0], binding):
            yield from self.arguments(ours[1:], theirs[1:], found)

    def signal(self, one: Name, other: Name, binding: Binding) -> Iterator[Binding]:
        mine, its = ("signal", one.name), ("signal", other.name)
        if mine in binding.to or its in binding.used:
            if binding.to.get(mine) == its:
                yield binding
            return
        if self.name_sign(self.a, one) != self.name_sign(self.b, other):
            return
        found = binding.bind(mine, its)
        if found is None or not self.same_start(one.name, other.name):
            return
        if one.name not in self.a.cell.equation:
            if not self.fixed or one.name == other.name:
                yield found
            return
        yield from self.polynomial(self.a.of(one.name), self.b.of(other.name), found)

    def same_start(self, one: str, other: str) -> bool:
        ours, theirs = self.a.initial(one), self.b.initial(other)
        if ours is None or theirs is None or ours == theirs:
            return True
        learned = [ours.single == Name("parameter", f"{one}_0"), theirs.single == Name("parameter", f"{other}_0")]
        return all(learned)

    def word(self, ours: Word, theirs: Word, binding: Binding) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        one, other = ours[0], theirs[0]
        if one.name.kind == "knot" or other.name.kind == "knot":
            if one.name.kind == other.name.kind and one[1:] == other[1:]:
                for found in self.knot(one.name, other.name, binding):
                    yield from self.word(ours[1:], theirs[1:], found)
            return
        if self.fixed and one != other:
            return
        mine = Part(one.name.name, one.columns)
        its = Part(other.name.name, other.columns, one.transposed != other.transposed)
        if (one.columns or other.columns) and (one.transposed or other.transposed):
            return
        bound = binding.bind(mine, its)
        if bound is not None:
            yield from self.word(ours[1:], theirs[1:], bound)

    def matrices(self, ours: tuple[Matrix, ...], theirs: tuple[Matrix, ...], binding: Binding) -> Iterator[Binding]:
        """The matrices inside a function of matrices, in any order where there are two."""
        if not ours:
            yield binding
            return
        for order in permutations(theirs) if len(theirs) < 4 else [theirs]:
            yield from self.each_matrix(list(ours), list(order), binding)

    def each_matrix(self, ours: list[Matrix], theirs: list[Matrix], binding: Binding) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        if len(ours[0]) == len(theirs[0]):
            for found in self.sum_of_words(list(ours[0]), list(theirs[0]), binding):
                yield from self.each_matrix(ours[1:], theirs[1:], found)

    def sum_of_words(self, ours: list, theirs: list, binding: Binding) -> Iterator[Binding]:
        if not ours:
            yield binding
            return
        word, coefficient = ours[0]
        for at, (other, number) in enumerate(theirs):
            if len(word) == len(other):
                for scaled in self.polynomial(coefficient, number, binding):
                    for found in self.word(word, other, scaled):
                        yield from self.sum_of_words(ours[1:], theirs[:at] + theirs[at + 1 :], found)

    # --- signatures, blind to names --------------------------------------------------------

    def code(self, key: Any) -> int:
        return self.codes.setdefault(key, len(self.codes))

    def sign(self, side: Normal, value: Polynomial, depth: int = 2) -> int:
        key = (id(side), value, depth)
        if key not in self.memo:
            terms = sorted((c, self.monomial_sign(side, factors, depth)) for factors, c in value.terms)
            self.memo[key] = self.code(("sum", tuple(terms)))
        return self.memo[key]

    def monomial_sign(self, side: Normal, factors: Monomial, depth: int = 2) -> int:
        return self.code(("term", tuple(sorted((self.name_sign(side, name, depth), e) for name, e in factors))))

    def name_sign(self, side: Normal, name: Name, depth: int = 2) -> int:
        key = (id(side), name, depth)
        if key not in self.memo:
            self.memo[key] = self.code(self.place(side, name, depth))
        return self.memo[key]

    def place(self, side: Normal, name: Name, depth: int) -> Any:
        """What can be told of a name without naming it; of a state, also how it is updated (`depth` levels of that)."""
        shape = side.table.shapes[name]
        knot = side.table.knot(name)
        if knot is not None:
            return self.knot_place(side, knot, depth)
        match name.kind:
            case "dim":
                return name
            case "hyper":
                return "hyper", side.cell.setting[name.name].value, name.name if self.fixed else ""
            case "signal":
                update: Any = side.cell.signal[name.name].role
                if name.name in side.cell.equation:
                    update = self.sign(side, side.of(name.name), depth - 1) if depth else ""
                return "signal", name.delay, shape, update
        return name.kind, shape, name.name if self.fixed else ""

    def knot_place(self, side: Normal, knot: Knot, depth: int) -> Any:
        signs = [self.sign(side, argument, depth) for argument in knot.arguments]
        if knot.function == "max":
            signs.sort()
        return knot.function, tuple(signs), tuple(self.factor_place(side, f) for f in knot.word), len(knot.matrices)

    def factor_place(self, side: Normal, factor: Factor) -> Any:
        rows, columns = side.table.shapes[factor.name].dims[:: -1 if factor.transposed else 1]
        if factor.columns is not None:
            columns = factor.columns[1] - factor.columns[0]
        return rows, columns, factor if self.fixed else ""


def _blocks_apart(binding: Binding) -> bool:
    """No parameter is bound both whole and in blocks, or in blocks that overlap: such are not free of each other."""
    for side in (binding.to, binding.used):
        blocks: dict[str, list[tuple[Width, Width] | None]] = {}
        for part in side:
            if isinstance(part, Part):
                blocks.setdefault(part.name, []).append(part.columns)
        for columns in blocks.values():
            if len(columns) > 1 and (None in columns or not _apart([c for c in columns if c is not None])):
                return False
    return True


def _apart(blocks: list[tuple[Width, Width]]) -> bool:
    """Whether blocks of columns are disjoint, tried at two sets of sizes."""
    names = sorted({name for start, stop in blocks for name in (start.names | stop.names)})
    for first in (2, 7):
        sizes = {name: first + 3 * at for at, name in enumerate(names)}
        spans = sorted((start.at(sizes), stop.at(sizes)) for start, stop in blocks)
        if any(stop > after for (_, stop), (after, _) in pairwise(spans)):
            return False
    return True
