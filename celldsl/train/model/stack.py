"""Layers one above the other, with the noise of Merity, Keskar & Socher (AWD-LSTM, arXiv:1708.02182) around each.

A `Stack` is called as the layer it is made of: input (B, T, m) and a state → output (B, T, n) and the next state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from celldsl.train.errors import TrainError
from celldsl.train.model.sequence import Layer

State = list[Tensor]
"""What a stack remembers: every state of every layer in turn, each (B, 1, …): the batch in front."""


class Locked(nn.Module):
    """Dropout with one mask (B, m) for all steps of a sequence (Gal & Ghahramani 2016); not `locked`: a mask a step."""

    def __init__(self, p: float, locked: bool = True):
        super().__init__()
        self.p, self.locked = p, locked

    def forward(self, input: Any) -> Any:
        if not self.training or self.p == 0:
            return input
        if isinstance(input, PackedSequence):
            mask = F.dropout(input.data.new_ones(int(input.batch_sizes[0]), input.data.shape[1]), self.p)
            return input._replace(data=input.data * torch.cat([mask[:rows] for rows in input.batch_sizes.tolist()]))
        shape = (input.shape[0], 1, input.shape[2]) if self.locked else input.shape
        return input * F.dropout(input.new_ones(shape), self.p)

    def extra_repr(self) -> str:
        return f"{self.p}"


class WeightDrop(nn.Module):
    """A layer some of whose matrices lose entries while training: one mask per call, for all steps and sequences.

    names: the last part of the parameters' names, as in `Layer.recurrent`.
    """

    def __init__(self, layer: nn.Module, names: Sequence[str], p: float):
        super().__init__()
        self.layer, self.p = layer, p
        self.names = [name for name, _ in layer.named_parameters() if _is(name.rpartition(".")[2], names)]
        if not self.names:
            raise TrainError("weight_drop: this cell has no matrix that multiplies a state; leave it at 0")

    def forward(self, *arguments: Any) -> Any:
        if not self.training:
            return self.layer(*arguments)
        parameters = dict(self.layer.named_parameters())
        return functional_call(
            self.layer, {name: F.dropout(parameters[name], self.p) for name in self.names}, arguments
        )

    def extra_repr(self) -> str:
        return f"{self.p} of {', '.join(self.names)}"


class Stack(nn.Module):
    """`input` and `hidden`: locked dropout of what the first and every further layer reads; `weight`: weight drop."""

    def __init__(self, layers: Sequence[nn.Module], input: Locked, hidden: Locked):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.input, self.hidden = input, hidden

    def forward(self, input: Any, state: State | None = None) -> tuple[Any, State]:
        after: State = []
        for number, layer in enumerate(self.layers):
            input = (self.hidden if number else self.input)(input)
            each = len(state) // len(self.layers) if state else 0
            input, last = layer(input, *_given(state[number * each : (number + 1) * each] if state else []))
            after += [part.transpose(0, 1) for part in ([last] if isinstance(last, Tensor) else last)]
        return input, after


def stacked(
    layer: Layer,
    *,
    last: int | None = None,
    input_dropout: float = 0.0,
    hidden_dropout: float = 0.0,
    weight_drop: float = 0.0,
    locked: bool = True,
) -> Layer:
    """The same layer as a `Stack`; the last one's width is `last` where that is given."""
    directions = 2 if layer.bidirectional else 1
    widths = [layer.width // directions] * layer.layers
    if last is not None:
        widths[-1] = last

    def make(m: int, **changes: Any) -> nn.Module:
        made = []
        for width in widths:
            one = layer.make(m, hidden_size=width, num_layers=1, dropout=0.0, **changes)
            made.append(WeightDrop(one, layer.recurrent, weight_drop) if weight_drop else one)
            m = width * directions
        return Stack(made, Locked(input_dropout, locked), Locked(hidden_dropout, locked))

    return replace(layer, make=make, width=widths[-1] * directions)


def _given(state: State) -> tuple[Any, ...]:
    """A layer's state as it takes it: nothing, a tensor, or a tuple of them."""
    parts = tuple(part.transpose(0, 1).contiguous() for part in state)
    return parts if len(parts) < 2 else (parts,)


def _is(name: str, names: Sequence[str]) -> bool:
    return any(name == each or (each == "weight_hh" and name.startswith("weight_hh_l")) for each in names)
