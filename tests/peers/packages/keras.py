"""Keras 3 on torch: its three recurrent cells, in every form that computes something else.

On torch its products are in single precision, whatever their arguments (`keras.backend.result_type`).
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when keras is imported first

from collections.abc import Callable
from typing import Any

import keras
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _step(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, after = cell(x, list(states))
    return output, tuple(after)


def _make(name: str, **options: Any) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        cell = getattr(keras.layers, name)(n, dtype="float64", **options)
        cell.build((None, m))
        return TorchPeer(cell, stepwise(_step), {each.name: each.value for each in cell.trainable_variables})

    return make


def _tensors(gates: str, **more: str) -> dict[str, str]:
    def all_of(letter: str) -> str:
        return " ".join(f"{letter}_{gate}" for gate in gates.split())

    return {"kernel.T": all_of("W"), "recurrent_kernel.T": all_of("U")} | (more or {"bias": all_of("b")})


RNN = {"kernel.T": "W", "recurrent_kernel.T": "U", "bias": "b"}

SINGLE = 1e-6

ROWS = [
    Row("rnn", "SimpleRNNCell", _make("SimpleRNNCell"), RNN, tolerance=SINGLE),
    Row("irnn", "SimpleRNNCell(activation='relu')", _make("SimpleRNNCell", activation="relu"), RNN, tolerance=SINGLE),
    Row("lstm", "LSTMCell", _make("LSTMCell"), _tensors("i f c o"), "h c", tolerance=SINGLE),
    Row("gru", "GRUCell(reset_after=False)", _make("GRUCell", reset_after=False), _tensors("z r h"), tolerance=SINGLE),
    Row(
        "gru_reset_after",
        "GRUCell",
        _make("GRUCell"),
        _tensors("z r h", **{"bias[0]": "b_z b_r b_h", "bias[1]": "b_z_hh b_r_hh d_h"}),
        settings={"two_biases": True},
        tolerance=SINGLE,
    ),
]
