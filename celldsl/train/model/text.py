"""Text models: words → stack of layers → one answer at the end, or one at every step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from celldsl.train.model.sequence import Layer, last, read
from celldsl.train.model.stack import Locked, State
from celldsl.train.model.words import Words


class Reading(NamedTuple):
    """What a text model says of a batch.

    logits: (B, outputs), or (B, T, outputs) at every step. output: the top layer's, (B, T, n); kept: after dropout.
    state: the layers' after the last step, for a text that goes on.
    """

    logits: Tensor
    output: Tensor
    kept: Tensor
    state: State


class TextModel(nn.Module):
    """forward: word numbers (B, T), and either lengths (B,), or the state of the text so far → Reading.

    layer: one made by `stacked`. tied: the readout's matrix is the words' table.
    """

    def __init__(
        self,
        words: Words,
        layer: Layer,
        outputs: int,
        *,
        output_dropout: float = 0.0,
        locked: bool = True,
        every_step: bool = False,
        tied: bool = False,
    ):
        super().__init__()
        self.words = words
        self.rnn = layer.make(words.width)
        self.drop = Locked(output_dropout, locked)
        self.readout = nn.Linear(layer.width, outputs)
        if tied:
            self.readout.weight = words.table
        self.every_step, self.bidirectional = every_step, layer.bidirectional

    def forward(self, words: Tensor, lengths: Tensor | None = None, state: State | None = None) -> Reading:
        vectors, after = self.words(words), []
        if lengths is None:
            output, after = self.rnn(vectors, state)
        else:
            output = read(self.rnn, vectors, lengths, self.bidirectional)
        kept = self.drop(output)
        answered = kept if self.every_step else last(kept, self.bidirectional, lengths)
        return Reading(self.readout(answered), output, kept, after)


def activity(reading: Reading, alpha: float, beta: float) -> Tensor | None:
    """Activation regularisation α·mean(kept²) and its temporal form β·mean((output_t - output_{t-1})²) (Merity et al.
    2017, arXiv:1708.01009); None where both are 0. The means are over every place of the batch, padding among them."""
    penalty: Tensor | None = None
    if alpha:
        penalty = alpha * reading.kept.square().mean()
    if beta and reading.output.shape[1] > 1:
        slow = beta * (reading.output[:, 1:] - reading.output[:, :-1]).square().mean()
        penalty = slow if penalty is None else penalty + slow
    return penalty


class Siamese(nn.Module):
    """Tai, Socher & Manning's (2015) reader of two sentences: one cell reads both, and their last outputs l, r become
    [l·r ; |l - r|] → Linear `width` → ReLU (or sigmoid) → Linear `outputs` → log-softmax.

    forward: (2, B, T) word numbers and (2, B) lengths → (B, outputs) log-probabilities.
    """

    def __init__(self, words: Words, layer: Layer, width: int, outputs: int, sigmoid: bool = False):
        super().__init__()
        self.words = words
        self.rnn = layer.make(words.width)
        self.compare = nn.Linear(2 * layer.width, width)
        self.readout = nn.Linear(width, outputs)
        self.sigmoid, self.bidirectional = sigmoid, layer.bidirectional

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        lengths = lengths.flatten()
        output = read(self.rnn, self.words(words.flatten(0, 1)), lengths, self.bidirectional)
        one, other = last(output, self.bidirectional, lengths).chunk(2)
        inner = self.compare(torch.cat((one * other, (one - other).abs()), dim=1))
        return F.log_softmax(self.readout(inner.sigmoid() if self.sigmoid else inner.relu()), dim=1)
