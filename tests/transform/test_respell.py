"""Changed equations are written so that they mean what was changed."""

from __future__ import annotations

import pytest

import celldsl
from celldsl import library
from celldsl.check.width import Width
from celldsl.syntax import parse, write
from celldsl.transform import change
from celldsl.transform.respell import respell, width_tree

SOME = ["lstm", "mut1", "min_gru_log", "fastgrnn", "mogrifier_lstm"]


def test_what_did_not_change_keeps_its_words():
    cell = celldsl.compile("lstm").checked
    for equation in cell.equations:
        assert respell(equation.value, equation) == equation.written.value


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in SOME else pytest.mark.slow) for n in library.zoo()])
def test_spelled_anew_it_is_the_same_cell(name, monkeypatch):
    cell = celldsl.compile(name).checked
    monkeypatch.setattr(change, "respell", lambda value, before: respell(value))
    again = change.changed(cell, {e.target: e.value for e in cell.equations})
    assert {e.target: e.value for e in again.equations} == {e.target: e.value for e in cell.equations}
    assert (again.signals, again.parameters, again.order) == (cell.signals, cell.parameters, cell.order)


def test_noise_is_spelled_as_the_call_that_draws_it():
    text = """cell A {
        hyper p = 0.5
        U' = dropout(U, 0.1)
        a_t = tanh(W locked_dropout(x_t, p) + U' dropout(h_{t-1}, 0.25))
        h_t = zoneout(a_t, h_{t-1}, p)
    }"""
    cell = celldsl.compile(text).checked
    for equation in cell.equations:
        assert respell(equation.value) == equation.written.value


@pytest.mark.parametrize("width", ["n", "4 * n", "n / 2", "n + m - 1", "2 * n * m / 3", "0", "1 / n"])
def test_widths_are_expressions(width):
    (cell,) = parse(celldsl.source.Source(f"cell A {{\n dim k = {width}\n}}", "widths")).cells
    n, m = Width.of("n"), Width.of("m")
    value = {
        "n": n,
        "4 * n": n * 4,
        "n / 2": n / 2,
        "n + m - 1": n + m - Width.of(1),
        "2 * n * m / 3": n * m * 2 / 3,
        "0": Width(),
        "1 / n": Width.of(1) / n,
    }
    assert at(cell.items[0].value) == value[width].at({"n": 7, "m": 5})
    assert at(width_tree(value[width])) == value[width].at({"n": 7, "m": 5})


def at(expr):
    """A width's value at n = 7, m = 5, from its text."""
    from fractions import Fraction

    from celldsl.syntax import tree

    match expr:
        case tree.Number(text=text):
            return Fraction(text)
        case tree.Name(text=text):
            return Fraction({"n": 7, "m": 5}[text])
        case tree.Negative(operand=operand):
            return -at(operand)
        case tree.Binary(op=op, left=left, right=right):
            one, two = at(left), at(right)
            return {"+": one + two, "-": one - two, "*": one * two, "/": one / two}[op]
    raise AssertionError(write(expr))
