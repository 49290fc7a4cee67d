"""A model is encoder → recurrent layer → readout, whatever the cell and the task.

The layer follows torch.nn.LSTM: input (B, T, m), output (B, T, n · directions) and
the state after the sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """How to make the recurrent layer: `make(input_size)`; `width` is that of its output, all directions together."""

    make: Callable[[int], nn.Module]
    width: int
    bidirectional: bool = False


class SequenceModel(nn.Module):
    """Reads a whole sequence and answers once at its end, or at every step.

    forward: (B, T, …) as the encoder takes it → (B, outputs), or (B, T, outputs) if `every_step`.
    In a bidirectional layer the end of the backward direction is the first step.
    """

    def __init__(self, encoder: nn.Module, layer: Layer, input_size: int, readout: nn.Module, every_step: bool = False):
        super().__init__()
        self.encoder = encoder
        self.rnn = layer.make(input_size)
        self.readout = readout
        self.every_step = every_step
        self.bidirectional = layer.bidirectional

    def forward(self, input: Tensor) -> Tensor:
        output, _ = self.rnn(self.encoder(input))
        return self.readout(output if self.every_step else last(output, self.bidirectional))


def last(output: Tensor, bidirectional: bool = False) -> Tensor:
    """What a layer knows once it has read all: (B, T, n) → (B, n). The backward direction ends at step 0."""
    if not bidirectional:
        return output[:, -1]
    ahead, back = output[:, -1].chunk(2, dim=-1)[0], output[:, 0].chunk(2, dim=-1)[1]
    return torch.cat((ahead, back), dim=-1)


def dense(width: int, outputs: int) -> nn.Linear:
    """A linear readout as Keras starts its Dense: Glorot uniform weights, zero bias."""
    linear = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def count(module: nn.Module) -> int:
    """Trainable numbers of a module, a shared parameter once."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
