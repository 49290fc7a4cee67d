"""What a kernel's step is made of: statements, and with them what is hoisted, carried and gathered."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Symbol

from celldsl.check.cell import Expr
from celldsl.check.width import Shape, Width
from celldsl.symbolic.form import Form
from celldsl.symbolic.tape import Tape


@dataclass(frozen=True)
class Let:
    """`symbol = value`, entry by entry; scalars stretch."""

    symbol: Symbol
    value: sympy.Expr
    shape: Shape

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return tuple(sorted(self.value.free_symbols, key=str))

    def __str__(self) -> str:
        return f"{self.symbol} = {self.value}"


@dataclass(frozen=True)
class Term:
    """`matrix · operand`, or with the matrix transposed. `matrix` indexes `Programs.matrices`; blocks: how many, if it
    is block-diagonal."""

    matrix: int
    transposed: bool
    operand: Symbol
    blocks: Width | None = None


@dataclass(frozen=True)
class Multiply:
    """`symbol` = the sum of its terms."""

    symbol: Symbol
    terms: tuple[Term, ...]
    shape: Shape

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return tuple(dict.fromkeys(term.operand for term in self.terms))


@dataclass(frozen=True)
class Along:
    """`symbol = function(operands)`, which reads whole vectors: softmax, sum, …

    times: how many times `repeat` repeats each entry, and how many `block_sums` sums.
    """

    symbol: Symbol
    function: str
    operands: tuple[Symbol, ...]
    shape: Shape
    times: Width | None = None

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return tuple(dict.fromkeys(self.operands))

    def __str__(self) -> str:
        arguments = [*map(str, self.operands), *([] if self.times is None else [str(self.times)])]
        return f"{self.symbol} = {self.function}({', '.join(arguments)})"


@dataclass(frozen=True)
class Concat:
    """`symbol` = `parts` one above the other."""

    symbol: Symbol
    parts: tuple[Symbol, ...]
    shape: Shape

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return self.parts

    def __str__(self) -> str:
        return f"{self.symbol} = [{'; '.join(map(str, self.parts))}]"


@dataclass(frozen=True)
class Take:
    """`symbol` = the entries of `operand` behind those of `before`. Not computed: it is read where `operand` lies."""

    symbol: Symbol
    operand: Symbol
    before: tuple[Shape, ...]
    shape: Shape

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return (self.operand,)

    def __str__(self) -> str:
        start = sum((shape.width for shape in self.before), Width())
        return f"{self.symbol} = {self.operand} behind {start}"


@dataclass(frozen=True)
class Gather:
    """`symbol` = Σ `of` over rows and steps."""

    symbol: Symbol
    of: Symbol
    shape: Shape

    @property
    def reads(self) -> tuple[Symbol, ...]:
        return (self.of,)

    def __str__(self) -> str:
        return f"{self.symbol} = Σ {self.of}"


Statement = Let | Multiply | Along | Concat | Take | Gather


@dataclass(frozen=True)
class Weight:
    """The gradient of a matrix: Σ outer(cotangent, operand) over rows and steps; of its blocks, if it has some."""

    matrix: int
    cotangent: Symbol
    operand: Symbol
    blocks: Width | None = None


@dataclass(frozen=True)
class Hoisted:
    """A sum of products with inputs that is computed before the loop, for all steps together: `terms` are pairs of
    a matrix and an input's name. `symbol` is what a step reads; `cotangent` what the backward step hands back."""

    symbol: Symbol
    terms: tuple[tuple[int, str], ...]
    shape: Shape
    cotangent: Symbol | None = None


@dataclass(frozen=True)
class Carry:
    """The cotangent of a signal `delay` - 1 steps back, on its way to the step that made it."""

    signal: str
    delay: int
    arriving: Symbol
    leaving: Symbol


@dataclass(frozen=True)
class Programs:
    """Both directions of one step.

    matrices: the timeless matrices of the products, each once; of block-diagonal ones the blocks alone are kept, one
    below the other.
    constants: vectors and scalars of parameters alone, computed before the kernel runs; leaves of the programs.
    saved: what the forward pass writes down for the backward pass, besides inputs, states and output.
    results: forward, the signals that leave the step; backward, symbol -> input whose gradient it is.
    gathered: symbol of a `Gather` -> the parameter or constant whose gradient it is.
    shapes: of every symbol.
    """

    form: Form
    tape: Tape
    hoist: bool
    matrices: tuple[Expr, ...]
    constants: tuple[Symbol, ...]
    forward: tuple[Statement, ...]
    backward: tuple[Statement, ...]
    hoisted: tuple[Hoisted, ...]
    saved: tuple[Symbol, ...]
    again: tuple[Symbol, ...]
    weights: tuple[Weight, ...]
    carries: tuple[Carry, ...]
    upstream: Symbol
    gradients: dict[Symbol, str]
    gathered: dict[Symbol, Symbol]
    shapes: dict[Symbol, Shape]
