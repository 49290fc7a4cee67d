"""ur-lstm-torch: the uniform-refine LSTM. A vector of its own starts its gates; two biases a gate besides.

The package asks for torch below 2, which it does not need: `pip install --no-deps ur-lstm-torch`.
"""

from __future__ import annotations

from typing import Any

import torch
import ur_lstm
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _step(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, after = cell(x, states)
    return output, tuple(after)


def _make(m: int, n: int) -> Peer:
    return TorchPeer(ur_lstm.URLSTMCell(m, n).to(torch.float64), stepwise(_step))


ROWS = [
    Row(
        "ur_lstm",
        "URLSTMCell",
        _make,
        {
            "igates.weight": "W_f W_r W_u W_o",
            "igates.bias": "b_f b_r b_u b_o",
            "hgates.weight": "U_f U_r U_u U_o",
            "hgates.bias": "0 0 0 0",
            "forget_bias": "0",
        },
        "h c",
    ),
]
