"""What an experiment found, as data: everything that tables, figures and pages show is read from here, and is JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from celldsl.bench.report import Spread
from celldsl.experiment.experiment import ENDS, Experiment
from celldsl.experiment.folder import State
from celldsl.experiment.given import Given


@dataclass(frozen=True)
class Run:
    """One point. Its numbers are those of its best epoch, chosen by `monitor`; of one that did not end, so far."""

    name: str
    seed: int | None
    status: str
    reason: str
    epochs: int
    best_epoch: int
    values: dict[str, float]
    """Every test metric at the best epoch."""
    last: dict[str, float]
    curves: dict[str, list[float]]
    """`train`, `validation` (where there is one) and `test`: the report's metric after every epoch."""
    stopped: str
    """`epochs` or `patience`; empty for a run that did not end."""
    seconds_per_epoch: float
    model_share: float | None
    """Part of the training time spent in forward, backward and update; None where it cannot be measured (a GPU)."""
    given: dict[str, Any] = field(default_factory=dict)
    """Its own value of every setting in which the runs differ, and of those that say when a run ends."""

    def cut(self, ends: Mapping[str, Any]) -> bool:
        """Whether it was given fewer epochs or less patience than `ends`, and that is what ended it."""
        if self.stopped == "patience":
            return self.given.get("patience") is not None and self.given["patience"] < (ends["patience"] or math.inf)
        return bool(self.given) and self.given["epochs"] < ends["epochs"]


@dataclass(frozen=True)
class Group:
    """The runs that differ by the seed alone. `parameters`: of the layer and of the whole model."""

    axes: dict[str, Any]
    cell: str
    parameters: dict[str, int]
    settings: dict[str, Any]
    """Those of its first run."""
    runs: list[Run]
    published: float | None

    @property
    def measured(self) -> list[Run]:
        """The runs that have a number: all with at least one epoch, but those that failed."""
        return [run for run in self.runs if run.epochs and run.status != "failed"]

    def spread(self, metric: str) -> Spread | None:
        values = [run.values[metric] for run in self.measured if metric in run.values]
        return Spread.of(values) if values else None

    @property
    def seconds_per_epoch(self) -> float | None:
        return statistics.median(run.seconds_per_epoch for run in self.measured) if self.measured else None

    @property
    def model_share(self) -> float | None:
        shares = [run.model_share for run in self.measured if run.model_share is not None]
        return statistics.median(shares) if shares else None


@dataclass(frozen=True)
class Report:
    """A whole experiment, finished or not. machines: what its runs ran on, each with the number of its runs."""

    name: str
    title: str
    paper: str
    about: str
    decisions: list[str]
    reduced: list[str]
    changed: list[str]
    commands: list[str]
    metric: str
    also: list[str]
    higher_is_better: bool
    monitor: str
    """The part of the data whose best epoch counts; "" before the first run."""
    columns: str | None
    axes: list[str]
    source: str
    settings: dict[str, list[Any]]
    """Those that are not the trainer's own, by flat name (`task_options.padding`): every value that a run was given."""
    ends: dict[str, Any]
    """The file's `epochs` and `patience`: when the runs end whose numbers the paper printed."""
    groups: list[Group]
    machines: list[dict[str, Any]]
    data: dict[str, Any]
    """What the models were told of the data: how many words, and whose vectors they have."""
    points: dict[str, int]
    """Status -> number of points."""

    @property
    def ok(self) -> bool:
        """Whether no point failed or diverged."""
        return not any(self.points.get(status) for status in ("failed", "diverged"))

    @property
    def finished(self) -> bool:
        return set(self.points) <= {"finished"}

    def to_json(self) -> dict[str, Any]:
        groups = []
        for group in self.groups:
            spread = group.spread(self.metric)
            mean = {"mean": spread.mean, "deviation": finite(spread.deviation)} if spread else None
            groups.append({**asdict(group), self.metric: mean, "difference": difference(group, self.metric)})
        return {**asdict(self), "ok": self.ok, "groups": groups}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        plain = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        plain["groups"] = [_group(each) for each in data["groups"]]
        return cls(**plain)


def difference(group: Group, metric: str) -> float | None:
    """Our mean less the paper's number."""
    spread = group.spread(metric)
    return spread.mean - group.published if spread and group.published is not None else None


