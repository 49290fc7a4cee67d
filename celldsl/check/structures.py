"""Structures of parameters, `param R: n×n blocks(heads)`: what is stored, and what stands in the matrix's place.

To inference a structured parameter is a matrix like any other. Afterwards each is replaced, once for all later stages:
a product with a diagonal one becomes elementwise, one with a low-rank one two products, from the right; what is left
is a `Structured` matrix over the numbers that are stored under the parameter's name.
"""

from __future__ import annotations

from dataclasses import replace

from celldsl.check import trees
from celldsl.check.cell import Expr, Mul, Parameter, Product, Structured, Transpose
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.check.shapes import Shapes
from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostics
from celldsl.syntax import tree

_ARGUMENT = {"blocks": "the number of blocks, `blocks(4)`", "lowrank": "the rank, `lowrank(4)`"}
_SQUARE = frozenset({"diagonal", "symmetric", "orthogonal"})


class Structures:
    """The structured parameters of one cell.

    whole: the name of each factor of a low-rank parameter -> the parameter's, `R_left` -> `R`.
    """

    def __init__(self, names: Names, roles: Roles, shapes: Shapes, found: Diagnostics):
        self.names, self.roles, self.shapes, self.found = names, roles, shapes, found
        self.values: dict[str, Expr] = {}
        self.kinds: dict[str, tuple[str, tuple[Width, ...]]] = {}
        self.whole: dict[str, str] = {}
        for name, param in names.params.items():
            if param.structure is not None and name not in roles.broken:
                self._declare(name, param, param.structure, shapes.shape(name))

    def of(self, stored: str) -> tuple[str, tuple[Width, ...]] | None:
        """The structure of a parameter, by the name under which it, or a factor of it, is stored."""
        return self.kinds.get(self.whole.get(stored, stored))

    def factors(self, name: str) -> tuple[str, ...]:
        """The names of what is stored in the place of a low-rank parameter."""
        return tuple(factor for factor, whole in self.whole.items() if whole == name)

    # --- what is stored ------------------------------------------------------------------------

    def _declare(self, name: str, param: tree.Param, structure: tree.Structure, shape: Shape) -> None:
        kind = structure.kind
        if shape.rank != 2:
            self._error(
                "structure-shape",
                f"`{name}` is declared {kind}, and is no matrix",
                structure,
                f"write the shape of a matrix: `param {name}: n×n {kind}`, or leave out `{kind}`",
            )
            return
        arguments = self._arguments(name, structure)
        if arguments is None:
            return
        rows, columns = shape.dims
        if kind in _SQUARE and rows != columns:
            self._error(
                "structure-shape",
                f"`{name}` is declared {kind}, and is {rows}×{columns}",
                structure,
                f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} matrix is square",
            )
            return
        self.kinds[name] = (kind, arguments)
        if kind == "lowrank":
            self._factor(name, structure, shape, arguments[0])
        elif kind == "diagonal":
            self._store(name, kind, shape, Shape((rows,)))
        elif kind == "blocks":
            self._cut(name, structure, shape, arguments[0])
        else:
            size = rows * (rows + (1 if kind == "symmetric" else -1)) / 2
            self._store(name, kind, shape, Shape((size,)))

    def _arguments(self, name: str, structure: tree.Structure) -> tuple[Width, ...] | None:
        kind, given = structure.kind, structure.arguments
        wanted = 1 if kind in _ARGUMENT else 0
        if len(given) != wanted:
            self._error(
                "structure-arity",
                f"`{kind}` takes {'one argument' if wanted else 'no arguments'}, not {len(given) or 'none'}",
                structure,
                f"it is {_ARGUMENT[kind]}" if wanted else f"write `{kind}`",
            )
            return None
        widths = self.shapes.arguments[name]
        return None if None in widths else tuple(width for width in widths if width is not None)

    def _store(self, name: str, kind: str, shape: Shape, stored: Shape) -> None:
        self.values[name] = Structured(shape, kind, Parameter(stored, name))

    def _cut(self, name: str, structure: tree.Structure, shape: Shape, count: Width) -> None:
        try:
            sides = tuple(side / count for side in shape.dims)
        except ValueError:
            sides = ()
        uneven = [side for side in shape.dims if sides and (side / count).number not in (None, 1)]
        uneven = [side for side in uneven if (side / count).number.denominator != 1]  # type: ignore[union-attr]
        if not sides:
            text = trees.text(structure.arguments[0])
            self._error(
                "structure-shape",
                f"`{text}` is a sum, by which no width can be divided",
                structure,
                f"name it: `dim k = {text}`, or give the number of blocks, `hyper k = 4`",
            )
        elif uneven:
            self._error(
                "structure-shape",
                f"{uneven[0]} rows or columns cannot be cut into {count} blocks of one size",
                structure,
                "choose a number of blocks that divides both widths",
            )
        else:
            self._store(name, "blocks", shape, Shape((count, *sides)))

    def _factor(self, name: str, structure: tree.Structure, shape: Shape, rank: Width) -> None:
        rows, columns = shape.dims
        factors = (f"{name}_left", Shape((rows, rank))), (f"{name}_right", Shape((rank, columns)))
        for factor, _ in factors:
            if factor in self.shapes.vars:
                self._error(
                    "structure-name",
                    f"`{factor}` is the name of a factor of `{name}`",
                    structure,
                    f"give the other `{factor}` another name",
                )
                return
            self.whole[factor] = name
        left, right = (Parameter(each, factor) for factor, each in factors)
        self.values[name] = Product(shape, left, right)

    def _error(self, code: str, message: str, structure: tree.Structure, help: str) -> None:
        self.found.error(code, message, structure.span, help=help)

    # --- what stands in its place --------------------------------------------------------------

    def applied(self, expr: Expr) -> Expr:
        """An expression with every structured parameter replaced by what it is made of."""
        if isinstance(expr, Parameter):
            return self._placed(self.values[expr.name], expr) if expr.name in self.values else expr
        children = tuple(self.applied(child) for child in expr.children)
        if isinstance(expr, Transpose):
            return self._transposed(expr, children[0])
        if isinstance(expr, Product):
            return self._product(expr, *children)
        return expr if children == expr.children else expr.rebuild(children)

    def _placed(self, value: Expr, at: Expr) -> Expr:
        """A value with the place of the parameter that it stands for."""
        children = tuple(self._placed(child, at) for child in value.children)
        return replace(value.rebuild(children), span=at.span)

    def _transposed(self, expr: Transpose, operand: Expr) -> Expr:
        if isinstance(operand, Structured) and operand.kind in ("diagonal", "symmetric"):
            return operand
        if self._is_low(expr.operand):
            assert isinstance(operand, Product)
            left, right = (_turned(factor) for factor in (operand.right, operand.left))
            return Product(expr.shape, left, right, span=expr.span)
        return Transpose(expr.shape, operand, span=expr.span)

    def _product(self, expr: Product, left: Expr, right: Expr) -> Expr:
        if isinstance(left, Structured) and left.kind == "diagonal" and right.shape.rank == 1:
            return Mul(expr.shape, left.operand, right, span=expr.span)
        if self._is_low(expr.left) and right.shape.rank == 1:
            assert isinstance(left, Product)
            inner = Product(Shape(left.right.shape.dims[:1]), left.right, right, span=expr.span)
            return Product(expr.shape, left.left, inner, span=expr.span)
        return Product(expr.shape, left, right, span=expr.span)

    def _is_low(self, expr: Expr) -> bool:
        """Whether an expression is a low-rank parameter as the author wrote it, or its transpose."""
        inner = expr.operand if isinstance(expr, Transpose) else expr
        return isinstance(inner, Parameter) and bool(self.factors(inner.name))


def _turned(factor: Expr) -> Expr:
    return Transpose(Shape(factor.shape.dims[::-1]), factor, span=factor.span)
