"""Benchmarks: parity first, then accuracy and time, as a table, a figure, JSON and one page.

    from celldsl.bench import Options, bench

    report = bench(Options(cells=("lstm", "lstm1"), epochs=5), Path("runs/mine"))

Everything is loaded on first use: naming the options costs no import of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from celldsl.bench.options import BenchError, Options

if TYPE_CHECKING:
    from celldsl.bench.folder import fresh
    from celldsl.bench.listener import Listener, terminal_listener
    from celldsl.bench.report import Report
    from celldsl.bench.run import bench
    from celldsl.bench.table import show

_HOME = {
    "Listener": "listener",
    "Report": "report",
    "bench": "run",
    "fresh": "folder",
    "show": "table",
    "terminal_listener": "listener",
}

__all__ = ["BenchError", "Listener", "Options", "Report", "bench", "fresh", "show", "terminal_listener"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"celldsl.bench.{_HOME[name]}"), name)
