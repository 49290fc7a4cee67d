"""The gated recurrent unit in its other forms, without parts of its gates, and with one gate in the place of two."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid, tanh


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def gru_chung(p, x, s):
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    r = sigmoid(p.W_r @ x + p.U_r @ s.h + p.b_r)
    return {"h": (1 - z) * s.h + z * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def flax_gru(p, x, s):
    r = sigmoid(p.W_r @ x + p.b_r + p.U_r @ s.h)
    z = sigmoid(p.W_z @ x + p.b_z + p.U_z @ s.h)
    return {"h": (1 - z) * tanh(p.W_h @ x + p.b_h + r * (p.U_h @ s.h)) + z * s.h}


@reference(params=lambda m, n: m * n + 3 * n * n + 3 * n)
def gru1(p, x, s):
    z, r = sigmoid(p.U_z @ s.h + p.b_z), sigmoid(p.U_r @ s.h + p.b_r)
    return {"h": (1 - z) * s.h + z * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + 3 * n * n + n)
def gru2(p, x, s):
    z, r = sigmoid(p.U_z @ s.h), sigmoid(p.U_r @ s.h)
    return {"h": (1 - z) * s.h + z * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + n * n + 3 * n)
def gru3(p, x, s):
    z, r = sigmoid(p.b_z), sigmoid(p.b_r)
    return {"h": (1 - z) * s.h + z * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def mgu(p, x, s):
    f = sigmoid(p.W_f @ x + p.U_f @ s.h + p.b_f)
    return {"h": (1 - f) * s.h + f * tanh(p.W_h @ x + p.U_h @ (f * s.h) + p.b_h)}


@reference(params=lambda m, n: 2 * m * n + 2 * n * n + 3 * n)
def flax_mgu(p, x, s):
    f = sigmoid(p.W_f @ x + p.b_f + p.U_f @ s.h)
    return {"h": (1 - f) * tanh(p.W_n @ x + p.b_n + f * (p.U_n @ s.h + p.d_n)) + f * s.h}


@reference(params=lambda m, n: m * n + 2 * n * n + 2 * n)
def mgu1(p, x, s):
    f = sigmoid(p.U_f @ s.h + p.b_f)
    return {"h": (1 - f) * s.h + f * tanh(p.W_h @ x + p.U_h @ (f * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + 2 * n * n + n)
def mgu2(p, x, s):
    f = sigmoid(p.U_f @ s.h)
    return {"h": (1 - f) * s.h + f * tanh(p.W_h @ x + p.U_h @ (f * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + n * n + 2 * n)
def mgu3(p, x, s):
    f = sigmoid(p.b_f)
    return {"h": (1 - f) * s.h + f * tanh(p.W_h @ x + p.U_h @ (f * s.h) + p.b_h)}
