"""`celldsl bench`: the shipped cells verified, trained and timed side by side."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from celldsl.bench.options import FLAGS, Options
from celldsl.train.settings import DEVICES, OPTIMISERS, SCHEDULES
from celldsl.train.tasks import TASKS

DEFAULT: dict[str, Any] = {each.name: each.default for each in dataclasses.fields(Options)}


def option(name: str, help: str, **rest: Any) -> Any:
    """An option for one field of `Options`, with the default that stands there."""
    default = ",".join(DEFAULT[name]) if name == "cells" else DEFAULT[name]
    return click.option(FLAGS[name], name, default=default, show_default=default is not None, help=help, **rest)


@click.command()
@option("cells", "Specs, by path or shipped name, with commas between; torch.nn.LSTM is one too.", metavar="A,B,...")
@option("task", "What to learn.", type=click.Choice(list(TASKS)))
@option("data_dir", "Folder with one folder of Parquet files per data set.", metavar="DIR")
@option("epochs", "Epochs of every run.", type=int)
@option("seeds", "Runs per cell, with the seeds 0, 1, ...", type=int)
@option("hidden", "Width of the hidden state.", type=int)
@option("batch", "Examples per step.", type=int)
@option("optimiser", "How to descend.", type=click.Choice(OPTIMISERS))
@option("lr", "Learning rate; η0 of exp-loss.", type=float)
@option("schedule", "The rate over epochs; exp-loss is Lu & Salem's η0·exp(loss).", type=click.Choice(SCHEDULES))
@option("device", "Where to train; steps are timed on the CPU.", type=click.Choice(DEVICES))
@option("threads", "CPU threads for everything.", type=int)
@click.option("-o", "out", metavar="DIR", help="Folder of the results.  [default: runs/bench-TASK-TIME]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else, on standard output.")
def command(out: str | None, as_json: bool, cells: str, **fields: Any) -> int:
    """Verify, train and time cells side by side.

    Every claim of every cell is verified first; each cell is then trained with every seed, and a training step timed
    against torch.nn.LSTM. A folder given again goes on where it stopped: finished runs are not run twice.
    Exit code 1 if anything that was verified is false.

    \b
    celldsl bench
    celldsl bench --cells lstm,gru,my.cell --seeds 5 -o runs/mine
    celldsl bench --task mnist-rows --data DIR --epochs 5 --cells lstm,lstm1
    """
    from celldsl.extras import need

    need("bench", "celldsl bench")
    from celldsl.bench import bench, fresh, show, terminal_listener
    from celldsl.cli.screen import print_json

    options = Options(cells=tuple(filter(None, (cell.strip() for cell in cells.split(",")))), **fields)
    folder = Path(out) if out else fresh(options.task)
    report = bench(options, folder, terminal_listener())
    if as_json:
        print_json(report.to_json())
    else:
        show(report, sys.stdout)
        click.echo(f"{folder / 'report.html'}  {folder / 'accuracy.png'}  {folder / 'report.json'}")
    return 0 if report.ok else 1
