"""Counts as formulas, against the formulas of the papers and a count by hand."""

from __future__ import annotations

import pytest
import sympy

import celldsl
from celldsl.symbolic import counts
from celldsl.symbolic.algebra import dim_symbol
from tests.symbolic import cells
from tests.symbolic.specs import shipped

m, n, p = (dim_symbol(name) for name in "mnp")


@pytest.mark.parametrize(
    ("cell", "one", "two"),
    [
        (cells.rnn(), m * n + n**2 + n, m * n + n**2 + 2 * n),
        (cells.lstm(), 4 * (m * n + n**2 + n), 4 * (m * n + n**2) + 8 * n),
        (cells.lstm1(), m * n + 4 * n**2 + 4 * n, m * n + 4 * n**2 + 5 * n),
        (cells.lstm2(), m * n + 4 * n**2 + n, m * n + 4 * n**2 + 2 * n),
        (cells.lstm3(), m * n + n**2 + 4 * n, m * n + n**2 + 5 * n),
        (cells.gru(), 3 * (m * n + n**2 + n), 3 * (m * n + n**2) + 6 * n),
        (cells.gru_reset_after(), 3 * (m * n + n**2) + 4 * n, 3 * (m * n + n**2) + 6 * n),
        (cells.ulstm(), 5 * (m * n + n**2 + n), 5 * (m * n + n**2) + 10 * n),
        (shipped("torch_lstm"), 4 * (m * n + n**2) + 8 * n, 4 * (m * n + n**2) + 8 * n),  # two in each sum already
        (cells.projected(), 4 * m * p + 5 * n * p + 4 * p, 4 * m * p + 5 * n * p + 8 * p),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_parameters(cell, one, two):
    assert counts.parameter_count(cell) == sympy.expand(one)
    assert counts.two_bias_count(cell) == sympy.expand(two)
    assert sympy.expand(sum(row.count for row in counts.parameter_table(cell))) == sympy.expand(one)


def test_one_product_of_input_and_state_is_one_with_each():
    cell = celldsl.compile("cell A {\n i_t = σ(W [h_{t-1}; x_t] + b)\n h_t = i_t ⊙ tanh(V [x_t; x_t] + c) \n}").checked
    assert counts.doubled_biases(cell) == ("b",)


def test_state():
    assert counts.state_size(cells.lstm()) == 2 * n
    assert counts.state_size(cells.projected()) == n + p
    assert counts.state_size(cells.delayed()) == 2 * n + m  # h twice, x once


def test_flops_of_lstm():
    gate = 2 * m * n + 2 * n**2 + 2 * n + n  # two products, two additions, one function
    rest = 3 * n + 2 * n  # f*c + i*g; tanh(c), the product with o
    assert counts.flops(cells.lstm()) == sympy.expand(4 * gate + rest)


def test_what_is_constant_in_time_costs_nothing():
    """The gates of LSTM3 are computed once per sequence."""
    candidate = 2 * m * n + 2 * n**2 + 2 * n + n
    assert counts.flops(cells.lstm3()) == sympy.expand(candidate + 3 * n + 2 * n)


def test_flops_of_odd_parts():
    """u = W x (2mn); c = g*c + (constant)*tanh(u) + u_1: 5n with (1-g)*k computed once; y: V c, sigmoid, product."""
    assert counts.flops(cells.constant_gates()) == 2 * m * n + 5 * n + 2 * n**2 + 2 * n
