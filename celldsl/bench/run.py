"""The benchmark, top to bottom: verify every cell, train each with every seed, time a step, write it all down."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from celldsl import machine
from celldsl.api import CompiledCell, compile
from celldsl.bench.folder import BenchFolder
from celldsl.bench.listener import Listener
from celldsl.bench.options import BenchError, Options
from celldsl.bench.page import render
from celldsl.bench.plots import accuracy_png
from celldsl.bench.published import published
from celldsl.bench.report import CellReport, Equation, Report, Run
from celldsl.bench.table import markdown
from celldsl.bench.timing import Shape, compare
from celldsl.formulas import plain
from celldsl.runtime.verify import verify
from celldsl.syntax import write
from celldsl.train import Progress, Result, Settings, TrainInterrupted, train
from celldsl.train.cells import TORCH, find_cell
from celldsl.train.checkpoint import write_atomically
from celldsl.train.tasks import make_task


class BenchInterrupted(BenchError):
    """Stopped by a signal; what is finished is kept. `exit_status` is what a command line should return."""

    def __init__(self, stopped: TrainInterrupted, out: Path):
        self.exit_status = stopped.exit_status
        super().__init__(f"stopped; the same command with -o {out} goes on from here")


@dataclass(frozen=True)
class Subject:
    """A cell under test: what it was asked for by, its compiled form (None for a layer of torch), its folders' name."""

    spec: str
    cell: CompiledCell | None

    @property
    def name(self) -> str:
        return self.cell.name if self.cell else self.spec

    @property
    def slug(self) -> str:
        return re.sub(r"\W+", "-", Path(self.spec).name.removesuffix(".cell")).strip("-").lower()


def bench(options: Options, out: Path, listener: Listener | None = None) -> Report:
    """Run a benchmark into a folder and return what is written there: report.json, report.html, report.md and
    accuracy.png.

    A cell with a false claim is neither trained nor timed; the report says which claim. Raises BenchError, SpecError,
    TrainError and its kinds, and BenchInterrupted after SIGINT or SIGTERM.
    """
    begun = time.perf_counter()
    options.check()
    listener = listener or Listener()
    subjects = _subjects(options.cells)
    task = make_task(options.task, {})
    task.find_data(options.data_dir)
    folder = BenchFolder(out)
    folder.open(options)
    try:
        cells = [_verified(subject, options, listener) for subject in subjects]
        sound = [(at, subject) for at, subject in enumerate(subjects) if not cells[at].false]
        for at, subject in sound:
            cells[at] = replace(cells[at], **_trained(subject, options, folder, listener))
        shape = _shape(task, options)
        makers = {subject.spec: _maker(subject, options, shape.input) for _, subject in sound}
        reference, timings = compare(
            makers, shape, options.threads, lambda spec: listener.status(f"timing a step of {spec}")
        )
        for at, subject in sound:
            cells[at] = replace(cells[at], timing=timings[subject.spec])
    except TrainInterrupted as stopped:
        raise BenchInterrupted(stopped, out) from stopped
    finally:
        listener.close()
    report = Report(
        command=options.command,
        options=options.to_json(),
        metric=task.metric.name,
        higher_is_better=task.metric.higher_is_better,
        shape={"T": shape.steps, "B": shape.batch, "m": shape.input, "n": shape.hidden},
        machine={**machine.describe(), "threads": options.training_threads or torch.get_num_threads()},
        cells=cells,
        reference=reference,
        seconds=time.perf_counter() - begun,
    )
    save(report, folder)
    return report


