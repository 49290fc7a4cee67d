"""A model is encoder → recurrent layer → readout, whatever the cell and the task.

The layer follows torch.nn.LSTM: input (B, T, m), output (B, T, n · directions) and
the state after the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class Layer:
    """How to make the recurrent layer: `make(input_size)`; `width` is that of its output, all directions together.

    A model that puts something between layers makes them one by one: `make(input_size, hidden_size=…, num_layers=1,
    dropout=0.0)`, `layers` of them.
    """

    make: Callable[..., nn.Module]
    width: int
    bidirectional: bool = False
    layers: int = 1
    recurrent: tuple[str, ...] = ()
    """The matrices that multiply what is remembered, by the last part of their parameters' names: weight drop acts
    there."""


class SequenceModel(nn.Module):
    """Reads a whole sequence and answers once at its end, or at every step.

    forward: (B, T, …) as the encoder takes it, and where sequences differ in length their lengths (B,) → (B, outputs),
    or (B, T, outputs) if `every_step`. In a bidirectional layer the end of the backward direction is the first step.
    """

    def __init__(self, encoder: nn.Module, layer: Layer, input_size: int, readout: nn.Module, every_step: bool = False):
        super().__init__()
        self.encoder = encoder
        self.rnn = layer.make(input_size)
        self.readout = readout
        self.every_step = every_step
        self.bidirectional = layer.bidirectional

    def forward(self, input: Tensor, lengths: Tensor | None = None) -> Tensor:
        output = read(self.rnn, self.encoder(input), lengths, self.bidirectional)
        return self.readout(output if self.every_step else last(output, self.bidirectional, lengths))


def read(rnn: nn.Module, input: Tensor, lengths: Tensor | None = None, bidirectional: bool = False) -> Tensor:
    """A layer's outputs, (B, T, m) → (B, T, n); what it gives behind a sequence's length means nothing.

    Read forward, padding at the end changes nothing before it. The backward direction would begin in the padding: there
    sequences are packed.
    """
    if lengths is None or not bidirectional:
        return cast(Tensor, rnn(input)[0])
    packed = pack_padded_sequence(input, lengths.cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=input.shape[1])[0]


def last(output: Tensor, bidirectional: bool = False, lengths: Tensor | None = None) -> Tensor:
    """What a layer knows once it has read all: (B, T, n) → (B, n). The backward direction ends at step 0."""
    if lengths is None:
        end = output[:, -1]
    else:
        end = output[torch.arange(len(output), device=output.device), lengths - 1]
    if not bidirectional:
        return end
    return torch.cat((end.chunk(2, dim=-1)[0], output[:, 0].chunk(2, dim=-1)[1]), dim=-1)


def dense(width: int, outputs: int) -> nn.Linear:
    """A linear readout as Keras starts its Dense: Glorot uniform weights, zero bias."""
    linear = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def count(module: nn.Module) -> int:
    """Trainable numbers of a module, a shared parameter once."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@torch.no_grad()
def begin_from(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Put these values in the place of the parameters' own."""
    parameters = dict(model.named_parameters())
    for name, value in values.items():
        parameters[name].copy_(value)
