"""How parameters start: the more a pattern names the more it counts, then the later line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from celldsl.check import cell as typed
from celldsl.check.cell import InitCall
from tests.check.specs import cell_of, codes_of

EQUATIONS = "h_t = tanh(W_h x_t + U_h h_{t-1} + b_h)\n"


@pytest.mark.parametrize(
    ("lines", "name", "expected"),
    [
        ("init b_h = 1", "b_h", InitCall("constant", (Fraction(1),))),
        ("init b_h = -1/2", "b_h", InitCall("constant", (Fraction(-1, 2),))),
        ("init b_h = ones", "b_h", InitCall("constant", (Fraction(1),))),
        ("const k = 3\n init b_h = k", "b_h", InitCall("constant", (Fraction(3),))),
        ("init W_h = uniform(2)", "W_h", InitCall("uniform", (Fraction(-2), Fraction(2)))),
        ("init W_h = uniform(0, 2)", "W_h", InitCall("uniform", (Fraction(0), Fraction(2)))),
        ("init W_h = normal(0.1)", "W_h", InitCall("normal", (Fraction(0), Fraction(1, 10)))),
        ("init W_h = xavier", "W_h", InitCall("glorot")),
        ("init W_h = zeros\n init * = ones", "W_h", InitCall("constant", (Fraction(0),))),
        ("init * = ones\n init W_* = zeros", "W_h", InitCall("constant", (Fraction(0),))),
        ("init W_* = zeros\n init * = ones", "W_h", InitCall("constant", (Fraction(0),))),
        ("init *_h = zeros\n init W_* = ones", "W_h", InitCall("constant", (Fraction(1),))),
        ("init W_h = zeros\n init W_h = ones", "W_h", InitCall("constant", (Fraction(1),))),
        ("init * = orthogonal", "b_h", None),
        ("init * = orthogonal", "U_h", InitCall("orthogonal")),
        ("init W_h = zeros", "U_h", None),
    ],
)
def test_parameters(lines: str, name: str, expected: InitCall | None):
    assert cell_of(EQUATIONS + lines).parameter[name].init == expected


def test_states():
    assert cell_of(EQUATIONS).signal["h"].initial is None
    value = cell_of(EQUATIONS + "hyper a = 2\n init h_0 = a / 4").signal["h"].initial
    assert isinstance(value, typed.Div)
    assert [type(node).__name__ for node in value.children] == ["Setting", "Num"]


@pytest.mark.parametrize("value", ["1 / sqrt(n)", "sqrt(6 / (m + n))", "2 sqrt(n) / m", "a / n", "-log(n)"])
def test_numbers_made_of_widths_and_settings(value: str):
    cell = cell_of(EQUATIONS + f"hyper a = 2\n init b_h = a\n init W_h = uniform({value})\n init U_h = normal({value})")
    low, high = cell.parameter["W_h"].init.arguments
    assert isinstance(low, typed.Neg)
    assert low.operand == high
    assert cell.parameter["U_h"].init.arguments == (0, high)


@pytest.mark.parametrize("value", ["1 / sqrt(k)", "h_t", "tanh(n)", "b_h", "sqrt(n, n)"])
def test_other_values_are_errors(value: str):
    assert codes_of(EQUATIONS + f"init W_h = uniform({value})") == ["init-value"]


def test_a_learned_state_is_a_parameter():
    cell = cell_of(EQUATIONS + "init h_0 = learned")
    assert cell.signal["h"].initial == "learned"
    assert str(cell.parameter["h_0"].shape) == "n-vector"
    assert str(cell.parameter_count) == "m n + n^2 + 2 n"


def test_a_parameter_named_like_a_first_value():
    """`h_0` names the parameter where there is one, not the state's first value."""
    cell = cell_of("h_t = tanh(W x_t + U h_{t-1} + h_0)\n init h_0 = 1")
    assert cell.parameter["h_0"].init == InitCall("constant", (Fraction(1),))
    assert cell.signal["h"].initial is None
