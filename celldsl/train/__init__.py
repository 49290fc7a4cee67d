"""One training loop for every cell and every task.

    from celldsl.train import Settings, train

    result = train(Settings(cell="lstm1", task="digits", epochs=5))

A task is one small file in `tasks/`. Everything is loaded on first use: naming the
settings costs no import of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celldsl.train.errors import CheckpointError, Diverged, TrainError, TrainInterrupted
from celldsl.train.progress import Bar, Lines, Progress, terminal_progress
from celldsl.train.recipes import RECIPES, recipe
from celldsl.train.result import Result
from celldsl.train.settings import Settings
from celldsl.train.tasks import TASKS

if TYPE_CHECKING:
    from celldsl.train.loop import train
    from celldsl.train.resume import load_model

__all__ = [
    "RECIPES",
    "TASKS",
    "Bar",
    "CheckpointError",
    "Diverged",
    "Lines",
    "Progress",
    "Result",
    "Settings",
    "TrainError",
    "TrainInterrupted",
    "load_model",
    "recipe",
    "terminal_progress",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "train":
        from celldsl.train.loop import train

        return train
    if name == "load_model":
        from celldsl.train.resume import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
