"""What a run says while it runs. The trainer calls a `Progress`; what is shown, and where, is the caller's choice."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from celldsl.train.result import Result


class Progress:
    """Says nothing. A listener overrides the calls it wants; in a data-parallel run only the first process calls it."""

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        """The run starts, or goes on after `done` epochs. `header` is the first line of metrics.jsonl."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Some steps further (at most a few calls a second): epoch and step from 1, the loss of the last batch."""

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        """An epoch is trained and evaluated. `row`: its line of metrics.jsonl; `best`: is it the best so far?"""

    def note(self, text: str) -> None:
        """One line the user should see."""

    def end(self, result: Result) -> None:
        """The run is finished."""

    def close(self) -> None:
        """The run is over, finished or not: leave the terminal as it was."""


def describe(row: Mapping[str, Any], epochs: int, best: bool) -> str:
    """An epoch in one line."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    for part in ("train", "validation", "test"):
        if part in row:
            parts.append(" ".join([part, *(f"{name} {value:.4f}" for name, value in row[part].items())]))
    parts.append(f"{row['seconds'] + row['eval_seconds']:.1f} s{' *' if best else ''}")
    return "  ".join(parts)


class Lines(Progress):
    """A line per epoch: for logs."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.epochs = 0

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        self.epochs = epochs
        self.note(title(header, done))

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        self.note(describe(row, self.epochs, best))

    def note(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Bar(Progress):
    """A line per epoch above a bar that moves with the steps: for terminals."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("starting", total=None)
        self.epochs = 0

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        self.epochs = epochs
        self.bar.start()
        self.note(title(header, done))

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        self.bar.update(
            self.task, description=f"epoch {epoch}/{self.epochs}  loss {loss:.4f}", total=steps, completed=step
        )

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        self.note(describe(row, self.epochs, best))

    def note(self, text: str) -> None:
        self.bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self.bar.stop()


class Several(Progress):
    """Tells several listeners the same."""

    def __init__(self, *listeners: Progress):
        self.listeners = listeners

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        for each in self.listeners:
            each.begin(header, epochs, done)

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        for each in self.listeners:
            each.step(epoch, step, steps, loss)

    def epoch(self, row: Mapping[str, Any], best: bool) -> None:
        for each in self.listeners:
            each.epoch(row, best)

    def note(self, text: str) -> None:
        for each in self.listeners:
            each.note(text)

    def end(self, result: Result) -> None:
        for each in self.listeners:
            each.end(result)

    def close(self) -> None:
        for each in self.listeners:
            each.close()


def title(header: Mapping[str, Any], done: int) -> str:
    """What is trained on what, in one line."""
    start = f", resumed after {done} epoch{'s' if done != 1 else ''}" if done else ""
    parameters = header["parameters"]["layer"]
    where = header["hardware"]["device"] + (" kernels" if header.get("backend") == "cpu" else "")
    return f"{header['cell']} on {header['task']}: {parameters:,} parameters, {where}{start}"


def terminal_progress() -> Progress:
    """A bar where standard error is a terminal, lines where it is not."""
    return Bar() if sys.stderr.isatty() else Lines()
