"""Points on a Ray cluster: one task a point. The experiment's folder must be one that all machines see.

What is stopped, with its cluster or alone, goes on from its checkpoint like any other run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import celldsl
from celldsl.experiment.pools import Ended
from celldsl.experiment.work import Job, Outcome
from celldsl.extras import need
from celldsl.train.stop import Stop

GRACE = 30.0
"""Seconds that runs are given to write a checkpoint after a signal."""


class Cluster:
    """A Ray cluster by its address (`auto`, `ray://host:port`), or one of this machine's own with so many processors.

    Raises MissingExtra where Ray is not installed.
    """

    def __init__(self, address: str | None = None, processors: int | None = None):
        need("ray", "--ray")
        self.address, self.processors = address, processors

    def run(self, jobs: Sequence[Job], begun: Callable[[Job], None]) -> Iterator[Ended]:
        if not jobs:
            return
        import ray

        ours = not ray.is_initialized()
        if ours:
            self._start()
        try:
            with Stop() as stop:
                yield from _watched(jobs, begun, stop)
        finally:
            if ours:
                ray.shutdown()

    def _start(self) -> None:
        import ray

        root = str(Path(celldsl.__file__).resolve().parent.parent)
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        ray.init(
            address=self.address or "local",
            num_cpus=None if self.address else self.processors,
            runtime_env={"env_vars": {"PYTHONPATH": paths}},
            include_dashboard=None if self.address else False,
            log_to_driver=False,
            logging_level="warning",
        )


def _watched(jobs: Sequence[Job], begun: Callable[[Job], None], stop: Stop) -> Iterator[Ended]:
    import ray

    gpus = ray.cluster_resources().get("GPU", 0) > 0
    pending: dict[Any, Job] = {}
    for job in jobs:
        needs = {"num_cpus": job.settings["threads"] or 1, "num_gpus": 1 if gpus and _wants_gpu(job) else 0}
        pending[ray.remote(max_retries=0, **needs)(_remote).remote(asdict(job))] = job
    submitted, waiting, deadline = time.time(), {job.name: job for job in jobs}, None
    while pending:
        for job in [job for job in waiting.values() if _started(job, submitted)]:
            begun(waiting.pop(job.name))
        ended, _ = ray.wait(list(pending), num_returns=1, timeout=0.3)
        for task in ended:
            job = pending.pop(task)
            if waiting.pop(job.name, None):
                begun(job)
            yield job, _outcome(job, task, stop.number)
        if stop.number and deadline is None:
            deadline = time.monotonic() + GRACE
            for task in pending:
                ray.cancel(task, force=False)
        if deadline is not None and time.monotonic() > deadline:
            for job in pending.values():
                yield job, Outcome("interrupted", signal=stop.number)
            return


def _outcome(job: Job, task: Any, stopped: int) -> Outcome:
    import ray

    try:
        outcome = Outcome(**ray.get(task))
    except ray.exceptions.RayError as error:
        if stopped:
            return Outcome("interrupted", signal=stopped)
        reason = f"its Ray task ended: {str(error).splitlines()[0]}"
        job.folder.fail("failed", reason)
        return Outcome("failed", reason)
    return outcome


def _remote(job: dict[str, Any]) -> dict[str, Any]:
    """What a task does: run one point where it is."""
    from celldsl.experiment.work import work

    return asdict(work(Job(**job)))


def _wants_gpu(job: Job) -> bool:
    return job.settings["device"] in ("auto", "cuda")


def _started(job: Job, since: float) -> bool:
    """Whether some process has taken the point since then."""
    try:
        return job.folder.lock.stat().st_mtime >= since and job.folder.lock.stat().st_size > 0
    except OSError:
        return False
