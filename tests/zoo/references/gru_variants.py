"""Gated cells of one state beside the GRU, and units that recur to themselves alone."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, relu, sigmoid, tanh


def hard_sigmoid(a):
    return np.clip(a + 3, 0, 6) / 6


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def janet(p, x, s):
    gate = p.U_f @ s.h + p.W_f @ x + p.b_f
    candidate = tanh(p.U_c @ s.h + p.W_c @ x + p.b_c)
    return {"h": sigmoid(gate) * s.h + (1 - sigmoid(gate - 1)) * candidate}


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def ugrnn(p, x, s):
    c = tanh(p.W_ch @ s.h + p.W_cx @ x + p.b_c)
    g = sigmoid(p.W_gh @ s.h + p.W_gx @ x + p.b_g)
    return {"h": g * s.h + (1 - g) * c}


@reference(params=lambda n: 8 * n * n + 4 * n)
def intersection_rnn(p, x, s):
    y_in = relu(p.W_yx @ x + p.W_yh @ s.h + p.b_y)
    h_in = tanh(p.W_hx @ x + p.W_hh @ s.h + p.b_h)
    gy = sigmoid(p.W_gyx @ x + p.W_gyh @ s.h + p.b_gy)
    gh = sigmoid(p.W_ghx @ x + p.W_ghh @ s.h + p.b_gh)
    return {"y": gy * x + (1 - gy) * y_in, "h": gh * s.h + (1 - gh) * h_in}


@reference(params=lambda m, n: 2 * m * n + n * n + 2 * n)
def star(p, x, s):
    k = sigmoid(p.W_x @ x + p.W_h @ s.h + p.b_k)
    return {"h": tanh((1 - k) * s.h + k * tanh(p.W_z @ x + p.b_z))}


@reference(params=lambda m, n: 3 * m * n + 2 * n * n + 2 * n)
def cfn(p, x, s):
    forget = sigmoid(p.U_theta @ s.h + p.V_theta @ x + p.b_theta)
    enter = sigmoid(p.U_eta @ s.h + p.V_eta @ x + p.b_eta)
    return {"h": forget * tanh(s.h) + enter * tanh(p.W @ x)}


@reference(params=lambda m, n: m * n + n * n)
def atr(p, x, s):
    a, b = p.W @ x, p.U @ s.h
    return {"h": sigmoid(a + b) * a + sigmoid(a - b) * s.h}


@reference(params=lambda m, n: m * n + 2 * n * n + 2 * n)
def minimal_rnn(p, x, s):
    z = tanh(p.W_x @ x + p.b_z)
    u = sigmoid(p.U_h @ s.h + p.U_z @ z + p.b_u)
    return {"h": u * s.h + (1 - u) * z}


@reference(params=lambda m, n: m * n + n * n + n + 2)
def fastrnn(p, x, s):
    return {"h": sigmoid(p.alpha) * tanh(p.W @ x + p.U @ s.h + p.b) + sigmoid(p.beta) * s.h}


@reference(params=lambda m, n: m * n + n * n + 2 * n + 2)
def fastgrnn(p, x, s):
    shared = p.W @ x + p.U @ s.h
    z = sigmoid(shared + p.b_z)
    return {"h": (sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * tanh(shared + p.b_h) + z * s.h}


@reference(params=lambda m, n: 3 * m * n + 4 * n)
def brc(p, x, s):
    a = 1 + tanh(p.U_a @ x + p.w_a * s.h + p.b_a)
    c = sigmoid(p.U_c @ x + p.w_c * s.h + p.b_c)
    return {"h": c * s.h + (1 - c) * tanh(p.U @ x + a * s.h)}


@reference(params=lambda m, n: 3 * m * n + 2 * n * n + 2 * n)
def nbrc(p, x, s):
    a = 1 + tanh(p.U_a @ x + p.W_a @ s.h + p.b_a)
    c = sigmoid(p.U_c @ x + p.W_c @ s.h + p.b_c)
    return {"h": c * s.h + (1 - c) * tanh(p.U @ x + a * s.h)}


@reference(params=lambda m, n: 2 * m * n + n * n + 2 * n)
def light_ru(p, x, s):
    f = sigmoid(p.W_f @ x + p.U_f @ s.h + p.b_f)
    return {"h": (1 - f) * s.h + f * tanh(p.W_h @ x + p.b_h)}


@reference(params=lambda m, n: m * n + n * n + n)
def sgrn(p, x, s):
    projected = p.W @ x + p.b
    f = sigmoid(projected + p.U @ s.h)
    return {"h": tanh((1 - f) * projected + f * s.h)}


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def sgu(p, x, s):
    scaled = tanh(p.W_zxh @ ((p.W_xh @ x + p.b_g) * s.h))
    z = hard_sigmoid(p.W_xz @ x + p.W_hz @ s.h + p.b_z)
    return {"h": (1 - z) * s.h + z * np.log1p(np.exp(scaled * s.h))}


@reference(params=lambda m, n: 2 * m * n + 3 * n * n + 2 * n)
def dsgu(p, x, s):
    scaled = tanh(p.W_zxh @ ((p.W_xh @ x + p.b_g) * s.h))
    z = hard_sigmoid(p.W_xz @ x + p.W_hz @ s.h + p.b_z)
    return {"h": (1 - z) * s.h + z * sigmoid(p.W_go @ (scaled * s.h))}


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def miru1(p, x, s):
    r = sigmoid(p.W_r @ x + p.U_r @ s.h + p.b_r)
    return {"h": 0.5 * s.h + 0.5 * tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + n * n + n)
def miru2(p, x, s):
    return {"h": 0.5 * s.h + 0.5 * tanh(p.W_h @ x + p.U_h @ (0.5 * s.h) + p.b_h)}


@reference(params=lambda m, n: m * n + 2 * n)
def indrnn(p, x, s):
    return {"h": relu(p.W @ x + p.u * s.h + p.b)}


@reference(params=lambda m, n: m * n + n * n + 5 * n)
def delta_rnn(p, x, s):
    recurrent, data = p.V @ s.h, p.W @ x
    candidate = tanh(p.alpha * recurrent * data + p.beta_1 * recurrent + p.beta_2 * data + p.b)
    r = sigmoid(data + p.b_r)
    return {"h": tanh((1 - r) * candidate + r * s.h)}


@reference(params=lambda m, n: 2 * (m * n + n * n + n))
def li_gru(p, x, s):
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    return {"h": z * s.h + (1 - z) * relu(p.W_h @ x + p.U_h @ s.h + p.b_h)}


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def augru(p, x, s):
    r = sigmoid(p.W_r @ x.i + p.U_r @ s.h + p.b_r)
    u = x.a * sigmoid(p.W_u @ x.i + p.U_u @ s.h + p.b_u)
    return {"h": (1 - u) * s.h + u * tanh(p.W_h @ x.i + r * (p.U_h @ s.h) + p.b_h)}
