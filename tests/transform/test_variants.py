"""Regularisers put into cells, against loops written by hand with the same masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import celldsl
from celldsl.runtime import compare, verify

torch.set_num_threads(1)
T, B, M, N = 6, 3, 4, 5


def built(name: str, **options):
    """A layer with noise in double precision, its variant, an input and the masks that the next run draws."""
    torch.manual_seed(1)
    cell = celldsl.compile(name).variant(**options)
    layer = celldsl.compile(name).rnn(M, N, dtype=torch.float64, backend="torch", **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(T, B, M, dtype=torch.float64)
    torch.manual_seed(2)
    masks = compare.draw(layer, T, B)["l0"]
    torch.manual_seed(2)
    output, state = layer(x)
    return cell, dict(layer.layers["l0"].named_parameters()), x, masks, output, state, layer


def rows(mask: Tensor) -> Tensor:
    """A mask (T·B, w) by steps."""
    return mask.view(T, B, -1)


def agree(layer, found: Tensor, expected: Tensor) -> None:
    """Outputs and all gradients."""
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), list(layer.parameters()))
    theirs = torch.autograd.grad((expected * weights).sum(), list(layer.parameters()))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-11)


def test_recurrent_dropout_of_keras_one_mask_a_gate_and_sequence():
    cell, p, x, masks, output, _, layer = built("lstm", recurrent_dropout=0.4, input_dropout=0.3)
    names = [mask.name for mask in cell.checked.masks]
    assert names == [f"mask_{gate}{number}" for gate in "ifoc" for number in ("", "_2")]
    # Drawn once for each gate: scaled by 1 / (1 - p), the same at all steps.
    for name in names:
        assert (rows(masks[name]) == rows(masks[name])[0]).all()
    of_h = {gate: rows(masks[f"mask_{gate}"])[0] for gate in "ifoc"}
    of_x = {gate: rows(masks[f"mask_{gate}_2"])[0] for gate in "ifoc"}
    assert set(of_h["i"].unique().tolist()) <= {0.0, 1 / 0.6}
    assert set(of_x["i"].unique().tolist()) <= {0.0, 1 / 0.7}
    h = c = torch.zeros(B, N, dtype=torch.float64)
    steps = []
    for x_t in x:
        a = {
            g: (x_t * of_x[g]) @ p[f"W_{g}"].T
            + (h * of_h[g]) @ p[f"U_{g}"].T
            + p[f"b_{g}"]  # as Keras' implementation 1
            for g in "ifoc"
        }
        c = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
        h = torch.sigmoid(a["o"]) * torch.tanh(c)
        steps.append(h)
    agree(layer, output, torch.stack(steps))


def test_weight_drop_as_awd_lstm_masks_the_matrices_once():
    _, p, x, masks, output, _, layer = built("lstm", weight_drop={"U_*": 0.5})
    u = {g: p[f"U_{g}"] * masks[f"mask_U_{g}_prime"] for g in "ifoc"}
    h = c = torch.zeros(B, N, dtype=torch.float64)
    steps = []
    for x_t in x:
        a = {g: x_t @ p[f"W_{g}"].T + h @ u[g].T + p[f"b_{g}"] for g in "ifoc"}
        c = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
        h = torch.sigmoid(a["o"]) * torch.tanh(c)
        steps.append(h)
    agree(layer, output, torch.stack(steps))


def test_weight_drop_of_ulstm_takes_several_patterns():
    cell, p, x, masks, output, _, layer = built("ulstm", weight_drop={"U_*": 0.5, "M": 0.25})
    assert [mask.name for mask in cell.checked.masks] == [f"mask_{n}_prime" for n in ("U_i", "U_o", "U_z", "U_f", "M")]
    assert set(masks["mask_M_prime"].unique().tolist()) == {0.0, 1 / 0.75}
    u = {g: p[f"U_{g}"] * masks[f"mask_U_{g}_prime"] for g in "iozf"}
    m = p["M"] * masks["mask_M_prime"]
    h = c = torch.zeros(B, N, dtype=torch.float64)
    steps = []
    for x_t in x:
        i, o, z, f = (torch.sigmoid(x_t @ p[f"W_{g}"].T + h @ u[g].T + p[f"b_{g}"]) for g in "iozf")
        c = i * torch.tanh(x_t @ p["W_u"].T + (z * torch.tanh(c)) @ m.T + p["b_u"]) + f * c
        h = o * torch.tanh(c)
        steps.append(h)
    agree(layer, output, torch.stack(steps))


def test_weight_drop_of_a_derived_matrix_is_asked_for_by_its_name():
    cell = celldsl.compile("cell A {\n A = U - U^T\n h_t = tanh(A h_{t-1} + W x_t + b)\n}")
    assert "A h_{t-1}" in cell.variant(weight_drop={"*": 0.5}).spec
    changed = cell.variant(weight_drop={"A": 0.5})
    assert "A' = dropout(A, 0.5)" in changed.spec
    assert "A' h_{t-1}" in changed.spec


def test_zoneout_of_krueger_h_reads_c_before_its_mask():
    _, p, x, masks, output, state, layer = built("lstm", zoneout={"c": 0.5, "h": 0.2})
    h = c = torch.zeros(B, N, dtype=torch.float64)
    steps = []
    for x_t, d_c, d_h in zip(x, rows(masks["mask_c"]), rows(masks["mask_h"]), strict=True):
        a = {g: x_t @ p[f"W_{g}"].T + h @ p[f"U_{g}"].T + p[f"b_{g}"] for g in "ifoc"}
        new = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
        h = d_h * h + (1 - d_h) * torch.sigmoid(a["o"]) * torch.tanh(new)
        c = d_c * c + (1 - d_c) * new
        steps.append(h)
    agree(layer, output, torch.stack(steps))
    assert torch.allclose(state[1][0], c, rtol=0, atol=1e-12)


def test_zoneout_in_evaluation_is_the_mean():
    *_, x, _, _, _, layer = built("gru", zoneout=0.3)
    p = dict(layer.layers["l0"].named_parameters())
    h = torch.zeros(B, N, dtype=torch.float64)
    for x_t in x:
        r, z = (torch.sigmoid(x_t @ p[f"W_{g}"].T + h @ p[f"U_{g}"].T + p[f"b_{g}"]) for g in "rz")
        g = torch.tanh(x_t @ p["W_h"].T + (r * h) @ p["U_h"].T + p["b_h"])
        h = 0.3 * h + 0.7 * (z * h + (1 - z) * g)
    assert torch.allclose(layer.eval()(x)[0][-1], h, rtol=0, atol=1e-12)


def test_locked_input_and_output_are_one_mask_for_all_gates():
    cell, _, x, masks, output, state, layer = built("lstm", locked_input=0.5, locked_output=0.25)
    assert [info.name for info in cell.checked.states] == ["h", "c"]
    plain = celldsl.compile("lstm").rnn(M, N, dtype=torch.float64, backend="torch")
    plain.load_state_dict(layer.state_dict())
    entering, leaving = rows(masks["mask_x_in"]), rows(masks["mask_h_out"])
    assert (entering == entering[0]).all()
    assert (leaving == leaving[0]).all()
    expected, last = plain(x * entering)
    assert torch.allclose(output, expected * leaving, rtol=0, atol=1e-12)
    assert torch.allclose(state[0], last[0], rtol=0, atol=1e-12)


def test_hard_sigmoids_of_torch_and_of_keras_1():
    for name, function in (
        ("hard_sigmoid", torch.nn.functional.hardsigmoid),
        ("keras1_hard_sigmoid", lambda a: (0.2 * a + 0.5).clamp(0, 1)),
    ):
        layer = celldsl.compile("lstm").rnn(M, N, gates=name, dtype=torch.float64)
        p = dict(layer.layers["l0"].named_parameters())
        x = 3 * torch.randn(T, B, M, dtype=torch.float64)
        h = c = torch.zeros(B, N, dtype=torch.float64)
        for x_t in x:
            a = {g: x_t @ p[f"W_{g}"].T + h @ p[f"U_{g}"].T + p[f"b_{g}"] for g in "ifoc"}
            c = function(a["f"]) * c + function(a["i"]) * torch.tanh(a["c"])
            h = function(a["o"]) * torch.tanh(c)
        assert torch.allclose(layer(x)[0][-1], h, rtol=0, atol=1e-12)


def test_inits_by_name_win_over_the_specs():
    options = {"b_*": 0.25, "b_f": 1.5, "U_*": "orthogonal", "W_*": "uniform(-0.1, 0.1)", "c_0": "learned"}
    step = celldsl.compile("lstm").step(M, N, init=options)
    assert step.b_f.tolist() == [1.5] * N
    assert step.b_i.tolist() == [0.25] * N
    assert torch.allclose(step.U_o @ step.U_o.T, torch.eye(N), atol=1e-6)
    assert step.W_c.abs().max() <= 0.1
    assert step.c_0.tolist() == [0.0] * N


def test_a_stacked_operand_is_masked_part_by_part():
    cell = celldsl.compile("cell A {\n dim k\n param V: n×k\n h_t = tanh(W [h_{t-1}; x_t] + V (P x_t) + b)\n}")
    changed = cell.variant(recurrent_dropout=0.1, input_dropout=0.2)
    assert "W [locked_dropout(h_{t-1}, 0.1); locked_dropout(x_t, 0.2)]" in changed.spec
    assert "P locked_dropout(x_t, 0.2)" in changed.spec
    assert len(changed.checked.masks) == 3


QUICK = ["lstm", "gru", "lstm3"]
EVERYTHING = {
    "recurrent_dropout": 0.2,
    "input_dropout": 0.1,
    "locked_input": 0.3,
    "locked_output": 0.4,
    "zoneout": 0.1,
    "weight_drop": {"*": 0.5},
    "gates": "hard_sigmoid",
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in celldsl.zoo()])
def test_every_cell_takes_every_option_and_its_module_is_right(name):
    cell = celldsl.compile(name)
    options = dict(EVERYTHING)
    if not cell.states or all(info.role == "input" for info in cell.checked.states):
        options.pop("zoneout")
    if name == "min_lstm_log":
        options.pop("gates")  # f / (f + i) is 0 / 0 where both gates are hard and shut
    variant = cell.variant(**options)
    assert {**variant.parameters} == {**cell.parameters}
    assert list(variant.states) == [f"{name}_in" if name in cell.inputs else name for name in cell.states]
    assert celldsl.compile(variant.spec).checked.masks == variant.checked.masks
    rows = list(verify.noise_rows(variant))
    assert rows
    assert [row for row in rows if not row.ok] == []


def test_settings_that_only_a_repeat_names_stay():
    cell = celldsl.compile(
        """cell A {
          const a_1 = 0.5
          const a_2 = 0.9
          state s_1: n, s_2: n
          repeat i = 1..2 { s_{i,t} = a_i s_{i,t-1} + (1 - a_i) (W x_t) }
          h_t = tanh(U s_{1,t} + V s_{2,t})
        }"""
    )
    variant = cell.variant(recurrent_dropout=0.2)
    assert {**variant.parameters} == {**cell.parameters}
    assert [setting.name for setting in variant.checked.settings] == ["a_1", "a_2"]


def test_no_option_is_the_cell_itself():
    cell = celldsl.compile("lstm")
    assert cell.variant() is cell
    assert cell.variant(recurrent_dropout=0.0, weight_drop={"U_*": 0}, zoneout=0, init={}, gates=None) is cell


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrent_dropout": 1.0}, "recurrent_dropout must be a probability below 1, not 1.0"),
        ({"locked_input": -0.1}, "locked_input must be a probability"),
        ({"weight_drop": {"V_*": 0.5}}, "LSTM has no parameter 'V_*'; it has U_i, W_i"),
        ({"weight_drop": {"U_*": 1.5}}, "weight_drop must be a probability"),
        ({"zoneout": {"f": 0.5}}, "LSTM has no state 'f'; it has h, c"),
        ({"init": {"b": 1}}, "LSTM has no 'b' to start"),
        ({"gates": "relu6"}, "no function 'relu6'"),
    ],
)
def test_options_that_do_not_suit(options, message):
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        celldsl.compile("lstm").rnn(M, N, **options)


def test_an_unknown_option_and_a_spec_that_has_the_word():
    with pytest.raises(TypeError, match="no option drop"):
        celldsl.compile("lstm").variant(drop=0.5)
    own = celldsl.compile("cell A {\n hyper gates = 2\n h_t = tanh(gates * W x_t + U h_{t-1})\n}")
    assert own.rnn(M, N, gates=3.0).gates == 3.0
