"""An experiment, top to bottom: open its folder, run the points that are left, write the report."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from celldsl.experiment.errors import ExperimentInterrupted
from celldsl.experiment.experiment import Experiment, Point
from celldsl.experiment.folder import ExperimentFolder, write_point
from celldsl.experiment.live import Watch
from celldsl.experiment.page import render
from celldsl.experiment.plots import figures
from celldsl.experiment.pools import Here, Pool
from celldsl.experiment.report import Report, build
from celldsl.experiment.tables import markdown
from celldsl.experiment.work import Job
from celldsl.train.cells import find_cell
from celldsl.train.checkpoint import write_atomically
from celldsl.train.resume import finished_result
from celldsl.train.settings import Settings
from celldsl.train.tasks import make_task

FIRST = os.environ.get("RANK", "0") == "0"
"""Under torchrun every process runs every point; the first one writes and speaks."""


def run(
    experiment: Experiment,
    out: Path,
    *,
    pool: Pool | None = None,
    machine: Mapping[str, Any] | None = None,
    command: str = "",
    watch: Watch | None = None,
    retry: bool = False,
    tensorboard: bool = False,
) -> Report:
    """Run what is left of an experiment into its folder and return the report that is written there.

    machine: settings of this machine, `data_dir` and `device`. command: the command line that asks for it; if it has
    runs to make, the folder keeps it for the report. retry: run points again that diverged, from their last
    checkpoint; others that failed always are. Points that another process works on are left to it.

    Raises ExperimentError, SpecError, TrainError if data are missing, and ExperimentInterrupted after SIGINT or
    SIGTERM; a point that fails is a line of the report.
    """
    watch = watch or Watch()
    folder = ExperimentFolder(out)
    every = [(point, _job(folder, point, machine or {}, tensorboard)) for point in experiment.points()]
    undone = [(point, job) for point, job in every if not _ended(folder, point, job, retry)]
    jobs = [job for _, job in undone]
    _data_found(jobs)
    if FIRST:
        folder.open(experiment)
    _compiled(experiment)
    if FIRST:
        for point, _ in undone:
            write_point(folder.point(point), point)
        if jobs and command:
            folder.add(command)
    number = 0
    watch.begin(experiment, folder, len(jobs))
    try:
        for job, outcome in (pool or Here()).run(jobs, watch.started):
            watch.ended(job, outcome)
            number = number or (outcome.signal if outcome.status == "interrupted" else 0)
    finally:
        watch.close()
    report = collect(folder)
    if FIRST:
        save(report, folder)
    if number:
        raise ExperimentInterrupted(number, out)
    return report


def left(experiment: Experiment, out: Path, retry: bool = False) -> list[tuple[Point, bool]]:
    """Every point of an experiment, and whether `run` would run it."""
    folder = ExperimentFolder(out)
    return [(point, not _ended(folder, point, _job(folder, point, {}, False), retry)) for point in experiment.points()]


def collect(folder: ExperimentFolder) -> Report:
    """The report of what lies in a folder, finished or not."""
    experiment = folder.experiment()
    return build(experiment, folder.states(experiment))


def save(report: Report, folder: ExperimentFolder) -> None:
    """Write the report's files."""
    write_atomically(folder.json, (json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n").encode())
    drawn = figures(report)
    for figure in drawn:
        write_atomically(folder.path / figure.file, figure.svg)
    told = markdown(report, [(figure.title, figure.file) for figure in drawn])
    write_atomically(folder.markdown, told.encode())
    write_atomically(folder.page, render(report, drawn).encode())


def _compiled(experiment: Experiment) -> None:
    """All cells compiled before anything runs, so that a mistake in the last is heard at once."""
    for point in {str(point.settings.get("cell")): point for point in experiment.points()}.values():
        find_cell(point.ready({}))


def _data_found(jobs: Iterable[Job]) -> None:
    """Data that are missing are heard of once, not from every run."""
    for settings in (Settings.from_json(job.settings) for job in jobs):
        make_task(settings.task, settings.task_options).find_data(settings.data_dir)


def _job(folder: ExperimentFolder, point: Point, machine: Mapping[str, Any], tensorboard: bool) -> Job:
    settings = point.ready(machine, folder.point(point).path)
    return Job(point.name, settings.to_json(), tensorboard)


def _ended(folder: ExperimentFolder, point: Point, job: Job, retry: bool) -> bool:
    """Whether nothing is left to do: it is finished under these settings, or it diverged."""
    if finished_result(Settings.from_json(job.settings)):
        return True
    return not retry and folder.point(point).state(point).status == "diverged"
