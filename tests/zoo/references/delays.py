"""Cells that read the input before, or a state further back. `s.x` is the input before, `s.h_5` the state five back."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid, tanh


def _two(p, gate, x, s):
    return getattr(p, f"W_{gate}1") @ s.x + getattr(p, f"W_{gate}2") @ x + getattr(p, f"b_{gate}")


@reference(params=lambda m, n: 4 * m * n + 2 * n)
def qrnn_f(p, x, s):
    f = sigmoid(_two(p, "f", x, s))
    return {"h": f * s.h + (1 - f) * tanh(_two(p, "z", x, s)), "x": x}


@reference(params=lambda m, n: 6 * m * n + 3 * n)
def qrnn_fo(p, x, s):
    f = sigmoid(_two(p, "f", x, s))
    c = f * s.c + (1 - f) * tanh(_two(p, "z", x, s))
    return {"c": c, "h": sigmoid(_two(p, "o", x, s)) * c, "x": x}


@reference(params=lambda m, n: 8 * m * n + 4 * n)
def qrnn_ifo(p, x, s):
    c = sigmoid(_two(p, "f", x, s)) * s.c + sigmoid(_two(p, "i", x, s)) * tanh(_two(p, "z", x, s))
    return {"c": c, "h": sigmoid(_two(p, "o", x, s)) * c, "x": x}


@reference(params=lambda m, n: 6 * m * n + 3 * n)
def t_gru(p, x, s):
    z = p.V_z @ s.x + p.W_z @ x + p.b_z
    f = sigmoid(p.V_f @ s.x + p.W_f @ x + p.b_f)
    o = tanh(p.V_o @ s.x + p.W_o @ x + p.b_o)
    return {"h": f * s.h + z * o, "x": x}


@reference(params=lambda m, n: 6 * m * n + 3 * n)
def t_lstm(p, x, s):
    z = p.V_z @ s.x + p.W_z @ x + p.b_z
    f = sigmoid(p.V_f @ s.x + p.W_f @ x + p.b_f)
    c = f * s.c + (1 - f) * z
    return {"c": c, "h": c * tanh(p.V_o @ s.x + p.W_o @ x + p.b_o), "x": x}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def tau_gru(p, x, s):
    u = tanh(p.W_1 @ s.h + p.U_1 @ x + p.b_1)
    z = tanh(p.W_2 @ s.h_5 + p.U_2 @ x + p.b_2)
    g = sigmoid(p.W_3 @ s.h + p.U_3 @ x + p.b_3)
    a = sigmoid(p.W_4 @ s.h + p.U_4 @ x + p.b_4)
    h = (1 - g) * s.h + g * (u + a * z)
    return {"h": h, "h_2": s.h, "h_3": s.h_2, "h_4": s.h_3, "h_5": s.h_4}
