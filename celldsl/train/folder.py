"""The folder of a run: metrics.jsonl, last and best checkpoint, result.json.

metrics.jsonl has a header line and one line per epoch. When a run resumes it is
rewritten from the checkpoint, so that no epoch stands there twice, or at all
before it counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from celldsl.train.checkpoint import write_atomically
from celldsl.train.errors import TrainError


class RunFolder:
    """Paths and the metrics file of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.metrics = self.path / "metrics.jsonl"
        self.last = self.path / "last.safetensors"
        self.best = self.path / "best.safetensors"
        self.result = self.path / "result.json"

    def open(self, resume: bool) -> None:
        """Make the folder; a run that is there already is only touched by one that resumes it."""
        if self.last.exists() and not resume:
            raise TrainError(f"{self.path} already holds a run: resume it (--resume) or give another out folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainError(f"out folder {self.path} cannot be made: {error}") from error

    def write_metrics(self, header: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        write_atomically(self.metrics, "".join(_line(entry) for entry in (header, *rows)).encode())

    def add_row(self, row: Mapping[str, Any]) -> None:
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    def write_result(self, result: Mapping[str, Any]) -> None:
        write_atomically(self.result, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())


def read_metrics(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the epochs of a metrics.jsonl; a last line cut short by a crash is passed over."""
    entries = []
    for line in Path(path).read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            entries.append(json.loads(line))
    if not entries:
        raise TrainError(f"{path} has no header line")
    return entries[0], entries[1:]


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
