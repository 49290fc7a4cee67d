"""The LSTM and its layouts, Greff's variants, and the slim ones of Salem and others."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, sigmoid, tanh


def gate(p, letter, x, h):
    """W x + U h + b of one letter."""
    return getattr(p, f"W_{letter}") @ x + getattr(p, f"U_{letter}") @ h + getattr(p, f"b_{letter}")


def memory(p, x, s, i, f, o):
    """The step of a standard LSTM whose gates are given."""
    c = f * s.c + i * tanh(gate(p, "c", x, s.h))
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def lstm(p, x, s):
    i, f, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "ifo")
    return memory(p, x, s, i, f, o)


@reference(params=lambda m, n: 4 * (m * n + n * n + 2 * n))
def torch_lstm(p, x, s):
    i, f, o = (sigmoid(gate(p, letter, x, s.h) + getattr(p, f"d_{letter}")) for letter in "ifo")
    c = f * s.c + i * tanh(gate(p, "c", x, s.h) + p.d_c)
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n, p: 4 * m * p + 5 * n * p + 4 * p)
def projected_lstm(p, x, s):
    i, f, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "ifo")
    c = f * s.c + i * tanh(gate(p, "c", x, s.h))
    return {"h": p.R @ (o * tanh(c)), "c": c}


@reference(params=lambda m, n, p: 4 * m * p + 5 * n * p + 7 * p)
def lstmp(p, x, s):
    i = sigmoid(p.W_ix @ x + p.W_ir @ s.r + np.diag(p.w_ic) @ s.c + p.b_i)
    f = sigmoid(p.W_fx @ x + p.W_fr @ s.r + np.diag(p.w_fc) @ s.c + p.b_f)
    c = f * s.c + i * tanh(p.W_cx @ x + p.W_cr @ s.r + p.b_c)
    o = sigmoid(p.W_ox @ x + p.W_or @ s.r + np.diag(p.w_oc) @ c + p.b_o)
    return {"r": p.W_rm @ (o * tanh(c)), "c": c}


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def lstm_1997(p, x, s):
    def g(a):
        return 4 / (1 + np.exp(-a)) - 2

    def h(a):
        return 2 / (1 + np.exp(-a)) - 1

    c = s.c + sigmoid(gate(p, "i", x, s.h)) * g(gate(p, "c", x, s.h))
    return {"h": sigmoid(gate(p, "o", x, s.h)) * h(c), "c": c}


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def cifg(p, x, s):
    f, o = sigmoid(gate(p, "f", x, s.h)), sigmoid(gate(p, "o", x, s.h))
    return memory(p, x, s, 1 - f, f, o)


# --- Greff and others ------------------------------------------------------------------------


def vanilla(p, x, s, change=""):
    """The vanilla LSTM of Greff and others, or the named variant of it."""
    W, R, b = ({letter: getattr(p, f"{kind}_{letter}", None) for letter in "zifo"} for kind in "WRb")
    peep = {letter: getattr(p, f"p_{letter}", np.zeros_like(s.c)) for letter in "ifo"}

    def net(letter):
        return W[letter] @ x + R[letter] @ s.y + b[letter]

    def gates_before(letter):
        if change != "FGR":
            return 0
        return sum(getattr(p, f"R_{source}{letter}") @ getattr(s, source) for source in "ifo")

    z = net("z") if change == "NIAF" else tanh(net("z"))
    i = 1 if change == "NIG" else sigmoid(net("i") + peep["i"] * s.c + gates_before("i"))
    match change:
        case "NFG":
            f = 1
        case "CIFG":
            f = 1 - i
        case _:
            f = sigmoid(net("f") + peep["f"] * s.c + gates_before("f"))
    c = z * i + s.c * f
    o = 1 if change == "NOG" else sigmoid(net("o") + peep["o"] * c + gates_before("o"))
    y = (c if change == "NOAF" else tanh(c)) * o
    return {"y": y, "c": c, "i": i, "f": f, "o": o}


@reference(params=lambda m, n: 4 * (m * n + n * n + n) + 3 * n)
def peephole_lstm(p, x, s):
    return vanilla(p, x, s)


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 5 * n)
def greff_nig(p, x, s):
    return vanilla(p, x, s, "NIG")


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 5 * n)
def greff_nfg(p, x, s):
    return vanilla(p, x, s, "NFG")


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 5 * n)
def greff_nog(p, x, s):
    return vanilla(p, x, s, "NOG")


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 7 * n)
def greff_niaf(p, x, s):
    return vanilla(p, x, s, "NIAF")


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 7 * n)
def greff_noaf(p, x, s):
    return vanilla(p, x, s, "NOAF")


@reference(params=lambda m, n: 3 * m * n + 3 * n * n + 5 * n)
def greff_cifg(p, x, s):
    return vanilla(p, x, s, "CIFG")


@reference(params=lambda m, n: 4 * m * n + 4 * n * n + 4 * n)
def greff_np(p, x, s):
    return vanilla(p, x, s)  # p has no peepholes, so that they are zero


@reference(params=lambda m, n: 4 * m * n + 13 * n * n + 7 * n)
def greff_fgr(p, x, s):
    return vanilla(p, x, s, "FGR")


# --- Lu, Akandeh and Salem -------------------------------------------------------------------


@reference(params=lambda m, n: m * n + 4 * n * n + 4 * n)
def lstm1(p, x, s):
    return memory(p, x, s, sigmoid(p.U_i @ s.h + p.b_i), sigmoid(p.U_f @ s.h + p.b_f), sigmoid(p.U_o @ s.h + p.b_o))


@reference(params=lambda m, n: m * n + 4 * n * n + n)
def lstm2(p, x, s):
    return memory(p, x, s, *(sigmoid(U @ s.h) for U in (p.U_i, p.U_f, p.U_o)))


@reference(params=lambda m, n: m * n + n * n + 4 * n)
def lstm3(p, x, s):
    return memory(p, x, s, *(sigmoid(b) for b in (p.b_i, p.b_f, p.b_o)))


@reference(params=lambda m, n: m * n + n * n + 4 * n)
def lstm4(p, x, s):
    return memory(p, x, s, *(sigmoid(u * s.h) for u in (p.u_i, p.u_f, p.u_o)))


@reference(params=lambda m, n: m * n + n * n + 2 * n)
def lstm4a(p, x, s):
    return memory(p, x, s, sigmoid(p.u_i * s.h), 0.96, 1)


@reference(params=lambda m, n: m * n + n * n + 7 * n)
def lstm5(p, x, s):
    i, f, o = sigmoid(p.u_i * s.h + p.b_i), sigmoid(p.u_f * s.h + p.b_f), sigmoid(p.u_o * s.h + p.b_o)
    return memory(p, x, s, i, f, o)


@reference(params=lambda m, n: m * n + n * n + 3 * n)
def lstm5a(p, x, s):
    return memory(p, x, s, sigmoid(p.u_i * s.h + p.b_i), 0.96, 1)


@reference(params=lambda m, n: m * n + n * n + n)
def lstm6(p, x, s):
    return memory(p, x, s, 1, 0.59, 1)


def pointwise(p, x, s, i, f, o):
    """The step whose candidate, too, has a vector for its recurrent matrix."""
    c = f * s.c + i * tanh(p.W_c @ x + p.u_c * s.h + p.b_c)
    return {"h": o * tanh(c), "c": c}


@reference(params=lambda m, n: m * n + 5 * n)
def lstm10(p, x, s):
    return pointwise(p, x, s, *(sigmoid(u * s.h) for u in (p.u_i, p.u_f, p.u_o)))


@reference(params=lambda m, n: m * n + 8 * n)
def lstm11(p, x, s):
    i, f, o = sigmoid(p.u_i * s.h + p.b_i), sigmoid(p.u_f * s.h + p.b_f), sigmoid(p.u_o * s.h + p.b_o)
    return pointwise(p, x, s, i, f, o)


@reference(params=lambda m, n: m * n + 2 * n)
def lstm_c6(p, x, s):
    return pointwise(p, x, s, 1, 0.59, 1)
