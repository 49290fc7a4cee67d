"""Discretised ordinary differential equations."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid, tanh


@reference(params=lambda m, n: m * n + 2 * n * n + n)
def cornn(p, u, s):
    force = tanh(p.W @ s.y + p.R @ s.z + p.V @ u + p.b)
    z = s.z + 0.042 * (force - 2.7 * s.y - 4.7 * s.z)
    return {"z": z, "y": s.y + 0.042 * z}


@reference(params=lambda m, n: m * n + 2 * n * n + n)
def cornn_imex(p, u, s):
    force = tanh(p.W @ s.y + p.R @ s.z + p.V @ u + p.b)
    z = (s.z + 0.042 * (force - 2.7 * s.y)) / (1 + 0.042 * 4.7)  # z = s.z + dt (force - 2.7 y - 4.7 z), solved
    return {"z": z, "y": s.y + 0.042 * z}


def _lem(p, u, s, new):
    first = sigmoid(p.W_1 @ s.y + p.V_1 @ u + p.b_1)
    second = sigmoid(p.W_2 @ s.y + p.V_2 @ u + p.b_2)
    z = (1 - first) * s.z + first * tanh(p.W_z @ s.y + p.V_z @ u + p.b_z)
    seen = z if new else s.z
    return {"z": z, "y": (1 - second) * s.y + second * tanh(p.W_y @ seen + p.V_y @ u + p.b_y)}


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def lem(p, u, s):
    return _lem(p, u, s, new=True)


@reference(params=lambda m, n: 4 * (m * n + n * n + n))
def lem_old_z(p, u, s):
    return _lem(p, u, s, new=False)


@reference(params=lambda m, n: m * n + 3 * n)
def unicornn(p, x, s):
    pace = 0.1 * (0.5 + 0.5 * tanh(p.c / 2))
    z = s.z - pace * (tanh(p.w * s.y + p.V @ x + p.b) + s.y)
    return {"z": z, "y": s.y + pace * z}


@reference(params=lambda m, n: m * n + n * n + n)
def antisymmetric_rnn(p, x, s):
    turn = (p.W_h - p.W_h.T) @ s.h - 0.01 * s.h
    return {"h": s.h + 0.05 * tanh(turn + p.V_h @ x + p.b_h)}


@reference(params=lambda m, n: 2 * m * n + n * n + 2 * n)
def gated_antisymmetric_rnn(p, x, s):
    turn = (p.W_h - p.W_h.T) @ s.h - 0.01 * s.h
    z = sigmoid(turn + p.V_z @ x + p.b_z)
    return {"h": s.h + 0.05 * z * tanh(turn + p.V_h @ x + p.b_h)}


@reference(params=lambda m, n: m * n + 2 * n * n + n)
def lipschitz_rnn(p, x, s):
    def bounded(M, v):
        return 0.25 * (M @ v + M.T @ v) + 0.75 * (M @ v - M.T @ v) - 0.001 * v

    return {"h": s.h + 0.03 * (bounded(p.M_A, s.h) + tanh(bounded(p.M_W, s.h) + p.U @ x + p.b))}
