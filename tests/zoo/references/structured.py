"""Cells with heads and groups, with running maxima, and with parameters that are never trained."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


def blocks(matrices, vector):
    """Each block times its own part of the vector."""
    parts = np.split(vector, len(matrices))
    return np.concatenate([matrix @ part for matrix, part in zip(matrices, parts, strict=True)])


def full(matrix, vector):
    return matrix @ vector


def _slstm(p, x, s, times):
    z = tanh(p.W_z @ x + times(p.R_z, s.h) + p.b_z)
    i = p.W_i @ x + times(p.R_i, s.h) + p.b_i
    f = np.log(sigmoid(p.W_f @ x + times(p.R_f, s.h) + p.b_f))
    o = sigmoid(p.W_o @ x + times(p.R_o, s.h) + p.b_o)
    m = np.maximum(f + s.m, i)
    c = np.exp(f + s.m - m) * s.c + np.exp(i - m) * z
    n = np.exp(f + s.m - m) * s.n + np.exp(i - m)
    return {"h": o * c / n, "m": m, "c": c, "n": n}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def slstm(p, x, s):
    return _slstm(p, x, s, full)


@reference(params=lambda m, n: 4 * (m * n + n * n // 2 + n))
def slstm_heads(p, x, s):
    return _slstm(p, x, s, blocks)


@reference(params=lambda m, n: m * n + n * n // 2 + n)
def flash_elman(p, x, s):
    return {"h": tanh(p.W @ x + blocks(p.R, s.h) + p.b)}


def _lstm(p, s, entering, recurrent):
    i, f, o = (sigmoid(entering[g] + recurrent[g] + getattr(p, f"b_{g}")) for g in "ifo")
    c = f * s.c + i * tanh(entering["c"] + recurrent["c"] + p.b_c)
    return {"c": c, "h": o * tanh(c)}


@reference(params=lambda m, n: 4 * (m * n + n * n // 2 + n))
def flash_lstm(p, x, s):
    return _lstm(
        p,
        s,
        {g: getattr(p, f"W_{g}") @ x for g in "ifoc"},
        {g: blocks(getattr(p, f"U_{g}"), s.h) for g in "ifoc"},
    )


@reference(params=lambda m, n: 2 * n * (m + n) + 4 * n)
def g_lstm(p, x, s):
    return _lstm(
        p,
        s,
        {g: blocks(getattr(p, f"W_{g}"), x) for g in "ifoc"},
        {g: blocks(getattr(p, f"U_{g}"), s.h) for g in "ifoc"},
    )


@reference(params=lambda m, n: 3 * (m * n + n * n // 2) + 4 * n)
def flash_gru(p, x, s):
    g = blocks(p.R_g, s.h) + p.b_g
    r = sigmoid(p.W_r @ x + blocks(p.R_r, s.h) + p.b_r)
    z = sigmoid(p.W_z @ x + blocks(p.R_z, s.h) + p.b_z)
    return {"h": z * s.h + (1 - z) * tanh(p.W_n @ x + p.b_n + r * g)}


@reference(params=lambda n: n * n + 3 * n)
def rg_lru(p, x, s):
    r = sigmoid(blocks(p.W_a, x) + p.b_a)
    i = sigmoid(blocks(p.W_x, x) + p.b_x)
    a = np.exp(-8 * r * np.log1p(np.exp(p.Lambda)))
    return {"h": a * s.h + np.sqrt(1 - a * a) * i * x}


@reference(params=lambda m, n: 3 * m * n + 2 * n * n + 3 * n)
def rwa(p, x, s):
    u = p.W_u @ x + p.b_u
    g = p.W_g @ x + p.U_g @ s.h + p.b_g
    a = p.W_a @ x + p.U_a @ s.h
    m = np.maximum(s.m, a)
    n = s.n * np.exp(s.m - m) + u * tanh(g) * np.exp(a - m)
    d = s.d * np.exp(s.m - m) + np.exp(a - m)
    return {"h": tanh(n / d), "m": m, "n": n, "d": d}


@reference(params=lambda n: 4 * n * n + 5 * n)
def rwkv_4(p, x, s):
    r, k, v = (getattr(p, f"W_{g}") @ (getattr(p, f"mu_{g}") * x + (1 - getattr(p, f"mu_{g}")) * s.x) for g in "rkv")
    w = np.exp(p.omega)
    # The sums of exponentials themselves, which no maximum keeps in range.
    above, below = np.exp(s.p) * s.a, np.exp(s.p) * s.b
    wkv = (above + np.exp(p.u + k) * v) / (below + np.exp(p.u + k))
    above, below = np.exp(-w) * above + np.exp(k) * v, np.exp(-w) * below + np.exp(k)
    largest = np.maximum(s.p - w, k)
    y = p.W_o @ (sigmoid(r) * wkv)
    return {"y": y, "p": largest, "a": above * np.exp(-largest), "b": below * np.exp(-largest), "x": x}


@reference(params=lambda m, n: 0)
def leaky_esn(p, x, s):
    return {"h": 0.7 * s.h + 0.3 * tanh(p.W @ x + p.U @ s.h + p.b)}


@reference(params=lambda m, n, d: m * n + n * n + d * n + m + n + d)
def lmu(p, x, s):
    u = p.e_x @ x + p.e_h @ s.h + p.e_m @ s.m
    m = p.A @ s.m + p.B * u
    return {"h": tanh(p.W_x @ x + p.W_h @ s.h + p.W_m @ m), "m": m}
