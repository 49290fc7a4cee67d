"""minGRU-pytorch (lucidrains): minGRU and minLSTM in their logarithmic forms, computed as a scan and without biases."""

from __future__ import annotations

from typing import Any

import minGRU_pytorch
import torch
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer
from tests.peers.rows import Peer, Row


def _sequence(module: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, last = module(x.transpose(0, 1), states[0][:, None], return_next_prev_hidden=True)
    return output.transpose(0, 1), (last[:, 0],)


def _min_gru(m: int, n: int) -> Peer:
    module = minGRU_pytorch.minGRU(m, expansion_factor=n / m, proj_out=False)
    return TorchPeer(module.to(torch.float64), _sequence)


ROWS = [
    Row(
        "min_gru_log",
        "minGRU",
        _min_gru,
        {"to_hidden_and_gate.weight": "W_h W_z"},
        sizes=(4, 6),
        zero="b_h b_z",
        positive=True,
        tolerance=1e-9,
    ),
]
