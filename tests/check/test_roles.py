"""Roles follow from times; declarations are checked against them."""

from __future__ import annotations

from tests.check.specs import cell_of, codes_of


def test_roles_of_an_lstm():
    cell = cell_of("f_t = σ(W x_t + U h_{t-1})\n c_t = f_t * c_{t-1} + V x_t\n h_t = tanh(c_t)")
    assert {info.name: info.role for info in cell.signals} == {
        "x": "input",
        "f": "intermediate",
        "c": "state",
        "h": "state",
    }
    assert [info.name for info in cell.states] == ["h", "c"]
    assert cell.output == "h"


def test_depth_is_the_furthest_read():
    cell = cell_of("h_t = W x_t + V x_{t-3} + U h_{t-1} + Q h_{t-2}")
    assert cell.signal["x"].depth == 3
    assert cell.signal["h"].depth == 2
    assert [info.name for info in cell.states] == ["h", "x"]
    assert str(cell.state_size) == "3 m + 2 n"


def test_y_is_the_output_where_there_is_one():
    text = "h_t = tanh(W x_t + U h_{t-1})\n y_t = V h_t\n state h: p"
    assert cell_of(text).output == "y"
    assert codes_of(text + "\n output h") == ["dead-parameter"]


def test_the_only_undefined_signal_is_the_input_whatever_its_name():
    assert [info.name for info in cell_of("h_t = tanh(W frame_t + U h_{t-1})").inputs] == ["frame"]


def test_declared_inputs_keep_their_order():
    cell = cell_of("input s, x\n h_t = tanh(W x_t + V s_t + U h_{t-1})")
    assert [info.name for info in cell.inputs] == ["s", "x"]


def test_a_declared_input_may_be_read_in_the_past_alone():
    cell = cell_of("input x, s: k\n h_t = tanh(W x_t + V s_{t-1} + U h_{t-1})")
    assert cell.signal["s"].depth == 1


def test_a_forgotten_subscript_is_one_mistake():
    assert codes_of("f_t = σ(W x_t + U h)\n h_t = f_t ⊙ h_{t-1}") == ["signal-and-parameter"]


def test_a_signal_may_share_its_name_with_a_width():
    cell = cell_of("n_t = W x_t\n m_t = U h_{t-1}\n h_t = n_t + m_t / m")
    assert cell.signal["n"].role == "intermediate"


def test_all_mistakes_are_found_at_once():
    text = "f_t = σ(W x_t + U h)\n g_t = tahn(V x_t)\n h_t = f_t ⊙ k_t + g_t\n init q = 1\n dim r"
    assert codes_of(text) == ["signal-and-parameter", "unknown-function", "missing-equation", "unused-declaration"]
