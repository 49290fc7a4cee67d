"""Cells that treat parts of one vector apart: chunks of neurons, gates normalised together."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


def _cumax(a):
    weights = np.exp(a - a.max())
    return np.cumsum(weights / weights.sum())


def _ordered(p, x, s, chunk):
    """Shen et al. as in their code: the master gates as columns, the others as rows of `chunk`."""

    def said(k):
        return getattr(p, f"W_{k}") @ x + getattr(p, f"U_{k}") @ s.h + getattr(p, f"b_{k}")

    i, f, o = (sigmoid(said(k)).reshape(-1, chunk) for k in "ifo")
    new = tanh(said("c")).reshape(-1, chunk)
    forget, write = _cumax(said("f_tilde"))[:, None], 1 - _cumax(said("i_tilde"))[:, None]
    overlap = forget * write
    f = f * overlap + (forget - overlap)
    i = i * overlap + (write - overlap)
    c = f * s.c.reshape(-1, chunk) + i * new
    return {"h": (o * tanh(c)).ravel(), "c": c.ravel()}


@reference(params=lambda m, n: 4 * (m * n + n * n + n) + 2 * (m * n + n * n + n) // 10)
def on_lstm(p, x, s):
    return _ordered(p, x, s, 10)


@reference(params=lambda m, n: 6 * (m * n + n * n + n))
def on_lstm_1(p, x, s):
    return _ordered(p, x, s, 1)


def _normalised(a):
    return (a - a.mean()) / np.sqrt(a.var() + 1e-5)


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 14 * n)
def haste_layernorm_lstm(p, x, s):
    i, g, f, o = np.split(p.gamma_x * _normalised(p.W @ x) + p.gamma_h * _normalised(p.U @ s.h) + p.b, 4)
    c = sigmoid(f) * s.c + sigmoid(i) * tanh(g)
    return {"h": sigmoid(o) * tanh(p.gamma_c * _normalised(c) + p.b_c), "c": c}


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 12 * n)
def haste_layernorm_gru(p, x, s):
    from_x = np.split(p.gamma_x * _normalised(p.W @ x) + p.b_x, 3)
    from_h = np.split(p.gamma_h * _normalised(p.U @ s.h) + p.b_h, 3)
    z, r = (sigmoid(a + v) for a, v in zip(from_x[:2], from_h[:2], strict=True))
    g = tanh(from_x[2] + r * from_h[2])
    return {"h": (1 - z) * g + z * s.h}
