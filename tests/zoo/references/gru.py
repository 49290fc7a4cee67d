"""Gated recurrent units, and cells found by search."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid, tanh


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def gru(p, x, s):
    r = sigmoid(p.W_r @ x + p.U_r @ s.h + p.b_r)
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    return {"h": z * s.h + (1 - z) * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: 3 * (m * n + n * n + n) + n)
def gru_reset_after(p, x, s):
    r = sigmoid(p.W_r @ x + p.U_r @ s.h + p.b_r)
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    return {"h": z * s.h + (1 - z) * tanh(p.W_h @ x + p.b_h + r * (p.U_h @ s.h + p.d_h))}


@reference(params=lambda n: 4 * n * n + 3 * n)
def mut1(p, x, s):
    z = sigmoid(p.W_xz @ x + p.b_z)
    r = sigmoid(p.W_xr @ x + p.W_hr @ s.h + p.b_r)
    return {"h": tanh(p.W_hh @ (r * s.h) + tanh(x) + p.b_h) * z + s.h * (1 - z)}


@reference(params=lambda n: 5 * n * n + 3 * n)
def mut2(p, x, s):
    z = sigmoid(p.W_xz @ x + p.W_hz @ s.h + p.b_z)
    r = sigmoid(x + p.W_hr @ s.h + p.b_r)
    return {"h": tanh(p.W_hh @ (r * s.h) + p.W_xh @ x + p.b_h) * z + s.h * (1 - z)}


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 3 * n)
def mut3(p, x, s):
    z = sigmoid(p.W_xz @ x + p.W_hz @ tanh(s.h) + p.b_z)
    r = sigmoid(p.W_xr @ x + p.W_hr @ s.h + p.b_r)
    return {"h": tanh(p.W_hh @ (r * s.h) + p.W_xh @ x + p.b_h) * z + s.h * (1 - z)}
