"""`W [h; x]` is `W_h h + W_x x`: split a product with stacked vectors whose parts are known at different times."""

from __future__ import annotations

from collections.abc import Callable

from celldsl.check.cell import Add, Concat, Expr, Product
from celldsl.check.width import Shape, Width
from celldsl.schedule.schedule import Columns, Kind


def split_columns(expr: Expr, kind: Callable[[Expr], Kind]) -> Expr:
    """The expression with every such product replaced by a sum over the parts."""
    children = tuple(split_columns(child, kind) for child in expr.children)
    if children != expr.children:
        expr = expr.rebuild(children)
    if isinstance(expr, Product) and isinstance(expr.right, Concat) and kind(expr.left) <= Kind.STATIC:
        parts = expr.right.parts
        if len({kind(part) for part in parts}) > 1 and all(part.shape.rank for part in parts):
            return _by_columns(expr, expr.right)
    if isinstance(expr, Add):
        return Add(expr.shape, terms=tuple(_terms(expr)), span=expr.span)
    return expr


def _terms(total: Add) -> list[Expr]:
    found: list[Expr] = []
    for term in total.terms:
        found.extend(_terms(term) if isinstance(term, Add) else [term])
    return found


def _by_columns(product: Product, operand: Concat) -> Expr:
    terms: list[Expr] = []
    start = Width()
    for part in operand.parts:
        shape = Shape((product.left.shape.dims[0], part.shape.width))
        matrix = Columns(shape, operand=product.left, start=start, span=product.left.span)
        terms.append(Product(product.shape, left=matrix, right=part, span=product.span))
        start = start + part.shape.width
    return Add(product.shape, terms=tuple(terms), span=product.span)
