"""Claims: true ones hold, false ones show both sides and who is responsible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from celldsl.source import NOWHERE
from celldsl.symbolic.claims import verify_claims
from celldsl.syntax import tree
from tests.symbolic.specs import ALL, FIVE, body, read, shipped


@pytest.mark.parametrize("name", ALL)
def test_every_shipped_claim_holds(name):
    results = verify_claims(shipped(name))
    assert results
    for result in results:
        assert result.ok, (result.text, result.detail)


def test_the_tables_of_the_paper_are_among_them():
    texts = [r.expected for name in FIVE for r in verify_claims(shipped(name))]
    for number in (40800, 15800, 131584, 40500, 11600, 82432, 40200, 11450, 82048, 10500, 4100, 33280):
        assert str(number) in texts


def with_claim(cell, *claims):
    """The cell with other claims, unchecked: the checker refuses false counts itself."""
    return replace(cell, claims=claims)


M, N = tree.Name("m"), tree.Name("n")
SQUARES = tree.Binary("+", tree.Juxtaposition((M, N)), tree.Binary("^", N, tree.Number("2")))
WITHOUT_BIASES = tree.Juxtaposition((tree.Number("3"), SQUARES))


def test_a_false_count_names_the_parameters():
    (result,) = verify_claims(with_claim(shipped("lstm"), tree.ClaimCount("params", (), WITHOUT_BIASES)))
    assert not result.ok
    assert result.expected == "3*m*n + 3*n**2"
    assert result.found == "4*m*n + 4*n**2 + 4*n"
    assert result.difference == "m*n + n**2 + 4*n"


def test_a_difference_of_one_kind_of_parameter_is_theirs_alone():
    gru = shipped("gru")
    (result,) = verify_claims(with_claim(gru, tree.ClaimCount("params", (), WITHOUT_BIASES)))
    assert result.difference == "3*n"
    assert result.responsible == ("b_r, b_z, b_h, n each",)
    assert "b_r" in result.detail


def test_counts_at_sizes_and_of_other_cells():
    call = tree.Call("params", (tree.Name("LSTM"),))
    at = (("m", 2), ("n", 3))
    (result,) = verify_claims(with_claim(shipped("ulstm"), tree.ClaimCount("params", at, call)))
    assert (result.ok, result.expected, result.found, result.difference) == (False, "72", "90", "18")


def test_flops_are_claims_too():
    good = body("h_t = tanh(W x_t + U h_{t-1} + b)\nclaim flops = 2 m n + 2 n^2 + 3 n")
    assert verify_claims(good)[0].ok
    bad = body("h_t = tanh(W x_t + U h_{t-1} + b)\nclaim flops = 2 m n + 2 n^2")
    (result,) = verify_claims(bad)
    assert not result.ok
    assert result.difference == "3*n"


@pytest.mark.parametrize(
    ("claim", "ok"),
    [
        ("0 < z_t < 1", True),
        ("-1 < h_t < 1", True),
        ("-1 <= h_t <= 1", True),
        ("0 <= z_t <= 2", True),
        ("0 < h_t < 1", False),
        ("-0.1 < h_t < 0.1", False),
        ("0.1 < z_t < 1", False),
    ],
)
def test_ranges(claim, ok):
    cell = body(f"z_t = σ(W_z x_t); h_t = z_t * h_{{t-1}} + (1 - z_t) * tanh(3 W x_t)\nclaim {claim}")
    (result,) = verify_claims(cell)
    assert result.ok == ok
    assert result.text == claim


def test_a_false_range_shows_the_value_and_the_equation():
    (result,) = verify_claims(body("h_t = W x_t + U h_{t-1}\nclaim -1 < h_t < 1"))
    assert not result.ok
    assert "in a run" in result.found
    assert result.responsible == ("h_t = W x_t + U h_{t-1}",)


def test_a_true_range_beyond_the_analysis_is_not_called_proved():
    (result,) = verify_claims(
        body(
            """f_t = σ(W_f x_t); i_t = σ(W_i x_t); h_t = f_t * h_{t-1} + min(1 - f_t, i_t) * tanh(x_t)
            claim -1 < h_t < 1"""
        )
    )
    assert not result.ok
    assert "neither proved nor refuted" in result.detail


def test_equality_with_another_cell():
    cell = read(
        """cell A { h_t = tanh(W x_t + U h_{t-1} + b) }
        cell B { s_t = V x_t + d + R h_{t-1}; h_t = tanh(s_t); claim equals A; claim equals RNN }"""
    )
    results = verify_claims(cell)
    assert [r.ok for r in results] == [True, True]
    assert "R is U" in results[0].found


@pytest.mark.parametrize(("value", "ok"), [("1", True), ("2 - 1", True), ("0.5", False), ("b", False)])
def test_a_setting_is_fixed_by_when(value, ok):
    leaky = "hyper alpha = 0.3\n h_t = (1 - alpha) h_{t-1} + alpha tanh(W x_t + U h_{t-1} + b)"
    (result,) = verify_claims(body(f"{leaky}\n claim equals RNN when alpha = {value}"))
    assert result.ok is ok


def test_a_false_equality_shows_what_differs():
    (result,) = verify_claims(read("cell B extends LSTM1 { claim equals LSTM }"))[-1:]
    assert not result.ok
    assert any("W_i x_t" in line for line in result.responsible)


def test_the_text_is_the_authors():
    assert verify_claims(shipped("lstm1"))[0].text == "params = params(LSTM) - 3 m n"
    built = with_claim(shipped("lstm"), tree.ClaimCount("state", (), tree.Juxtaposition((tree.Number("2"), N))))
    assert built.claims[0].span == NOWHERE
    assert verify_claims(built)[0].text == "state = 2 n"
