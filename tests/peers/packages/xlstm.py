"""xlstm (NX-AI): its sLSTM in plain torch, behind a matrix of ours, since it leaves the input's to its caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from xlstm.blocks.slstm.src.vanilla import slstm_forward, slstm_pointwise_function_registry

from tests.peers.packages.torch_peer import TorchPeer
from tests.peers.rows import Peer, Row

GATES = "i f z o"


class _Module(nn.Module):
    """The package's recurrent weights, (heads, 4 times n/heads, n/heads), as one parameter a gate."""

    def __init__(self, m: int, n: int, heads: int):
        super().__init__()
        self.W = nn.Parameter(torch.empty(4 * n, m, dtype=torch.float64))
        self.b = nn.Parameter(torch.empty(4 * n, dtype=torch.float64))
        size = (n, n) if heads == 1 else (heads, n // heads, n // heads)
        self.heads = heads
        self.R = nn.ParameterDict({gate: torch.empty(*size, dtype=torch.float64) for gate in GATES.split()})


def _sequence(module: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    matrices = [module.R[gate].reshape(module.heads, -1, module.R[gate].shape[-1]) for gate in GATES.split()]
    every, last, _ = slstm_forward(
        x @ module.W.T,
        torch.stack(states),
        torch.cat(matrices, dim=1),
        module.b,
        slstm_pointwise_function_registry["slstm"],
    )
    return every[0, 1:], tuple(last)


def _make(heads: int) -> Callable[[int, int], Peer]:
    return lambda m, n: TorchPeer(_Module(m, n, heads), _sequence)


WEIGHTS = {"W": "W_i W_f W_z W_o", "b": "b_i b_f b_z b_o"} | {f"R.{gate}": f"R_{gate}" for gate in GATES.split()}

ROWS = [
    Row("slstm", "sLSTMCell(num_heads=1)", _make(1), WEIGHTS, "h c n m", positive=True),
    Row("slstm_heads", "sLSTMCell(num_heads=2)", _make(2), WEIGHTS, "h c n m", sizes=(3, 6), positive=True),
]
