"""The folder of a benchmark: its options, one folder per run, and the report's files.

A folder that holds something else is refused. One that holds a benchmark of the same settings is gone on with: runs
that are finished there are not run again, runs that were interrupted resume, and cells, seeds or epochs may be added.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from celldsl.bench.options import BenchError, Options
from celldsl.train.checkpoint import write_atomically

MARK = "bench.json"


class BenchFolder:
    """Paths of one benchmark; `open` makes or takes over the folder."""

    def __init__(self, path: Path):
        self.path = path
        self.report = path / "report.json"
        self.figure = path / "accuracy.png"
        self.page = path / "report.html"
        self.markdown = path / "report.md"

    def open(self, options: Options) -> None:
        """Raise BenchError if the folder holds other files, or a benchmark of other settings."""
        mark = self.path / MARK
        if mark.is_file():
            try:
                changed = options.changed(json.loads(mark.read_text(encoding="utf-8")))
            except ValueError as error:
                raise BenchError(f"{mark} is damaged ({error}): give another folder with -o") from error
            if changed:
                told = "\n  ".join(changed)
                raise BenchError(f"{self.path} holds a benchmark of other settings: give another folder.\n  {told}")
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise BenchError(f"{self.path} is there already and holds no benchmark: give another folder with -o")
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(mark, (json.dumps(options.to_json(), indent=1) + "\n").encode())

    def run(self, slug: str, seed: int) -> Path:
        """The folder of one run, for the trainer to make."""
        return self.path / "runs" / f"{slug}-seed{seed}"


def fresh(task: str) -> Path:
    """A folder that is not there yet: runs/bench-TASK-DATE-TIME."""
    stem = f"bench-{task}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (stem if at == 1 else f"{stem}-{at}" for at in range(1, 1000))
    return next(path for name in names if not (path := Path("runs") / name).exists())
