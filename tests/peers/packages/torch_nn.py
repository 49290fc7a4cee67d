"""torch.nn: its three layers, in every form that computes something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.peers.packages.torch_peer import TorchPeer
from tests.peers.rows import Peer, Row


def _sequence(module: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    given = tuple(state[None] for state in states)
    output, after = module(x, given if len(given) > 1 else given[0])
    return output, tuple(part[0] for part in (after if isinstance(after, tuple) else (after,)))


def _make(kind: type[nn.RNNBase], **options: Any) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        if "proj_size" in options:
            options["hidden_size"], options["proj_size"] = 7, n
        sizes = {"input_size": m, "hidden_size": n} | options
        return TorchPeer(kind(**sizes, dtype=torch.float64), _sequence)

    return make


def _tensors(gates: str, second: str) -> dict[str, str]:
    """torch's four tensors, for gates with parameters W_, U_ and b_, and the names of the second biases."""
    names = gates.split()
    return {
        "weight_ih_l0": " ".join(f"W_{gate}" for gate in names),
        "weight_hh_l0": " ".join(f"U_{gate}" for gate in names),
        "bias_ih_l0": " ".join(f"b_{gate}" for gate in names),
        "bias_hh_l0": " ".join(second.format(gate) for gate in names),
    }


RNN = {"weight_ih_l0": "W", "weight_hh_l0": "U", "bias_ih_l0": "b", "bias_hh_l0": "b_hh"}
TWO = {"two_biases": True}

ROWS = [
    Row("rnn", "RNN", _make(nn.RNN), RNN, settings=TWO),
    Row("irnn", "RNN(nonlinearity='relu')", _make(nn.RNN, nonlinearity="relu"), RNN, settings=TWO),
    Row("lstm", "LSTM", _make(nn.LSTM), _tensors("i f c o", "b_{}_hh"), "h c", settings=TWO),
    Row("torch_lstm", "LSTM", _make(nn.LSTM), _tensors("i f c o", "d_{}"), "h c"),
    Row(
        "projected_lstm",
        "LSTM(proj_size=n)",
        _make(nn.LSTM, proj_size=1),
        _tensors("i f c o", "b_{}_hh") | {"weight_hr_l0": "R"},
        "h c",
        settings=TWO | {"p": 7},
    ),
    Row(
        "gru_reset_after",
        "GRU",
        _make(nn.GRU),
        _tensors("r z h", "b_{}_hh") | {"bias_hh_l0": "b_r_hh b_z_hh d_h"},
        settings=TWO,
    ),
    Row(
        "gru",
        "GRU",
        _make(nn.GRU),
        _tensors("r z h", "0"),
        deviates="the reset gate acts after the product; GRU_reset_after is its spec",
    ),
]