def build(experiment: Experiment, states: Sequence[State]) -> Report:
    """The report of an experiment's points."""
    grouped: dict[tuple[Any, ...], list[State]] = {}
    for state in states:
        grouped.setdefault(state.point.group, []).append(state)
    results = [state.result for state in states if state.result]
    counts: dict[str, int] = {}
    for state in states:
        counts[state.status] = counts.get(state.status, 0) + 1
    told = next((state.header for state in states if state.header), {})
    higher = bool(told.get("higher_is_better", results[0]["higher_is_better"] if results else True))
    if told and told["metric"] != experiment.metric:  # a further metric of the task, whose direction it does not say
        higher = experiment.metric not in LOWER
    begun = [state for state in states if state.header] or states
    given = Given.of(experiment, begun)
    return Report(
        name=experiment.name,
        title=experiment.title,
        paper=experiment.paper,
        about=experiment.about,
        decisions=list(experiment.decisions),
        reduced=given.lines(experiment.reduced),
        changed=[
            *given.axes(experiment, begun),
            *given.lines(experiment.changed),
            *given.further([*experiment.reduced, *experiment.changed]),
        ],
        commands=list(experiment.commands) or [f"celldsl experiment run {experiment.file}"],
        metric=experiment.metric,
        also=list(experiment.also),
        higher_is_better=higher,
        monitor=str(told.get("monitor", "")),
        columns=experiment.columns,
        axes=list(experiment.axes),
        source=experiment.source,
        settings=given.settings,
        ends={name: given.before(name) for name in sorted(ENDS)},
        groups=[_grouped(experiment, list(each), given) for each in grouped.values()],
        machines=_machines(states),
        data=dict(next((result.get("data", {}) for result in results), {})),
        points=counts,
    )


LOWER = frozenset({"loss", "mse", "perplexity", "error", "bits"})
"""Metrics of which less is better."""


def _grouped(experiment: Experiment, states: list[State], given: Given) -> Group:
    header = next((state.header for state in states if state.header), {})
    axes = {axis: value for axis, value in states[0].point.axes.items() if axis != "seed"}
    return Group(
        axes=axes,
        cell=str(header.get("cell", states[0].point.settings.get("cell", "lstm"))),
        parameters=dict(header.get("parameters", {})),
        settings={
            name: value
            for name, value in header.get("settings", states[0].point.settings).items()
            if name not in ("data_dir", "out")  # where things lay on one machine helps nobody on another
        },
        runs=[_run(experiment, state, given) for state in states],
        published=experiment.paper_value(axes),
    )


def _run(experiment: Experiment, state: State, given: Given) -> Run:
    rows, monitor = state.rows, state.header.get("monitor", "test")
    best = state.result["best_epoch"] if state.result else _best(state, monitor)
    chosen = rows[best - 1]["test"] if rows else {}
    last = rows[-1]["test"] if rows else {}
    parts = [part for part in ("train", "validation", "test") if rows and experiment.metric in rows[0].get(part, {})]
    return Run(
        name=state.point.name,
        seed=state.point.settings.get("seed"),
        status=state.status,
        reason=state.reason,
        epochs=len(rows),
        best_epoch=best,
        values=dict(chosen),
        last=dict(last),
        curves={part: [row[part][experiment.metric] for row in rows] for part in parts},
        stopped=state.result["stopped"] if state.result else "",
        seconds_per_epoch=statistics.median(row["seconds"] for row in rows) if rows else 0.0,
        model_share=_share(rows),
        given=given.own(state),
    )


def _best(state: State, monitor: str) -> int:
    """The best epoch so far of a run without a result, by the task's own metric; 0 before the first."""
    if not state.rows:
        return 0
    metric = state.header["metric"]
    values = [row[monitor][metric] for row in state.rows]
    higher = state.header.get("higher_is_better", metric not in LOWER)
    return 1 + values.index(max(values) if higher else min(values))


def _share(rows: Sequence[Mapping[str, Any]]) -> float | None:
    if not rows or any(row["model_seconds"] is None for row in rows):
        return None
    inside = sum(row["model_seconds"] + row["update_seconds"] for row in rows)
    return float(inside / sum(row["seconds"] for row in rows))


def _machines(states: Sequence[State]) -> list[dict[str, Any]]:
    """What the runs ran on: hardware and versions, each once."""
    found: list[dict[str, Any]] = []
    for state in states:
        if not state.header:
            continue
        told = {"hardware": state.header["hardware"], "versions": state.header["versions"]}
        for each in found:
            if {name: each[name] for name in told} == told:
                each["runs"] += 1
                break
        else:
            found.append({**told, "runs": 1})
    return found


def _group(data: Mapping[str, Any]) -> Group:
    plain = {name: value for name, value in data.items() if name in Group.__dataclass_fields__}
    return Group(**{**plain, "runs": [Run(**run) for run in data["runs"]]})


def finite(value: float) -> float | None:
    """JSON has no nan."""
    return value if value == value else None
