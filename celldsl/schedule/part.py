"""One part of a schedule: its equations over stacked products.

A part looks at its equations twice. First it collects their matrix products: products of one operand become rows
of one stack, in the order of the equations. Then it rewrites each equation over the results, and emits a stack just
before the first equation that needs it. A product that is a term of a sum is the sum's home: constant terms (biases)
and, in the loop, terms that read no state can be added by the product itself, if all rows of its stack have such
terms.
"""

from __future__ import annotations

from celldsl.check.cell import Add, Equation, Expr, Neg, Product
from celldsl.check.width import Shape, Width
from celldsl.schedule.names import join, stem
from celldsl.schedule.rows import (
    Block,
    Pile,
    Row,
    blocks_of,
    has_vector,
    product_in,
    product_name,
    signal_of,
    stem_of_all,
)
from celldsl.schedule.schedule import Compute, Kind, Multiply, Reference, Statement
from celldsl.schedule.temporaries import Shared


class Part:
    """The equations of one part of the schedule."""

    def __init__(self, shared: Shared, name: str, equations: list[Equation]):
        self.shared = shared
        self.name = name
        self.equations = equations
        self.lowest = Kind.STATE if name == "step" else Kind.FREE  # what is computed here, not earlier
        self.piles: dict[tuple[Expr, Width | None], Pile] = {}
        self.homes: dict[Expr, tuple[Row, Block]] = {}
        self.plain: dict[tuple[Expr, Expr], Block] = {}
        self.out: list[Statement] = []

    def statements(self) -> list[Statement]:
        values = [(e, self.shared.values[e.target]) for e in self.equations]
        repeated = self.repeated_products([value for _, value in values])
        for equation, value in values:
            self.collect(value, equation.target, repeated)
        for equation, value in values:
            self.of = equation.target
            rewritten = self.rewrite(value)
            self.out.append(Compute(signal_of(self.shared.cell, equation), rewritten, equation))
        return self.out

    # --- first look: which products there are ----------------------------------------------

    def here(self, expr: Expr) -> bool:
        return self.shared.kind(expr) >= self.lowest

    def product(self, expr: Expr) -> Product | None:
        """The product of a parameter and a vector of this part that an expression is, up to its sign."""
        found = product_in(expr)
        if found is None or found.right.shape.rank != 1 or not self.here(found.right):
            return None
        return found if self.shared.kind(found.left) <= Kind.STATIC else None

    def repeated_products(self, values: list[Expr]) -> set[tuple[Expr, Expr]]:
        """Products that stand in more than one place: computed once, so no sum can be added to them."""
        places: dict[tuple[Expr, Expr], set[Expr | None]] = {}

        def visit(expr: Expr, place: Expr | None) -> None:
            found = self.product(expr)
            if found is not None:
                places.setdefault((found.left, found.right), set()).add(place)
                visit(found.right, None)
            else:
                for child in expr.children:
                    visit(child, expr if isinstance(expr, Add) else None)

        for value in values:
            visit(value, None)
        return {product for product, found in places.items() if len(found) > 1}

    def collect(self, expr: Expr, of: str, repeated: set[tuple[Expr, Expr]]) -> None:
        if not self.here(expr):
            return
        if isinstance(expr, Add):
            if expr in self.homes:
                return
            for term in expr.terms:
                found = self.product(term)
                if found is None:
                    self.collect(term, of, repeated)
                    continue
                self.collect(found.right, of, repeated)
                if expr not in self.homes and (found.left, found.right) not in repeated:
                    matrix = found.left if term is found else Neg(found.left.shape, operand=found.left)
                    row = Row(matrix, found.right, of, *self.sort(expr))
                    self.homes[expr] = (row, self.add_block([row]))
                else:
                    self.add_plain(found, of)
            return
        found = self.product(expr)
        if found is not None:
            self.collect(found.right, of, repeated)
            self.add_plain(found, of)
            return
        for child in expr.children:
            self.collect(child, of, repeated)

    def sort(self, total: Add) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
        """The terms of a sum that are known before this part: those that change in time, and the constant ones."""
        early = [term for term in total.terms if not self.here(term)]
        free = tuple(term for term in early if self.shared.kind(term) == Kind.FREE)
        static = tuple(term for term in early if self.shared.kind(term) < Kind.FREE)
        return free, static

    def add_block(self, rows: list[Row], name: str = "") -> Block:
        block = Block(rows, name)
        self.piles.setdefault(rows[0].layout, Pile(rows[0].operand)).blocks.append(block)
        return block

    def add_plain(self, product: Product, of: str) -> None:
        key = (product.left, product.right)
        if key not in self.plain:
            self.plain[key] = self.add_block([Row(product.left, product.right, of)])

    # --- second look: what each equation becomes -------------------------------------------

    def rewrite(self, expr: Expr) -> Expr:
        if not self.here(expr):
            if self.shared.kind(expr) == Kind.FREE:
                return self.shared.free(expr, self.of)
            return self.shared.static(expr)
        if isinstance(expr, Add):
            return self.rewrite_sum(expr)
        found = self.product(expr)
        if found is not None:
            result = self.result(self.plain[found.left, found.right])
            return result if expr is found else Neg(expr.shape, operand=result)
        return expr.rebuild(tuple(self.rewrite(child) for child in expr.children))

    def rewrite_sum(self, total: Add) -> Expr:
        row, block = self.homes.get(total, (None, None))
        free, static = self.sort(total)
        absorbed: set[int] = set()
        if block is not None:
            self.result(block)
            if block.absorbs_free:
                absorbed |= {id(term) for term in free}
            if block.absorbs_static:
                absorbed |= {id(term) for term in static}
        # What is left of the constant and free terms becomes one term where that saves additions.
        left = [term for term in (*free, *static) if id(term) not in absorbed]
        left_in_order = [term for term in total.terms if any(term is other for other in left)]
        together = len(left) > 1 and any(term.shape.rank or self.shared.kind(term) != Kind.NUMBER for term in left)
        terms: list[Expr] = []
        seen_home = False
        for term in total.terms:
            if id(term) in absorbed:
                continue
            if together and any(term is other for other in left):
                if term is left_in_order[0]:
                    terms.append(self.early_sum(total, left_in_order))
                continue
            found = self.product(term)
            if row is not None and not seen_home and found is not None and self.is_home(row, term, found):
                seen_home = True
                assert block is not None
                assert block.result is not None
                terms.append(block.result)
                continue
            terms.append(self.rewrite(term))
        return terms[0] if len(terms) == 1 else Add(total.shape, terms=tuple(terms))

    def early_sum(self, total: Add, terms: list[Expr]) -> Expr:
        shape = next((term.shape for term in terms if term.shape.rank), terms[0].shape)
        combined = Add(shape, terms=tuple(terms))
        if self.shared.kind(combined) == Kind.FREE:
            return self.shared.free(combined, self.of)
        return self.shared.static(combined)

    def is_home(self, row: Row, term: Expr, found: Product) -> bool:
        matrix = row.matrix.operand if term is not found and isinstance(row.matrix, Neg) else row.matrix
        return matrix == found.left and row.operand == found.right

    def result(self, block: Block) -> Reference:
        """The name of a block's results; the product is emitted when the first of its blocks is asked for."""
        pile = self.piles[block.rows[0].layout]
        if not pile.done:
            pile.done = True
            self.emit(pile)
        assert block.result is not None
        return block.result

    def emit(self, pile: Pile) -> None:
        rows, names = pile.rows, self.shared.names
        operand = self.rewrite(pile.operand)
        matrices = [self.shared.matrix(blocks_of(row.matrix) or row.matrix) for row in rows]
        heights = [row.shape.dims[0] for row in rows]
        base = stem_of_all(matrices) or join("W", stem(pile.operand), "_")
        matrix = self.shared.stacked(list(matrices), heights, names.candidate(base, stem(pile.operand)))
        addend = self.addend(pile, getattr(matrix, "name", base))
        for block in pile.blocks:
            if block.result is None:
                height = Width()
                for row in block.rows:
                    height = height + row.shape.dims[0]
                block.result = self.shared.temporary(Shape((height,)), self.lowest, self.block_name(block))
        into = tuple(block.result for block in pile.blocks if block.result is not None)
        self.out.append(Multiply(matrix, operand, addend, into))

    def block_name(self, block: Block) -> str:
        row = block.rows[0]
        return join("a" if self.name == "step" else product_name(row.matrix, row.operand), row.of, "_")

    def addend(self, pile: Pile, name: str) -> Expr | None:
        """What the stacked product adds by itself: hoisted terms if every row has some, else constant ones; the product
        of blocks nothing."""
        rows = pile.rows
        if blocks_of(rows[0].matrix) is not None:
            return None
        if self.name == "step" and all(has_vector(row.free) for row in rows):
            for block in pile.blocks:
                block.absorbs_free = block.absorbs_static = True
            return self.shared.hoist(rows, name, pile.operand)
        every = self.name == "step"
        if any(has_vector(row.static) for row in rows) and (not every or all(has_vector(row.static) for row in rows)):
            for block in pile.blocks:
                block.absorbs_static = all(has_vector(row.static) or not row.static for row in block.rows)
            return self.biases(rows)
        return None

    def biases(self, rows: list[Row]) -> Expr:
        parts: list[Expr | None] = []
        for row in rows:
            if not has_vector(row.static):
                parts.append(None)
                continue
            total = row.static[0] if len(row.static) == 1 else Add(row.shape, terms=row.static)
            parts.append(self.shared.static(total))
        real = [part for part in parts if part is not None]
        base = (stem_of_all(real) if len(real) > 1 else "") or "b"
        base = self.shared.names.candidate(base, stem(rows[0].operand))
        return self.shared.stacked(parts, [row.shape.dims[0] for row in rows], base)
