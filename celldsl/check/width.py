"""Widths: polynomials in the named dimensions of a cell, with rational coefficients.

Enough algebra for shapes and for counting parameters (`n + m`, `n/4`, `4 m n + 4 n^2`) without SymPy, so
that checking a spec stays quick. Equality of two widths is equality of their normal forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

Monomial = tuple[tuple[str, int], ...]  # ((name, exponent), …) sorted by name


@dataclass(frozen=True)
class Width:
    """Σ coefficient · monomial, zero terms left out, sorted: equal widths compare equal."""

    terms: tuple[tuple[Monomial, Fraction], ...] = ()

    @staticmethod
    def of(value: Width | int | Fraction | str) -> Width:
        """A number, or a dimension's name, as a width."""
        if isinstance(value, Width):
            return value
        if isinstance(value, str):
            return Width(((((value, 1),), Fraction(1)),))
        return Width((((), Fraction(value)),)) if value else Width()

    @staticmethod
    def _from(terms: Mapping[Monomial, Fraction]) -> Width:
        return Width(tuple(sorted((m, c) for m, c in terms.items() if c)))

    def __add__(self, other: Width | int) -> Width:
        terms = dict(self.terms)
        for monomial, coefficient in Width.of(other).terms:
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
        return Width._from(terms)

    def __neg__(self) -> Width:
        return Width(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Width | int) -> Width:
        return self + -Width.of(other)

    def __mul__(self, other: Width | int | Fraction) -> Width:
        terms: dict[Monomial, Fraction] = {}
        for left, a in self.terms:
            for right, b in Width.of(other).terms:
                powers: dict[str, int] = {}
                for name, exponent in (*left, *right):
                    powers[name] = powers.get(name, 0) + exponent
                monomial = tuple(sorted((k, v) for k, v in powers.items() if v))
                terms[monomial] = terms.get(monomial, Fraction(0)) + a * b
        return Width._from(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Width | int | Fraction) -> Width:
        """Division by a single term; raises ValueError by a sum or by zero."""
        divisor = Width.of(other)
        if len(divisor.terms) != 1:
            raise ValueError(f"cannot divide by {divisor}")
        monomial, coefficient = divisor.terms[0]
        return self * Width._from({tuple((k, -v) for k, v in monomial): 1 / coefficient})

    def __pow__(self, exponent: int) -> Width:
        result = Width.of(1)
        for _ in range(exponent):
            result = result * self
        return result

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for monomial, _ in self.terms for name, _ in monomial)

    @property
    def number(self) -> Fraction | None:
        """The value of a width without names, else None."""
        if not self.terms:
            return Fraction(0)
        return self.terms[0][1] if self.names == frozenset() else None

    @property
    def name(self) -> str | None:
        """The name, where the width is one dimension alone, else None."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
                return monomial[0][0]
        return None

    def substitute(self, values: Mapping[str, Width]) -> Width:
        result = Width()
        for monomial, coefficient in self.terms:
            term = Width.of(coefficient)
            for name, exponent in monomial:
                factor = values.get(name, Width.of(name))
                term = term * factor**exponent if exponent >= 0 else term / factor**-exponent
            result = result + term
        return result

    def at(self, sizes: Mapping[str, int | Fraction]) -> Fraction:
        """The number at given sizes. Raises KeyError for a dimension that is not given."""
        total = Fraction(0)
        for monomial, coefficient in self.terms:
            for name, exponent in monomial:
                coefficient *= Fraction(sizes[name]) ** exponent
            total += coefficient
        return total

    def __str__(self) -> str:
        """`4 m n + 4 n^2 + n/4`, highest degree first; `n - m` rather than `-m + n`."""
        if not self.terms:
            return "0"
        ordered = sorted(self.terms, key=lambda t: (-sum(e for _, e in t[0]), t[1] < 0, t[0]))
        text = ""
        for monomial, coefficient in ordered:
            above = [k if v == 1 else f"{k}^{v}" for k, v in monomial if v > 0]
            below = [k if v == -1 else f"{k}^{-v}" for k, v in monomial if v < 0]
            size = abs(coefficient)
            if size.numerator != 1 or not above:
                above.insert(0, str(size.numerator))
            if size.denominator != 1:
                below.insert(0, str(size.denominator))
            term = " ".join(above) + "".join(f"/{part}" for part in below)
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {term}" if text else (f"-{term}" if sign == "-" else term)
        return text


@dataclass(frozen=True)
class Shape:
    """() a scalar, (w,) a w-vector, (r, c) an r×c matrix, (k, r, c) k blocks of one."""

    dims: tuple[Width, ...] = ()

    @property
    def rank(self) -> int:
        return len(self.dims)

    @property
    def size(self) -> Width:
        """The number of entries."""
        total = Width.of(1)
        for dim in self.dims:
            total = total * dim
        return total

    @property
    def width(self) -> Width:
        """Entries along a vector; 1 for a scalar."""
        return self.dims[-1] if self.dims else Width.of(1)

    def __str__(self) -> str:
        if not self.dims:
            return "scalar"
        text = "×".join(str(dim) if dim.name or dim.number is not None else f"({dim})" for dim in self.dims)
        return f"{text}-vector" if self.rank == 1 else text


SCALAR = Shape()
