"""Decide what is hoisted out of time, stacked and computed once: `plan` makes the schedule of a cell.

A *part* of the schedule (before, step, after) looks at its equations twice. First it collects their matrix
products: products of one operand become rows of one stack, in the order of the equations. Then it rewrites
each equation over the results, and emits a stack just before the first equation that needs it. A product that
is a term of a sum is the sum's home: constant terms (biases) and, in the loop, terms that read no state can be
added by the product itself, if all rows of its stack have such terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from celldsl.check.cell import (
    Add,
    Call,
    Cell,
    Concat,
    Equation,
    Expr,
    Neg,
    Parameter,
    Product,
    Signal,
    SignalInfo,
    Transpose,
)
from celldsl.check.width import Shape, Width
from celldsl.schedule.names import Names, join, stem
from celldsl.schedule.rewrite import split_columns
from celldsl.schedule.schedule import (
    Columns,
    Compute,
    Delay,
    Derive,
    Kind,
    Multiply,
    Reference,
    Schedule,
    Stack,
    Statement,
)
from celldsl.schedule.times import Times
from celldsl.symbolic.counts import doubled_biases
from celldsl.symbolic.form import Form


def plan(form: Form, target: str = "torch") -> Schedule:
    """The schedule of a cell."""
    return _Planner(form.cell, target).schedule()


@dataclass(eq=False)
class _Row:
    """One product, or the matrix of one, and what else stands in the sum that it is the home of."""

    matrix: Expr
    operand: Expr
    of: str
    free: tuple[Expr, ...] = ()
    static: tuple[Expr, ...] = ()

    @property
    def shape(self) -> Shape:
        return Shape(self.matrix.shape.dims[:1])


@dataclass(eq=False)
class _Block:
    """Consecutive rows of a stack whose results have one name."""

    rows: list[_Row]
    name: str = ""
    result: Reference | None = None
    absorbs_free: bool = False
    absorbs_static: bool = False


@dataclass(eq=False)
class _Pile:
    """The blocks of one operand, in one part."""

    operand: Expr
    blocks: list[_Block] = field(default_factory=list)
    done: bool = False

    @property
    def rows(self) -> list[_Row]:
        return [row for block in self.blocks for row in block.rows]


class _Planner:
    def __init__(self, cell: Cell, target: str):
        self.cell = cell
        self.target = target
        values = {e.target: e.value for e in cell.equations}
        first = Times(cell, values)
        self.values = {name: split_columns(value, first.kind) for name, value in values.items()}
        self.times = Times(cell, self.values)
        self.names = Names(cell)
        self.once: list[Statement] = []
        self.statics: dict[Expr, Reference] = {}
        self.requests: dict[Expr, Reference] = {}
        self.combined: list[tuple[Reference, list[_Row]]] = []
        self.sliced: dict[Signal | Reference, None] = {}
        self.request_of: dict[str, str] = {}
        self.kinds: dict[str, Kind] = {}

    def schedule(self) -> Schedule:
        cell, times = self.cell, self.times
        for equation in cell.derived:
            self.once.append(Derive(equation))
        for equation in times.constant:
            self.once.append(Compute(_signal(cell, equation), self.values[equation.target], equation))

        # The loop first: it says what must be ready before it.
        step = _Part(self, "step", times.loop)
        after = _Part(self, "after", times.after)
        step_statements = step.statements()
        before_statements = _Before(self, times.free).statements()
        after_statements = after.statements()

        looped = tuple(info for info in cell.states if info.name in {e.target for e in times.loop})
        delayed = [info for info in cell.states if info not in looped]
        known = {info.name for info in cell.inputs} | {e.target for e in times.constant}
        early = known | {e.target for e in times.free}
        before = _with_delays(before_statements, [info for info in delayed if info.name in early], known)
        after_all = _with_delays(after_statements, [info for info in delayed if info.name not in early], set())
        return Schedule(
            cell=cell,
            target=self.target,
            once=tuple(self.once),
            before=tuple(before),
            step=tuple(step_statements),
            after=tuple(after_all),
            sliced=tuple(self.sliced),
            kept=self._kept(after_all),
            looped=looped,
            kinds={**times.kinds, **self.kinds},
            doubled=doubled_biases(cell),
        )

    def _kept(self, after: list[Statement]) -> tuple[Signal, ...]:
        """The loop's values that are read after it: the output, and what the statements there read."""
        loop = {e.target for e in self.times.loop}
        wanted: dict[Signal, None] = {}
        for statement in after:
            parts = [getattr(statement, name, None) for name in ("value", "operand", "addend")]
            for part in parts:
                for node in part.walk() if part is not None else ():
                    if isinstance(node, Signal) and node.name in loop:
                        wanted[node] = None
        if self.cell.output in loop:
            info = self.cell.signal[self.cell.output]
            wanted[Signal(info.shape, info.name, 0)] = None
        return tuple(wanted)

    # --- temporaries -----------------------------------------------------------------------

    def kind(self, expr: Expr) -> Kind:
        return self.times.kind(expr)

    def temporary(self, shape: Shape, kind: Kind, base: str, suffix: str = "") -> Reference:
        name = self.names.new(base, suffix)
        self.kinds[name] = kind
        return Reference(shape, name=name)

    def static(self, expr: Expr) -> Expr:
        """An expression of parameters alone; anything but a name is computed once."""
        kind = self.kind(expr)
        if isinstance(expr, Parameter | Signal) or (
            isinstance(expr, Transpose) and isinstance(expr.operand, Parameter)
        ):
            return expr
        if kind == Kind.NUMBER and not any(isinstance(node, Call) for node in expr.walk()):
            return expr
        if expr not in self.statics:
            reference = self.temporary(expr.shape, kind, stem(expr) or "k")
            self.statics[expr] = reference
            self.once.append(Compute(reference, expr))
        return self.statics[expr]

    def matrix(self, expr: Expr) -> Expr:
        """A matrix that is to be stacked: a sign, a transpose or columns of a name stay as they are."""
        if isinstance(expr, Neg | Columns):
            return expr.rebuild((self.matrix(expr.children[0]),))
        return self.static(expr)

    def free(self, expr: Expr, of: str) -> Expr:
        """An expression that reads no state, in the loop: its own step's part of a sequence made before."""
        if isinstance(expr, Signal):
            self.sliced[expr] = None
            return expr
        if expr not in self.requests:
            pure = _pure_product(expr)
            base = product_name(pure.left, pure.right) if pure is not None else "v"
            self.requests[expr] = self.temporary(expr.shape, Kind.FREE, join(base, of, "_"))
            self.request_of[self.requests[expr].name] = of
        self.sliced[self.requests[expr]] = None
        return self.requests[expr]

    def hoist(self, rows: list[_Row], stack: str, operand: Expr) -> Reference:
        """What all rows of a stack in the loop add to their products, as one sequence made before."""
        height = Width()
        for row in rows:
            height = height + row.shape.dims[0]
        operands = [p.right for p in map(_product, rows[0].free) if p is not None]
        if len(operands) == 1:
            matrices = [p.left for row in rows for p in map(_product, row.free) if p is not None]
            base = product_name(matrices[0], operands[0])
        else:
            base = join("v", stem(operand) if len(rows) > 1 else rows[0].of, "_")
        reference = self.temporary(Shape((height,)), Kind.FREE, base, rows[0].of)
        self.combined.append((reference, rows))
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
        reference = self.temporary(Shape((total, *some.shape.dims[1:])), Kind.STATIC, base)
        self.once.append(Stack(reference, tuple(parts), tuple(widths)))
        return reference


