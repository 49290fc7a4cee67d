"""Shapes follow from equations alone, whatever their order; the forms of products mean what the language says."""

from __future__ import annotations

import random

import pytest

from celldsl import library, relatives
from celldsl.check import cell as typed
from celldsl.syntax import tree
from tests.check.specs import cell_of, codes_of, shapes_of


@pytest.mark.parametrize("name", ["lstm", "lstm1", "lstm3", "ulstm", "gru", "gru_reset_after", "rnn"])
def test_the_order_of_equations_is_free(name: str):
    cell = relatives.find(name)
    assert cell is not None
    assert cell.definition is not None
    items = list(cell.definition.items)
    for seed in range(5):
        random.Random(seed).shuffle(items)
        shuffled = typed_again(tree.CellDef(cell.name, None, tuple(items)))
        assert shapes_of(shuffled) == shapes_of(cell)
        assert {e.target: e.value for e in shuffled.equations} == {e.target: e.value for e in cell.equations}
        assert set(shuffled.order) == set(cell.order)


def typed_again(definition: tree.CellDef) -> typed.Cell:
    from celldsl.check import check

    return check(definition, relatives.find, library.zoo)


@pytest.mark.parametrize("name", ["lstm1", "lstm2", "gru_reset_after"])
def test_a_definition_written_out_is_the_cell(name: str):
    cell = relatives.find(name)
    assert cell is not None
    assert cell.definition is not None
    assert cell.definition.parent is None
    again = typed_again(cell.definition)
    assert again.parameters == cell.parameters
    assert again.equations == cell.equations
    assert again.signals == cell.signals


EQUAL = [
    ("param A: n×n\n h_t = W x_t + A B h_{t-1}", "param A: n×n\n h_t = W x_t + A (B h_{t-1})"),
    ("h_t = W x_t + U h_{t-1}", "h_t = W @ x_t + U · h_{t-1}"),
    ("h_t = W x_t ⊙ p", "h_t = W x_t * p"),
    ("h_t = W x_t - (a + b)", "h_t = W x_t - (a + b)"),
    ("f_t = σ(b)\n h_t = f_t U h_{t-1} + W x_t", "f_t = σ(b)\n h_t = f_t ⊙ U h_{t-1} + W x_t"),
    ("h_t = (W x_t + U h_{t-1}) + b", "h_t = W x_t + (U h_{t-1} + b)"),
    ("hyper a = 2\n h_t = a W x_t", "hyper a = 2\n h_t = a (W x_t)"),
    ("h_t = W x_t + 2 U h_{t-1}", "h_t = W x_t + 2 * U h_{t-1}"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_spellings_of_one_expression(one: str, other: str):
    assert [e.value for e in cell_of(one).equations] == [e.value for e in cell_of(other).equations]


def test_kinds_of_nodes():
    value = cell_of("h_t = W x_t + p ⊙ h_{t-1} - 2 b").equation["h"].value
    assert isinstance(value, typed.Add)
    product, peephole, last = value.terms
    assert isinstance(product, typed.Product)
    assert isinstance(peephole, typed.Mul)
    assert isinstance(last, typed.Neg)
    assert isinstance(last.operand, typed.Mul)
    assert [str(node.shape) for node in product.children] == ["n×m", "m-vector"]


def test_a_matrix_times_a_scaled_row():
    value = cell_of("hyper g = 2\n A = U - g I\n h_t = A h_{t-1} + W x_t").equation["A"].value
    assert isinstance(value, typed.Add)
    scaled = value.terms[1]
    assert str(scaled.shape) == "n×n"
    assert any(isinstance(node, typed.Identity) for node in scaled.walk())


def test_names_of_widths_stand_for_numbers():
    value = cell_of("h_t = W x_t / sqrt(n)").equation["h"].value
    (dim,) = [node for node in value.walk() if isinstance(node, typed.Dim)]
    assert str(dim.width) == "n"


def test_a_parameter_has_one_meaning():
    assert codes_of("h_t = W x_t + U h_{t-1} + U ⊙ h_{t-1}") == ["rank-mismatch"]


def test_one_message_for_one_mistake():
    """A wrong declaration spoils many sums, and is reported where it first does."""
    assert codes_of("state c: p\nc_t = c_{t-1} + h_{t-1}\nh_t = tanh(W x_t + U h_{t-1})\nstate h: n") == [
        "width-mismatch"
    ]


def test_every_expression_knows_its_place():
    text = "def g(v) = v * sigmoid(v)\n h_t = g(W x_t + U h_{t-1}) - c\n"
    cell = cell_of(text)
    for node in cell.equation["h"].value.walk():
        assert node.span.source.name == "test.cell"
        assert node.span.text
    inlined = cell.equation["h"].value.terms[0]  # type: ignore[attr-defined]
    assert inlined.span.text == "g(W x_t + U h_{t-1})"
    assert {node.span.text for node in inlined.walk() if isinstance(node, typed.Signal)} == {"x_t", "h_{t-1}"}


def test_biases():
    cell = cell_of("g_t = σ(b)\n h_t = g_t ⊙ (W x_t + c - d) + e ⊙ h_{t-1} + exp(k) + 2 q")
    biases = {info.name for info in cell.parameters if info.bias}
    assert biases == {"b", "c", "d", "k"}


def test_parameters_in_order_of_appearance():
    cell = cell_of("A = U + U^T\n h_t = tanh(Z x_t + A h_{t-1} + B h_{t-1} + a)")
    assert [info.name for info in cell.parameters] == ["U", "Z", "B", "a"]


def test_constant_gates_do_not_vary():
    cell = relatives.find("lstm3")
    assert cell is not None
    assert cell.varying == {"x", "c", "h"}
