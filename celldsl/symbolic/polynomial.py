"""Polynomials over names, with whole exponents (negative ones too) and exact coefficients.

The normal form in which cells are compared. Two polynomials are equal if and only if their tables of terms are, so
sums and products are equal in whatever order they were written. SymPy could hold the same; these are some fifty
times quicker to multiply out, and never rewrite what they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple


class Name(NamedTuple):
    """What a polynomial is over. kind: `dim`, `hyper`, `parameter`, `matrix`, `signal` (with its delay), or `knot`: a
    function of polynomials, whose name is its place in a table."""

    kind: str
    name: str
    delay: int = 0


Monomial = tuple[tuple[Name, int], ...]
"""((name, exponent), …), sorted by name; () is 1."""


@dataclass(frozen=True)
class Polynomial:
    """Σ coefficient · monomial; `terms` without zeros, sorted."""

    terms: tuple[tuple[Monomial, Fraction], ...] = ()

    @staticmethod
    def number(value: Fraction | int) -> Polynomial:
        return Polynomial((((), Fraction(value)),)) if value else Polynomial()

    @staticmethod
    def of(name: Name) -> Polynomial:
        return Polynomial(((((name, 1),), Fraction(1)),))

    @staticmethod
    def monomial(factors: Monomial, coefficient: Fraction | int = 1) -> Polynomial:
        return Polynomial.collect([(factors, Fraction(coefficient))])

    @staticmethod
    def collect(terms: Iterator[tuple[Monomial, Fraction]] | list[tuple[Monomial, Fraction]]) -> Polynomial:
        total: dict[Monomial, Fraction] = {}
        for factors, coefficient in terms:
            total[factors] = total.get(factors, Fraction(0)) + coefficient
        return Polynomial(tuple(sorted((m, c) for m, c in total.items() if c)))

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Polynomial) -> Polynomial:
        return Polynomial.collect([*self.terms, *other.terms])

    def __neg__(self) -> Polynomial:
        return Polynomial(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __mul__(self, other: Polynomial) -> Polynomial:
        return Polynomial.collect([(multiply(one, two), a * b) for one, a in self.terms for two, b in other.terms])

    def scaled(self, factor: Fraction | int) -> Polynomial:
        return Polynomial(tuple((m, c * factor) for m, c in self.terms)) if factor else Polynomial()

    def __pow__(self, exponent: int) -> Polynomial:
        """A whole power; a negative one of a single term alone."""
        if exponent < 0:
            if not self.terms:
                raise ZeroDivisionError("a power of zero below zero")
            ((factors, coefficient),) = self.terms
            return Polynomial(((tuple((n, e * exponent) for n, e in factors), coefficient**exponent),))
        result = Polynomial.number(1)
        for _ in range(exponent):
            result = result * self
        return result

    @property
    def value(self) -> Fraction | None:
        """The number that this is, or None."""
        if not self.terms:
            return Fraction(0)
        return self.terms[0][1] if len(self.terms) == 1 and not self.terms[0][0] else None

    @property
    def single(self) -> Name | None:
        """The name that this is, or None."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            name, exponent = self.terms[0][0][0]
            return name if exponent == 1 else None
        return None

    @cached_property
    def names(self) -> frozenset[Name]:
        return frozenset(name for factors, _ in self.terms for name, _ in factors)

    def substitute(self, change: Callable[[Name], Polynomial | None]) -> Polynomial:
        """Every name for which `change` gives a polynomial replaced by it; names with negative exponents must give
        single terms."""
        found: dict[Name, Polynomial | None] = {name: change(name) for name in sorted(self.names)}
        if all(value is None for value in found.values()):
            return self
        total = Polynomial()
        for factors, coefficient in self.terms:
            term = Polynomial.number(coefficient)
            for name, exponent in factors:
                value = found[name]
                term = term * (Polynomial.monomial(((name, exponent),)) if value is None else value**exponent)
            total = total + term
        return total

    def at(self, name: Name, number: Fraction) -> Polynomial:
        """With a number in the place of a name."""
        return self.substitute(lambda each: Polynomial.number(number) if each == name else None)

    def degree(self, name: Name) -> int:
        """The highest exponent of a name."""
        return max((exponent for factors, _ in self.terms for each, exponent in factors if each == name), default=0)

    def coefficients(self, name: Name) -> Mapping[int, Polynomial]:
        """exponent of `name` -> what it is multiplied by."""
        found: dict[int, list[tuple[Monomial, Fraction]]] = {}
        for factors, coefficient in self.terms:
            exponent = dict(factors).get(name, 0)
            rest = tuple((each, e) for each, e in factors if each != name)
            found.setdefault(exponent, []).append((rest, coefficient))
        return {exponent: Polynomial.collect(terms) for exponent, terms in sorted(found.items())}


def multiply(one: Monomial, two: Monomial) -> Monomial:
    if not one or not two:
        return one or two
    powers = dict(one)
    for name, exponent in two:
        powers[name] = powers.get(name, 0) + exponent
    return tuple(sorted((name, exponent) for name, exponent in powers.items() if exponent))
