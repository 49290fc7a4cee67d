"""The schedule: in which order, and how often, everything of a cell is computed.

Four parts, each a tuple of statements: `once` for every sequence (derived parameters, constant gates, stacked
weights), `before` the time loop (all that reads no state, for all steps together), `step` (what is left for
the loop) and `after` it (all that no later step reads). Statements hold checked expressions; temporaries are
`Reference`s. Nothing here knows the language that a target prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property

from celldsl.check.cell import Cell, Draw, Equation, Expr, Index, Mask, Parameter, Signal, SignalInfo
from celldsl.check.width import Width


def kind_of(mask: Mask) -> Kind:
    """A mask depends on nothing, and is drawn before the loop for all steps; one of a parameter is like a parameter."""
    return Kind.STATIC if mask.per == "batch" else Kind.FREE


class Kind(IntEnum):
    """What an expression depends on: nothing that is trained, parameters alone, inputs too, or a state."""

    NUMBER = 0
    STATIC = 1
    FREE = 2
    STATE = 3


# --- expressions that only schedules have --------------------------------------------------


@dataclass(frozen=True)
class Reference(Expr):
    """A temporary: the value that an earlier statement gave this name."""

    name: str = ""


@dataclass(frozen=True)
class Columns(Expr):
    """Columns `start`, … of a matrix, as many as the shape has: `W [h; x]` is `W[:, :n] h + W[:, n:] x`."""

    operand: Expr = None  # type: ignore[assignment]
    start: Width = field(default_factory=Width)

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


# --- statements ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Compute:
    """`target = value`. `equation` is the author's, where the statement is one."""

    target: Signal | Reference
    value: Expr
    equation: Equation | None = None


@dataclass(frozen=True)
class Derive:
    """A derived parameter: an equation without a time."""

    equation: Equation


@dataclass(frozen=True)
class Stack:
    """`target`: matrices, or vectors, one above the other. A part that is None is zeros as wide as `widths` says.
    Parts of three axes are the blocks of block-diagonal matrices, those of each place one above the other."""

    target: Reference
    parts: tuple[Expr | None, ...]
    widths: tuple[Width, ...]


@dataclass(frozen=True)
class Multiply:
    """One matrix product: `into` = rows of (matrix · operand + addend), a consecutive block for each name.

    A matrix of three axes is the blocks of a block-diagonal one, (k, p/k, q/k), or of several in one stack; there is
    no addend then."""

    matrix: Expr
    operand: Expr
    addend: Expr | None
    into: tuple[Reference, ...]


@dataclass(frozen=True)
class Delay:
    """The whole sequence of a signal `delay` steps late (and its last value, where the next chunk begins)."""

    signal: SignalInfo
    delay: int


Statement = Compute | Derive | Stack | Multiply | Delay


@dataclass(frozen=True)
class Schedule:
    """How a cell is computed over a sequence.

    sliced: whole sequences of which each step reads its own part: signals (delayed ones too), temporaries, masks.
    kept: the values of each step that are wanted as whole sequences after the loop.
    looped: the states that the loop carries; the others are delayed before or after it.
    kinds: what every name depends on: derived parameters, signals (at delay 0), temporaries.
    doubled: the biases that get a second one in the two-bias layout of torch.nn.
    """

    cell: Cell
    target: str
    once: tuple[Statement, ...]
    before: tuple[Statement, ...]
    step: tuple[Statement, ...]
    after: tuple[Statement, ...]
    sliced: tuple[Signal | Reference | Mask, ...]
    kept: tuple[Signal, ...]
    looped: tuple[SignalInfo, ...]
    kinds: Mapping[str, Kind]
    doubled: tuple[str, ...]

    def kind(self, expr: Expr) -> Kind:
        if isinstance(expr, Signal) and expr.delay > 0:
            return max(Kind.FREE, self.kinds[expr.name])
        if isinstance(expr, Mask):
            return kind_of(expr)
        if isinstance(expr, Draw | Index):
            return Kind.STATIC
        if isinstance(expr, Parameter):
            return self.kinds.get(expr.name, Kind.STATIC)
        if isinstance(expr, Signal | Reference):
            return self.kinds[expr.name]
        return max((self.kind(child) for child in expr.children), default=Kind.NUMBER)

    def is_batched(self, expr: Expr) -> bool:
        """Whether the value has a row for each sequence of the batch; what is made of parameters alone has none."""
        return self.kind(expr) >= Kind.FREE

    @property
    def statements(self) -> Iterator[Statement]:
        yield from self.once
        yield from self.before
        yield from self.step
        yield from self.after

    @cached_property
    def stepped(self) -> frozenset[str]:
        """The signals that are computed inside the time loop."""
        return frozenset(s.target.name for s in self.step if isinstance(s, Compute) and isinstance(s.target, Signal))

    def __str__(self) -> str:
        from celldsl.schedule.table import table

        return table(self)


def expressions(statement: Statement) -> list[Expr]:
    """The expressions that a statement reads."""
    if isinstance(statement, Derive):
        return [statement.equation.value]
    if isinstance(statement, Stack):
        return [part for part in statement.parts if part is not None]
    if isinstance(statement, Multiply):
        found = [statement.matrix, statement.operand]
        return [*found, statement.addend] if statement.addend is not None else found
    return [statement.value] if isinstance(statement, Compute) else []
