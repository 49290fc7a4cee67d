"""The adding problem of Hochreiter & Schmidhuber (1997): remember two marked numbers and give their sum.

input (B, T, 2): numbers from U(0, 1) and marks, 1 at one step of each half, 0 elsewhere; target (B,). In the form of
Le, Jaitly & Hinton (2015) and Arjovsky et al. (2016): numbers from (0, 1), a fixed length, the sum unscaled. Always
answering 1 has a squared error of 1/6; `solved` counts errors below 0.04, Hochreiter & Schmidhuber's bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from celldsl.train.errors import TrainError
from celldsl.train.rng import generator
from celldsl.train.tasks.task import Batch, Data, Metric, Scored, Split, Task


@dataclass(frozen=True)
class Adding(Task):
    name: ClassVar[str] = "adding"
    metric: ClassVar[Metric] = Metric("mse", higher_is_better=False)
    input_size: ClassVar[int] = 2
    outputs: ClassVar[int] = 1

    length: int = 100
    train_size: int = 10_000
    test_size: int = 1_000
    data_seed: int = 0

    def load(self, data_dir: str | None) -> Data:
        if self.length < 2:
            raise TrainError(f"task adding: length must be at least 2, not {self.length}")
        return Data(train=self._draw(self.train_size, "train"), test=self._draw(self.test_size, "test"))

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        error = model(batch["input"])[:, 0] - batch["target"]
        squared = error.square()
        return Scored(squared, {"mse": squared, "solved": error.abs() < 0.04})

    def _draw(self, size: int, part: str) -> Split:
        chance = generator("adding", self.data_seed, part, self.length)
        half = self.length // 2
        numbers = torch.rand(size, self.length, generator=chance)
        places = torch.stack(
            (
                torch.randint(0, half, (size,), generator=chance),
                torch.randint(half, self.length, (size,), generator=chance),
            ),
            dim=1,
        )
        marks = torch.zeros(size, self.length).scatter_(1, places, 1.0)
        target = numbers.gather(1, places).sum(1)
        return Split({"input": torch.stack((numbers, marks), dim=2), "target": target})
