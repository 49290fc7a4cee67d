"""What can go wrong in training, each with a type of its own so that callers can tell them apart."""

from __future__ import annotations

import signal
from pathlib import Path

from celldsl.errors import CelldslError


class TrainError(CelldslError):
    """A run that cannot start or go on; the message says what to change."""


class CheckpointError(TrainError):
    """A checkpoint that is missing, damaged, or of another run."""


class Diverged(TrainError):
    """The loss or a weight became NaN or infinite; `checkpoint` is the last good one, if there is any."""

    def __init__(self, message: str, checkpoint: Path | None = None):
        super().__init__(message)
        self.checkpoint = checkpoint


class TrainInterrupted(CelldslError):
    """A signal asked the run to stop and it did, after a checkpoint.

    `exit_status` is what a command line should return: 128 + the signal's number, 130 for Ctrl-C.
    """

    def __init__(self, number: int, checkpoint: Path | None, where: str):
        self.signal = signal.Signals(number)
        self.checkpoint = checkpoint
        self.exit_status = 128 + number
        saved = f"saved to {checkpoint}; continue with --resume" if checkpoint else "nothing saved: no out folder"
        super().__init__(f"stopped by {self.signal.name} in {where}, {saved}")
