"""Cells found by search, and an LSTM with a factorised matrix."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, relu, sigmoid, tanh


def _highway_nodes(p, x, h, genotype, ends):
    """Nodes of DARTS: each (activation, node before) of the genotype; the mean of `ends` is the new state."""
    nodes = [h + sigmoid(p.W_c @ x + p.U_c @ h) * (tanh(p.W_h @ x + p.U_h @ h) - h)]
    for number, (activation, before) in enumerate(genotype, start=1):
        gate = sigmoid(getattr(p, f"C_{number}") @ nodes[before])
        candidate = activation(getattr(p, f"H_{number}") @ nodes[before])
        nodes.append(nodes[before] + gate * (candidate - nodes[before]))
    return {"h": np.mean([nodes[end] for end in ends], axis=0)}


def identity(a):
    return a


@reference(params=lambda m, n: 2 * m * n + 2 * n * n + 16 * n * n)
def darts_rnn(p, x, s):
    genotype = [(relu, 0), (relu, 1), (tanh, 2), (relu, 3), (relu, 4), (identity, 1), (relu, 5), (relu, 1)]
    return _highway_nodes(p, x, s.h, genotype, range(1, 9))


@reference(params=lambda m, n: 2 * m * n + 2 * n * n + 22 * n * n)
def enas_rnn(p, x, s):
    genotype = [(tanh, 0), (tanh, 1), (relu, 1), (tanh, 3), (tanh, 3), (relu, 3), (relu, 4), (relu, 7)]
    return _highway_nodes(p, x, s.h, [*genotype, (relu, 8), (relu, 8), (relu, 8)], [2, 5, 6, 9, 10, 11])


@reference(params=lambda m, n: 8 * (m * n + n * n))
def nas_cell(p, x, s):
    u = [getattr(p, f"W_{node}") @ x for node in range(8)]
    v = [getattr(p, f"U_{node}") @ s.h for node in range(8)]
    left = tanh(sigmoid(u[0] + v[0]) * relu(u[1] + v[1]))
    right = tanh(sigmoid(u[2] + v[2]) + relu(u[3] * v[3]))
    c = tanh(left + s.c) * right
    third = tanh(tanh(u[4] + v[4]) * sigmoid(u[5] + v[5]))
    fourth = sigmoid(tanh(u[6] + v[6]) + sigmoid(u[7] + v[7]))
    return {"c": c, "h": tanh(c * tanh(third + fourth))}


@reference(params=lambda m, n, r: m * r + 5 * n * r + 4 * n)
def f_lstm(p, x, s):
    narrow = p.W_1 @ np.concatenate([x, s.h])
    i, f = sigmoid(p.W_i @ narrow + p.b_i), sigmoid(p.W_f @ narrow + p.b_f)
    o, g = sigmoid(p.W_o @ narrow + p.b_o), tanh(p.W_g @ narrow + p.b_g)
    c = f * s.c + i * g
    return {"c": c, "h": o * tanh(c)}