class _Part:
    """The equations of one part of the schedule."""

    def __init__(self, planner: _Planner, name: str, equations: list[Equation]):
        self.planner = planner
        self.name = name
        self.equations = equations
        self.lowest = Kind.STATE if name == "step" else Kind.FREE  # what is computed here, not earlier
        self.piles: dict[Expr, _Pile] = {}
        self.homes: dict[Expr, tuple[_Row, _Block]] = {}
        self.plain: dict[tuple[Expr, Expr], _Block] = {}
        self.out: list[Statement] = []

    def statements(self) -> list[Statement]:
        values = [(e, self.planner.values[e.target]) for e in self.equations]
        shared = self.shared_products([value for _, value in values])
        for equation, value in values:
            self.collect(value, equation.target, shared)
        for equation, value in values:
            self.of = equation.target
            rewritten = self.rewrite(value)
            self.out.append(Compute(_signal(self.planner.cell, equation), rewritten, equation))
        return self.out

    # --- first look: which products there are ----------------------------------------------

    def here(self, expr: Expr) -> bool:
        return self.planner.kind(expr) >= self.lowest

    def product(self, expr: Expr) -> Product | None:
        """The product of a parameter and a vector of this part that an expression is, up to its sign."""
        found = _product(expr)
        if found is None or found.right.shape.rank != 1 or not self.here(found.right):
            return None
        return found if self.planner.kind(found.left) <= Kind.STATIC else None

    def shared_products(self, values: list[Expr]) -> set[tuple[Expr, Expr]]:
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

    def collect(self, expr: Expr, of: str, shared: set[tuple[Expr, Expr]]) -> None:
        if not self.here(expr):
            return
        if isinstance(expr, Add):
            if expr in self.homes:
                return
            for term in expr.terms:
                found = self.product(term)
                if found is None:
                    self.collect(term, of, shared)
                    continue
                self.collect(found.right, of, shared)
                if expr not in self.homes and (found.left, found.right) not in shared:
                    matrix = found.left if term is found else Neg(found.left.shape, operand=found.left)
                    row = _Row(matrix, found.right, of, *self.sort(expr))
                    self.homes[expr] = (row, self.add_block([row]))
                else:
                    self.add_plain(found, of)
            return
        found = self.product(expr)
        if found is not None:
            self.collect(found.right, of, shared)
            self.add_plain(found, of)
            return
        for child in expr.children:
            self.collect(child, of, shared)

    def sort(self, total: Add) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
        """The terms of a sum that are known before this part: those that change in time, and the constant ones."""
        early = [term for term in total.terms if not self.here(term)]
        free = tuple(term for term in early if self.planner.kind(term) == Kind.FREE)
        static = tuple(term for term in early if self.planner.kind(term) < Kind.FREE)
        return free, static

    def add_block(self, rows: list[_Row], name: str = "") -> _Block:
        operand = rows[0].operand
        block = _Block(rows, name)
        self.piles.setdefault(operand, _Pile(operand)).blocks.append(block)
        return block

    def add_plain(self, product: Product, of: str) -> None:
        key = (product.left, product.right)
        if key not in self.plain:
            self.plain[key] = self.add_block([_Row(product.left, product.right, of)])

    # --- second look: what each equation becomes -------------------------------------------

    def rewrite(self, expr: Expr) -> Expr:
        if not self.here(expr):
            if self.planner.kind(expr) == Kind.FREE:
                return self.planner.free(expr, self.of)
            return self.planner.static(expr)
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
        together = len(left) > 1 and any(term.shape.rank or not _is_number(self.planner, term) for term in left)
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
        if self.planner.kind(combined) == Kind.FREE:
            return self.planner.free(combined, self.of)
        return self.planner.static(combined)

    def is_home(self, row: _Row, term: Expr, found: Product) -> bool:
        matrix = row.matrix.operand if term is not found and isinstance(row.matrix, Neg) else row.matrix
        return matrix == found.left and row.operand == found.right

    def result(self, block: _Block) -> Reference:
        """The name of a block's results; the product is emitted when the first of its blocks is asked for."""
        pile = self.piles[block.rows[0].operand]
        if not pile.done:
            pile.done = True
            self.emit(pile)
        assert block.result is not None
        return block.result

    def emit(self, pile: _Pile) -> None:
        rows, names = pile.rows, self.planner.names
        operand = self.rewrite(pile.operand)
        matrices = [self.planner.matrix(row.matrix) for row in rows]
        heights = [row.shape.dims[0] for row in rows]
        base = stem_of_all(matrices) or join("W", stem(pile.operand), "_")
        matrix = self.planner.stacked(list(matrices), heights, names.candidate(base, stem(pile.operand)))
        addend = self.addend(pile, getattr(matrix, "name", base))
        for block in pile.blocks:
            if block.result is None:
                height = Width()
                for row in block.rows:
                    height = height + row.shape.dims[0]
                block.result = self.planner.temporary(Shape((height,)), self.lowest, self.block_name(block))
        into = tuple(block.result for block in pile.blocks if block.result is not None)
        self.out.append(Multiply(matrix, operand, addend, into))

    def block_name(self, block: _Block) -> str:
        row = block.rows[0]
        return join("a" if self.name == "step" else product_name(row.matrix, row.operand), row.of, "_")

    def addend(self, pile: _Pile, name: str) -> Expr | None:
        """What the stacked product adds by itself: hoisted terms if every row has some, else constant ones."""
        rows = pile.rows
        if self.name == "step" and all(_has_vector(row.free) for row in rows):
            for block in pile.blocks:
                block.absorbs_free = block.absorbs_static = True
            return self.planner.hoist(rows, name, pile.operand)
        every = self.name == "step"
        if any(_has_vector(row.static) for row in rows) and (not every or all(_has_vector(row.static) for row in rows)):
            for block in pile.blocks:
                block.absorbs_static = all(_has_vector(row.static) or not row.static for row in block.rows)
            return self.biases(rows)
        return None

    def biases(self, rows: list[_Row]) -> Expr:
        parts: list[Expr | None] = []
        for row in rows:
            if not _has_vector(row.static):
                parts.append(None)
                continue
            total = row.static[0] if len(row.static) == 1 else Add(row.shape, terms=row.static)
            parts.append(self.planner.static(total))
        real = [part for part in parts if part is not None]
        base = (stem_of_all(real) if len(real) > 1 else "") or "b"
        base = self.planner.names.candidate(base, stem(rows[0].operand))
        return self.planner.stacked(parts, [row.shape.dims[0] for row in rows], base)


