"""The normal form of a cell: every signal at t as a polynomial in inputs, earlier values and parameters.

Intermediates and derived parameters are put in place, so it does not matter how a cell is cut into equations. Two
cells over one `Table` are the same function where the polynomials of their outputs and states are equal.

With `unfold`, the earlier value of a signal that is a pointwise function of others of its own step is replaced by
that function one step back, h_{t-1} = o_{t-1} * tanh(c_{t-1}), where this holds at the first step too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Expr
from celldsl.check.width import SCALAR, Width
from celldsl.functions import FUNCTIONS
from celldsl.symbolic.knots import ONE, Factor, Knot, Matrix, Table, Word
from celldsl.symbolic.polynomial import Name, Polynomial


@dataclass
class Normal:
    """The normal form of one cell, made on demand.

    keep: signals of the step that stay names; the others are put in place (all of them by default).
    """

    cell: Cell
    table: Table
    keep: frozenset[str] = frozenset()
    unfold: bool = False
    derived: dict[str, Polynomial | Matrix] = field(default_factory=dict)
    values: dict[str, Polynomial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for equation in self.cell.derived:
            matrix = equation.value.shape.rank == 2
            self.derived[equation.target] = self.matrix(equation.value) if matrix else self.value(equation.value)

    def of(self, name: str) -> Polynomial:
        """A signal at t."""
        if name not in self.values:
            self.values[name] = self.value(self.cell.equation[name].value)
        return self.values[name]

    def initial(self, name: str) -> Polynomial | None:
        """A signal's first value; None for one that only unfolding reads, which may start anywhere."""
        info = self.cell.signal[name]
        if info.depth == 0 and info.role != "input":
            return None
        if info.initial is None:
            return Polynomial()
        if info.initial == "learned":
            return self.named(Name("parameter", f"{name}_0"), info.shape)
        return self.value(info.initial)

    # --- vectors and scalars ---------------------------------------------------------------

    def value(self, expr: Expr) -> Polynomial:
        table = self.table
        match expr:
            case checked.Num():
                return Polynomial.number(expr.value)
            case checked.Infinity():
                return self.named(Name("infinity", "inf"), SCALAR)
            case checked.Dim(width=width):
                return self.width(width)
            case checked.Setting(name=name):
                info = self.cell.setting[name]
                if info.kind == "const":
                    return Polynomial.number(info.value)
                return self.named(Name("dim" if info.is_width else "hyper", name), SCALAR)
            case checked.Parameter(name=name):
                found = self.derived.get(name)
                return found if isinstance(found, Polynomial) else self.named(Name("parameter", name), expr.shape)
            case checked.Signal(name=name, delay=0):
                if name in self.cell.equation and name not in self.keep:
                    return self.of(name)
                return self.named(Name("signal", name), expr.shape)
            case checked.Signal(name=name, delay=delay):
                if self.unfold and name in self.unfolded:
                    return self.shifted(self.unfolded[name], delay)
                return self.named(Name("signal", name, delay), expr.shape)
            case checked.Add(terms=terms):
                return self.total(self.value(term) for term in terms)
            case checked.Neg(operand=operand):
                return -self.value(operand)
            case checked.Mul(left=left, right=right):
                return table.multiply(self.value(left), self.value(right))
            case checked.Div(left=left, right=right):
                return table.multiply(self.value(left), table.inverse(self.value(right)))
            case checked.Pow(left=left, right=right):
                return table.power(self.value(left), self.value(right))
            case checked.Product(left=left, right=right):
                vector = self.value(right)
                return self.total(c * table.apply(word, vector, expr.shape) for word, c in self.matrix(left))
            case checked.Concat(parts=parts):
                return table.tie(Knot("concat", tuple(self.value(part) for part in parts)), expr.shape)
            case checked.Slice(operand=operand, start=start):
                bounds = (self.width(start), self.width(start + expr.shape.width))
                return table.tie(Knot("slice", (self.value(operand), *bounds)), expr.shape)
            case checked.Repeat(operand=operand, times=times):
                return table.tie(Knot("repeat", (self.value(operand), self.width(times))), expr.shape)
            case checked.Call(function=function, arguments=arguments):
                values = tuple(self.value(argument) for argument in arguments)
                return self.call(expr, function, values, arguments[0].shape.width)
        raise TypeError(f"no scalar or vector: {type(expr).__name__}")

    def total(self, values: Iterable[Polynomial]) -> Polynomial:
        return Polynomial.collect([term for value in values for term in value.terms])

    def call(self, expr: Expr, function: str, values: tuple[Polynomial, ...], width: Width) -> Polynomial:
        table = self.table
        if FUNCTIONS[function].rule == "elementwise":
            return table.call(function, values)
        match function:
            case "sum":
                return table.total(values[0], self.width(width))
            case "mean":
                return table.multiply(table.total(values[0], self.width(width)), table.inverse(self.width(width)))
            case "dot":
                return table.total(table.multiply(*values), self.width(width))
            case "norm":
                square = table.total(table.multiply(values[0], values[0]), self.width(width))
                return table.call("sqrt", (square,))
        return table.tie(Knot(function, values), expr.shape)

    def width(self, width: Width) -> Polynomial:
        computed = {dim.name: dim.value for dim in self.cell.dims if dim.value is not None}
        while computed.keys() & width.names:
            width = width.substitute(computed)
        total = Polynomial()
        for monomial, coefficient in width.terms:
            for name, _ in monomial:
                self.table.shapes[Name("dim", name)] = SCALAR
            factors = tuple((Name("dim", name), exponent) for name, exponent in monomial)
            total = total + Polynomial.monomial(factors, coefficient)
        return total

    def named(self, name: Name, shape: checked.Shape) -> Polynomial:
        self.table.shapes[name] = shape
        return Polynomial.of(name)

    # --- matrices --------------------------------------------------------------------------

    def matrix(self, expr: Expr) -> Matrix:
        match expr:
            case checked.Identity():
                return (((), ONE),)
            case checked.Parameter(name=name):
                found = self.derived.get(name)
                if isinstance(found, tuple):
                    return found
                factor = Name("matrix", name)
                self.table.shapes[factor] = expr.shape
                return (((Factor(factor),), ONE),)
            case checked.Neg(operand=operand):
                return tuple((word, -c) for word, c in self.matrix(operand))
            case checked.Add(terms=terms) if all(term.shape.rank == 2 for term in terms):
                return _collect([part for term in terms for part in self.matrix(term)])
            case checked.Mul(left=left, right=right) if SCALAR in (left.shape, right.shape):
                scalar, matrix = (left, right) if left.shape == SCALAR else (right, left)
                factor_value = self.value(scalar)
                return _collect([(w, self.table.multiply(c, factor_value)) for w, c in self.matrix(matrix)])
            case checked.Div(left=left, right=right) if right.shape == SCALAR:
                divisor = self.table.inverse(self.value(right))
                return _collect([(w, self.table.multiply(c, divisor)) for w, c in self.matrix(left)])
            case checked.Product(left=left, right=right):
                pairs = [(one, two) for one in self.matrix(left) for two in self.matrix(right)]
                return _collect([(v + w, self.table.multiply(a, b)) for (v, a), (w, b) in pairs])
            case checked.Transpose(operand=operand):
                return _collect([(_transpose(word), c) for word, c in self.matrix(operand)])
            case checked.Structured(kind=kind, operand=operand):
                knot = Knot(f"matrix {kind}", (self.numbers(operand),))
                made = self.table.tie(knot, expr.shape).single
                assert made is not None
                return (((Factor(made),), ONE),)
        return (((Factor(self.opaque_matrix(expr)),), ONE),)

    def numbers(self, expr: Expr) -> Polynomial:
        """What a structured matrix is made of: a parameter, of any number of axes."""
        if isinstance(expr, checked.Parameter) and expr.name not in self.derived:
            return self.named(Name("parameter", expr.name), expr.shape)
        return self.value(expr)

    def opaque_matrix(self, expr: Expr) -> Name:
        """A matrix that is no sum of products: a knot of the matrices, vectors and scalars that it is made of."""
        label = expr.function if isinstance(expr, checked.Call) else type(expr).__name__
        matrices = [self.matrix(child) for child in expr.children if child.shape.rank == 2]
        if isinstance(expr, checked.Mul | checked.Add):
            matrices.sort()
        values = tuple(self.value(child) for child in expr.children if child.shape.rank < 2)
        name = self.table.tie(Knot(f"matrix {label}", values, (), tuple(matrices)), expr.shape).single
        assert name is not None
        return name

    # --- unfolding -------------------------------------------------------------------------

    @cached_property
    def unfolded(self) -> dict[str, Polynomial]:
        """The carried signals that are functions of others of their own step, and hold at the first step too."""
        here = Normal(self.cell, self.table, keep=frozenset(self.cell.equation))
        made: dict[str, Polynomial] = {}
        for equation in self.cell.steps:
            read = [node for node in equation.value.walk() if isinstance(node, checked.Signal)]
            own = all(node.delay == 0 and node.name in self.cell.equation for node in read)
            if read and own and equation.target in self.cell.varying:
                value = here.value(equation.value)
                made[equation.target] = self.replaced(value, lambda n: made.get(n.name) if n.kind == "signal" else None)
        firsts = {name: here.initial(name) for name in self.cell.signal}

        def holds_at_first(name: str, value: Polynomial) -> bool:
            try:
                return self.replaced(value, lambda n: firsts[n.name] if n.kind == "signal" else None) == firsts[name]
            except ZeroDivisionError:  # h_t = c_t / n_t, where n begins at zero
                return False

        return {
            name: value
            for name, value in made.items()
            if self.cell.signal[name].depth == 0 or holds_at_first(name, value)
        }

    def shifted(self, value: Polynomial, steps: int) -> Polynomial:
        def earlier(name: Name) -> Polynomial | None:
            if name.kind != "signal":
                return None
            return self.named(name._replace(delay=name.delay + steps), self.table.shapes[name])

        return self.replaced(value, earlier)

    def replaced(self, value: Polynomial, change: Callable[[Name], Polynomial | None]) -> Polynomial:
        """`change` at every name of the value, inside its knots too; once each, since knots share their parts."""
        seen: dict[Name, Polynomial | None] = {}

        def inside(name: Name) -> Polynomial | None:
            if name not in seen:
                knot = self.table.knot(name)
                seen[name] = change(name) if knot is None else within(name, knot)
            return seen[name]

        def within(name: Name, knot: Knot) -> Polynomial | None:
            arguments = tuple(argument.substitute(inside) for argument in knot.arguments)
            return None if arguments == knot.arguments else self.retied(knot, arguments, name)

        return value.substitute(inside)

    def retied(self, knot: Knot, arguments: tuple[Polynomial, ...], name: Name) -> Polynomial:
        """The same function of other arguments, in normal form again."""
        table, shape = self.table, self.table.shapes[name]
        match knot.function:
            case "product":
                return table.apply(knot.word, arguments[0], shape)
            case "group":
                return table.group(arguments[0])
            case "inverse":
                return table.inverse(arguments[0])
            case "power":
                return table.power(*arguments)
            case "sum":
                return table.total(arguments[0], self.width(table.shape(knot.arguments[0]).width))
        row = FUNCTIONS.get(knot.function)
        if row is not None and row.rule == "elementwise":
            return table.call(knot.function, arguments)
        return table.tie(Knot(knot.function, arguments, knot.word, knot.matrices), shape)


def _collect(parts: list[tuple[Word, Polynomial]]) -> Matrix:
    total: dict[Word, Polynomial] = {}
    for word, coefficient in parts:
        total[word] = total.get(word, Polynomial()) + coefficient
    return tuple(sorted(((w, c) for w, c in total.items() if c.terms), key=lambda part: repr(part[0])))


def _transpose(word: Word) -> Word:
    return tuple(factor._replace(transposed=not factor.transposed) for factor in reversed(word))
