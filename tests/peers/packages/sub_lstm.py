"""pytorch-sublstm (Chatterjee): the step of the subtractive LSTM. The package's modules ask for an old torch; its
function of the weights does not."""

from __future__ import annotations

from typing import Any

import torch
from subLSTM.functional.cell import SubLSTMCell
from torch import Tensor, nn

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _step(weights: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    after = SubLSTMCell(x, states, weights["w_ih"], weights["w_hh"], weights["bias"])
    return after[0], tuple(after)


def _make(m: int, n: int) -> Peer:
    sizes = {"w_ih": (4 * n, m), "w_hh": (4 * n, n), "bias": (4 * n,)}
    weights = nn.ParameterDict({name: torch.empty(*size, dtype=torch.float64) for name, size in sizes.items()})
    return TorchPeer(weights, stepwise(_step))


ROWS = [
    Row(
        "sublstm",
        "SubLSTMCell",
        _make,
        {"w_ih": "W_i W_f W_z W_o", "w_hh": "R_i R_f R_z R_o", "bias": "b_i b_f b_z b_o"},
        "h c",
    ),
]
