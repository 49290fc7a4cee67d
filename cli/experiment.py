"""`celldsl experiment`: a paper's experiment, from its file to its report."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from celldsl.cli.train import Assignment
from celldsl.train.settings import DEVICES


class Axis(click.ParamType):
    """`axis=value,value`, every value read as JSON where it is JSON and as text where it is not."""

    name = "axis=values"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[Any]]:
        axis, equals, text = value.partition("=")
        if not equals or not text:
            self.fail(f"{value!r} is not of the form axis=value,value", param, ctx)
        return axis, [read(each.strip()) for each in text.split(",")]


class Setting(Assignment):
    """`name=value` where the name may be an entry of a table, `task_options.padding`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, text = value.partition("=")
        table, dot, entry = name.partition(".")
        if not dot:
            return super().convert(value, param, ctx)
        return f"{table}.{entry}", super().convert(f"{entry}={text}", param, ctx)[1] if equals else self.fail(value)


def read(text: str) -> Any:
    return Assignment().convert(f"value={text}", None, None)[1]


def choices(function: Any) -> Any:
    """The options that say which experiment is meant, at what scale and over which values."""
    for option in reversed(
        (
            click.option("--scale", metavar="X", help="Reduce: a number below 1, or a scale that the file names."),
            click.option(
                "--grid", "grids", multiple=True, type=Axis(), help="Other values of an axis: seed=0,1,2,3,4."
            ),
            click.option("--only", multiple=True, type=Axis(), help="Only these values of an axis: cell=lstm,ulstm."),
            click.option("--set", "changes", multiple=True, type=Setting(), help="Another setting: hidden=100."),
        )
    ):
        function = option(function)
    return function


def chosen(file: str, scale: str | None, grids: Any, only: Any, changes: Any) -> Any:
    from celldsl.experiment import find
    from celldsl.experiment.scale import scaled

    experiment = scaled(find(file), scale)
    if changes:
        experiment = experiment.with_settings(dict(changes))
    if grids:
        experiment = experiment.with_axes(dict(grids))
    if only:
        experiment = experiment.only(dict(only))
    experiment.check()
    return experiment


@click.group()
def command() -> None:
    """Run a paper's experiment and put its numbers beside ours.

    NAME is a shipped experiment or the path of a TOML file.

    \b
    celldsl experiment list
    celldsl experiment run lu-salem-table-2 --data DIR --only lr=1e-3 --jobs 2 -o runs/table-2
    celldsl experiment status runs/table-2
    celldsl experiment report runs/table-2
    """


@command.command("list")
def list_command() -> None:
    """The shipped experiments."""
    from celldsl.cli.screen import print_table
    from celldsl.experiment import find, shipped

    found = [find(name) for name in shipped()]
    rows = [[each.name, each.title, str(len(each.points())), ", ".join(each.scales)] for each in found]
    print_table(["name", "what", "runs", "scales"], rows, sys.stdout)


@command.command("run")
@click.argument("name")
@choices
@click.option("--data", "data_dir", metavar="DIR", help="Folder with one folder of Parquet files per data set.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(DEVICES), help="Where to train.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Runs side by side, a process each.")
@click.option("--ray", metavar="ADDRESS", help="Runs on a Ray cluster: its address, or local for this machine.")
@click.option("--tensorboard", is_flag=True, help="Also write every run's curves for TensorBoard.")
@click.option("--retry", is_flag=True, help="Also go on with runs that diverged.")
@click.option("--dry-run", is_flag=True, help="List the runs, and run none.")
@click.option("-o", "out", metavar="DIR", help="Folder of the runs and the report.  [default: runs/NAME]")
def run_command(name: str, scale: str | None, grids: Any, only: Any, changes: Any, out: str | None, **how: Any) -> int:
    """Run what is left of an experiment, and report.

    Finished runs are not run twice and interrupted ones go on from their checkpoints, to the same bits. A run that
    fails is recorded with its reason and the others go on; exit code 1 then.
    """
    experiment = chosen(name, scale, grids, only, changes)
    folder = Path(out or Path("runs", f"{experiment.name}{f'-{scale}' if scale else ''}"))
    from celldsl.extras import need

    need("bench", "celldsl experiment")
    if how["dry_run"]:
        from celldsl.experiment.runner import left

        for point, todo in left(experiment, folder, how["retry"]):
            click.echo(f"{point.name}{'' if todo else '  (done)'}")
        return 0
    from celldsl.experiment.live import Watch, terminal_watch
    from celldsl.experiment.pools import choose
    from celldsl.experiment.runner import run

    first = os.environ.get("RANK", "0") == "0"
    report = run(
        experiment,
        folder,
        pool=choose(how["jobs"], how["ray"]),
        machine={"data_dir": how["data_dir"], "device": how["device"]},
        command=shlex.join(repeated(name, scale, grids, only, changes, how["data_dir"] is not None)),
        watch=terminal_watch() if first else Watch(),
        retry=how["retry"],
        tensorboard=how["tensorboard"],
    )
    if first:
        show(report, folder)
    return 0 if report.ok else 1


@command.command("status")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def status_command(folder: str) -> None:
    """Where every run of a folder stands."""
    from celldsl.cli.screen import print_table
    from celldsl.experiment.folder import ExperimentFolder

    states = ExperimentFolder(Path(folder)).states()
    rows = []
    for state in states:
        metric = state.header.get("metric", "")
        last = f"{state.rows[-1]['test'][metric]:.4f}" if state.rows else ""
        rows.append([state.point.name, state.status, str(len(state.rows)), last, state.reason])
    print_table(["run", "status", "epochs", "last test value", ""], rows, sys.stdout)


@command.command("report")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else, on standard output.")
def report_command(folder: str, as_json: bool) -> None:
    """Write the report of what a folder holds, finished or not."""
    from celldsl.cli.screen import print_json
    from celldsl.experiment.folder import ExperimentFolder
    from celldsl.experiment.runner import collect, save

    there = ExperimentFolder(Path(folder))
    report = collect(there)
    save(report, there)
    if as_json:
        print_json(report.to_json())
    else:
        show(report, there.path)


def show(report: Any, folder: Path) -> None:
    """The tables, and where the report lies."""
    from celldsl.cli.screen import print_table
    from celldsl.experiment.tables import failures, full, notes

    titles, *rows = full(report)
    print_table(titles, rows, sys.stdout)
    for note in notes(report):
        click.echo(note)
    for name, reason in failures(report):
        click.echo(f"{name}: {reason}", err=True)
    click.echo(f"{folder / 'report.html'}  {folder / 'report.md'}  {folder / 'report.json'}")


def repeated(name: str, scale: str | None, grids: Any, only: Any, changes: Any, data: bool) -> list[str]:
    """The command that repeats a run; DIR stands for the reader's own data folder."""
    words = ["celldsl", "experiment", "run", name, *(["--scale", scale] if scale else [])]
    for flag, pairs in (("--grid", grids), ("--only", only)):
        for axis, values in pairs:
            words += [flag, f"{axis}={','.join(map(str, values))}"]
    for field, value in changes:  # a file is the reader's own too
        words += ["--set", f"{field}={'FILE' if field.endswith('.vectors') else value}"]
    return [*words, *(["--data", "DIR"] if data else [])]
