"""The folder of an experiment: what it is (experiment.json), one folder per point, the report's files.

    experiment.json   the experiment as it was last asked for, and every command that made runs here
    points/NAME/      point.json, log.txt, and what the trainer writes: metrics, checkpoints, result.json;
                      failure.json where it came to no result, with the reason
    report.*, *.svg   what `celldsl experiment report` writes

Points of earlier calls stay: a folder grows by seeds, cells and rates, and its report shows all of them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from celldsl.experiment.errors import ExperimentError
from celldsl.experiment.experiment import Experiment, Point
from celldsl.train.checkpoint import write_atomically
from celldsl.train.folder import RunFolder, read_metrics
from celldsl.train.settings import differences

try:
    import fcntl
except ImportError:  # Windows: one process per folder is the user's business there
    fcntl = None  # type: ignore[assignment]

MARK = "experiment.json"


@dataclass(frozen=True)
class State:
    """Where a point stands.

    status: `waiting`, `running` (a process works on it), `begun` (none does), `finished`, `diverged` or `failed`.
    rows: its epochs so far. reason: why it diverged or failed.
    """

    point: Point
    path: Path
    status: str
    header: Mapping[str, Any]
    rows: list[dict[str, Any]]
    result: Mapping[str, Any] | None = None
    reason: str = ""


class PointFolder:
    """The folder of one point."""

    def __init__(self, path: Path):
        self.path = path
        self.run = RunFolder(path)
        self.point = path / "point.json"
        self.log = path / "log.txt"
        self.failure = path / "failure.json"
        self.lock = path / "lock"

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether nobody else works here; nobody else does until this context ends, even by a crash."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.lock, "a") as file:
            try:
                if fcntl:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True

    def fail(self, kind: str, reason: str) -> None:
        """Note that this point came to no result. kind: `diverged` or `failed`."""
        self.path.mkdir(parents=True, exist_ok=True)
        _write(self.failure, {"kind": kind, "reason": reason})

    def state(self, point: Point) -> State:
        """Read where it stands; what another process writes meanwhile may be seen or not."""
        header: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        if self.run.metrics.is_file():
            header, rows = read_metrics(self.run.metrics)
        result = _read(self.run.result) if self.run.result.is_file() else None
        failure = _read(self.failure) if self.failure.is_file() else None
        if result:
            return State(point, self.path, "finished", header, result["rows"], result)
        if self.path.is_dir():
            with self.locked() as free:
                if not free:
                    return State(point, self.path, "running", header, rows)
        if failure:
            return State(point, self.path, failure["kind"], header, rows, reason=failure["reason"])
        return State(point, self.path, "begun" if self.run.last.is_file() else "waiting", header, rows)


class ExperimentFolder:
    """Paths of one experiment's folder; `open` makes or takes it over."""

    def __init__(self, path: Path):
        self.path = path
        self.mark = path / MARK
        self.json = path / "report.json"
        self.markdown = path / "report.md"
        self.page = path / "report.html"

    def open(self, experiment: Experiment) -> None:
        """Raise ExperimentError if the folder holds other files, or an experiment of other settings."""
        commands: Sequence[str] = ()
        if self.mark.is_file():
            before = self.experiment()
            commands = before.commands
            changed = differences(before.settings, experiment.settings)
            if before.axes != experiment.axes:
                changed.append(f"axes: {', '.join(before.axes)} -> {', '.join(experiment.axes)}")
            if changed:
                told = "\n  ".join(changed)
                raise ExperimentError(
                    f"{self.path} holds an experiment of other settings: give another folder.\n  {told}"
                )
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ExperimentError(f"{self.path} is there already and holds no experiment: give another folder with -o")
        self.path.mkdir(parents=True, exist_ok=True)
        _write(self.mark, replace(experiment, commands=commands).to_json())

    def add(self, command: str) -> None:
        """Note a command that makes runs here; once, however often it is given."""
        there = self.experiment()
        if command not in there.commands:
            _write(self.mark, replace(there, commands=[*there.commands, command]).to_json())

    def experiment(self) -> Experiment:
        """The experiment that the folder was last used for."""
        if not self.mark.is_file():
            raise ExperimentError(f"{self.path} holds no experiment")
        try:
            return Experiment.from_json(_read(self.mark))
        except (ValueError, KeyError, TypeError) as error:
            raise ExperimentError(f"{self.mark} is damaged ({error}): give another folder with -o") from error

    def point(self, point: Point) -> PointFolder:
        return PointFolder(self.path / "points" / point.name)

    def states(self, experiment: Experiment | None = None) -> list[State]:
        """Every point of the experiment in its order, then those that earlier calls left."""
        points = {point.name: point for point in (experiment or self.experiment()).points()}
        for path in sorted((self.path / "points").glob("*/point.json")):
            points.setdefault(path.parent.name, Point(**_read(path)))
        return [self.point(point).state(point) for point in points.values()]


def write_point(folder: PointFolder, point: Point) -> None:
    """Say in a point's folder what it is of."""
    folder.path.mkdir(parents=True, exist_ok=True)
    _write(folder.point, {"axes": dict(point.axes), "settings": dict(point.settings)})


def _write(path: Path, content: Any) -> None:
    write_atomically(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
