"""Cells that a scan can compute, wholly or in parts."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


@reference(params=lambda n: 3 * n * n + 2 * n)
def sru(p, x, s):
    f, r = sigmoid(p.W_f @ x + p.b_f), sigmoid(p.W_r @ x + p.b_r)
    c = f * s.c + (1 - f) * (p.W @ x)
    return {"c": c, "h": r * tanh(c) + (1 - r) * x}


@reference(params=lambda n: 3 * n * n + 4 * n)
def sru_v2(p, x, s):
    f = sigmoid(p.W_f @ x + p.v_f * s.c + p.b_f)
    r = sigmoid(p.W_r @ x + p.v_r * s.c + p.b_r)
    c = f * s.c + (1 - f) * (p.W @ x)
    return {"c": c, "h": r * c + (1 - r) * x * np.sqrt(3)}


def _positive(v):
    return np.where(v >= 0, v + 0.5, sigmoid(v))


def _min_gru(p, x, s, g):
    z = sigmoid(p.W_z @ x + p.b_z)
    return {"h": (1 - z) * s.h + z * g(p.W_h @ x + p.b_h)}


def _min_lstm(p, x, s, g):
    f, i = sigmoid(p.W_f @ x + p.b_f), sigmoid(p.W_i @ x + p.b_i)
    return {"h": (f * s.h + i * g(p.W_h @ x + p.b_h)) / (f + i)}


@reference(params=lambda m, n: 2 * (m * n + n))
def min_gru(p, x, s):
    return _min_gru(p, x, s, lambda v: v)


@reference(params=lambda m, n: 2 * (m * n + n))
def min_gru_log(p, x, s):
    return _min_gru(p, x, s, _positive)


@reference(params=lambda m, n: 3 * (m * n + n))
def min_lstm(p, x, s):
    return _min_lstm(p, x, s, lambda v: v)


@reference(params=lambda m, n: 3 * (m * n + n))
def min_lstm_log(p, x, s):
    return _min_lstm(p, x, s, _positive)


@reference(params=lambda k, n: 4 * k * n + 3 * k + n)
def lru(p, x, s):
    eigenvalues = np.exp(-np.exp(p.nu) + 1j * np.exp(p.theta))
    entering = np.exp(p.gamma) * ((p.B_re + 1j * p.B_im) @ x)
    state = eigenvalues * (s.x_re + 1j * s.x_im) + entering
    return {"x_re": state.real, "x_im": state.imag, "y": ((p.C_re + 1j * p.C_im) @ state).real + p.D * x}


@reference(params=lambda m, n: 3 * m * n + 4 * n)
def hgrn(p, x, s):
    floor = sigmoid(p.b_gamma)
    f = floor + (1 - floor) * sigmoid(p.W_f @ x + p.b_f)
    candidate = p.W_c @ x + p.b_c
    h = f * s.h + (1 - f) * candidate * sigmoid(candidate)
    return {"h": h, "y": sigmoid(p.W_g @ x + p.b_g) * h}


@reference(params=lambda m, n: 6 * m * n + 4 * n * n + 6 * n)
def gilr_lstm(p, x, s):
    g = sigmoid(p.V_g @ x + p.b_g)
    surrogate = g * s.h_tilde + (1 - g) * tanh(p.V_j @ x + p.b_j)
    f = sigmoid(p.U_f @ s.h_tilde + p.V_f @ x + p.b_f)
    i = sigmoid(p.U_i @ s.h_tilde + p.V_i @ x + p.b_i)
    o = sigmoid(p.U_o @ s.h_tilde + p.V_o @ x + p.b_o)
    c = f * s.c + i * tanh(p.U_z @ s.h_tilde + p.V_z @ x + p.b_z)
    return {"h_tilde": surrogate, "c": c, "h": o * tanh(c)}


@reference(params=lambda m, n: m * n + n * n + n)
def linear_rnn(p, x, s):
    return {"h": p.U @ s.h + p.W @ x + p.b}


@reference(params=lambda m, n: 2 * (m * n + n))
def t_rnn(p, x, s):
    f = sigmoid(p.V @ x + p.b)
    return {"h": f * s.h + (1 - f) * (p.W @ x + p.b_z)}
