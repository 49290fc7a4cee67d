"""The symbolic form of a cell: matrix products as atoms, and the pointwise map between them.

One `Line` per equation gives its value as a SymPy expression over the symbols of signals, vector parameters,
settings, widths and *atoms*. An atom stands for what is not pointwise: a `Product` of a matrix and a vector, or
an `Opaque` function of a whole vector (softmax, sum, concat, …). The form keeps its checked cell: forward text is
printed from there, in the author's order; SymPy serves the adjoint and the analyses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy

from celldsl.check.cell import Cell, Dim, Equation, Expr, Parameter, Setting, Signal
from celldsl.check.width import Shape, Width
from celldsl.source import NOWHERE, Span
from celldsl.symbolic.text import show


@dataclass(frozen=True)
class Product:
    """`matrix` (timeless, p×q) times `operand` (a q-vector): an atom of shape p.

    operand_value: the operand in SymPy, over symbols of the same form (earlier atoms among them).
    """

    symbol: sympy.Symbol
    matrix: Expr
    operand: Expr
    operand_value: sympy.Expr
    shape: Shape
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        return self.symbol.name


@dataclass(frozen=True)
class Opaque:
    """A function of whole vectors: a row of `celldsl.functions` that is not elementwise, `concat`, `slice` or `repeat`.

    count: of a slice, how many entries stand before it; of a repeat, how many times each entry stands there."""

    symbol: sympy.Symbol
    function: str
    arguments: tuple[Expr, ...]
    argument_values: tuple[sympy.Expr, ...]
    shape: Shape
    count: Width = field(default_factory=Width)
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        return self.symbol.name


Atom = Product | Opaque
Meaning = Signal | Parameter | Setting | Dim | Product | Opaque


@dataclass(frozen=True)
class Line:
    """One equation. `atoms` are those it is the first to need, in an order in which they can be computed."""

    target: str
    symbol: sympy.Symbol
    value: sympy.Expr
    shape: Shape
    atoms: tuple[Atom, ...]
    equation: Equation


@dataclass(frozen=True)
class Form:
    """A lowered cell.

    derived: the equations without a time whose values are vectors or scalars (matrices stay in `cell.derived`,
    being no pointwise maps); lines: the equations of one step; both in order of computation.
    meaning: what each symbol stands for.
    training: the cell with its noise, of which `cell` is what it computes in evaluation.
    literals: the text of each number as its author wrote it (0.96 is 24/25 in SymPy, and is printed as 0.96).
    """

    cell: Cell
    derived: tuple[Line, ...]
    lines: tuple[Line, ...]
    meaning: Mapping[sympy.Symbol, Meaning]
    literals: Mapping[sympy.Rational, str]
    training: Cell

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """All atoms, derived parameters' first, in order of computation."""
        return tuple(atom for line in (*self.derived, *self.lines) for atom in line.atoms)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        return tuple(atom for atom in self.atoms if isinstance(atom, Product))

    @cached_property
    def line(self) -> dict[str, Line]:
        """The line of each target."""
        return {line.target: line for line in (*self.derived, *self.lines)}

    def shape(self, value: sympy.Expr) -> Shape:
        """The shape of a pointwise expression: that of its vector symbols, a scalar where it has none."""
        for symbol in value.free_symbols:
            shape = self.meaning[symbol].shape
            if shape.rank:
                return shape
        return Shape()

    def __str__(self) -> str:
        return _table(self)


def _table(form: Form) -> str:
    """The form as a table: signals, atoms, lines."""
    cell = form.cell
    rows: list[tuple[str, str, str]] = []

    def listed(infos: tuple) -> str:
        return ", ".join(f"{info.name} ({info.shape})" for info in infos)

    rows.append(("input", listed(cell.inputs), ""))
    if cell.states:
        rows.append(("state", listed(cell.states), ""))
    rows.append(("output", cell.output, ""))
    for equation in cell.derived:
        if equation.value.shape.rank == 2:
            rows.append(("once", f"{equation.target} = {show(equation.value)}", str(equation.value.shape)))
    for head, lines in (("once", form.derived), ("step", form.lines)):
        for line in lines:
            for atom in line.atoms:
                kind = "product" if isinstance(atom, Product) else "opaque"
                rows.append((kind, str(atom), str(atom.matrix.shape if isinstance(atom, Product) else atom.shape)))
        for at, line in enumerate(lines):
            rows.append((head if at == 0 else "", f"{line.symbol} = {line.value}", str(line.shape)))
    left = max(len(head) for head, _, _ in rows)
    middle = min(max(len(text) for _, text, note in rows if note), 100)
    shown, previous = [], ""
    for head, text, note in rows:
        label = "" if head == previous else head
        previous = head or previous
        shown.append(f"{label:<{left}}  {text:<{middle}}  {note}".rstrip())
    return "\n".join([cell.name, *shown])
