"""The part before the loop: the equations that read no state, and what the loop asked for."""

from __future__ import annotations

from celldsl.check.cell import Add, Concat, Equation, Expr, Neg, Product
from celldsl.schedule.names import join, stem
from celldsl.schedule.part import Part
from celldsl.schedule.rows import Block, Row, blocks_of, has_vector, signal_of
from celldsl.schedule.schedule import Compute, Reference, Statement
from celldsl.schedule.temporaries import Shared


class Before(Part):
    """What reads no state: the free equations, and what the loop asked for."""

    def __init__(self, shared: Shared, equations: list[Equation]):
        super().__init__(shared, "before", equations)

    def statements(self) -> list[Statement]:
        shared = self.shared
        values = [(e, shared.values[e.target]) for e in self.equations]
        repeated = self.repeated_products([value for _, value in values] + list(shared.requests))
        for equation, value in values:
            self.collect(value, equation.target, repeated)
        blocks = [(reference, rows, self.aligned(rows)) for reference, rows in shared.hoisted]
        aligned: dict[str, list[Block]] = {}
        for reference, rows, operands in blocks:
            if operands:
                aligned[reference.name] = self.add_aligned(reference, rows, operands)
            else:
                for row in rows:
                    self.collect(self.sum_of(row), row.of, repeated)
        for expr, reference in shared.requests.items():
            self.collect(expr, shared.request_of[reference.name], repeated)
            self.name_after(expr, reference)

        for equation, value in values:
            self.of = equation.target
            self.out.append(Compute(signal_of(shared.cell, equation), self.rewrite(value), equation))
        for reference, rows, operands in blocks:
            self.of = rows[0].of
            if operands:
                self.finish_aligned(reference, aligned[reference.name])
            else:
                self.finish_mixed(reference, rows)
        for expr, reference in shared.requests.items():
            self.of = shared.request_of[reference.name]
            value = self.rewrite(expr)
            if value != reference:
                self.out.append(Compute(reference, value))
        return self.out

    def name_after(self, expr: Expr, reference: Reference) -> None:
        """Let the product have the request's name, where it is all there is."""
        if isinstance(expr, Add):
            row, block = self.homes.get(expr, (None, None))
            whole = row is not None and len(expr.terms) == 1 + len(row.static) and has_vector(row.static)
            whole = whole and row is not None and blocks_of(row.matrix) is None  # their product adds nothing itself
        else:
            block = self.plain.get((expr.left, expr.right)) if isinstance(expr, Product) else None
            whole = block is not None
        if whole and block is not None and block.result is None:
            block.result = reference

    def sum_of(self, row: Row) -> Expr:
        terms = (*row.free, *row.static)
        return terms[0] if len(terms) == 1 else Add(row.shape, terms=terms)

    def aligned(self, rows: list[Row]) -> tuple[Expr, ...]:
        """The operands of the rows' products, where every row is made of products with these operands alone (and
        constant vectors): then the rows stay together, as a block of each operand's stack."""
        found: tuple[Expr, ...] | None = None
        for row in rows:
            products = [self.product(term) for term in row.free]
            operands = tuple(product.right for product in products if product is not None)
            if any(product is not None and blocks_of(product.left) is not None for product in products):
                return ()
            if len(operands) < len(products) or len(set(operands)) < len(operands) or found not in (None, operands):
                return ()
            if row.static and not has_vector(row.static):
                return ()
            found = operands
        return found or ()

    def add_aligned(self, reference: Reference, rows: list[Row], operands: tuple[Expr, ...]) -> list[Block]:
        blocks = []
        for at, operand in enumerate(operands):
            inner = []
            for row in rows:
                term = row.free[at]
                product = self.product(term)
                assert product is not None
                matrix = product.left if term is product else Neg(product.left.shape, operand=product.left)
                inner.append(Row(matrix, operand, row.of, (), row.static if at == 0 else ()))
            self.collect(operand, rows[0].of, set())
            block = self.add_block(inner, reference.name)
            if len(operands) == 1:
                block.result = reference
            blocks.append(block)
        return blocks

    def finish_aligned(self, reference: Reference, blocks: list[Block]) -> None:
        results = [self.result(block) for block in blocks]
        if len(results) > 1:
            self.out.append(Compute(reference, Add(reference.shape, terms=tuple(results))))

    def finish_mixed(self, reference: Reference, rows: list[Row]) -> None:
        parts = tuple(self.rewrite(self.sum_of(row)) for row in rows)
        value = parts[0] if len(parts) == 1 else Concat(reference.shape, parts=parts)
        self.out.append(Compute(reference, value))

    def block_name(self, block: Block) -> str:
        if block.name:
            return join(block.name, stem(block.rows[0].operand), "_")
        return super().block_name(block)
