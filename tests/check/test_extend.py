"""A child is its parent, changed: what it inherits, what it replaces, what it drops."""

from __future__ import annotations

import pytest

from celldsl import relatives
from celldsl.check import cell as typed
from celldsl.source import Source
from celldsl.syntax import parse, tree
from tests.check.specs import cell_of, codes_of, shapes_of

PARENT = """
cell P {
  "A parent."
  cite "Somebody 1990"
  hyper a = 0.5
  f_t = σ(W_f x_t + U_f h_{t-1} - b_f)         (1)
  h_t = a f_t ⊙ h_{t-1} + tanh(W x_t + V (f_t ⊙ h_{t-1})) - p ⊙ h_{t-1}        (2)
  init b_f = 1
  claim 0 < f_t < 1
}
"""


def equation(child: str, name: str) -> tree.Expr:
    """The right side of an equation of a child of P."""
    return cell_of(PARENT + f"cell C extends P {{ {child} }}").equation[name].written.value


def written(text: str) -> tree.Expr:
    """The right side of the equation that a text writes."""
    (item,) = parse(Source(f"cell X {{ {text} }}")).cells[0].items
    assert isinstance(item, tree.Equation)
    return item.value


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        ("W", "h_t = a f_t ⊙ h_{t-1} + tanh(V (f_t ⊙ h_{t-1})) - p ⊙ h_{t-1}"),
        ("V", "h_t = a f_t ⊙ h_{t-1} + tanh(W x_t) - p ⊙ h_{t-1}"),
        ("W, V", "h_t = a f_t ⊙ h_{t-1} - p ⊙ h_{t-1}"),
        ("p", "h_t = a f_t ⊙ h_{t-1} + tanh(W x_t + V (f_t ⊙ h_{t-1}))"),
        ("a", "h_t = tanh(W x_t + V (f_t ⊙ h_{t-1})) - p ⊙ h_{t-1}"),
        ("W, V, p", "h_t = a f_t ⊙ h_{t-1}"),
    ],
)
def test_terms_that_go(drop: str, left: str):
    assert equation(f"drop {drop}", "h") == written(left)


def test_a_first_term_that_goes_leaves_its_sign():
    assert equation("drop W_f, U_f", "f") == written("f_t = σ(-b_f)")


def test_what_is_inherited():
    cell = cell_of(PARENT + "cell C extends P { f_t = σ(U_f h_{t-1} + b_f) }")
    assert cell.parent == "P"
    assert cell.doc == ""
    assert cell.cites == ()
    assert cell.claims == ()
    assert cell.parameter["b_f"].init is not None
    assert [equation.target for equation in cell.equations] == ["f", "h"]
    assert [equation.label for equation in cell.equations] == [None, "2"]
    assert "W_f" not in shapes_of(cell)


def test_inherited_lines_that_say_nothing_any_more_are_silent():
    cell = cell_of(PARENT + "cell C extends P { drop b_f, a\n h_t = f_t ⊙ tanh(W x_t) }")
    assert "b_f" not in cell.parameter
    assert cell.settings == ()


def test_a_parent_may_stand_behind_its_child():
    text = "cell C extends B { drop V }\n cell B extends A { h_t = V x_t + W x_t }\n cell A { h_t = x_t }"
    cells = [cell.name for cell in check_all(text)]
    assert cells == ["C", "B", "A"]


def check_all(text: str):
    from celldsl.check import check_file

    return check_file(parse(Source(text, "test.cell")))


def test_a_broken_parent_is_reported_once():
    text = "cell A { h_t = tahn(x_t) }\n cell B extends A { h_t = x_t }\n cell C { h_t = x_t\n claim equals A }"
    assert codes_of(text) == ["unknown-function"]


def test_cells_may_claim_about_each_other():
    text = "cell A { h_t = W x_t\n claim params = params(B) }\n cell B { h_t = V x_t\n claim params = params(A) }"
    a, b = check_all(text)
    assert [other.name for other in a.relatives] == ["B"]
    assert [other.name for other in b.relatives] == ["A"]


@pytest.mark.parametrize(
    "parent",
    [
        "const k = 2\n h_t = tanh(k W x_t + U h_{t-1})",
        "hyper k = 2\n h_t = tanh(k W x_t + U h_{t-1})",
        "def k(v) = v * sigmoid(v)\n h_t = k(W x_t + U h_{t-1})",
        "const k = 2\n def f(v) = k * v\n h_t = f(W x_t + U h_{t-1})",
        "const k = 2\n s_{0,t} = W x_t + U h_{t-1}\n repeat l = 1..k {\n s_{l,t} = tanh(s_{l-1,t})\n}\n h_t = s_{k,t}",
    ],
)
def test_what_was_declared_for_replaced_equations_is_not_written_out(parent):
    text = f"cell P {{\n {parent}\n}}\ncell A extends P {{\n h_t = tanh(W x_t + U h_{{t-1}})\n}}"
    if "repeat" in parent:
        text = text.replace(
            "h_t = tanh(W x_t + U h_{t-1})\n}", "s_{1,t} = s_{0,t}\n s_{2,t} = s_{1,t}\n h_t = s_{2,t}\n}"
        )
    cell = cell_of(text)
    again = cell_of(relatives.whole(cell))
    assert again.equations == cell.equations
    assert not any(isinstance(item, tree.Const | tree.Hyper | tree.Def) for item in again.definition.items)


def test_a_child_replaces_the_bounds_of_its_parent():
    cell = cell_of("cell P { h_t = tanh(W x_t + u ⊙ h_{t-1}); constrain u >= 0 } cell A extends P { constrain u <= 1 }")
    low, high = cell.parameter["u"].bounds
    assert low is None
    assert high.text == "1"
    gone = cell_of("cell P { h_t = tanh(W x_t + u ⊙ h_{t-1}); constrain u >= 0 } cell A extends P { h_t = W x_t }")
    assert set(gone.parameter) == {"W"}


def test_starting_values_go_with_a_cell_inside_another():
    cell = cell_of("""
        state c_1: n
        h_{1,t}, c_{1,t} = UR_LSTM(x_t, h_{1,t-1}, c_{1,t-1})
        h_{2,t}, c_{2,t} = UR_LSTM(h_{1,t}, h_{2,t-1}, c_{2,t-1})
        output h_2""")
    for at in "12":
        (value,) = cell.parameter[f"b_r_{at}"].init.arguments
        assert {node.name for node in value.walk() if isinstance(node, typed.Parameter)} == {f"b_f_{at}"}
