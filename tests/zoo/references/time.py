"""Cells that are told the time. `x` holds the inputs by name."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


@reference(params=lambda m, n: 4 * m * n + 5 * n * n + 5 * n)
def time_lstm(p, x, s):
    short = tanh(p.W_d @ s.c + p.b_d)
    memory = (s.c - short) + short / np.log(np.e + x.Delta)

    def gate(name):
        return getattr(p, f"W_{name}") @ x.x + getattr(p, f"U_{name}") @ s.h + getattr(p, f"b_{name}")

    c = sigmoid(gate("f")) * memory + sigmoid(gate("i")) * tanh(gate("c"))
    return {"h": sigmoid(gate("o")) * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n) + 5 * n)
def phased_lstm(p, x, s):
    def gate(name):
        return getattr(p, f"W_x{name}") @ x.x + getattr(p, f"W_h{name}") @ s.h + getattr(p, f"b_{name}")

    i = sigmoid(gate("i") + p.w_ci * s.c)
    f = sigmoid(gate("f") + p.w_cf * s.c)
    c = f * s.c + i * tanh(gate("c"))
    o = sigmoid(gate("o") + p.w_co * c)
    period = np.exp(p.log_tau)
    phase = np.mod(x.time - p.s, period) / period
    rising, falling = 2 * phase / 0.05, 2 - 2 * phase / 0.05
    k = np.where(phase < 0.025, rising, np.where(phase < 0.05, falling, 0.001 * phase))
    return {"c": k * c + (1 - k) * s.c, "h": k * o * tanh(c) + (1 - k) * s.h}


@reference(params=lambda m, n: 7 * m * n + 3 * n * n + 4 * n + 2 * m)
def gru_d(p, x, s):
    seen = x.mu
    fade = np.exp(-np.maximum(p.w_gamma * x.delta + p.c_gamma, 0))
    last = seen * x.x + (1 - seen) * s.l
    inside = seen * x.x + (1 - seen) * (fade * last + (1 - fade) * p.x_bar)
    h = np.exp(-np.maximum(p.W_gamma @ x.delta + p.b_gamma, 0)) * s.h
    r = sigmoid(p.W_r @ inside + p.U_r @ h + p.V_r @ seen + p.b_r)
    z = sigmoid(p.W_z @ inside + p.U_z @ h + p.V_z @ seen + p.b_z)
    return {"h": (1 - z) * h + z * tanh(p.W @ inside + p.U @ (r * h) + p.V @ seen + p.b), "l": last}
