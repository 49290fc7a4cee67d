"""Any module of torch's as a peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.peers.rows import Answer, Array, Arrays

Sequence = Callable[[Any, Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]


class TorchPeer:
    """sequence: the module, x (T, B, m) and the states (B, width) to the output and the states after."""

    def __init__(self, module: Any, sequence: Sequence, parameters: Mapping[str, Tensor] | None = None):
        self.module, self.sequence = module, sequence
        self.parameters = dict(module.named_parameters()) if parameters is None else dict(parameters)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self.parameters.items()}

    def run(self, weights: Arrays, x: Array, states: tuple[Array, ...], cotangents: tuple[Array, ...]) -> Answer:
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(torch.from_numpy(weights[name]))
        x_leaf = torch.tensor(x, requires_grad=True)
        leaves = tuple(torch.tensor(state, requires_grad=True) for state in states)
        output, after = self.sequence(self.module, x_leaf, leaves)
        pairs = zip((output, *after), cotangents, strict=True)
        total = sum((result * torch.from_numpy(np.asarray(each))).sum() for result, each in pairs)
        wanted = [x_leaf, *leaves, *self.parameters.values()]
        found = [
            torch.zeros_like(leaf) if each is None else each
            for leaf, each in zip(wanted, torch.autograd.grad(total, wanted, allow_unused=True), strict=True)
        ]
        d_x, *rest = [each.numpy(force=True) for each in found]
        return Answer(
            output.numpy(force=True),
            tuple(state.numpy(force=True) for state in after),
            dict(zip(self.parameters, rest[len(states) :], strict=True)),
            d_x,
            tuple(rest[: len(states)]),
        )


def stepwise(step: Callable[[Any, Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]) -> Sequence:
    """A sequence from a module's single step."""

    def sequence(module: Any, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        outputs = []
        for x_t in x:
            output, states = step(module, x_t, states)
            outputs.append(output)
        return torch.stack(outputs), states

    return sequence
