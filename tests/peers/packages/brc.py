"""brc (Klemon): the bistable cells, with biases as in their authors' code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from brc_pytorch import modules
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _step(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, after = cell(x, list(states))
    return output, tuple(after)


def _make(name: str) -> Callable[[int, int], Peer]:
    return lambda m, n: TorchPeer(getattr(modules, name)(m, n).to(torch.float64), stepwise(_step))


BIASES = {"iw.T": "U_a U_c U", "bias": "b_a b_c 0"}

ROWS = [
    Row("brc", "BRC", _make("BRC"), BIASES | {"hw": "w_a w_c"}),
    Row("nbrc", "NBRC", _make("NBRC"), BIASES | {"hw.T": "W_a W_c"}),
]