def save(report: Report, folder: BenchFolder) -> None:
    """Write the report's files."""
    figure = accuracy_png(report)
    write_atomically(folder.report, (json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(folder.figure, figure)
    write_atomically(folder.page, render(report).encode())
    write_atomically(folder.markdown, markdown(report).encode())


def _subjects(specs: Sequence[str]) -> list[Subject]:
    """All specs compiled before anything runs, so that a mistake in the last is heard at once."""
    if "-" in specs:
        raise BenchError("a benchmark reads a spec more than once: write it to a file, and give that")
    subjects = [Subject(spec, None if spec in TORCH else compile(spec)) for spec in specs]
    slugs = [subject.slug for subject in subjects]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise BenchError(f"two specs are called {', '.join(twice)}: rename one file, the runs would share a folder")
    return subjects


def _verified(subject: Subject, options: Options, listener: Listener) -> CellReport:
    cell = subject.cell
    told = CellReport(
        spec=subject.spec,
        name=subject.name,
        about="the layer of torch, to compare with",
        cites=[],
        equations=[],
        formula="",
        parameters=0,
        checks=0,
        claims=[],
        false=[],
    )
    if cell is None:
        return told
    listener.status(f"verifying {subject.name}")
    rows = verify(cell).rows
    false = [f"{row.subject}: expected {row.expected}, found {row.found}" for row in rows if not row.ok]
    listener.say(f"{cell.name}: {f'{len(false)} of ' if false else ''}{len(rows)} checks {'FAIL' if false else 'hold'}")
    return replace(
        told,
        about=cell.doc,
        cites=list(cell.cites),
        equations=[
            Equation(write(each.written, "latex"), write(each.written, "unicode")) for each in cell.checked.equations
        ],
        formula=plain(cell.params),
        checks=len(rows),
        claims=[row.subject for row in rows if row.check == "claim"],
        false=false,
        published=published(subject.spec, options),
    )


def _trained(subject: Subject, options: Options, folder: BenchFolder, listener: Listener) -> dict[str, Any]:
    """All seeds of one cell: the fields of its report that training fills."""
    results = []
    for seed in range(options.seeds):
        settings = _settings(subject, options, seed, folder.run(subject.slug, seed))
        result = train(settings, resume=True, progress=_Watch(listener, f"{subject.name}, seed {seed}"))
        results.append(result)
        listener.say(
            f"{subject.name}, seed {seed}: best test {result.metric} {result.best:.4f} at epoch {result.best_epoch}, "
            f"last {result.last:.4f}, {result.seconds_per_epoch:.2f} s per epoch"
        )
    return {"runs": list(map(_run, results)), "parameters": results[0].parameters["layer"]}


def _settings(subject: Subject, options: Options, seed: int, out: Path | None) -> Settings:
    return Settings(
        cell=subject.spec,
        task=options.task,
        data_dir=options.data_dir,
        hidden=options.hidden,
        epochs=options.epochs,
        batch=options.batch,
        optimiser=options.optimiser,
        lr=options.lr,
        schedule=options.schedule,
        seed=seed,
        device=options.device,
        threads=options.training_threads,
        out=str(out) if out else None,
    )


def _run(result: Result) -> Run:
    return Run(
        seed=result.settings["seed"],
        train=result.curve("train"),
        test=result.curve("test"),
        best=result.best,
        best_epoch=result.best_epoch,
        last=result.last,
        seconds_per_epoch=result.seconds_per_epoch,
        stopped=result.stopped,
    )


def _shape(task: Any, options: Options) -> Shape:
    """The shape of a training batch: its data is read once more, and by now cached where that takes time."""
    data = task.load(options.data_dir)
    steps = next(iter(data.train.tensors.values())).shape[1]
    return Shape(steps, options.batch, task.input_size, options.hidden)


def _maker(subject: Subject, options: Options, width: int) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        torch.manual_seed(0)
        return find_cell(_settings(subject, options, 0, None)).layer.make(width)

    return make


class _Watch(Progress):
    """A run's progress as one passing line."""

    def __init__(self, listener: Listener, title: str):
        self.listener, self.title, self.epochs = listener, title, 0

    def begin(self, header: Mapping[str, Any], epochs: int, done: int) -> None:
        self.epochs = epochs

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        self.listener.status(f"{self.title}: epoch {epoch}/{self.epochs}, step {step}/{steps}, loss {loss:.4f}")

    def note(self, text: str) -> None:
        self.listener.say(f"{self.title}: {text}")
