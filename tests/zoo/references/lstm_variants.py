"""What others made of the LSTM."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh
from tests.zoo.references.lstm import gate, memory


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def sublstm(p, x, s):
    f, o, z, i = (
        sigmoid(getattr(p, f"W_{each}") @ x + getattr(p, f"R_{each}") @ s.h + getattr(p, f"b_{each}"))
        for each in "fozi"
    )
    c = f * s.c + z - i
    return {"h": sigmoid(c) - o, "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def capped_lstm(p, x, s):
    i, f, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "ifo")
    return memory(p, x, s, np.minimum(1 - f, i), f, o)


@reference(params=lambda m, n: 4 * m * n + 8 * n)
def indylstm(p, x, s):
    i, f, o, c = (getattr(p, f"W_{k}") @ x + getattr(p, f"u_{k}") * s.h + getattr(p, f"b_{k}") for k in "ifoc")
    c = sigmoid(f) * s.c + sigmoid(i) * tanh(c)
    return {"h": sigmoid(o) * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 16 * n)
def dcm(p, x, s):
    i = sigmoid(gate(p, "i", x, s.h) + p.p_i * s.c + p.q_ii * s.i + p.q_if * s.f + p.q_io * s.o)
    f = sigmoid(gate(p, "f", x, s.h) + p.p_f * s.c + p.q_fi * s.i + p.q_ff * s.f + p.q_fo * s.o)
    c = i * tanh(gate(p, "g", x, s.h)) + f * s.c
    o = sigmoid(gate(p, "o", x, s.h) + p.p_o * s.c + p.q_oi * i + p.q_of * f + p.q_oo * s.o)
    return {"h": o * tanh(c), "c": c, "i": i, "f": f, "o": o}


@reference(params=lambda m, n: 5 * m * n + 5 * n * n + 4 * n)
def multiplicative_lstm(p, x, s):
    between = (p.W_mx @ x) * (p.W_mh @ s.h)
    hat = p.W_hx @ x + p.W_hm @ between + p.b_h
    i = sigmoid(p.W_ix @ x + p.W_im @ between + p.b_i)
    o = sigmoid(p.W_ox @ x + p.W_om @ between + p.b_o)
    f = sigmoid(p.W_fx @ x + p.W_fm @ between + p.b_f)
    c = f * s.c + i * tanh(hat)
    return {"h": tanh(c) * o, "c": c}


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 16 * n)
def mi_lstm(p, x, s):
    def integrated(letter):
        wx, uh = getattr(p, f"W_{letter}") @ x, getattr(p, f"U_{letter}") @ s.h
        alpha, one, two = (getattr(p, name + letter) for name in ("alpha_", "beta_1", "beta_2"))
        return alpha * wx * uh + one * uh + two * wx + getattr(p, f"b_{letter}")

    i, f, o = (sigmoid(integrated(letter)) for letter in "ifo")
    c = f * s.c + i * tanh(integrated("z"))
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * m * n + 12 * n * n + 8 * n)
def nested_lstm(p, x, s):
    def inner(letter, given, before):
        W, U, b = (getattr(p, f"{kind}_tilde_{letter}") for kind in "WUb")
        return W @ given + U @ before + b

    i, f, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "ifo")
    given, before = i * tanh(gate(p, "c", x, s.h)), f * s.c
    inner_c = sigmoid(inner("f", given, before)) * s.c_tilde
    inner_c = inner_c + sigmoid(inner("i", given, before)) * tanh(inner("c", given, before))
    c = sigmoid(inner("o", given, before)) * tanh(inner_c)
    return {"h": o * tanh(c), "c": c, "c_tilde": inner_c}


@reference(params=lambda m, n: 6 * m * n + 4 * n * n + 4 * n)
def mogrifier_lstm_2(p, x, s):
    x = 2 * sigmoid(p.Q @ s.h) * x
    h = 2 * sigmoid(p.R @ x) * s.h
    i, f, o, g = (gate(p, letter, x, h) for letter in "ifoc")
    c = sigmoid(f) * s.c + sigmoid(i) * tanh(g)
    return {"h": sigmoid(o) * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def ur_lstm(p, x, s):
    f, r, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "fro")
    low, high = f**2, 1 - (1 - f) ** 2
    g = low + r * (high - low)
    c = g * s.c + (1 - g) * tanh(gate(p, "u", x, s.h))
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * m * n + 7 * n * n + 4 * n)
def wmc_lstm(p, x, s):
    i = sigmoid(gate(p, "i", x, s.h) + tanh(p.M_i @ s.c))
    f = sigmoid(gate(p, "f", x, s.h) + tanh(p.M_f @ s.c))
    c = f * s.c + i * tanh(gate(p, "c", x, s.h))
    o = sigmoid(gate(p, "o", x, s.h) + tanh(p.M_o @ c))
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 5 * m * n + 5 * n * n + 7 * n)
def residual_lstm(p, x, s):
    i = sigmoid(p.W_xi @ x + p.W_hi @ s.h + p.w_ci * s.c + p.b_i)
    f = sigmoid(p.W_xf @ x + p.W_hf @ s.h + p.w_cf * s.c + p.b_f)
    c = f * s.c + i * tanh(p.W_xc @ x + p.W_hc @ s.h + p.b_c)
    o = sigmoid(p.W_xo @ x + p.W_ho @ s.h + p.w_co * c + p.b_o)
    return {"h": o * (p.W_p @ tanh(c) + p.W_h @ x), "c": c}


@reference(params=lambda m, n: 3 * m * n + 2 * n * n + 2 * n)
def ran(p, x, s):
    i = sigmoid(p.W_ix @ x + p.W_ih @ s.h + p.b_i)
    f = sigmoid(p.W_fx @ x + p.W_fh @ s.h + p.b_f)
    c = i * (p.W_cx @ x) + f * s.c
    return {"h": tanh(c), "c": c}


@reference(params=lambda m, n: 5 * (m * n + n * n + n))
def mc_lstm(p, x, s):
    def net(letter):
        return getattr(p, f"W_{letter}v") @ s.v + getattr(p, f"W_{letter}x") @ x + getattr(p, f"b_{letter}")

    c = sigmoid(net("f")) * s.c + sigmoid(net("i")) * tanh(net("n"))
    return {"h": sigmoid(net("o")) * tanh(c), "v": sigmoid(net("m")) * tanh(c), "c": c}


@reference(params=lambda m, n: 5 * (m * n + n * n + n))
def ulstm(p, x, s):
    i, o, z, f = (sigmoid(gate(p, letter, x, s.h)) for letter in "iozf")
    c = i * tanh(p.W_u @ x + p.M @ (z * tanh(s.c)) + p.b_u) + f * s.c
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n) + n)
def plstm(p, x, s):
    i, o, f = (sigmoid(gate(p, letter, x, s.h)) for letter in "iof")
    c = i * tanh(gate(p, "u", x, s.h) + p.p * s.c) + f * s.c
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n) + 10 * n)
def layernorm_lstm(p, x, s):
    def normal(a):
        return (a - a.mean()) / np.sqrt(a.var() + 1e-5)

    def gate(name):
        of_h = getattr(p, f"alpha_{name}") * normal(getattr(p, f"W_{name}") @ s.h)
        of_x = getattr(p, f"gamma_{name}") * normal(getattr(p, f"U_{name}") @ x)
        return of_h + of_x + getattr(p, f"b_{name}")

    c = sigmoid(gate("f")) * s.c + sigmoid(gate("i")) * tanh(gate("g"))
    return {"c": c, "h": sigmoid(gate("o")) * tanh(p.alpha_c * normal(c) + p.b_c)}