class _Before(_Part):
    """What reads no state: the free equations, and what the loop asked for."""

    def __init__(self, planner: _Planner, equations: list[Equation]):
        super().__init__(planner, "before", equations)

    def statements(self) -> list[Statement]:
        planner = self.planner
        values = [(e, planner.values[e.target]) for e in self.equations]
        shared = self.shared_products([value for _, value in values] + list(planner.requests))
        for equation, value in values:
            self.collect(value, equation.target, shared)
        blocks = [(reference, rows, self.aligned(rows)) for reference, rows in planner.combined]
        aligned: dict[str, list[_Block]] = {}
        for reference, rows, operands in blocks:
            if operands:
                aligned[reference.name] = self.add_aligned(reference, rows, operands)
            else:
                for row in rows:
                    self.collect(self.sum_of(row), row.of, shared)
        for expr, reference in planner.requests.items():
            self.collect(expr, planner.request_of[reference.name], shared)
            self.name_after(expr, reference)

        for equation, value in values:
            self.of = equation.target
            self.out.append(Compute(_signal(planner.cell, equation), self.rewrite(value), equation))
        for reference, rows, operands in blocks:
            self.of = rows[0].of
            if operands:
                self.finish_aligned(reference, aligned[reference.name])
            else:
                self.finish_mixed(reference, rows)
        for expr, reference in planner.requests.items():
            self.of = planner.request_of[reference.name]
            value = self.rewrite(expr)
            if value != reference:
                self.out.append(Compute(reference, value))
        return self.out

    def name_after(self, expr: Expr, reference: Reference) -> None:
        """Let the product have the request's name, where it is all there is."""
        if isinstance(expr, Add):
            row, block = self.homes.get(expr, (None, None))
            whole = row is not None and len(expr.terms) == 1 + len(row.static) and _has_vector(row.static)
        else:
            block = self.plain.get((expr.left, expr.right)) if isinstance(expr, Product) else None
            whole = block is not None
        if whole and block is not None and block.result is None:
            block.result = reference

    def sum_of(self, row: _Row) -> Expr:
        terms = (*row.free, *row.static)
        return terms[0] if len(terms) == 1 else Add(row.shape, terms=terms)

    def aligned(self, rows: list[_Row]) -> tuple[Expr, ...]:
        """The operands of the rows' products, where every row is made of products with these operands alone (and
        constant vectors): then the rows stay together, as a block of each operand's stack."""
        found: tuple[Expr, ...] | None = None
        for row in rows:
            products = [self.product(term) for term in row.free]
            operands = tuple(product.right for product in products if product is not None)
            if len(operands) < len(products) or len(set(operands)) < len(operands) or found not in (None, operands):
                return ()
            if row.static and not _has_vector(row.static):
                return ()
            found = operands
        return found or ()

    def add_aligned(self, reference: Reference, rows: list[_Row], operands: tuple[Expr, ...]) -> list[_Block]:
        blocks = []
        for at, operand in enumerate(operands):
            inner = []
            for row in rows:
                term = row.free[at]
                product = self.product(term)
                assert product is not None
                matrix = product.left if term is product else Neg(product.left.shape, operand=product.left)
                inner.append(_Row(matrix, operand, row.of, (), row.static if at == 0 else ()))
            self.collect(operand, rows[0].of, set())
            block = self.add_block(inner, reference.name)
            if len(operands) == 1:
                block.result = reference
            blocks.append(block)
        return blocks

    def finish_aligned(self, reference: Reference, blocks: list[_Block]) -> None:
        results = [self.result(block) for block in blocks]
        if len(results) > 1:
            self.out.append(Compute(reference, Add(reference.shape, terms=tuple(results))))

    def finish_mixed(self, reference: Reference, rows: list[_Row]) -> None:
        parts = tuple(self.rewrite(self.sum_of(row)) for row in rows)
        value = parts[0] if len(parts) == 1 else Concat(reference.shape, parts=parts)
        self.out.append(Compute(reference, value))

    def block_name(self, block: _Block) -> str:
        if block.name:
            return join(block.name, stem(block.rows[0].operand), "_")
        return super().block_name(block)


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


