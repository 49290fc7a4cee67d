"""An experiment as data: settings, the grids over them, reduced scales, the paper's numbers, the report's metric.

A grid is axes with their values, an axis being a training setting (`cell`, `lr`, `seed`, `task_options.padding`); a
point is one choice of every axis, and its training run. Nothing here runs anything.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from celldsl.errors import near
from celldsl.experiment.errors import ExperimentError
from celldsl.train.errors import TrainError
from celldsl.train.settings import Settings

OPTIONS = ("task_options", "cell_options")
"""Settings that are tables of their own: an axis names one entry, `task_options.padding`."""

MACHINE = frozenset({"data_dir", "device", "devices", "out"})
"""Settings about where an experiment runs: a file says none of them, and they are no part of what it is."""


@dataclass(frozen=True)
class Point:
    """One run of the grid."""

    axes: Mapping[str, Any]
    settings: Mapping[str, Any]
    """Fields of `Settings`, those of the machine apart."""

    @property
    def name(self) -> str:
        """The name of its folder: `lstm1-lr0.001-seed0`."""
        ordered = sorted(self.axes, key=lambda axis: (axis != "cell", axis == "seed"))
        return "-".join(_word(axis, self.axes[axis]) for axis in ordered)

    @property
    def group(self) -> tuple[tuple[str, Any], ...]:
        """What it has in common with the points that differ by the seed alone."""
        return tuple((axis, value) for axis, value in self.axes.items() if axis != "seed")

    def ready(self, machine: Mapping[str, Any], out: Path | None = None) -> Settings:
        """The settings of its run on this machine."""
        return Settings.from_json({**self.settings, **machine, "out": str(out) if out else None})


@dataclass(frozen=True)
class Published:
    """A number from the paper for the points with these values of some axes."""

    axes: Mapping[str, Any]
    value: float


@dataclass(frozen=True)
class Scale:
    """A named reduction: settings and axes that replace those of the file."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """What an experiment file says. `file`: the name or path it was found by, for the command that repeats it."""

    name: str
    file: str
    title: str
    settings: Mapping[str, Any]
    grids: Sequence[Mapping[str, Sequence[Any]]]
    metric: str
    paper: str = ""
    about: str = ""
    decisions: Sequence[str] = ()
    also: Sequence[str] = ()
    """Further metrics for the tables."""
    columns: str | None = None
    """The axis that the paper's table has in its columns."""
    examples: Mapping[str, int] = field(default_factory=dict)
    """How many there are in `train` and `test`: what a scale by number multiplies."""
    scales: Mapping[str, Scale] = field(default_factory=dict)
    published: Sequence[Published] = ()
    source: str = ""
    """Where the published numbers stand."""
    reduced: Sequence[str] = ()
    """What a scale took away, one line each; empty at full scale."""
    changed: Sequence[str] = ()
    """Settings that are not the file's, one line each."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """The file's own settings, before a scale or a command changed any."""
    origin_axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The values of every axis in all grids of the file; empty for a folder of a version that did not keep them."""
    commands: Sequence[str] = ()
    """The command lines that made the runs of its folder, each once, in their order."""

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(self.grids[0])

    def points(self) -> list[Point]:
        """Every run, in the order of the file: the first axis changes last. No point comes twice."""
        found: dict[str, Point] = {}
        for grid in self.grids:
            for values in itertools.product(*grid.values()):
                axes = dict(zip(grid, values, strict=True))
                point = Point(axes, with_settings(self.settings, axes))
                known = found.setdefault(point.name, point)
                if known.axes != axes:
                    raise ExperimentError(
                        f"{self.file}: {known.axes} and {axes} would share the folder {point.name}: rename one"
                    )
        return list(found.values())

    def paper_value(self, axes: Mapping[str, Any]) -> float | None:
        """The published number for a point with these axes, if there is one."""
        for each in self.published:
            if all(same(axes.get(axis), value) for axis, value in each.axes.items()):
                return each.value
        return None

    def with_axes(self, changes: Mapping[str, Sequence[Any]]) -> Experiment:
        """The same experiment over other values of some of its axes."""
        for axis in changes:
            self._axis(axis)
        return replace(self, grids=[{axis: changes.get(axis, grid[axis]) for axis in grid} for grid in self.grids])

    def only(self, wanted: Mapping[str, Sequence[Any]]) -> Experiment:
        """The same experiment with only these values of some axes; a value that no grid has is an error."""
        for axis, values in wanted.items():
            self._axis(axis)
            there = [value for grid in self.grids for value in grid[axis]]
            for value in values:
                if not any(same(value, other) for other in there):
                    known = ", ".join(dict.fromkeys(map(str, there)))
                    raise ExperimentError(f"{self.file}: {axis} {value!r} is not in the grid, which has {known}")
        kept = [
            {
                axis: [v for v in grid[axis] if axis not in wanted or any(same(v, w) for w in wanted[axis])]
                for axis in grid
            }
            for grid in self.grids
        ]
        return replace(self, grids=[grid for grid in kept if all(grid.values())])

    def with_settings(self, changes: Mapping[str, Any]) -> Experiment:
        """The same experiment under changed settings. The paper's numbers, made under others, are dropped: they stay
        where only the end comes sooner, and the report says so."""
        for name in changes:
            if name in self.axes:
                raise ExperimentError(f"{self.file}: {name} is an axis of the grid: choose its values with --grid")
        telling = {name: value for name, value in changes.items() if name not in HARMLESS}
        return replace(
            self,
            settings=with_settings(self.settings, changes),
            published=() if telling.keys() - ENDS else self.published,
            reduced=[line for line in self.reduced if line.partition(":")[0] not in map(label, telling)],
            changed=[*self.changed, *(self._change(name, value) for name, value in telling.items())],
        )

    def _change(self, name: str, value: Any) -> str:
        before = f"{INSTEAD}{self.origin[name]}" if name in ENDS and name in self.origin else ""
        return f"{label(name)}: {value}{before}"

    def check(self) -> None:
        """Raise ExperimentError if a point's settings make no sense to the trainer."""
        for point in self.points():
            try:
                point.ready({}).check()
            except TrainError as error:
                raise ExperimentError(f"{self.file}: {point.name}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Plain data, `from_json`'s argument."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Experiment:
        told = dict(data)
        if "command" in told:  # an older folder: it has the last command alone, and no origin
            last = told.pop("command")
            told |= {"commands": [last] if last else [], "origin": _before(told)}
        told["scales"] = {name: Scale(**each) for name, each in told["scales"].items()}
        return cls(**{**told, "published": [Published(**each) for each in told["published"]]})

    def _axis(self, axis: str) -> None:
        if axis not in self.axes:
            guess = near(axis, self.axes)
            meant = f"did you mean {guess}?" if guess else f"it has {', '.join(self.axes)}"
            raise ExperimentError(f"{self.file}: the grid has no axis {axis!r}: {meant}")


LABELS = {"train_limit": "training examples", "test_limit": "test examples"}


def label(setting: str) -> str:
    """What a report calls a setting."""
    return LABELS.get(setting, setting)


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with tables taken apart into their entries, `task_options.padding`."""
    told: dict[str, Any] = {}
    for name, value in settings.items():
        told |= (
            {f"{name}.{entry}": each for entry, each in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return told


INSTEAD = " instead of "
"""Between a setting and what the file has, in a line of `reduced` or `changed`."""


HARMLESS = frozenset({"threads", "backend", "eval_batch", "checkpoint_steps", "checkpoint_seconds"})
"""Settings that change how a number is computed and not what it says."""

ENDS = frozenset({"epochs", "patience"})
"""Settings that say when a run ends: the best of fewer epochs still is what a paper's number is, found sooner."""


def with_settings(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes. Tables are changed entry by entry: `task_options.padding`, or a table of the changes."""
    changed = dict(settings)
    for name, value in changes.items():
        table, _, entry = name.partition(".")
        entries = {entry: value} if entry else value
        changed[table] = {**changed.get(table, {}), **entries} if isinstance(entries, Mapping) else value
    return changed


def same(one: Any, other: Any) -> bool:
    """Equal as a reader of the file would say it: 1e-3 and 0.001 are, 1 and True are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _before(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of plain data as they were before its `reduced` and `changed`, so far as those lines tell."""
    settings = dict(data["settings"])
    for line in (*data.get("reduced", ()), *data.get("changed", ())):
        name, _, told = line.partition(": ")
        _, instead, before = told.partition(INSTEAD)
        if instead and name in flat(settings):
            settings = with_settings(settings, {name: _value(before)})
    return settings


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _word(axis: str, value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else Path(str(value)).name.removesuffix(".cell")
    label = "" if axis == "cell" else axis.rpartition(".")[2]
    return label + re.sub(r"[^\w.]+", "_", text).strip("_").lower()
