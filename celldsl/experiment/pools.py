"""Where points are run: in this process one after another, or side by side in processes of this machine.

A pool takes jobs and tells the outcome of each as it comes; `cluster.py` has one for Ray.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import celldsl
from celldsl import machine
from celldsl.experiment.work import Job, Outcome
from celldsl.train.stop import Stop

Ended = tuple[Job, Outcome]


class Pool(Protocol):
    def run(self, jobs: Sequence[Job], begun: Callable[[Job], None]) -> Iterator[Ended]:
        """Run all jobs, telling `begun` when one starts; after a signal, end those under way with checkpoints and
        yield them as `interrupted`."""
        ...


def choose(jobs: int = 1, ray: str | None = None) -> Pool:
    """The pool for so many runs at once, or for a Ray cluster (an address, or `local`). Raises MissingExtra."""
    if ray is not None:
        from celldsl.experiment.cluster import Cluster

        return Cluster(None if ray == "local" else ray)
    return Local(jobs) if jobs > 1 else Here()


class Here:
    """One after another in this process: also that of every process that torchrun started."""

    def run(self, jobs: Sequence[Job], begun: Callable[[Job], None]) -> Iterator[Ended]:
        from celldsl.experiment.work import work

        for job in jobs:
            begun(job)
            outcome = work(job)
            yield job, outcome
            if outcome.status == "interrupted":
                return


class Local:
    """Side by side in `number` processes, each of which runs point after point."""

    def __init__(self, number: int):
        self.number = number

    def run(self, jobs: Sequence[Job], begun: Callable[[Job], None]) -> Iterator[Ended]:
        waiting: queue.Queue[Job] = queue.Queue()
        ended: queue.Queue[Ended | BaseException] = queue.Queue()
        for job in jobs:
            waiting.put(job)
        workers = [_Worker(waiting, ended, begun, self.number) for _ in range(min(self.number, len(jobs)))]
        left, told = len(jobs), False
        try:
            with Stop() as stop:
                for worker in workers:
                    worker.start()
                while left and (not told or any(worker.is_alive() for worker in workers) or not ended.empty()):
                    if stop.number and not told:
                        told = True
                        for worker in workers:
                            worker.interrupt(stop.number)
                    try:
                        end = ended.get(timeout=0.2)
                    except queue.Empty:
                        continue
                    if isinstance(end, BaseException):
                        raise end
                    left -= 1
                    yield end
        finally:
            for worker in workers:
                worker.interrupt(signal.SIGTERM)
            for worker in workers:
                worker.join()


class _Worker(threading.Thread):
    """One process and the thread that gives it jobs. A process that dies fails its job; the next job gets a new one."""

    def __init__(
        self,
        waiting: queue.Queue[Job],
        ended: queue.Queue[Ended | BaseException],
        begun: Callable[[Job], None],
        number: int,
    ):
        super().__init__(daemon=True)
        self.waiting, self.ended, self.begun = waiting, ended, begun
        self.process: subprocess.Popen[str] | None = None
        self.stopped = 0
        self.lock = threading.Lock()
        root = str(Path(celldsl.__file__).resolve().parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        share = str(max(1, machine.cores() // number))  # of the cores, for runs that leave the number to torch
        self.environment = {"OMP_NUM_THREADS": share, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def run(self) -> None:
        try:
            while not self.stopped:
                try:
                    job = self.waiting.get_nowait()
                except queue.Empty:
                    break
                self.begun(job)
                self.ended.put((job, self._ask(job)))
        except BaseException as error:  # a bug here must not leave the caller waiting
            self.ended.put(error)
        finally:
            self._close()

    def interrupt(self, number: int) -> None:
        """End the job under way, with a checkpoint, and take no other. Once: a second signal would kill."""
        with self.lock:
            if not self.stopped:
                self.stopped = number
                if self.process and self.process.poll() is None:
                    self.process.send_signal(signal.SIGTERM)

    def _ask(self, job: Job) -> Outcome:
        with self.lock:
            if self.stopped:
                return Outcome("interrupted", signal=self.stopped)
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "celldsl.experiment.work"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env=self.environment,
                    start_new_session=True,  # Ctrl-C reaches this process, which passes it on once
                )
        line = json.dumps({"name": job.name, "settings": dict(job.settings), "tensorboard": job.tensorboard})
        try:
            answer = _answer(self.process, line)
        except BrokenPipeError:
            answer = ""
        if answer:
            outcome = Outcome(**json.loads(answer))
            if outcome.status != "interrupted":
                return outcome
            # A signal that did not come through here stopped this run alone.
            return replace(outcome, signal=self.stopped) if self.stopped else replace(outcome, status="failed")
        code = self.process.wait()
        if self.stopped:
            return Outcome("interrupted", signal=self.stopped)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        reason = f"its process {how}; {job.folder.log.name} in its folder has what it said"
        job.folder.fail("failed", reason)
        return Outcome("failed", reason)

    def _close(self) -> None:
        """Let the process end: with its standard input at an end it does."""
        if self.process:
            with contextlib.suppress(BrokenPipeError):
                self.process.communicate()


def _answer(process: subprocess.Popen[str], line: str) -> str:
    """One line in, one line out; empty where the process ended instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()
