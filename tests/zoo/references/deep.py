"""Cells with several layers within one step."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid, tanh


def _highway(p, x, s, depth):
    """Zilly et al., eqs. (6)-(8) with c = 1 - t; the indicator of the first layer as a condition."""
    h = s.h
    for layer in range(1, depth + 1):
        first = layer == 1
        a = tanh(first * (p.W_H @ x) + getattr(p, f"R_H_{layer}") @ h + getattr(p, f"b_H_{layer}"))
        g = sigmoid(first * (p.W_T @ x) + getattr(p, f"R_T_{layer}") @ h + getattr(p, f"b_T_{layer}"))
        h = a * g + h * (1 - g)
    return {"h": h}


@reference(params=lambda m, n: 2 * m * n + 8 * (n * n + n))
def rhn(p, x, s):
    return _highway(p, x, s, 4)


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def rhn_1(p, x, s):
    return _highway(p, x, s, 1)


@reference(params=lambda m, n: m * n + 3 * (n * n + n))
def deep_transition_rnn(p, x, s):
    z = tanh(p.W @ x + p.U_1 @ s.h + p.b_1)
    z = tanh(p.U_2 @ z + p.b_2)
    return {"h": tanh(p.U_3 @ z + p.b_3)}


@reference(params=lambda m, n: m * n + 4 * n * n + 3 * n)
def deep_transition_shortcut_rnn(p, x, s):
    z = tanh(p.U_2 @ tanh(p.W @ x + p.U_1 @ s.h + p.b_1) + p.b_2)
    return {"h": tanh(p.U_3 @ z + p.S @ s.h + p.b_3)}


def _mogrified(p, x, s, matrix):
    """Melis et al., eqs. (1) and (2) as they stand in their code: one pass over the rounds, x and h rebound."""
    h = s.h
    for i in range(1, 6):
        if i % 2:
            x = 2 * sigmoid(matrix("Q", i) @ h) * x
        else:
            h = 2 * sigmoid(matrix("R", i) @ x) * h
    i, f, o = (sigmoid(getattr(p, f"W_{k}") @ x + getattr(p, f"U_{k}") @ h + getattr(p, f"b_{k}")) for k in "ifo")
    c = f * s.c + i * tanh(p.W_c @ x + p.U_c @ h + p.b_c)
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 9 * m * n + 4 * n * n + 4 * n)
def mogrifier_lstm(p, x, s):
    return _mogrified(p, x, s, lambda name, i: getattr(p, f"{name}_{i}"))


@reference(params=lambda m, n, k: 4 * (m * n + n * n + n) + 5 * k * (m + n))
def mogrifier_lstm_lowrank(p, x, s):
    return _mogrified(p, x, s, lambda name, i: getattr(p, f"L_{i}") @ getattr(p, f"P_{i}"))
