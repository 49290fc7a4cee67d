"""Every shipped cell with vector states, against what it should at least be: `celldsl speed --zoo`.

Two bars: not slower than nn.LSTM in proportion to its operations, and five times a loop with one product per gate.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from celldsl.bench import speed, speed_runs
from celldsl.bench.speed_runs import KINDS, ZOO, Effort, Runner
from celldsl.machine import describe

SHAPES = speed.SHAPES[:2]
NAIVE_BAR = 5.0


@dataclass(frozen=True)
class ZooRow:
    """One cell and shape. operations: of the cell over nn.LSTM's. For training and inference, the ratio to nn.LSTM,
    the same times `operations` (1 is nn.LSTM's pace), and the ratio to the naive loop. why: what kept it out."""

    cell: str
    shape: speed.Shape
    operations: float = 0.0
    ratio: tuple[float, float] | None = None
    pace: tuple[float, float] | None = None
    naive: tuple[float, float] | None = None
    why: str = ""

    @property
    def misses(self) -> bool:
        """Whether it stays below one of the bars."""
        return bool(self.pace and min(self.pace) < 1) or bool(self.naive and min(self.naive) < NAIVE_BAR)


@dataclass
class ZooReport:
    rows: list[ZooRow] = field(default_factory=list)
    threads: int = 1
    machine: dict[str, Any] = field(default_factory=describe)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(told: dict[str, Any]) -> ZooReport:
        """The report that `to_json` wrote. Raises KeyError or TypeError for anything else."""
        tuples: Callable[[Any], Any] = lambda value: tuple(value) if isinstance(value, list) else value  # noqa: E731
        rows = [ZooRow(**{name: tuples(value) for name, value in row.items()}) for row in told["rows"]]
        return ZooReport(rows, told["threads"], told["machine"])

    def continues(self, other: ZooReport) -> bool:
        """Whether rows of another report can stand beside ours: measured on such a machine, with such versions."""
        return (self.threads, self.machine) == (other.threads, other.machine)


def measure(
    cells: Sequence[str],
    shapes: Sequence[speed.Shape] = SHAPES,
    threads: int | None = None,
    effort: Effort = ZOO,
    say: Callable[[str, float], None] = lambda text, done: None,
    earlier: ZooReport | None = None,
    keep: Callable[[ZooReport], None] = lambda report: None,
) -> ZooReport:
    """Time cells; one that cannot be timed gets a row that says why.

    earlier: a report that was stopped; what it has is not timed again if it `continues`. keep: hears of the report
    after every cell, so that a run that is stopped loses nothing.
    """
    before = torch.get_num_threads()
    report = ZooReport(threads=threads or before)
    known: dict[tuple[str, speed.Shape], ZooRow] = {}
    if earlier is not None and report.continues(earlier):
        known = {(row.cell, row.shape): row for row in earlier.rows}
    try:
        torch.set_num_threads(report.threads)
        for at, name in enumerate(cells):
            say(name, at / len(cells))
            for shape in shapes:
                row = known.get((name, shape)) or _row(name, shape, report.threads, effort)
                gc.collect()  # graphs of hundreds of steps, in cycles: gigabytes
                report.rows.append(row)
                if row.why:
                    break
            keep(report)
        say("done", 1.0)
    finally:
        torch.set_num_threads(before)
    return report


def _row(name: str, shape: speed.Shape, threads: int, effort: Effort) -> ZooRow:
    try:
        prepared = speed.Prepared.of(name, shape)
    except ValueError as error:
        return ZooRow(name, shape, why=str(error))
    found = dict(speed.agreeing(prepared, ("cpu", "naive"), threads))
    if not isinstance(found["cpu"], Runner):
        return ZooRow(name, shape, why=found["cpu"])
    made = {variant: runner for variant, runner in found.items() if isinstance(runner, Runner)}
    if "naive" in made:
        made["naive"].most_threads = 1  # small operations: more threads only slow it down
    base, work = speed.reference(shape)
    operations = prepared.work / work
    ratio, naive = [], []
    for kind in KINDS:
        times = speed_runs.compared(base, made, kind, threads, effort)
        seconds, ratios = times["cpu"]
        ratio.append(speed_runs.measure(seconds, ratios, 1.0, 1.0).ratio)
        if "naive" in times:
            naive.append(times["naive"][0] / seconds)
    return ZooRow(
        name,
        shape,
        operations,
        (ratio[0], ratio[1]),
        (ratio[0] * operations, ratio[1] * operations),
        (naive[0], naive[1]) if naive else None,
    )
