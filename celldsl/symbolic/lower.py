"""Checked cell → symbolic form.

Each expression of rank 0 or 1 becomes a SymPy expression by constructors alone; a matrix product, and a function
of a whole vector, becomes an atom. Equal atoms are one atom, wherever they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import sympy

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Equation, Expr
from celldsl.check.width import Width
from celldsl.functions import FUNCTIONS
from celldsl.symbolic.algebra import CLASSES, dim_symbol, parameter_symbol, power, signal_symbol, width_value
from celldsl.symbolic.form import Atom, Form, Line, Meaning, Opaque, Product
from celldsl.symbolic.text import show

LARGEST_EXPONENT = 64
"""Whole exponents up to here become SymPy powers; larger ones stay `power(a, b)` and are never multiplied out."""


def lower(cell: Cell) -> Form:
    """The symbolic form of a checked cell, as it computes in evaluation."""
    training, cell = cell, cell.evaluated
    state = _Lowering(cell)
    derived = tuple(state.line(equation) for equation in cell.derived if equation.value.shape.rank < 2)
    lines = tuple(state.line(equation) for equation in cell.steps)
    return Form(cell, derived, lines, state.meaning, state.literals, training)


def number_value(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


@dataclass
class _Lowering:
    cell: Cell
    meaning: dict[sympy.Symbol, Meaning] = field(default_factory=dict)
    literals: dict[sympy.Rational, str] = field(default_factory=dict)
    atoms: dict[Expr, Atom] = field(default_factory=dict)
    fresh: list[Atom] = field(default_factory=list)

    def line(self, equation: Equation) -> Line:
        value = self.value(equation.value)
        if equation.timeless:
            symbol = parameter_symbol(equation.target)
            self.meaning[symbol] = checked.Parameter(equation.value.shape, name=equation.target)
            shape = equation.value.shape
        else:
            symbol = signal_symbol(equation.target, 0)
            shape = self.cell.signal[equation.target].shape
            self.meaning[symbol] = checked.Signal(shape, name=equation.target, delay=0)
        atoms, self.fresh = tuple(self.fresh), []
        return Line(equation.target, symbol, value, shape, atoms, equation)

    def value(self, expr: Expr) -> sympy.Expr:
        """A scalar or vector expression in SymPy."""
        match expr:
            case checked.Num():
                number = number_value(expr.value)
                self.literals.setdefault(number, expr.text)
                return number
            case checked.Dim(width=width):
                for name in sorted(width.names):
                    self.meaning[dim_symbol(name)] = checked.Dim(expr.shape, width=type(width).of(name))
                return width_value(width)
            case checked.Setting(name=name):
                is_width = self.cell.setting[name].is_width
                return self.known(dim_symbol(name) if is_width else parameter_symbol(name), expr)
            case checked.Parameter(name=name):
                return self.known(parameter_symbol(name), expr)
            case checked.Signal(name=name, delay=delay):
                return self.known(signal_symbol(name, delay), expr)
            case checked.Add(terms=terms):
                return sympy.Add(*(self.value(term) for term in terms))
            case checked.Neg(operand=operand):
                return -self.value(operand)
            case checked.Mul(left=left, right=right):
                return self.value(left) * self.value(right)
            case checked.Div(left=left, right=right):
                return self.value(left) / self.value(right)
            case checked.Pow(left=left, right=right):
                return raise_to(self.value(left), self.value(right))
            case checked.Product(left=left, right=right):
                if isinstance(left, checked.Identity):
                    return self.value(right)
                return self.product(expr, left, right)
            case checked.Concat(parts=parts):
                return self.opaque(expr, "concat", parts)
            case checked.Slice(operand=operand, start=start):
                return self.opaque(expr, "slice", (operand,), start)
            case checked.Repeat(operand=operand, times=times):
                return self.opaque(expr, "repeat", (operand,), times)
            case checked.Call(function=function, arguments=arguments):
                if FUNCTIONS[function].rule == "elementwise":
                    return CLASSES[function](*(self.value(argument) for argument in arguments))
                return self.opaque(expr, function, arguments)
        raise TypeError(f"no scalar or vector: {show(expr)}")

    def known(self, symbol: sympy.Symbol, meaning: Meaning) -> sympy.Symbol:
        self.meaning.setdefault(symbol, meaning)
        return symbol

    def product(self, expr: Expr, matrix: Expr, operand: Expr) -> sympy.Symbol:
        if expr not in self.atoms:
            if any(isinstance(node, checked.Signal) for node in matrix.walk()):
                raise TypeError(f"a matrix that changes in time: {show(matrix)}")
            value = self.value(operand)
            symbol = self.atom_symbol(expr)
            self.add(expr, Product(symbol, matrix, operand, value, expr.shape, expr.span))
        return self.atoms[expr].symbol

    def opaque(
        self, expr: Expr, function: str, arguments: tuple[Expr, ...], count: Width | None = None
    ) -> sympy.Symbol:
        if expr not in self.atoms:
            values = tuple(self.value(argument) for argument in arguments)
            symbol = self.atom_symbol(expr)
            self.add(expr, Opaque(symbol, function, arguments, values, expr.shape, count or Width(), span=expr.span))
        return self.atoms[expr].symbol

    def add(self, expr: Expr, atom: Atom) -> None:
        self.atoms[expr] = self.meaning[atom.symbol] = atom
        self.fresh.append(atom)

    def atom_symbol(self, expr: Expr) -> sympy.Symbol:
        """Named by the atom's text; numbered should two texts ever agree."""
        text = show(expr)
        symbol, count = sympy.Symbol(text), 1
        while symbol in self.meaning:
            count += 1
            symbol = sympy.Symbol(f"{text} #{count}")
        return symbol


def raise_to(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    """`base^exponent`; anything but a small whole exponent stays an unevaluated `power`."""
    if exponent.is_Integer and abs(int(exponent)) <= LARGEST_EXPONENT:
        return sympy.Pow(base, exponent)
    return power(base, exponent)
