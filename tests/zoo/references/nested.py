"""Cells that hold steps of others."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


def _lstm(p, index, x, h, c):
    """One step of an LSTM whose parameters end in an index; without an input, none of its matrices."""

    def said(k):
        end = f"{k}_{index}" if index else k
        total = getattr(p, f"U_{end}") @ h + getattr(p, f"b_{end}")
        return total if x is None else total + getattr(p, f"W_{end}") @ x

    c = sigmoid(said("f")) * c + sigmoid(said("i")) * tanh(said("c"))
    return sigmoid(said("o")) * tanh(c), c


@reference(params=lambda m, n, s: 4 * (m * n + 4 * (n * n + n) + n * s + s * s + s + s * n))
def fs_lstm(p, x, s):
    h, c = _lstm(p, "F1", x, s.h_F4, s.c_F4)
    slow, memory = _lstm(p, "S", h, s.h_S, s.c_S)
    h, c = _lstm(p, "F2", slow, h, c)
    for index in ("F3", "F4"):
        h, c = _lstm(p, index, None, h, c)
    return {"h_F4": h, "c_F4": c, "h_S": slow, "c_S": memory}


def _normalised(a):
    return (a - a.mean()) / np.sqrt(a.var() + 1e-5)


@reference(
    params=lambda m, n, p, k: 4 * (p * (n + m) + p * p + p) + 4 * (n * n + m * n + n + 3 * k * p + 2 * k + 3 * n * k)
)
def hyper_lstm(p, x, s):
    small, memory = _lstm(p, "", np.concatenate([s.h, x]), s.h_hat, s.c_hat)
    gates = []
    for y in range(1, 5):
        scale_h = getattr(p, f"D_h_{y}") @ (getattr(p, f"V_h_{y}") @ small + getattr(p, f"e_h_{y}"))
        scale_x = getattr(p, f"D_x_{y}") @ (getattr(p, f"V_x_{y}") @ small + getattr(p, f"e_x_{y}"))
        shift = getattr(p, f"D_b_{y}") @ (getattr(p, f"V_b_{y}") @ small) + getattr(p, f"b_{y}")
        total = scale_h * (getattr(p, f"W_h_{y}") @ s.h) + scale_x * (getattr(p, f"W_x_{y}") @ x) + shift
        gates.append(_normalised(total))
    i, g, f, o = gates
    c = sigmoid(f) * s.c + sigmoid(i) * tanh(g)
    return {"h": sigmoid(o) * tanh(_normalised(c)), "c": c, "h_hat": small, "c_hat": memory}
