"""Unknown shapes and widths, and what makes two of them one.

A `ShapeVar` is a shape whose rank, and then whose widths, are found bit by bit. An unknown width is a name that
begins with `?`, so that widths stay polynomials throughout: `?3 + m = n + m` binds `?3` to `n`. Every place a
width stands at is such a name (a site), and every equation between two sites is remembered with its place: the
path from a site to one whose width has a reason of its own explains where a width comes from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from celldsl.check.width import Shape, Width
from celldsl.source import Span


class ShapeVar:
    """A shape being found. `bad` marks one that an error was reported about: it fits everything, silently."""

    __slots__ = ("bad", "dims", "rank", "since")

    def __init__(self) -> None:
        self.rank: int | None = None
        self.dims: tuple[Width, ...] = ()
        self.since: tuple[Span, str] | None = None
        """Where the rank was found, and why."""
        self.bad = False


@dataclass(frozen=True)
class Root:
    """A reason for a width that needs no other: a declaration, the input, the output, a stack."""

    phrase: str
    span: Span


class Solver:
    """The unknowns of one cell."""

    def __init__(self) -> None:
        self.bindings: dict[str, Width] = {}
        self.edges: dict[str, list[tuple[str, Span]]] = {}
        self.roots: dict[str, Root] = {}
        self._count = 0

    # --- making ------------------------------------------------------------------------------

    def unknown(self) -> Width:
        """A fresh unknown width."""
        self._count += 1
        return Width.of(f"?{self._count}")

    def site(self, width: Width, phrase: str, span: Span) -> Width:
        """A fresh site of known width, with the reason for it."""
        made = self.unknown()
        assert made.name is not None
        self.bindings[made.name] = width
        self.roots[made.name] = Root(phrase, span)
        return made

    def open_site(self, phrase: str, span: Span) -> Width:
        """A fresh site whose width is open, with a reason why it has one of its own."""
        made = self.unknown()
        assert made.name is not None
        self.roots[made.name] = Root(phrase, span)
        return made

    def shaped(self, *dims: Width) -> ShapeVar:
        var = ShapeVar()
        var.rank, var.dims = len(dims), dims
        return var

    def broken(self) -> ShapeVar:
        var = ShapeVar()
        var.bad = True
        return var

    def give_rank(self, var: ShapeVar, rank: int, span: Span, why: str) -> bool:
        """Fix a rank. False where it is another already."""
        if var.bad:
            return True
        if var.rank is None:
            var.rank = rank
            var.dims = tuple(self.unknown() for _ in range(rank))
            var.since = (span, why)
        return var.rank == rank

    # --- solving -----------------------------------------------------------------------------

    def resolve(self, width: Width) -> Width:
        """A width with everything put in that is known by now."""
        known = {name: self._value(name) for name in width.names if name in self.bindings}
        return width.substitute(known) if known else width

    def _value(self, name: str) -> Width:
        """What a bound name stands for; chains of bindings are shortened on the way."""
        value = self.bindings[name]
        if any(other in self.bindings for other in value.names):
            value = self.bindings[name] = self.resolve(value)
        return value

    def equate(self, one: Width, other: Width, span: Span | None) -> bool:
        """Make two widths one, because of what stands at `span`. False where they cannot be; nothing changes then."""
        difference = self.resolve(one) - self.resolve(other)
        if difference.terms and not self._bind(difference):
            return False
        if span is not None and one.name and other.name and one.name != other.name:
            self.edges.setdefault(one.name, []).append((other.name, span))
            self.edges.setdefault(other.name, []).append((one.name, span))
        return True

    def _bind(self, difference: Width) -> bool:
        """Solve `difference = 0` for one of its unknowns."""
        linear: dict[str, Width] = {}
        for monomial, coefficient in difference.terms:
            unknown = [(name, power) for name, power in monomial if is_unknown(name)]
            if len(unknown) == 1 and unknown[0][1] == 1:
                factor = Width.of(coefficient)
                for name, power in monomial:
                    factor = factor if is_unknown(name) else factor * Width.of(name) ** power
                linear.setdefault(unknown[0][0], factor)
        # One that stands alone before one with a known width as its factor, C k = n.
        for name in sorted(linear, key=lambda each: (linear[each].number is None, -int(each[1:]))):
            if sum(name in dict(monomial) for monomial, _ in difference.terms) > 1:
                continue
            value = Width.of(name) - difference / linear[name]
            if is_possible(value):
                self.bindings[name] = value
                return True
        return False

    # --- explaining --------------------------------------------------------------------------

    def reason(self, width: Width) -> Root | None:
        """The nearest site of the same width with a reason of its own."""
        path = self.path(width, lambda name: name in self.roots)
        return self.roots[path[-1][0]] if path else None

    def path(self, width: Width, wanted: Callable[[str], bool]) -> list[tuple[str, Span | None]]:
        """The shortest way from a site to one that is `wanted`: the sites, each with the place that led to it."""
        if width.name is None:
            return []
        came: dict[str, tuple[str, Span] | None] = {width.name: None}
        queue = deque([width.name])
        while queue:
            at = queue.popleft()
            if wanted(at):
                steps: list[tuple[str, Span | None]] = []
                back: str | None = at
                while back is not None:
                    before = came[back]
                    steps.append((back, before[1] if before else None))
                    back = before[0] if before else None
                return steps[::-1]
            for following, span in self.edges.get(at, ()):
                if following not in came:
                    came[following] = (at, span)
                    queue.append(following)
        return []

    def shape(self, var: ShapeVar) -> Shape:
        return Shape(tuple(self.resolve(dim) for dim in var.dims))


def is_unknown(name: str) -> bool:
    return name.startswith("?")


def is_possible(width: Width) -> bool:
    """Whether a width can be positive: not 0, -3 or -n; `n - m` can."""
    return any(coefficient > 0 for _, coefficient in width.terms)
