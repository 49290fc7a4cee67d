"""Functions of polynomials, each known by one name: what makes normal forms small.

A `Knot` is a function applied to polynomials, or a product of matrices applied to one; a `Table` gives equal knots one
name. A cell is then a few polynomials over names, however deeply its equations nest, and two expressions are equal
where their polynomials are. The rules here are those that hold for every real argument: sigmoid(-a) = 1 - sigmoid(a),
tanh odd, products linear, exp(a + b) = exp(a) exp(b), …
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from celldsl.check.width import SCALAR, Shape, Width
from celldsl.symbolic.polynomial import Monomial, Name, Polynomial

ONE = Polynomial.number(1)
LARGEST = 200
"""Sums are multiplied out up to so many terms; larger ones become one knot each."""


class Factor(NamedTuple):
    """A matrix of a product: its name, whether transposed, and which of its columns (then) take part."""

    name: Name
    transposed: bool = False
    columns: tuple[Width, Width] | None = None


Word = tuple[Factor, ...]
"""A product of matrices, the identity where empty."""

Matrix = tuple[tuple[Word, Polynomial], ...]
"""Σ scalar · word, sorted."""


@dataclass(frozen=True)
class Knot:
    """`function` is a row of the function table, or: `product` (word times the argument), `inverse` (of the argument),
    `group` (the argument itself, too large to multiply out), `power`, `concat`, or one of the functions of matrices.

    A function without a row here has no rule but that equal arguments give equal values.
    """

    function: str
    arguments: tuple[Polynomial, ...] = ()
    word: Word = ()
    matrices: tuple[Matrix, ...] = ()


_ODD = {"tanh", "sin", "softsign", "sign", "hard_tanh"}
_EVEN = {"cos", "abs"}
_COMPLEMENT = {"sigmoid", "hard_sigmoid"}  # f(-a) = 1 - f(a)
_AT_ZERO: dict[str, Fraction] = {
    **dict.fromkeys(
        ["tanh", "sin", "softsign", "sign", "hard_tanh", "abs", "elu", "gelu", "leaky_relu", "floor"], Fraction(0)
    ),
    "cos": Fraction(1),
    "sigmoid": Fraction(1, 2),
    "hard_sigmoid": Fraction(1, 2),
}


@dataclass
class Table:
    """All knots of the cells that are compared, and the shapes of all names.

    tanh_as_sigmoid: write tanh(a) as 2 sigmoid(2a) - 1, for cells that mix the two.
    """

    tanh_as_sigmoid: bool = False
    knots: list[Knot] = field(default_factory=list)
    index: dict[Knot, Name] = field(default_factory=dict)
    shapes: dict[Name, Shape] = field(default_factory=dict)

    def knot(self, name: Name) -> Knot | None:
        return self.knots[int(name.name)] if name.kind == "knot" else None

    def tie(self, knot: Knot, shape: Shape) -> Polynomial:
        """The knot's name, as a polynomial."""
        if knot not in self.index:
            name = Name("knot", f"{len(self.knots):06}")
            self.knots.append(knot)
            self.index[knot] = name
            self.shapes[name] = shape
        return Polynomial.of(self.index[knot])

    def shape(self, *values: Polynomial) -> Shape:
        """The shape of a pointwise expression of these: that of their vectors."""
        for value in values:
            for name in sorted(value.names):
                if self.shapes[name].rank:
                    return self.shapes[name]
        return SCALAR

    # --- arithmetic ------------------------------------------------------------------------

    def multiply(self, one: Polynomial, two: Polynomial) -> Polynomial:
        if len(one.terms) * len(two.terms) > LARGEST:
            one, two = self.group(one), self.group(two)
        return one * two

    def group(self, value: Polynomial) -> Polynomial:
        return value if len(value.terms) < 2 else self.tie(Knot("group", (value,)), self.shape(value))

    def inverse(self, value: Polynomial) -> Polynomial:
        """1 / value. A single term is inverted in place; a sum becomes a knot of itself, its first coefficient 1."""
        if len(value.terms) == 1:
            return value**-1
        if not value.terms:
            return self.tie(Knot("inverse", (value,)), SCALAR)
        logistic = self.one_plus_exponential(value)
        if logistic is not None:
            return self.call("sigmoid", (-logistic,))
        common, leading = _common(value), value.terms[0][1]
        rest = value * Polynomial.monomial(tuple((name, -e) for name, e in common), 1 / leading)
        knot = self.tie(Knot("inverse", (rest,)), self.shape(rest))
        return knot * Polynomial.monomial(tuple((name, -e) for name, e in common), 1 / leading)

    def one_plus_exponential(self, value: Polynomial) -> Polynomial | None:
        """u where the value is 1 + exp(u)."""
        if len(value.terms) != 2 or value.terms[0] != ((), Fraction(1)) or value.terms[1][1] != 1:
            return None
        total = Polynomial()
        for name, exponent in value.terms[1][0]:
            knot = self.knot(name)
            if knot is None or knot.function != "exp":
                return None
            total = total + knot.arguments[0].scaled(exponent)
        return total

    def power(self, base: Polynomial, exponent: Polynomial) -> Polynomial:
        number = exponent.value
        if number is not None and number.denominator == 1 and abs(number) <= 16:
            if number < 0:
                base, number = self.inverse(base), -number
            result = ONE
            for _ in range(int(number)):
                result = self.multiply(result, base)
            return result
        return self.tie(Knot("power", (base, exponent)), self.shape(base, exponent))

    # --- functions of numbers, entry by entry ----------------------------------------------

    def call(self, function: str, arguments: tuple[Polynomial, ...]) -> Polynomial:
        """An elementwise function of the language."""
        a = arguments[0]
        shape = self.shape(*arguments)
        if function in _AT_ZERO and not a.terms:
            return Polynomial.number(_AT_ZERO[function])
        match function:
            case "tanh" if self.tanh_as_sigmoid:
                return self.call("sigmoid", (a.scaled(2),)).scaled(2) - ONE
            case "silu":
                return self.multiply(a, self.call("sigmoid", (a,)))
            case "relu":
                return self.call("max", (a, Polynomial()))
            case "log_sigmoid":
                return -self.call("softplus", (-a,))
            case "sqrt":
                return self.power(a, Polynomial.number(Fraction(1, 2)))
            case "min":
                return -self.call("max", tuple(-argument for argument in arguments))
            case "max":
                if arguments[0] == arguments[1]:
                    return a
                return self.tie(Knot("max", tuple(sorted(arguments, key=lambda p: p.terms))), shape)
            case "exp":
                return self.exponential(a)
        if function in _ODD | _EVEN | _COMPLEMENT and _mostly_negative(a):
            mirrored = self.tie(Knot(function, (-a,)), shape)
            return -mirrored if function in _ODD else mirrored if function in _EVEN else ONE - mirrored
        return self.tie(Knot(function, arguments), shape)

    def exponential(self, value: Polynomial) -> Polynomial:
        """exp of a sum as the product of the exponentials of its terms."""
        result = ONE
        for factors, coefficient in value.terms:
            base = Polynomial.monomial(factors, Fraction(1, coefficient.denominator))
            knot = self.tie(Knot("exp", (base,)), self.shape(base))
            result = result * knot**coefficient.numerator
        return result

    # --- functions of vectors --------------------------------------------------------------

    def apply(self, word: Word, operand: Polynomial, shape: Shape) -> Polynomial:
        """A product of matrices times a vector: linear in it, scalars outside, nested products joined, stacked
        vectors taken apart together with the columns that meet them."""
        if not word:
            return operand
        total = Polynomial()
        for factors, coefficient in operand.terms:
            scalars, vectors = self.split(factors)
            outside = Polynomial.monomial(scalars, coefficient)
            inner = self.knot(vectors[0][0]) if len(vectors) == 1 and vectors[0][1] == 1 else None
            if inner is not None and inner.function == "product":
                value = self.tie(Knot("product", inner.arguments, word + inner.word), shape)
            elif inner is not None and inner.function == "concat":
                value = self.apply_to_parts(word, inner.arguments, shape)
            else:
                value = self.tie(Knot("product", (Polynomial.monomial(vectors),), word), shape)
            total = total + outside * value
        return total

    def apply_to_parts(self, word: Word, parts: tuple[Polynomial, ...], shape: Shape) -> Polynomial:
        start, total = Width(), Polynomial()
        for part in parts:
            part_shape = self.shape(part)
            stop = start + part_shape.width
            block = (*word[:-1], word[-1]._replace(columns=(start, stop)))
            total = total + self.apply(block, part, shape)
            start = stop
        return total

    def split(self, factors: Monomial) -> tuple[Monomial, Monomial]:
        """The scalar and the vector factors of a term."""
        scalars = tuple(f for f in factors if not self.shapes[f[0]].rank)
        return scalars, tuple(f for f in factors if self.shapes[f[0]].rank)

    def total(self, value: Polynomial, width: Polynomial) -> Polynomial:
        """`sum`: linear, scalars outside; the sum of a scalar stretched over the width is their product."""
        result = Polynomial()
        for factors, coefficient in value.terms:
            scalars, vectors = self.split(factors)
            inner = self.tie(Knot("sum", (Polynomial.monomial(vectors),)), SCALAR) if vectors else width
            result = result + Polynomial.monomial(scalars, coefficient) * inner
        return result


def _common(value: Polynomial) -> Monomial:
    """The largest monomial that divides every term."""
    first, *rest = (dict(factors) for factors, _ in value.terms)
    shared = {n: min([e, *(other.get(n, 0) for other in rest)]) for n, e in first.items()}
    for other in rest:
        for name, exponent in other.items():
            if name not in first:
                shared[name] = min([exponent, 0, *(o.get(name, 0) for o in rest)])
    return tuple(sorted((name, e) for name, e in shared.items() if e))


def _mostly_negative(value: Polynomial) -> bool:
    """Whether more terms are subtracted than added; where as many, whether the first one is."""
    negative = sum(coefficient < 0 for _, coefficient in value.terms)
    positive = len(value.terms) - negative
    return negative > positive or (negative == positive and value.terms[0][1] < 0)