def _pure_product(expr: Expr) -> Product | None:
    """The product that an expression is, but for constant terms added to it."""
    terms = expr.terms if isinstance(expr, Add) else (expr,)
    products = [term for term in terms if isinstance(term, Product)]
    rest = [term for term in terms if not isinstance(term, Product | Parameter)]
    return products[0] if len(products) == 1 and not rest else None


def _product(expr: Expr) -> Product | None:
    inner = expr.operand if isinstance(expr, Neg) else expr
    return inner if isinstance(inner, Product) else None


def _signal(cell: Cell, equation: Equation) -> Signal:
    return Signal(cell.signal[equation.target].shape, equation.target, 0)


def _has_vector(terms: tuple[Expr, ...]) -> bool:
    return any(term.shape.rank == 1 for term in terms)


def _is_number(planner: _Planner, term: Expr) -> bool:
    return planner.kind(term) == Kind.NUMBER


def _with_delays(statements: list[Statement], states: list[SignalInfo], computed: set[str]) -> list[Statement]:
    """The statements with the delays of these states, each as soon as its signal is known; `computed` are those
    that are known from the start."""

    def delays(info: SignalInfo) -> list[Statement]:
        return [Delay(info, delay) for delay in range(1, info.depth + 1)]

    result = [delay for info in states if info.name in computed for delay in delays(info)]
    by_name = {info.name: info for info in states}
    for statement in statements:
        result.append(statement)
        if isinstance(statement, Compute) and isinstance(statement.target, Signal):
            info = by_name.get(statement.target.name)
            result.extend(delays(info) if info is not None else [])
    return result
