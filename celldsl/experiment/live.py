"""What an experiment says while it runs: a table that lives on a terminal, a line per run elsewhere.

Both read the runs' own metrics files, so they show the same wherever a point is run: here, in a worker, on a cluster.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from celldsl.experiment.experiment import Experiment
from celldsl.experiment.folder import ExperimentFolder
from celldsl.experiment.work import Job, Outcome

if TYPE_CHECKING:
    from rich.table import Table

MARKS = {"finished": "✓", "diverged": "✗", "failed": "✗", "running": "…", "begun": "‖", "waiting": "·"}
STYLES = {"finished": "green", "diverged": "red", "failed": "red", "running": "cyan", "begun": "yellow"}
SHOWN = 24  # rows of the live table: what runs, then what ended last


class Watch:
    """Says nothing."""

    def begin(self, experiment: Experiment, folder: ExperimentFolder, left: int) -> None:
        """The experiment starts: so many of its points are left to run."""

    def started(self, job: Job) -> None:
        """A point is being run. Called from any thread."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A point came to an end."""

    def close(self) -> None:
        """The experiment is over, finished or not: leave the terminal as it was."""


class Lines(Watch):
    """A line per point: for logs."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr

    def begin(self, experiment: Experiment, folder: ExperimentFolder, left: int) -> None:
        self.metric = experiment.metric
        self._say(headline(experiment, left))

    def started(self, job: Job) -> None:
        self._say(f"{job.name}: started")

    def ended(self, job: Job, outcome: Outcome) -> None:
        told = outcome.reason
        if outcome.status == "finished":
            rows = _rows(job)
            told = f"{summary(rows, self.metric)}" if rows else ""
        self._say(f"{job.name}: {outcome.status}{f': {told}' if told else ''}")

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class Live(Watch):
    """The points that run and those that ended last, with their epochs, drawn anew every second."""

    def begin(self, experiment: Experiment, folder: ExperimentFolder, left: int) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.experiment, self.folder, self.left = experiment, folder, left
        self.under_way: dict[str, Job] = {}
        self.over: list[tuple[Job, Outcome]] = []
        self.console = Console(stderr=True, highlight=False, markup=False)
        self.live = RichLive(get_renderable=self.table, console=self.console, refresh_per_second=1, transient=True)
        self.live.start()

    def started(self, job: Job) -> None:
        self.under_way[job.name] = job

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.under_way.pop(job.name, None)
        self.over.append((job, outcome))
        if outcome.status not in ("finished", "interrupted"):
            self.console.print(f"{job.name}: {outcome.status}: {outcome.reason}", style="red")

    def close(self) -> None:
        self.live.stop()

    def table(self) -> Table:
        """What is going on right now."""
        from rich.table import Table

        metric = self.experiment.metric
        drawn = Table("", "run", "epoch", f"test {metric}", "best", "s/epoch", "about left", box=None, pad_edge=False)
        drawn.title = f"{self.experiment.title}: {len(self.over)} of {self.left} runs"
        drawn.title_justify = "left"
        for column in drawn.columns[2:]:
            column.justify = "right"
        ended = self.over[-max(2, SHOWN - len(self.under_way)) :]
        shown = [
            *((job, outcome.status) for job, outcome in ended),
            *((job, "running") for job in [*self.under_way.values()]),
        ]
        for job, status in shown:
            rows = _rows(job)
            epochs = job.settings["epochs"]
            best, pace = best_of(rows, metric, job), [row["seconds"] + row["eval_seconds"] for row in rows]
            left = (epochs - len(rows)) * pace[-1] if pace and status == "running" else None
            drawn.add_row(
                MARKS.get(status, "‖"),
                job.name,
                f"{len(rows)}/{epochs}",
                f"{rows[-1]['test'][metric]:.4f}" if rows and metric in rows[-1]["test"] else "",
                f"{best:.4f}" if best is not None else "",
                f"{pace[-1]:.1f}" if pace else "",
                time.strftime("%H:%M:%S", time.gmtime(left)) if left is not None and left < 86400 else "",
                style=STYLES.get(status),
            )
        return drawn


def headline(experiment: Experiment, left: int) -> str:
    """What is about to be run, in one line."""
    total = len(experiment.points())
    done = f"{total - left} of {total} runs are done, " if left < total else ""
    return f"{experiment.title}: {done}{left} run{'s' * (left != 1)} to do"


def summary(rows: list[dict], metric: str) -> str:
    """The last epoch of a run in a few words."""
    last = rows[-1]
    told = [
        f"{len(rows)} epochs",
        *(f"test {name} {value:.4f}" for name, value in last["test"].items() if name == metric),
    ]
    return ", ".join([*told, f"{last['seconds']:.2f} s per epoch"])


def terminal_watch() -> Watch:
    """A live table where standard error is a terminal, lines where it is not."""
    return Live() if sys.stderr.isatty() else Lines()


def best_of(rows: list[dict], metric: str, job: Job) -> float | None:
    """The best test value so far, whichever direction is better for this metric; None where there is none."""
    values = [row["test"][metric] for row in rows if metric in row["test"]]
    if not values:
        return None
    from celldsl.train.tasks import find_task

    task = find_task(job.settings["task"])
    higher = task.metric.higher_is_better if task.metric.name == metric else True
    return max(values) if higher else min(values)


def _rows(job: Job) -> list[dict]:
    path = job.folder.run.metrics
    from celldsl.train.errors import TrainError
    from celldsl.train.folder import read_metrics

    try:
        return read_metrics(path)[1] if path.is_file() else []
    except (TrainError, ValueError):  # being rewritten this moment
        return []
