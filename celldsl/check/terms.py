"""Terms: the expressions of a cell with their shapes unknown, and the constraints between these.

Each `Term` has a `ShapeVar`. What a product side by side means depends on the rank of its left factor, which may
be known only later; such a choice is a constraint as well (`Join`). `build` makes terms and constraints,
`constraints` solves them, `typed` reads the typed expressions off afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from celldsl.check.unify import ShapeVar
from celldsl.check.width import Width
from celldsl.source import Span
from celldsl.syntax import tree


@dataclass(eq=False)
class Term:
    """An expression with its unknown shape.

    kind: number, dim, setting, parameter, signal, identity; add, negative, mul, div, power, product, join,
    transpose, concat, slice, repeat, call. `timed`: it reads a signal. `name`: of a leaf or a function.
    """

    kind: str
    span: Span
    var: ShapeVar
    parts: tuple[Term, ...] = ()
    timed: bool = False
    name: str = ""
    delay: int = 0
    widths: tuple[Width, ...] = ()
    """Of a slice: the entries before it, and its last; of a repeat: how many times."""

    @property
    def text(self) -> str:
        """As its author wrote it, on one line."""
        return " ".join(self.span.text.split()) or self.name or self.kind

    def walk(self) -> Iterator[Term]:
        """This term and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(eq=False)
class Broadcast:
    """Elementwise: all parts stretch to the result's shape. `how` says it in words: "added", "multiplied"."""

    result: Term
    parts: tuple[Term, ...]
    how: str
    base: Term | None = None
    """The first part that is known to be no scalar; the others are compared with it."""
    done: set[int] = field(default_factory=set)
    """The parts that were compared already."""


@dataclass(eq=False)
class MatrixProduct:
    """`left` is a matrix, `right` a vector or a matrix."""

    result: Term
    left: Term
    right: Term


@dataclass(eq=False)
class Join:
    """Side by side with an unknown left: scaling where it proves a scalar, else the matrix product."""

    result: Term
    left: Term
    right: Term


@dataclass(eq=False)
class Define:
    """The left side of an equation has the shape of the right one."""

    name: str
    var: ShapeVar
    value: Term
    equation: tree.Equation


@dataclass(eq=False)
class OneShape:
    """`share`: two parameters are one."""

    var: ShapeVar
    original: ShapeVar
    share: tree.Share


Constraint = Broadcast | MatrixProduct | Join | Define | OneShape
