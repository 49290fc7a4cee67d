"""One point, run to its end in this process; and the loop of a worker process that runs points one after another.

A worker reads jobs from standard input, a JSON line each, and answers each with a line on standard output. What is
printed meanwhile lands in the point's log. It stops, with a checkpoint, on SIGTERM and when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from celldsl.errors import CelldslError
from celldsl.experiment.folder import PointFolder
from celldsl.train import Diverged, Lines, Progress, Settings, TrainInterrupted, train
from celldsl.train.progress import Several
from celldsl.train.tensorboard import Board

PATIENCE = 20.0
"""Seconds to wait for a process of an earlier call that is about to leave the point's folder."""


@dataclass(frozen=True)
class Job:
    """One point to run: its settings, `out` being its folder."""

    name: str
    settings: Mapping[str, Any]
    tensorboard: bool = False

    @property
    def folder(self) -> PointFolder:
        return PointFolder(Path(self.settings["out"]))


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `finished`, `diverged`, `failed`, `busy` (another process has it) or `interrupted`."""

    status: str
    reason: str = ""
    signal: int = 0


def work(job: Job) -> Outcome:
    """Run one point from where it stands; a failure is an outcome, and its reason is kept in its folder."""
    folder = job.folder
    rank = int(os.environ.get("RANK", "0"))  # under torchrun: the first process writes
    if rank:
        return _train(job, folder, None)
    deadline = time.monotonic() + PATIENCE
    while True:
        with folder.locked() as free:
            if free:
                folder.lock.write_text(f"{os.getpid()}\n")  # for people who wonder what works here
                with open(folder.log, "a", encoding="utf-8") as log:
                    return _train(job, folder, log)
        if time.monotonic() > deadline:
            return Outcome("busy", "another process works on it")
        time.sleep(0.2)


def _train(job: Job, folder: PointFolder, log: TextIO | None) -> Outcome:
    try:
        train(Settings.from_json(job.settings), resume=True, progress=_progress(job, folder, log))
    except TrainInterrupted as stopped:
        return Outcome("interrupted", str(stopped), int(stopped.signal))
    except Diverged as error:
        return _failed(folder, log, "diverged", str(error))
    except CelldslError as error:
        return _failed(folder, log, "failed", str(error))
    except Exception as error:  # whatever it was, the other points go on
        if log:
            traceback.print_exc(file=log)
        return _failed(folder, log, "failed", f"{type(error).__name__}: {error}")
    if log:
        folder.failure.unlink(missing_ok=True)
    return Outcome("finished")


def _progress(job: Job, folder: PointFolder, log: TextIO | None) -> Progress:
    if log is None:
        return Progress()
    return Several(Lines(log), Board(folder.path / "tensorboard")) if job.tensorboard else Lines(log)


def _failed(folder: PointFolder, log: TextIO | None, kind: str, reason: str) -> Outcome:
    if log:
        print(f"{kind}: {reason}", file=log)
        folder.fail(kind, reason)
    return Outcome(kind, reason)


def serve() -> None:
    """Be a worker: jobs in, outcomes out, until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anybody prints is no answer
    jobs: queue.Queue[str | None] = queue.Queue()
    busy = threading.Event()

    def read() -> None:
        for line in sys.stdin:
            jobs.put(line)
        jobs.put(None)
        if busy.is_set():  # whoever asked is gone: nobody waits for this run
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=read, daemon=True).start()
    quiet = os.dup(2)
    while (line := jobs.get()) is not None:
        job = Job(**json.loads(line))
        busy.set()
        job.folder.path.mkdir(parents=True, exist_ok=True)
        with open(job.folder.log, "a", encoding="utf-8") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            outcome = work(job)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
        busy.clear()
        print(json.dumps(asdict(outcome)), file=answers, flush=True)


if __name__ == "__main__":
    serve()
