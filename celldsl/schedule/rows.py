"""Products on their way into stacks, and the names that suit them."""

from __future__ import annotations

from dataclasses import dataclass, field

from celldsl.check.cell import Add, Cell, Equation, Expr, Neg, Parameter, Product, Signal, Structured, Transpose
from celldsl.check.width import Shape, Width
from celldsl.schedule.names import stem
from celldsl.schedule.schedule import Reference


@dataclass(eq=False)
class Row:
    """One product, or the matrix of one, and what else stands in the sum that it is the home of."""

    matrix: Expr
    operand: Expr
    of: str
    free: tuple[Expr, ...] = ()
    static: tuple[Expr, ...] = ()

    @property
    def shape(self) -> Shape:
        return Shape(self.matrix.shape.dims[:1])

    @property
    def layout(self) -> tuple[Expr, Width | None]:
        """Rows with the same one can stand in one stack: the operand, and the number of blocks of the matrix."""
        blocks = blocks_of(self.matrix)
        return self.operand, blocks.shape.dims[0] if blocks is not None else None


@dataclass(eq=False)
class Block:
    """Consecutive rows of a stack whose results have one name."""

    rows: list[Row]
    name: str = ""
    result: Reference | None = None
    absorbs_free: bool = False
    absorbs_static: bool = False


@dataclass(eq=False)
class Pile:
    """The blocks of one operand, in one part; all matrices are full, or all are cut into so many blocks."""

    operand: Expr
    blocks: list[Block] = field(default_factory=list)
    done: bool = False

    @property
    def rows(self) -> list[Row]:
        return [row for block in self.blocks for row in block.rows]


def blocks_of(matrix: Expr) -> Expr | None:
    """What is stored of a block-diagonal matrix, of its negative or its transpose: (k, p/k, q/k)."""
    if isinstance(matrix, Neg | Transpose):
        inner = blocks_of(matrix.operand)
        if inner is None:
            return None
        k, p, q = inner.shape.dims
        shape = Shape((k, q, p)) if isinstance(matrix, Transpose) else inner.shape
        return type(matrix)(shape, operand=inner)
    is_cut = isinstance(matrix, Structured) and matrix.kind == "blocks"
    return matrix.operand if is_cut else None  # type: ignore[attr-defined]


def stem_of_all(matrices: list[Expr]) -> str:
    """What the names of stacked matrices have in common: W for W_i, W_f, W_o."""
    names = [stem(matrix) for matrix in matrices]
    common = names[0] if names else ""
    for name in names[1:]:
        while not name.startswith(common):
            common = common[:-1]
    return common.rstrip("_") if len(names) > 1 else common


def product_name(matrix: Expr, operand: Expr) -> str:
    """A name for products of one kind: wx for W_i x_t and W_f x_t."""
    return stem(matrix).split("_")[0].lower() + stem(operand)


def pure_product(expr: Expr) -> Product | None:
    """The product that an expression is, but for constant terms added to it."""
    terms = expr.terms if isinstance(expr, Add) else (expr,)
    products = [term for term in terms if isinstance(term, Product)]
    rest = [term for term in terms if not isinstance(term, Product | Parameter)]
    return products[0] if len(products) == 1 and not rest else None


def product_in(expr: Expr) -> Product | None:
    inner = expr.operand if isinstance(expr, Neg) else expr
    return inner if isinstance(inner, Product) else None


def signal_of(cell: Cell, equation: Equation) -> Signal:
    return Signal(cell.signal[equation.target].shape, equation.target, 0)


def has_vector(terms: tuple[Expr, ...]) -> bool:
    return any(term.shape.rank == 1 for term in terms)
