"""A run's curves for TensorBoard: one event file beside the metrics, a scalar per metric and epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celldsl.extras import need
from celldsl.train.progress import Progress


class Board(Progress):
    """Writes `test/accuracy`, `train/loss`, `lr`, `seconds` … against epochs into a folder.

    A run that goes on after some epochs replaces what an interrupted one wrote beyond them. Raises MissingExtra where
    TensorBoard is not installed.
    """

    def __init__(self, folder: Path):
        need("tensorboard", "--tensorboard")
        self.folder = folder
        self.writer: Any = None

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=done + 1)  # type: ignore[no-untyped-call]

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        for name, value in row.items():
            told = (
                {f"{name}/{key}": each for key, each in value.items()} if isinstance(value, Mapping) else {name: value}
            )
            for tag, number in told.items():
                if tag != "epoch" and isinstance(number, (int, float)):
                    self.writer.add_scalar(tag, number, row["epoch"])
        self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
