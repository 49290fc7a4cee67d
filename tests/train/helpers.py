"""Small runs for the tests of the trainer, and tasks that misbehave on purpose."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from torch import nn

from celldsl.train import Settings
from celldsl.train.tasks.digits import Digits
from celldsl.train.tasks.task import Batch, Scored

QUICK: dict[str, Any] = {"cell": "torch.nn.LSTM", "hidden": 12, "epochs": 2, "threads": 1, "device": "cpu"}


def quick(**changes: Any) -> Settings:
    """A run of well under a second: torch's own layer on a part of `digits`."""
    return Settings(**{**QUICK, "train_limit": 320, "test_limit": 100, **changes})


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of metrics without their times, which no two runs share."""
    return [{name: value for name, value in row.items() if not name.endswith("seconds")} for row in rows]


@dataclass(frozen=True)
class SlowDigits(Digits):
    """`digits`, with a pause in every batch: the same numbers, and time to be killed."""

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        time.sleep(0.03)
        return super().score(model, batch)


class Failing:
    """A task whose scores go through `change(scored, call)` from the first call (1) on."""

    def __init__(self, change: Any):
        self.inner, self.change, self.calls = Digits(), change, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        self.calls += 1
        return self.change(self.inner.score(model, batch), self.calls)
