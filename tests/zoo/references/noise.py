"""LSTMs with noise, in evaluation; `tests/zoo/test_noise.py` has their steps while training."""

from __future__ import annotations

from tests.zoo.references import reference, sigmoid
from tests.zoo.references.lstm import gate, memory


def plain(p, x, s):
    i, f, o = (sigmoid(gate(p, letter, x, s.h)) for letter in "ifo")
    return memory(p, x, s, i, f, o)


def size(m, n):
    return 4 * (m * n + n * n + n)


@reference(params=size)
def awd_lstm(p, x, s):
    return plain(p, x, s)


@reference(params=size)
def variational_lstm(p, x, s):
    return plain(p, x, s)


@reference(params=size)
def recurrent_dropout_lstm(p, x, s):
    return plain(p, x, s)


@reference(params=size)
def haste_lstm(p, x, s):
    new = plain(p, x, s)
    return {"h": 0.1 * s.h + (1 - 0.1) * new["h"], "c": new["c"]}


@reference(params=size)
def zoneout_lstm(p, x, s):
    new = plain(p, x, s)  # h of the cell state before zoneout
    return {"h": 0.05 * s.h + (1 - 0.05) * new["h"], "c": 0.5 * s.c + (1 - 0.5) * new["c"]}
