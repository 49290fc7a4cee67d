"""What a benchmark is asked to do, and the command line that says the same. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

from celldsl.errors import CelldslError

CELLS = ("lstm", "lstm1", "lstm2", "lstm3", "ulstm")

GROWING = frozenset({"cells", "seeds", "epochs"})
"""Options in which a folder's next benchmark may differ from its last: what is finished stays, the rest is added."""

PRIVATE = frozenset({"data_dir", "device", "threads"})
"""Options about this machine: they change no setting of the experiment."""


class BenchError(CelldslError):
    """A benchmark that cannot start or go on; the message says what to change."""


@dataclass(frozen=True)
class Options:
    """One benchmark. The training settings are those of Lu & Salem (2017) for rows of MNIST, on `digits` by default."""

    cells: tuple[str, ...] = CELLS
    task: str = "digits"
    data_dir: str | None = None
    epochs: int = 20
    hidden: int = 50
    batch: int = 32
    lr: float = 1e-3
    optimiser: str = "rmsprop"
    schedule: str = "exp-loss"
    seeds: int = 3
    """Runs per cell, with the seeds 0, 1, …"""
    device: str = "auto"
    threads: int | None = None
    """None: `training_threads` decides; steps are timed at the better of one thread and all, for each layer apart."""

    def check(self) -> None:
        """Raise BenchError for what makes no sense and the trainer would not see."""
        if not self.cells:
            raise BenchError("there is no cell to benchmark: --cells lstm,lstm1")
        twice = sorted({cell for cell in self.cells if self.cells.count(cell) > 1})
        if twice:
            raise BenchError(f"{', '.join(twice)} is named twice")
        if self.seeds < 1:
            raise BenchError(f"seeds counts the runs per cell, at least 1, not {self.seeds}")

    @property
    def training_threads(self) -> int | None:
        """One thread where the products of a step are small, else torch's choice (None).

        A step of 32 × 50 takes as long on one thread as on two alone on a machine, and a tenth of the time on a busy
        one, where threads wait for each other at every product. Decided by size and not by a measurement, so that a
        run that is gone on with computes the same bits.
        """
        small = self.hidden <= 128 and self.batch * self.hidden <= 8192
        return self.threads or (1 if small else None)

    def to_json(self) -> dict[str, Any]:
        """Plain data, without what belongs to this machine alone."""
        told = {name: value for name, value in dataclasses.asdict(self).items() if name not in PRIVATE}
        return {**told, "cells": list(self.cells)}

    def changed(self, before: dict[str, Any]) -> list[str]:
        """Where these options are not those of an earlier benchmark's `to_json`, as `lr: 0.01 -> 0.001`."""
        now = self.to_json()
        return [
            f"{name}: {before.get(name)} -> {now.get(name)}"
            for name in sorted({*now, *before} - GROWING)
            if now.get(name) != before.get(name)
        ]

    @property
    def command(self) -> str:
        """The command that runs this benchmark again; DIR stands for the reader's own data folder."""
        words = ["celldsl", "bench"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                shown = ",".join(value) if field.name == "cells" else "DIR" if field.name == "data_dir" else f"{value}"
                words += [FLAGS[field.name], shown]
        return shlex.join(words)


FLAGS = {
    "cells": "--cells",
    "task": "--task",
    "data_dir": "--data",
    "epochs": "--epochs",
    "hidden": "--hidden",
    "batch": "--batch-size",
    "lr": "--lr",
    "optimiser": "--optimizer",
    "schedule": "--schedule",
    "seeds": "--seeds",
    "device": "--device",
    "threads": "--threads",
}
"""Option -> its flag on the command line."""
