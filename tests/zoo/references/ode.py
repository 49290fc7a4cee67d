"""Discretised ordinary differential equations."""

from __future__ import annotations

import numpy as np

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


@reference(params=lambda m, n: 3 * (m * n + n * n + n))
def gru_ode(p, x, s):
    r = sigmoid(p.W_r @ x + p.U_r @ s.h + p.b_r)
    z = sigmoid(p.W_z @ x + p.U_z @ s.h + p.b_z)
    slope = (1 - z) * (tanh(p.W_h @ x + p.U_h @ (r * s.h) + p.b_h) - s.h)
    return {"h": s.h + 0.1 * slope}


def _backbone(p, x, s):
    """Two layers of LeCun's tanh on input and state."""
    first = 1.7159 * tanh(0.666 * (p.W_1 @ np.concatenate([x.x, s.h]) + p.b_1))
    return 1.7159 * tanh(0.666 * (p.W_2 @ first + p.b_2))


@reference(params=lambda m, n: 128 * (m + n + 1) + 128 * 129 + 3 * (128 * n + n))
def cfc(p, x, s):
    """x(t) = σ(-f t) ⊙ g + [1 - σ(-f t)] ⊙ h, with heads f, g and h (here q) of one backbone."""
    z = _backbone(p, x, s)
    fading = sigmoid(-(p.W_f @ z + p.b_f) * x.Delta)
    return {"h": fading * tanh(p.W_g @ z + p.b_g) + (1 - fading) * tanh(p.W_q @ z + p.b_q)}


def _ncps(p, x, s):
    """`ff1`, `ff2` and `t_interp` of CfCCell."""
    z = _backbone(p, x, s)
    time = sigmoid((p.W_f @ z + p.b_f) * x.Delta + (p.W_tau @ z + p.b_tau))
    return tanh(p.W_g @ z + p.b_g), tanh(p.W_q @ z + p.b_q), time


@reference(params=lambda m, n: 128 * (m + n + 1) + 128 * 129 + 4 * (128 * n + n))
def cfc_ncps(p, x, s):
    first, second, time = _ncps(p, x, s)
    return {"h": first * (1 - time) + time * second}


@reference(params=lambda m, n: 128 * (m + n + 1) + 128 * 129 + 4 * (128 * n + n))
def cfc_no_gate(p, x, s):
    first, second, time = _ncps(p, x, s)
    return {"h": first + time * second}
