"""Noise: what its calls mean, which masks a cell draws, and what is left of it in evaluation."""

from __future__ import annotations

import pytest

from celldsl.check.cell import Add, Mask, Mul, Neg, Num, Parameter, Setting, Signal
from celldsl.symbolic import counts
from celldsl.symbolic.equality import compare
from tests.check.specs import cell_of, codes_of, shapes_of


def test_dropout_is_a_product_with_a_mask():
    cell = cell_of("hyper p = 0.3\n h_t = tanh(W x_t + U dropout(h_{t-1}, p))")
    (mask,) = cell.masks
    assert (mask.name, mask.kind, mask.per, str(mask.shape)) == ("mask_h", "dropout", "step", "n-vector")
    assert isinstance(mask.rate, Setting)
    product = cell.equation["h"].value.arguments[0].terms[1].right
    assert isinstance(product, Mul)
    assert isinstance(product.left, Signal)
    assert product.right == mask


def test_zoneout_mixes_old_and_new_by_one_mask():
    cell = cell_of("h_t = zoneout(tanh(W x_t), h_{t-1}, 0.1)")
    (mask,) = cell.masks
    old, new = cell.equation["h"].value.terms
    assert (old.left, new.left) == (mask, Add(mask.shape, (Num(mask.rate.shape, "1"), Neg(mask.shape, mask))))
    assert cell.signal["h"].depth == 1


def test_every_call_draws_its_own_mask_and_a_name_shares_one():
    apart = cell_of("h_t = tanh(U dropout(h_{t-1}, 0.5) + W x_t) * σ(V dropout(h_{t-1}, 0.5))")
    assert [mask.name for mask in apart.masks] == ["mask_h", "mask_h_2"]
    assert len({node for node in apart.equation["h"].value.walk() if isinstance(node, Mask)}) == 2
    shared = cell_of("d_t = dropout(h_{t-1}, 0.5)\n h_t = tanh(U d_t + W x_t) * σ(V d_t)")
    assert [mask.name for mask in shared.masks] == ["mask_d"]


@pytest.mark.parametrize(
    ("text", "per", "shape"),
    [
        ("h_t = tanh(W dropout(x_t, 0.5) + U h_{t-1})", "step", "m-vector"),
        ("h_t = tanh(W locked_dropout(x_t, 0.5) + U h_{t-1})", "sequence", "m-vector"),
        ("h_t = tanh(W LockedDropout(x_t, 0.5) + U h_{t-1})", "sequence", "m-vector"),
        ("h_t = tanh(W variational_dropout(x_t, 0.5) + U h_{t-1})", "sequence", "m-vector"),
        ("U' = dropout(U, 0.5)\n h_t = tanh(W x_t + U' h_{t-1})", "batch", "n×n"),
        ("h_t = tanh(W x_t + dropout(U, 0.5) h_{t-1})", "batch", "n×n"),
        ("h_t = tanh(W x_t + U h_{t-1} + dropout(b, 0.5))", "batch", "n-vector"),
        ("s_t = dropout(sum(x_t), 0.5)\n h_t = tanh(s_t * b + U h_{t-1})", "step", "scalar"),
    ],
)
def test_how_often_a_mask_is_drawn(text, per, shape):
    (mask,) = cell_of(text).masks
    assert (mask.per, str(mask.shape)) == (per, shape)


def test_noise_makes_a_constant_gate_change_in_time():
    cell = cell_of("g_t = σ(b)\n i_t = dropout(g_t, 0.5)\n h_t = i_t * tanh(W x_t + U h_{t-1})")
    assert "g" not in cell.varying
    assert "i" in cell.varying
    assert "i" not in cell.evaluated.varying


def test_evaluation_leaves_dropout_out_and_takes_the_mean_of_zoneout():
    noisy = cell_of("""
        hyper p = 0.1
        U' = dropout(U, 0.5)
        a_t = tanh(W locked_dropout(x_t, 0.2) + U' dropout(h_{t-1}, 0.3))
        h_t = zoneout(a_t, h_{t-1}, p)""")
    plain = cell_of("hyper p = 0.1\n a_t = tanh(W x_t + U h_{t-1})\n h_t = p h_{t-1} + (1 - p) a_t")
    assert len(noisy.masks) == 4
    assert not noisy.evaluated.masks
    assert noisy.evaluated.equation["U_prime"].value == Parameter(noisy.parameter["U"].shape, name="U")
    found = compare(noisy, plain)
    assert found.equal
    assert found.how.endswith("in evaluation")
    assert counts.flops(noisy) == counts.flops(plain)
    assert shapes_of(noisy) == shapes_of(plain)


def test_a_def_can_hold_noise():
    cell = cell_of("def noisy(v) = 2 * dropout(v, 0.5)\n h_t = noisy(W x_t) + noisy(U h_{t-1})")
    assert [mask.name for mask in cell.masks] == ["mask_h", "mask_h_2"]


@pytest.mark.parametrize("rate", ["1", "1.0", "-0.1", "2", "b", "g_t", "1/2 + p"])
def test_rates_that_are_none(rate):
    text = f"hyper p = 0.5\n g_t = σ(V x_t + b + p)\n h_t = tanh(W dropout(x_t, {rate}) + U h_{{t-1}} + g_t)"
    assert codes_of(text) == ["noise-rate"]


def test_names_of_masks_do_not_meet():
    cell = cell_of("""
        c_2_t = dropout(x_t, 0.1)
        c_t = W dropout(x_t, 0.1) + V dropout(x_t, 0.2) + c_2_t
        h_t = tanh(c_t + U h_{t-1})""")
    assert len({mask.name for mask in cell.masks}) == 3
