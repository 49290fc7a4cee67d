"""ncps (Lechner & Hasani): the closed-form continuous-time cell by its own authors. The time comes beside the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ncps.torch import CfCCell
from torch import Tensor

from tests.peers.packages.torch_peer import TorchPeer, stepwise
from tests.peers.rows import Peer, Row


def _step(cell: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    output, after = cell(x[:, :-1], states[0], x[:, -1:])
    return output, (after,)


def _make(**options: Any) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        return TorchPeer(CfCCell(m, n, backbone_layers=2, **options).to(torch.float64), stepwise(_step))

    return make


def _tensors(second: str) -> dict[str, str]:
    """By the head of the gate that does not see the time, which the paper lacks."""
    layers = {"backbone.0": "1", "backbone.2": "2", "ff1": "g", "ff2": "q", "time_a": "f", "time_b": second}
    return {f"{layer}.weight": f"W_{name}" if name else "0" for layer, name in layers.items()} | {
        f"{layer}.bias": f"b_{name}" if name else "0" for layer, name in layers.items()
    }


ROWS = [
    Row("cfc", "CfCCell", _make(), _tensors("")),
    Row("cfc_ncps", "CfCCell", _make(), _tensors("tau")),
    Row("cfc_no_gate", "CfCCell(mode='no_gate')", _make(mode="no_gate"), _tensors("tau")),
]
