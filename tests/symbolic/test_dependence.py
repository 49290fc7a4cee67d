"""What leaves the time loop, what is constant, and which products share an operand."""

from __future__ import annotations

from celldsl.symbolic.dependence import constant_signals, find_dependence, phases, shared_operands, terms
from celldsl.symbolic.lower import lower
from celldsl.symbolic.text import show
from tests.symbolic import cells


def test_phases():
    assert phases(cells.constant_gates()) == {"g": "once", "k": "once", "u": "before", "c": "loop", "y": "after"}
    assert set(phases(cells.lstm()).values()) == {"loop"}
    assert phases(cells.lstm3())["i"] == "once"


def test_constant_gates():
    assert constant_signals(cells.lstm3()) == ("i", "f", "o")
    assert constant_signals(cells.lstm()) == ()


def test_an_earlier_input_is_input():
    found = find_dependence(cells.delayed())
    assert found.stateful == {"z", "f", "h"}
    texts = {show(term.expr): term.phase for term in terms(cells.delayed())}
    assert (texts["V x_{t-1}"], texts["U h_{t-1}"], texts["alpha"]) == ("before", "loop", "once")


def test_terms_of_a_gate():
    found = [(show(t.expr), t.phase) for t in terms(cells.lstm()) if t.equation.target == "i"]
    assert found == [("U_i h_{t-1}", "loop"), ("W_i x_t", "before"), ("b_i", "once")]


def test_shared_operands():
    groups = shared_operands(lower(cells.lstm()))
    assert [[show(p.matrix) for p in group] for group in groups] == [
        ["U_i", "U_f", "U_o", "U_c"],
        ["W_i", "W_f", "W_o", "W_c"],
    ]
    groups = shared_operands(lower(cells.gru()))
    assert [show(p.matrix) for p in groups[-1]] == ["U_h"]  # reads r * h, alone
