"""Widths are polynomials: the laws of a ring, and evaluation that respects them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celldsl.check.width import SCALAR, Shape, Width

numbers = st.fractions(min_value=-9, max_value=9, max_denominator=4)
terms = st.builds(
    lambda c, m, n: Width.of(c) * Width.of("m") ** m * Width.of("n") ** n,
    numbers,
    st.integers(0, 2),
    st.integers(0, 2),
)
widths = st.lists(terms, max_size=4).map(lambda parts: sum(parts, Width()))
sizes = st.fixed_dictionaries({"m": st.integers(1, 9), "n": st.integers(1, 9)})


@given(widths, widths, widths, sizes)
def test_ring(a: Width, b: Width, c: Width, at: dict[str, int]):
    assert a + b == b + a
    assert (a + b) * c == a * c + b * c
    assert a - a == Width()
    assert (a * b).at(at) == a.at(at) * b.at(at)
    assert (a + b).at(at) == a.at(at) + b.at(at)


@given(widths, terms, sizes)
def test_division_by_one_term_undoes_multiplication(a: Width, term: Width, at: dict[str, int]):
    if term.terms:
        assert a * term / term == a
        assert (a / term).at(at) * term.at(at) == a.at(at)


@given(widths, widths, sizes)
def test_substitution_is_evaluation_in_steps(a: Width, b: Width, at: dict[str, int]):
    assert a.substitute({"m": b}).at(at) == a.at({"m": b.at(at), "n": at["n"]})


def test_text():
    m, n, k = Width.of("m"), Width.of("n"), Width.of("k")
    assert str(4 * m * n + 4 * n**2 + n / 4) == "4 m n + 4 n^2 + n/4"
    assert str(n - m) == "n - m"
    assert str(n / k) == "n/k"
    assert str(Width()) == "0"
    assert str(Shape((n, n + m))) == "n×(m + n)"
    assert str(Shape((n,))) == "n-vector"
    assert str(SCALAR) == "scalar"


def test_properties():
    n = Width.of("n")
    assert n.name == "n"
    assert (2 * n).name is None
    assert Width.of(3).number == 3
    assert n.number is None
    assert Width().number == 0
    assert Shape((n, n)).size == n * n
    assert SCALAR.width == Width.of(1)
    assert (n / 3).at({"n": 7}) == Fraction(7, 3)


def test_no_division_by_a_sum():
    with pytest.raises(ValueError):
        Width.of(1) / (Width.of("n") + 1)
    with pytest.raises(ValueError):
        Width.of(1) / Width()
