"""Shipped cells with noise while training: steps written from their papers, with the masks that the module draws."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

import celldsl
from celldsl.runtime import compare

torch.set_num_threads(1)
STEPS, ROWS, M, N = 6, 3, 4, 5


def gates(p, x, h, u=lambda name: name):
    return {g: x @ p[f"W_{g}"].T + h @ p[u(f"U_{g}")].T + p[f"b_{g}"] for g in "ifoc"}


def lstm(a, c):
    c = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
    return torch.sigmoid(a["o"]) * torch.tanh(c), c


def zoneout_lstm(p, x, h, c, d):
    """Krueger et al., section 3.3, with d^h and d^c the masks that keep the old values."""
    new_h, new_c = lstm(gates(p, x, h), c)
    return d.h * h + (1 - d.h) * new_h, d.c * c + (1 - d.c) * new_c


def haste_lstm(p, x, h, c, d):
    """haste's `LSTMScript`: h = mask (new - h) + h with the complementary mask, the recurrent kernel dropped once."""
    new_h, c = awd_lstm(p, x, h, c, d)
    return (1 - d.h) * (new_h - h) + h, c


def awd_lstm(p, x, h, c, d):
    dropped = {f"U_{g}": p[f"U_{g}"] * getattr(d, f"U_{g}_prime") for g in "ifoc"}
    return lstm(gates(p | dropped, x, h), c)


def recurrent_dropout_lstm(p, x, h, c, d):
    """Semeniuta et al., eq. (10)."""
    a = gates(p, x, h)
    c = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * (d.c * torch.tanh(a["c"]))
    return torch.sigmoid(a["o"]) * torch.tanh(c), c


def variational_lstm(p, x, h, c, d):
    """Gal & Ghahramani, eq. (7): z_x and z_h."""
    return lstm(gates(p, x * d.u, h * d.v), c)


@pytest.mark.parametrize(
    ("name", "step", "values", "locked"),
    [
        ("zoneout_lstm", zoneout_lstm, {"h": {0.0, 1.0}, "c": {0.0, 1.0}}, ""),
        ("haste_lstm", haste_lstm, {"h": {0.0, 1.0}, "U_f_prime": {0.0, 1 / 0.95}}, ""),
        ("awd_lstm", awd_lstm, {"U_i_prime": {0.0, 2.0}}, ""),
        ("recurrent_dropout_lstm", recurrent_dropout_lstm, {"c": {0.0, 1 / 0.75}}, ""),
        ("variational_lstm", variational_lstm, {"u": {0.0, 1 / 0.75}, "v": {0.0, 1 / 0.75}}, "uv"),
    ],
)
def test_training_is_what_the_paper_says(name, step, values, locked):
    torch.manual_seed(3)
    layer = celldsl.compile(name).rnn(M, N, dtype=torch.float64)
    x = torch.randn(STEPS, ROWS, M, dtype=torch.float64)
    h, c = (0.5 * torch.randn(ROWS, N, dtype=torch.float64) for _ in range(2))
    torch.manual_seed(4)
    masks = {name.removeprefix("mask_"): mask for name, mask in compare.draw(layer, STEPS, ROWS)["l0"].items()}
    torch.manual_seed(4)
    output, _ = layer(x, (h.unsqueeze(0), c.unsqueeze(0)))
    for mask, expected in values.items():
        assert set(masks[mask].unique().tolist()) <= expected
    shaped = {name: mask if name.endswith("_prime") else mask.view(STEPS, ROWS, -1) for name, mask in masks.items()}
    for mask in locked:
        assert (shaped[mask] == shaped[mask][0]).all()

    p, outputs = dict(layer.layers["l0"].named_parameters()), []
    for t in range(STEPS):
        drawn = {name: mask if name.endswith("_prime") else mask[t] for name, mask in shaped.items()}
        h, c = step(p, x[t], h, c, SimpleNamespace(**drawn))
        outputs.append(h)
    expected = torch.stack(outputs)
    assert torch.allclose(output, expected, rtol=0, atol=1e-12)
    weights = torch.randn_like(output)
    ours = torch.autograd.grad((output * weights).sum(), list(p.values()))
    theirs = torch.autograd.grad((expected * weights).sum(), list(p.values()))
    assert all(torch.allclose(one, other, rtol=0, atol=1e-11) for one, other in zip(ours, theirs, strict=True))
