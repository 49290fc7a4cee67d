"""What the parts of a schedule share: the cell's values and kinds, and the temporaries that they ask for.

A part that needs an expression of parameters alone gets it from `once`; the loop asks for what reads no state, and
`before` makes it.
"""

from __future__ import annotations

from celldsl.check.cell import Call, Cell, Expr, Mask, Neg, Parameter, Signal, Structured, Transpose
from celldsl.check.width import Shape, Width
from celldsl.schedule.names import Names, join, stem
from celldsl.schedule.rewrite import split_columns
from celldsl.schedule.rows import Row, product_in, product_name, pure_product
from celldsl.schedule.schedule import Columns, Compute, Kind, Reference, Stack, Statement
from celldsl.schedule.times import Times


class Shared:
    """values: the equations' right sides, rewritten. once: statements for every sequence. requests: what the loop
    wants of each step of a sequence, as expressions that read no state; hoisted: the same as whole stacks of sums.
    """

    def __init__(self, cell: Cell):
        self.cell = cell
        values = {e.target: e.value for e in cell.equations}
        first = Times(cell, values)
        self.values = {name: split_columns(value, first.kind) for name, value in values.items()}
        self.times = Times(cell, self.values)
        self.names = Names(cell)
        self.kinds = self.times.kinds
        self.once: list[Statement] = []
        self.statics: dict[Expr, Reference] = {}
        self.requests: dict[Expr, Reference] = {}
        self.request_of: dict[str, str] = {}
        self.hoisted: list[tuple[Reference, list[Row]]] = []
        self.sliced: dict[Signal | Reference | Mask, None] = {}

    def kind(self, expr: Expr) -> Kind:
        return self.times.kind(expr)

    def temporary(self, shape: Shape, kind: Kind, base: str, suffix: str = "") -> Reference:
        name = self.names.new(base, suffix)
        self.kinds[name] = kind
        return Reference(shape, name=name)

    def static(self, expr: Expr) -> Expr:
        """An expression of parameters alone; anything but a name is computed once."""
        kind = self.kind(expr)
        if isinstance(expr, Parameter | Signal | Mask) or (
            isinstance(expr, Transpose) and isinstance(expr.operand, Parameter)
        ):
            return expr
        if isinstance(expr, Transpose) and isinstance(expr.operand, Structured):
            return Transpose(expr.shape, operand=self.static(expr.operand))
        if kind == Kind.NUMBER and not any(isinstance(node, Call) for node in expr.walk()):
            return expr
        if expr not in self.statics:
            reference = self.temporary(expr.shape, kind, stem(expr) or "k")
            self.statics[expr] = reference
            self.once.append(Compute(reference, expr))
        return self.statics[expr]

    def matrix(self, expr: Expr) -> Expr:
        """A matrix that is to be stacked: a sign, a transpose or columns of a name stay as they are."""
        if isinstance(expr, Neg | Columns) or (isinstance(expr, Transpose) and expr.shape.rank == 3):
            return expr.rebuild((self.matrix(expr.children[0]),))
        return self.static(expr)

    def free(self, expr: Expr, of: str) -> Expr:
        """An expression that reads no state, in the loop: its own step's part of a sequence made before."""
        if isinstance(expr, Signal | Mask):
            self.sliced[expr] = None
            return expr
        if expr not in self.requests:
            pure = pure_product(expr)
            base = product_name(pure.left, pure.right) if pure is not None else "v"
            self.requests[expr] = self.temporary(expr.shape, Kind.FREE, join(base, of, "_"))
            self.request_of[self.requests[expr].name] = of
        self.sliced[self.requests[expr]] = None
        return self.requests[expr]

    def hoist(self, rows: list[Row], stack: str, operand: Expr) -> Reference:
        """What all rows of a stack in the loop add to their products, as one sequence made before."""
        height = Width()
        for row in rows:
            height = height + row.shape.dims[0]
        operands = [p.right for p in map(product_in, rows[0].free) if p is not None]
        if len(operands) == 1:
            matrices = [p.left for row in rows for p in map(product_in, row.free) if p is not None]
            base = product_name(matrices[0], operands[0])
        else:
            base = join("v", stem(operand) if len(rows) > 1 else rows[0].of, "_")
        reference = self.temporary(Shape((height,)), Kind.FREE, base, rows[0].of)
        self.hoisted.append((reference, rows))
        self.sliced[reference] = None
        return reference

    def stacked(self, parts: list[Expr | None], widths: list[Width], base: str) -> Expr:
        """Matrices or vectors one above the other, made once; a single one is itself."""
        if len(parts) == 1 and parts[0] is not None:
            return parts[0]
        # Zeros beside zeros are one part.
        for at in range(len(parts) - 1, 0, -1):
            if parts[at] is None and parts[at - 1] is None:
                widths = [*widths[: at - 1], widths[at - 1] + widths[at], *widths[at + 1 :]]
                parts = parts[:at] + parts[at + 1 :]
        total = Width()
        for width in widths:
            total = total + width
        some = next(part for part in parts if part is not None)
        shape = Shape((total, *some.shape.dims[1:]))
        if some.shape.rank == 3:  # blocks, of which each place has its own stack
            count, _, columns = some.shape.dims
            shape = Shape((count, total / count, columns))
        reference = self.temporary(shape, Kind.STATIC, base)
        self.once.append(Stack(reference, tuple(parts), tuple(widths)))
        return reference
