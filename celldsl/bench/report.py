"""What a benchmark found, as data: everything that tables, plots and pages show is read from here, and is JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over seeds; no deviation (nan) of one value."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan)

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if math.isnan(self.deviation) else f" ± {self.deviation:.4f}")


@dataclass(frozen=True)
class Run:
    """One seed. The curves hold the task's metric after every epoch."""

    seed: int
    train: list[float]
    test: list[float]
    best: float
    """The test metric at the best epoch."""
    best_epoch: int
    last: float
    seconds_per_epoch: float
    stopped: str


@dataclass(frozen=True)
class Timing:
    """A training step (forward, and backward to all parameters and the input) of the layer alone, against nn.LSTM's.

    ratio: time over nn.LSTM's time, below 1 is faster; the median over rounds, low and high its quartiles.
    milliseconds: the median of a step; threads: the number at which this layer was faster.
    """

    ratio: float
    low: float
    high: float
    milliseconds: float
    threads: int


@dataclass(frozen=True)
class Published:
    """A number from a paper, for the same task and settings."""

    value: float
    source: str


@dataclass(frozen=True)
class Equation:
    """One equation as LaTeX and as Unicode text."""

    latex: str
    text: str


@dataclass(frozen=True)
class CellReport:
    """One cell: what it is, whether it is what it claims to be, how it learnt, how fast it is.

    checks: how many things `verify` looked at; false: those that do not hold, as text. A cell with a false check is
    neither trained nor timed.
    """

    spec: str
    name: str
    about: str
    cites: list[str]
    equations: list[Equation]
    formula: str
    parameters: int
    checks: int
    claims: list[str]
    false: list[str]
    runs: list[Run] = field(default_factory=list)
    timing: Timing | None = None
    published: Published | None = None

    @property
    def best(self) -> Spread | None:
        return Spread.of([run.best for run in self.runs]) if self.runs else None

    @property
    def last(self) -> Spread | None:
        return Spread.of([run.last for run in self.runs]) if self.runs else None

    @property
    def seconds_per_epoch(self) -> float | None:
        return statistics.median(run.seconds_per_epoch for run in self.runs) if self.runs else None

    def to_json(self) -> dict[str, Any]:
        spreads = {"best": self.best, "last": self.last}
        told = {name: _finite(asdict(spread)) if spread else None for name, spread in spreads.items()}
        return {**asdict(self), **told, "seconds_per_epoch": self.seconds_per_epoch}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CellReport:
        plain = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        plain["equations"] = [Equation(**each) for each in data["equations"]]
        plain["runs"] = [Run(**each) for each in data["runs"]]
        plain["timing"] = Timing(**data["timing"]) if data["timing"] else None
        plain["published"] = Published(**data["published"]) if data["published"] else None
        return cls(**plain)


@dataclass(frozen=True)
class Report:
    """A whole benchmark.

    options: `Options.to_json`; shape: T, B, m and n of a training batch; reference: nn.LSTM's own time at that shape
    (its ratio is 1); machine: `celldsl.machine.describe`.
    """

    command: str
    options: dict[str, Any]
    metric: str
    higher_is_better: bool
    shape: dict[str, int]
    machine: dict[str, Any]
    cells: list[CellReport]
    reference: Timing | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything that was verified holds."""
        return not any(cell.false for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok, "cells": [cell.to_json() for cell in self.cells]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        plain = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        plain["cells"] = [CellReport.from_json(cell) for cell in data["cells"]]
        plain["reference"] = Timing(**data["reference"]) if data["reference"] else None
        return cls(**plain)


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON has no nan."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
