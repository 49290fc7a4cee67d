"""Parameters, FLOPs and state of a cell, as SymPy expressions in its widths.

Widths are positive integer symbols (`dim_symbol`). FLOPs are those of one step for one row of the batch: a p×q
product of matrix and vector is 2pq, each elementwise operation and each function one per entry. Products that are
written twice count once; whatever is constant in time (derived parameters, gates made of parameters alone) is
computed once per sequence and counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Expr
from celldsl.functions import FUNCTIONS
from celldsl.symbolic.algebra import size_of
from celldsl.symbolic.dependence import Dependence, find_dependence


@dataclass(frozen=True)
class ParameterRow:
    """One line of the table of parameters: its name, shape as text, and number of entries."""

    name: str
    shape: str
    count: sympy.Expr


def parameter_table(cell: Cell) -> tuple[ParameterRow, ...]:
    """What each parameter contributes, in the author's order."""
    trained = (info for info in cell.parameters if not info.frozen)
    return tuple(ParameterRow(info.name, str(info.shape), size_of(info.shape, cell)) for info in trained)


def parameter_count(cell: Cell) -> sympy.Expr:
    """The number of trained parameters, one bias per gate."""
    return sympy.expand(sympy.Add(*(size_of(info.shape, cell) for info in cell.parameters if not info.frozen)))


def two_bias_count(cell: Cell) -> sympy.Expr:
    """The number in the layout of torch.nn, where a bias in a sum with an input and a state product is there twice."""
    extra = (size_of(cell.parameter[name].shape, cell) for name in doubled_biases(cell))
    return sympy.expand(parameter_count(cell) + sympy.Add(*extra))


def doubled_biases(cell: Cell) -> tuple[str, ...]:
    """The biases that the two-bias layout has twice, in the author's order.

    A sum in which the author wrote two already has what the layout asks for.
    """
    dependence = find_dependence(cell)
    found = set()
    for equation in cell.steps:
        for node in equation.value.walk():
            if isinstance(node, checked.Add):
                operands = [term.right for term in node.terms if isinstance(term, checked.Product)]
                moving = [part for operand in operands for part in _parts(operand) if dependence.varies(part)]
                if {dependence.reads_state(operand, cell) for operand in moving} == {True, False}:
                    biases = {term.name for term in node.terms if isinstance(term, checked.Parameter)}
                    found |= biases if len(biases) == 1 else set()
    return tuple(info.name for info in cell.parameters if info.bias and not info.frozen and info.name in found)


def _parts(operand: Expr) -> Iterator[Expr]:
    """What stands in `[h; x]`: one product with both is one with each."""
    if isinstance(operand, checked.Concat):
        for part in operand.parts:
            yield from _parts(part)
    else:
        yield operand


def state_size(cell: Cell) -> sympy.Expr:
    """The numbers carried from step to step: widths times how many steps back they are read."""
    return sympy.expand(sympy.Add(*(size_of(info.shape, cell) * info.depth for info in cell.states)))


def flops(cell: Cell) -> sympy.Expr:
    """FLOPs of one step for one row of the batch, in evaluation."""
    cell = cell.evaluated
    seen: set[Expr] = set()
    dependence = find_dependence(cell)
    costs = [cost for equation in cell.steps for cost in _costs(cell, dependence, equation.value, seen)]
    return sympy.expand(sympy.Add(*costs))


def _costs(cell: Cell, dependence: Dependence, expr: Expr, seen: set[Expr]) -> Iterator[sympy.Expr]:
    """The costs of an expression's nodes, constant ones left out."""
    if not dependence.varies(expr):
        return
    size = size_of(expr.shape, cell)
    children = expr.children
    match expr:
        case checked.Add(terms=terms):
            constant = [term for term in terms if not dependence.varies(term)]
            yield size * (len(terms) - max(len(constant), 1))
            # A subtracted term costs no more than an added one.
            children = tuple(term.operand if isinstance(term, checked.Neg) else term for term in terms)
        case checked.Neg() | checked.Mul() | checked.Div() | checked.Pow():
            yield size
        case checked.Product(left=left):
            if expr in seen:
                return
            seen.add(expr)
            if not isinstance(left, checked.Identity):
                yield 2 * _entries(left, cell)
        case checked.Call(function=function, arguments=arguments):
            rule = FUNCTIONS[function].rule
            entries = size_of(arguments[0].shape, cell) if rule in ("reduce", "dot") else size
            yield 2 * entries if rule == "dot" else entries
    for child in children:
        yield from _costs(cell, dependence, child, seen)


def _entries(matrix: Expr, cell: Cell) -> sympy.Expr:
    """The entries of a matrix that a product has to do with: of a block-diagonal one, those of its blocks."""
    inner = matrix.operand if isinstance(matrix, (checked.Transpose, checked.Neg)) else matrix
    if isinstance(inner, checked.Structured) and inner.kind == "blocks":
        return size_of(inner.operand.shape, cell)
    return size_of(matrix.shape, cell)
