"""Intervals: published ranges proved, wrong ones not, and no interval that a run leaves."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from celldsl.symbolic import numeric
from celldsl.symbolic.interval import Interval, blend
from celldsl.symbolic.intervals import intervals
from tests.symbolic import cells
from tests.symbolic.specs import ALL, body, shipped

PROVED = {
    "leaky": ("hyper a = 0.3; h_t = (1 - a) * h_{t-1} + a * tanh(W x_t + U h_{t-1})", {"h": "(-1, 1)"}),
    "coupled": (
        "f_t = σ(W_f x_t + U_f h_{t-1}); i_t = 1 - f_t; c_t = f_t * c_{t-1} + i_t * tanh(W x_t); h_t = tanh(c_t)",
        {"i": "(0, 1)", "c": "(-1, 1)"},
    ),
    "UR-LSTM's gate": (
        """f_t = σ(W_f x_t); r_t = σ(W_r x_t); k_t = r_t * (1 - (1 - f_t)^2) + (1 - r_t) * f_t^2
        h_t = k_t * h_{t-1} + (1 - k_t) * tanh(W x_t)""",
        {"k": "(0, 1)", "h": "(-1, 1)"},
    ),
    "minLSTM": (
        "f_t = σ(W_f x_t); i_t = σ(W_i x_t); h_t = f_t/(f_t + i_t) * h_{t-1} + i_t/(f_t + i_t) * tanh(W x_t)",
        {"h": "(-1, 1)"},
    ),
    "fixed forget gate": ("c_t = 0.96 c_{t-1} + tanh(W x_t + U h_{t-1}); h_t = tanh(c_t)", {"c": "(-25, 25)"}),
    "RG-LRU": (
        "a_t = exp(-8 σ(W x_t) * softplus(lam)); s_t = sqrt(1 - a_t^2); h_t = a_t * h_{t-1} + s_t * x_t",
        {"a": "(0, 1)", "s": "(0, 1)", "h": "(-∞, ∞)"},
    ),
    "relu and clamp": ("r_t = relu(W x_t); h_t = clamp(r_t + h_{t-1}, -1, 2)", {"r": "[0, ∞)", "h": "[0, 2]"}),
    "first value": ("init h_0 = 3; h_t = tanh(W x_t + U h_{t-1})", {"h": "(-1, 1)"}),
    "no contraction": ("z_t = σ(W x_t); h_t = z_t * h_{t-1} + z_t * tanh(U h_{t-1})", {"h": "(-∞, ∞)"}),
    "softmax": ("a_t = softmax(W x_t); h_t = a_t * tanh(h_{t-1} + b)", {"a": "(0, 1]", "h": "(-1, 1)"}),
}


@pytest.mark.parametrize("name", PROVED)
def test_intervals_of_published_cells(name):
    text, expected = PROVED[name]
    found = intervals(body(text))
    assert {key: str(found[key]) for key in expected} == expected


@pytest.mark.parametrize("name", ALL)
def test_gates_and_outputs_of_the_shipped_cells(name):
    found = {key: str(value) for key, value in intervals(shipped(name)).items()}
    assert found["h"] == "(-1, 1)"
    for gate in {"i", "f", "o", "z", "r"} & found.keys():
        assert found[gate] == "(0, 1)"


def test_a_state_keeps_its_first_value_in_mind():
    """h reaches 3 one step late only: what reads h_{t-1} sees it, h_t itself does not."""
    found = intervals(body("init h_0 = 3; s_t = h_{t-1} + 0 x_t; h_t = tanh(W x_t + U s_t)"))
    assert str(found["s"]) == "(-1, 3]"


def every_cell():
    made = [body(text) for text, _ in PROVED.values()]
    return [*made, *(shipped(name) for name in ALL), *cells.odd()]


@pytest.mark.parametrize("cell", every_cell(), ids=lambda cell: cell.name)
def test_no_run_leaves_its_interval(cell):
    found = intervals(cell)
    sizes = numeric.small_sizes(cell)
    every = numeric.all_sizes(cell, sizes)
    for seed in range(5):
        generator = random.Random(seed)
        parameters = numeric.random_parameters(cell, sizes, generator)
        inputs = {i.name: [numeric.random_value(i.shape, every, generator) for _ in range(8)] for i in cell.inputs}
        for name, rows in numeric.run(cell, parameters, inputs, sizes).items():
            for row in rows:
                for value in row if isinstance(row, list) else [row]:
                    low, high = float(found[name].low), float(found[name].high)
                    assert low - 1e-12 <= value <= high + 1e-12, (name, value)


# --- the arithmetic ------------------------------------------------------------------------

ends = st.fractions(min_value=-4, max_value=4, max_denominator=6)


@st.composite
def with_point(draw):
    """An interval and a point of it."""
    low, high = sorted((draw(ends), draw(ends)))
    at = draw(st.fractions(min_value=0, max_value=1, max_denominator=8))
    point = low + (high - low) * at
    opens = [draw(st.booleans()) and end != point for end in (low, high)]
    return Interval(low, high, *opens), point


def holds(interval, value):
    low = interval.low < value or (interval.low == value and not interval.low_open)
    return low and (value < interval.high or (interval.high == value and not interval.high_open))


@settings(max_examples=100, deadline=None)
@given(with_point(), with_point(), st.integers(min_value=0, max_value=4))
def test_results_hold_every_value(one, other, exponent):
    (x, a), (y, b) = one, other
    assert holds(x + y, a + b)
    assert holds(x * y, a * b)
    assert holds(-x, -a)
    assert holds(x**exponent, a**exponent)
    assert holds(x.hull(y), a)
    assert holds(x.hull(y), b)
    assert holds(x.larger(y), max(a, b))
    if a:
        assert holds(x.inverse(), 1 / a)
    if holds(y, a):
        assert holds(x.meet(y), a)


@settings(max_examples=100, deadline=None)
@given(with_point(), with_point(), with_point())
def test_blends_hold_every_value(one, other, weight):
    (x, a), (y, b), (w, at) = one, other, weight
    if w.low == w.high:
        return
    share = (at - w.low) / (w.high - w.low)
    assert holds(blend(x, y, w), a * (1 - share) + b * share)


def test_ends_are_as_tight_as_can_be():
    unit = Interval(Fraction(0), Fraction(1))
    assert str(unit * unit) == "(0, 1)"
    assert str(Interval.point(0) * unit) == "[0, 0]"
    assert str(Interval(Fraction(-1), Fraction(1)) ** 2) == "[0, 1)"
    assert str(blend(Interval.point(0), Interval(Fraction(-1), Fraction(1), False, False), unit)) == "(-1, 1)"
