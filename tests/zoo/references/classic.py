"""Simple recurrent networks."""

from __future__ import annotations

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
