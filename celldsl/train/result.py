"""What a run leaves: curves, best and last value, sizes, time, and what it ran on."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celldsl import machine

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Result:
    """A finished run. `rows` are the lines of metrics.jsonl: epoch (from 1), lr, train, test, seconds …"""

    cell: str
    spec_sha256: str
    task: str
    settings: dict[str, Any]
    metric: str
    higher_is_better: bool
    monitor: str
    """The part of the data whose metric chose the best epoch, `test` where there is no validation part."""
    best_epoch: int
    rows: list[dict[str, Any]]
    stopped: str
    """`epochs` or `patience`."""
    parameters: dict[str, int]
    """`layer`: the recurrent layer; `model`: with encoder and readout."""
    data: dict[str, Any]
    """What the model was told of the data: how many words, and whose vectors they have."""
    versions: dict[str, str]
    hardware: dict[str, Any]

    @property
    def best(self) -> float:
        """The test metric at the best epoch."""
        return float(self.rows[self.best_epoch - 1]["test"][self.metric])

    @property
    def last(self) -> float:
        """The test metric of the last epoch."""
        return float(self.rows[-1]["test"][self.metric])

    @property
    def seconds_per_epoch(self) -> float:
        """Median time of training an epoch, evaluation apart."""
        return statistics.median(row["seconds"] for row in self.rows)

    @property
    def model_share(self) -> float | None:
        """Part of the training time spent in forward and backward; None where that runs beside the host (a GPU)."""
        if any(row["model_seconds"] is None for row in self.rows):
            return None
        return sum(row["model_seconds"] for row in self.rows) / sum(row["seconds"] for row in self.rows)

    def curve(self, part: str, name: str | None = None) -> list[float]:
        """A metric (the task's own by default) after every epoch, on `train`, `test` or `validation`."""
        return [float(row[part][name or self.metric]) for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the derived numbers are in it for readers that are not this class."""
        derived = {"best": self.best, "last": self.last, "seconds_per_epoch": self.seconds_per_epoch}
        return {**dataclasses.asdict(self), **derived, "model_share": self.model_share}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        return cls(**{f.name: data[f.name] for f in dataclasses.fields(cls)})


def hardware(device: torch.device, processes: int) -> dict[str, Any]:
    """The processor, the device, threads and processes; nothing that names the machine."""
    import torch

    found = {
        "processor": machine.processor(),
        "device": device.type,
        "processes": processes,
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found
