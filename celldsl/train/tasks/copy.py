"""Copy memory (Hochreiter & Schmidhuber 1997, as in Arjovsky, Shah & Bengio 2016): repeat symbols after a wait.

A sequence is K symbols of 8, a wait of `delay` blanks whose last step is the call to repeat, and K blanks while the
answer is due: T = delay + 2 K. input (B, T, 10), one-hot: symbols 0-7, blank 8, call 9. target (B, T), classes 0-8:
blank until the last K steps, then the symbols. Scored at every step; `accuracy` is that of the last K steps. Without
any memory the loss is K·ln 8 / T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from celldsl.train.errors import TrainError
from celldsl.train.rng import generator
from celldsl.train.tasks.task import Batch, Data, Scored, Split, Task

SYMBOLS, BLANK, CALL = 8, 8, 9


@dataclass(frozen=True)
class Copy(Task):
    name: ClassVar[str] = "copy"
    input_size: ClassVar[int] = SYMBOLS + 2
    outputs: ClassVar[int] = SYMBOLS + 1
    every_step: ClassVar[bool] = True

    symbols: int = 10
    delay: int = 20
    train_size: int = 10_000
    test_size: int = 1_000
    data_seed: int = 0

    def load(self, data_dir: str | None) -> Data:
        if self.symbols < 1 or self.delay < 1:
            raise TrainError("task copy: symbols and delay must be at least 1")
        return Data(train=self._draw(self.train_size, "train"), test=self._draw(self.test_size, "test"))

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        logits, target = model(batch["input"]), batch["target"]
        loss = F.cross_entropy(logits.transpose(1, 2), target, reduction="none").mean(1)
        right = logits[:, -self.symbols :].argmax(-1) == target[:, -self.symbols :]
        return Scored(loss, {"accuracy": right.double().mean(1)})

    def _draw(self, size: int, part: str) -> Split:
        chance = generator("copy", self.data_seed, part, self.symbols, self.delay)
        symbols = torch.randint(0, SYMBOLS, (size, self.symbols), generator=chance)
        length = self.delay + 2 * self.symbols
        shown = torch.full((size, length), BLANK)
        shown[:, : self.symbols] = symbols
        shown[:, -self.symbols - 1] = CALL
        target = torch.full((size, length), BLANK)
        target[:, -self.symbols :] = symbols
        return Split({"input": F.one_hot(shown, SYMBOLS + 2).float(), "target": target})
