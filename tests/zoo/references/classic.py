"""Simple recurrent networks."""

from __future__ import annotations

import numpy as np

from tests.zoo.references import reference, relu, sigmoid, tanh


@reference(params=lambda m, n: m * n + n * n + n)
def rnn(p, x, s):
    return {"h": tanh(p.W @ x + p.U @ s.h + p.b)}


@reference(params=lambda m, n, k: k * m + 2 * k * n + k + n)
def jordan_rnn(p, x, s):
    hidden = tanh(p.W @ x + p.U @ s.y + p.b)
    return {"y": sigmoid(p.V @ hidden + p.d)}


@reference(params=lambda m, n: m * n + n * n + n)
def irnn(p, x, s):
    return {"h": relu(p.W @ x + p.U @ s.h + p.b)}


@reference(params=lambda m, n: m * n + n * n + n)
def leaky_rnn(p, x, s):
    return {"h": 0.7 * s.h + 0.3 * tanh(p.W @ x + p.U @ s.h + p.b)}


@reference(params=lambda m, n: m * n + n * n + n)
def brnn(p, x, s):
    state = 0.9 * s.s + p.U @ tanh(s.s) + p.W @ x + p.b
    return {"s": state, "h": tanh(state)}


@reference(params=lambda m, n, k: k * m + 2 * k * n + m * n + n)
def multiplicative_rnn(p, x, s):
    recurrent = p.V * (p.F @ x) @ p.G  # V diag(F x) G
    return {"h": tanh(p.W @ x + recurrent @ s.h + p.b)}


@reference(params=lambda m, n: m * n + n * n + 4 * n)
def mi_rnn(p, x, s):
    wx, uh = p.W @ x, p.U @ s.h
    return {"h": tanh(p.alpha * wx * uh + p.beta_1 * uh + p.beta_2 * wx + p.b)}


@reference(params=lambda m, n, s: m * n + m * s + n * n + n * s)
def scrn(p, x, s):
    context = 0.05 * (p.B @ x) + 0.95 * s.s
    return {"s": context, "h": sigmoid(p.P @ context + p.A @ x + p.R @ s.h)}


@reference(params=lambda m, n: m * n + n * n + n)
def momentum_rnn(p, x, s):
    v = 0.9 * s.v + 0.1 * (p.W @ x)
    return {"v": v, "h": tanh(p.U @ s.h + v + p.b)}


@reference(params=lambda m, n: m * n + n * n + n)
def rin(p, x, s):
    return {"h": relu(p.W @ x + p.U @ s.h + s.h + p.b)}


@reference(params=lambda m, n, k, p: (5 * k * p + p) + (k * p + k * m + k) + (5 * k * n + n))
def statistical_ru(p, x, s):
    """Rates 0, 1/4, 1/2, 0.9 and 0.99; the rate 0 is the statistic itself."""
    before = [s.mu_1, s.mu_2, s.mu_3, s.mu_4, s.mu_5]
    r = relu(p.W_r @ np.concatenate(before) + p.b_r)
    phi = relu(p.W_phi @ r + p.W_x @ x + p.b_phi)
    after = [a * mu + (1 - a) * phi for a, mu in zip((0, 1 / 4, 1 / 2, 0.9, 0.99), before, strict=True)]
    named = {f"mu_{number}": mu for number, mu in enumerate(after, start=1)}
    return {"o": relu(p.W_o @ np.concatenate(after) + p.b_o)} | named
