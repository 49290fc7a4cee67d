"""What can go wrong with an experiment."""

from __future__ import annotations

from pathlib import Path

from celldsl.errors import CelldslError


class ExperimentError(CelldslError):
    """An experiment that cannot start or go on; the message says what to change."""


class ExperimentInterrupted(ExperimentError):
    """Stopped by a signal; every run has a checkpoint. `exit_status` is what a command line should return."""

    def __init__(self, number: int, out: Path):
        self.exit_status = 128 + number
        super().__init__(f"stopped; the same command with -o {out} goes on from here")
