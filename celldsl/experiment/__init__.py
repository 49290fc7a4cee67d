"""Experiments: a file says what to train, one command trains it over its grid and puts the papers' numbers beside ours.

    from celldsl.experiment import find, run

    report = run(find("lu-salem-table-2"), Path("runs/table-2"), data_dir="data")

The shipped files lie in `experiments/`. Everything is loaded on first use: reading a file costs no import of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from celldsl.experiment.errors import ExperimentError

if TYPE_CHECKING:
    from celldsl.experiment.experiment import Experiment
    from celldsl.experiment.files import find, shipped
    from celldsl.experiment.report import Report
    from celldsl.experiment.runner import collect, run

_HOME = {
    "Experiment": "experiment",
    "Report": "report",
    "collect": "runner",
    "find": "files",
    "run": "runner",
    "shipped": "files",
}

__all__ = ["Experiment", "ExperimentError", "Report", "collect", "find", "run", "shipped"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"celldsl.experiment.{_HOME[name]}"), name)
