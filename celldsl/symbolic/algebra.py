"""The symbols and functions that checked expressions become in SymPy.

Every function of the language is a SymPy function of its own that never rewrites itself: `sigmoid(a)` stays
`sigmoid(a)`, `exp(a - m) * exp(m)` keeps its stabilisation, and derivatives follow the table of
`celldsl.functions` in terms of the value (`s * (1 - s)`). Names become plain symbols through constructors;
no text is ever parsed.
"""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import sympy

from celldsl.check.cell import Cell
from celldsl.check.width import Shape, Width
from celldsl.functions import FUNCTIONS, Function


def dim_symbol(name: str) -> sympy.Symbol:
    """The symbol of a dimension: a positive integer, and so never equal to a signal's or parameter's symbol."""
    return sympy.Symbol(name, positive=True, integer=True)


def signal_symbol(name: str, delay: int) -> sympy.Symbol:
    """`h_t` at delay 0, `h_{t-1}` at delay 1."""
    return sympy.Symbol(f"{name}_t" if delay == 0 else f"{name}_{{t-{delay}}}")


def parameter_symbol(name: str) -> sympy.Symbol:
    """A parameter, derived parameter or setting."""
    return sympy.Symbol(name)


def width_value(width: Width, cell: Cell | None = None) -> sympy.Expr:
    """A width as a SymPy polynomial; dimensions that `cell` computes from others are replaced by their values."""
    if cell is not None:
        computed = {dim.name: dim.value for dim in cell.dims if dim.value is not None}
        while computed.keys() & width.names:
            width = width.substitute(computed)
    return sympy.Add(
        *(
            sympy.Mul(
                sympy.Rational(coefficient.numerator, coefficient.denominator),
                *(sympy.Pow(dim_symbol(name), exponent) for name, exponent in monomial),
            )
            for monomial, coefficient in width.terms
        )
    )


def width_of(value: sympy.Expr) -> Width:
    """The other way: a SymPy polynomial in dimensions as a width."""
    total = Width()
    for term in sympy.Add.make_args(sympy.expand(value)):
        number, rest = term.as_coeff_Mul()
        product = Width.of(Fraction(int(number.p), int(number.q)))
        for symbol, exponent in rest.as_powers_dict().items():
            if symbol != 1:
                factor = Width.of(symbol.name) ** abs(int(exponent))
                product = product * factor if exponent > 0 else product / factor
        total = total + product
    return total


def size_of(shape: Shape, cell: Cell | None = None) -> sympy.Expr:
    """The number of entries of a shape."""
    return width_value(shape.size, cell)


# --- functions -----------------------------------------------------------------------------


class Pointwise(sympy.Function):
    """A function of the language's table; `row` is its row."""

    row: Function

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        assert self.row.derivative is not None
        return sympy.Integer(0) + self.row.derivative(F, self.args, self)[argindex - 1]


class Along(sympy.Function):
    """A function that mixes the entries of a vector (softmax, sum, …); differentiated by its row's `vjp` alone."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        raise TypeError(f"{self.func.__name__} is not a pointwise function")


def _function_class(row: Function) -> type[sympy.Function]:
    base = Pointwise if row.rule == "elementwise" else Along
    low, high = row.arity
    return type(row.name, (base,), {"row": row, "nargs": tuple(range(low, high + 1))})


CLASSES: dict[str, Any] = {name: _function_class(row) for name, row in FUNCTIONS.items()}
"""The SymPy function of each row of `celldsl.functions.FUNCTIONS`."""


class power(sympy.Function):
    """`a^b` for an exponent that is not a small whole number; positive bases where b is not whole."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        base, exponent = self.args
        if argindex == 1:
            return exponent * power(base, exponent - 1)
        return self * CLASSES["log"](base)


class where(sympy.Function):
    """`where(condition, a, b)`: a where the condition holds, else b."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        condition = self.args[0]
        return sympy.Integer(0) if argindex == 1 else where(condition, int(argindex == 2), int(argindex == 3))


class less(sympy.Function):
    """`a < b`."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.Integer(0)


class between(sympy.Function):
    """`low < a < high`."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return sympy.Integer(0)


class erf(sympy.Function):
    """The error function, which the derivative of gelu reads."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return 2 / CLASSES["sqrt"](sympy.pi) * CLASSES["exp"](-(self.args[0] ** 2))


class width(Along):
    """The number of entries of a vector."""

    nargs = 1


class reverse_cumsum(Along):
    """Entry k is the sum of the entries k and after."""

    nargs = 1


class stretch(Along):
    """`stretch(s, v)`: the scalar s in every entry of a vector like v."""

    nargs = 2


class take(Along):
    """`take(v, start, stop)`: the entries start … stop-1 of a vector."""

    nargs = 3


class place(Along):
    """`place(v, start, width)`: a vector of that width, zero but for v behind its first `start` entries."""

    nargs = 3


class block_sums(Along):
    """`block_sums(v, times)`: the sums of each `times` entries that stand one behind the other."""

    nargs = 2


def _number(text: str) -> sympy.Rational:
    """A literal of the function table, exactly. Only that table's own texts come here."""
    value = Fraction(text)
    return sympy.Rational(value.numerator, value.denominator)


F = SimpleNamespace(
    **CLASSES,
    where=where,
    less=less,
    between=between,
    erf=erf,
    width=width,
    reverse_cumsum=reverse_cumsum,
    stretch=stretch,
    number=_number,
    pi=sympy.pi,
)
"""The algebra in which the table's derivatives are evaluated to SymPy expressions."""
