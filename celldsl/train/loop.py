"""The training loop: one for every cell, every task, every device. It reads from top to bottom.

An epoch is: set the rate, run every batch, evaluate, write the metrics' line,
checkpoint. What can be lost at any moment is the work since the last checkpoint;
what a resumed run computes is bit for bit what it would have computed (on a CPU,
with as many threads).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from celldsl import machine
from celldsl.train import carry, checkpoint, rng
from celldsl.train.average import Average
from celldsl.train.cells import backend_of, find_cell
from celldsl.train.errors import CheckpointError, Diverged, TrainError, TrainInterrupted
from celldsl.train.fabric import flushed, of_all, shard, start, threads
from celldsl.train.folder import RunFolder
from celldsl.train.model import begin_from, count
from celldsl.train.progress import Progress
from celldsl.train.rate import make_optimiser, rate
from celldsl.train.result import Result, hardware
from celldsl.train.resume import finished_result, recompile
from celldsl.train.scores import Scores
from celldsl.train.settings import Settings
from celldsl.train.stop import Stop
from celldsl.train.tasks import make_task
from celldsl.train.tasks.task import Batch, Split, Task

SHOWN_EVERY = 0.2  # seconds between two calls of Progress.step
ASKED_EVERY = 25  # steps between two looks at loss and signals where looking costs: on a GPU, or among processes


def train(
    settings: Settings, *, resume: bool = False, progress: Progress | None = None, task: Task | None = None
) -> Result:
    """Train one cell on one task.

    resume: go on from `settings.out`'s last checkpoint; start there if it holds none; return the result if it is done.
    progress: told what happens (progress.py); nothing is printed here.
    task: used in place of the one `settings.task` names.

    Raises TrainError (settings, data, machine), its kinds CheckpointError and Diverged, SpecError for the cell, and
    TrainInterrupted after SIGINT or SIGTERM, when a checkpoint is written.
    """
    settings.check()
    if settings.cell == "-":  # read once: what is trained, recorded and resumed is the text
        settings = replace(settings, cell=sys.stdin.read())
    if resume and settings.out is None:
        raise TrainError("there is nothing to resume without an out folder")
    if resume and settings.out is not None and (done := finished_result(settings)):
        return done
    progress = progress or Progress()
    task = task or make_task(settings.task, settings.task_options)
    with threads(settings.threads), flushed():
        try:
            return Run(settings, resume, progress, task).finish()
        finally:
            progress.close()


@dataclass
class Position:
    """Where a run stands: what the next step depends on besides tensors. Plain data, part of every checkpoint."""

    epoch: int = 0
    step: int = 0
    """Steps done of this epoch."""
    seconds: float = 0.0
    model_seconds: float = 0.0
    update_seconds: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)


class Run:
    """A run under way. Every process of a data-parallel run has one; the first writes and speaks."""

    def __init__(self, settings: Settings, resume: bool, progress: Progress, task: Task):
        self.settings, self.task, self.stop = settings, task, Stop()
        self.folder = RunFolder(settings.out) if settings.out is not None else None
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        if self.folder:
            if resume and self.folder.last.exists():
                tensors, facts = checkpoint.load(self.folder.last)
            self.cell = recompile(settings, facts, self.folder.last) if facts else find_cell(settings)
        else:
            self.cell = find_cell(settings)

        self.fabric = start(settings)
        self.first = self.fabric.is_global_zero
        self.progress = progress if self.first else Progress()
        if self.folder and self.first:
            self.folder.open(resume)
        with self.fabric.rank_zero_first(local=True):  # one process downloads, the others find it
            data = task.load(settings.data_dir)
        self.parts = {name: part.first(settings.test_limit) for name, part in data.evaluated().items()}
        self.parts = {name: part.to(self.fabric.device) for name, part in self.parts.items()}
        self.train_part = data.train.first(settings.train_limit).to(self.fabric.device)
        self.monitor, self.data_facts = data.monitor, dict(data.facts)

        rng.seed_all(settings.seed, "weights")
        self.model = task.model(self.cell.layer, self.data_facts)
        begin_from(self.model, data.initial)
        self.parameters = {"layer": count(getattr(self.model, "rnn", self.model)), "model": count(self.model)}
        self.constrained: list[Any] = [each for each in self.model.modules() if hasattr(each, "constrain_")]
        self.optimiser = make_optimiser(settings, self.model.parameters(), self.fabric.device.type)
        self.average = Average(self.model, settings.nonmono if settings.optimiser == "nt-asgd" else None)
        self.runner, self.stepper = self.fabric.setup(self.model, self.optimiser)
        rng.seed_all(settings.seed, "noise", self.fabric.global_rank)

        self.at, self.scores = Position(), Scores()
        self.carried: Batch = {}
        self.header = self._header()
        if facts:
            self._restore(tensors, facts)
        self.saved_at = self.shown_at = time.monotonic()
        self.saved_step = self.at.step
        if self.folder and self.first:
            self.folder.write_metrics(self.header, self.at.rows)
        self.progress.begin(self.header, settings.epochs, self.at.epoch)

    def finish(self) -> Result:
        """Run the epochs that are left."""
        with self.stop:
            while self.at.epoch < self.settings.epochs and not self._out_of_patience():
                self._train_epoch()
                self._close_epoch()
        result = self._result()
        if self.folder and self.first:
            self.folder.write_result(result.to_json())
        self.progress.end(result)
        return result

    # An epoch

    def _train_epoch(self) -> None:
        at, speed = self.at, self._speed()
        if not math.isfinite(speed):
            self._diverged(f"the learning rate became {speed} at the start of epoch {at.epoch + 1}")
        batches = self._batches()
        self.model.train()
        watched = 1 if self.fabric.device.type == "cpu" and self.fabric.world_size == 1 else ASKED_EVERY
        started = time.perf_counter() - at.seconds
        for index in batches[at.step :]:
            self._set_rate(speed * self.task.rate_scale(index))
            loss = self._step(index)
            at.step += 1
            if at.step % watched == 0 or at.step == len(batches):
                value = loss.item()  # waits for the device
                at.seconds = time.perf_counter() - started
                self._look_up(value, len(batches))
                started = time.perf_counter() - at.seconds  # a checkpoint's time is not the epoch's

    def _batches(self) -> Sequence[Tensor]:
        chance = rng.generator(self.settings.seed, "order", self.at.epoch)
        return self.task.batches(self.train_part, self.settings.batch, chance)

    def _speed(self) -> float:
        """The learning rate of the epoch under way."""
        return rate(self.settings, self.at.epoch, self.at.rows[-1]["train"]["loss"] if self.at.rows else None)

    def _set_rate(self, speed: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = speed

    def _step(self, index: Tensor) -> Tensor:
        """One batch: forward, backward, update. Returns this process' share of the loss, on its device."""
        fabric = self.fabric
        part, counted = shard(fabric, index)
        batch = {**self.train_part.take(part.to(fabric.device)), **self.carried}
        begun = time.perf_counter()
        scored = self.task.score(self.runner, batch)
        # Processes average their gradients: the factor makes that the gradient of the whole batch's mean, or sum.
        over = len(index) if self.settings.reduction == "mean" else 1
        loss = scored.loss[:counted].sum() * (fabric.world_size / over)
        if scored.penalty is not None:
            loss = loss + scored.penalty
        fabric.backward(loss)
        computed = time.perf_counter()
        if self.settings.clip is not None:
            fabric.clip_gradients(self.model, self.optimiser, max_norm=self.settings.clip, error_if_nonfinite=False)
        self.stepper.step()
        for module in self.constrained:
            module.constrain_()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.add()
        self.carried = {name: tensor.detach() for name, tensor in scored.carry.items()}
        self.at.model_seconds += computed - begun
        self.at.update_seconds += time.perf_counter() - computed
        self.scores.add(scored, len(index), counted, fabric.global_rank, fabric.world_size)
        return loss.detach()

    def _look_up(self, loss: float, steps: int) -> None:
        """Between two steps: is the loss a number, did someone press Ctrl-C, is a checkpoint due?"""
        settings, at, now = self.settings, self.at, time.monotonic()
        due = settings.checkpoint_steps is not None and at.step - self.saved_step >= settings.checkpoint_steps
        late = settings.checkpoint_seconds is not None and now - self.saved_at >= settings.checkpoint_seconds
        bad, number, save = self._agree(not math.isfinite(loss), self.stop.number, (due or late) and at.step < steps)
        if bad:
            self._diverged(f"the training loss became {loss} in epoch {at.epoch + 1}, step {at.step} of {steps}")
        if number or save:
            self._save()
        if number:
            self._interrupted(number, f"epoch {at.epoch + 1}, step {at.step} of {steps}")
        if now - self.shown_at >= SHOWN_EVERY:
            self.shown_at = now
            self.progress.step(at.epoch + 1, at.step, steps, loss)

    def _agree(self, *answers: int) -> list[int]:
        """The largest answer of all processes to each question, so that none goes a way of its own."""
        if self.fabric.world_size == 1:
            return list(answers)
        agreed = self.fabric.all_reduce(torch.tensor(answers, dtype=torch.int64), reduce_op="max")
        return [int(answer) for answer in agreed]

    def _close_epoch(self) -> None:
        """Evaluate, decide whether this was the best epoch, write it down, checkpoint."""
        at, metric = self.at, self.task.metric
        begun = time.perf_counter()
        row: dict[str, Any] = {
            "epoch": at.epoch + 1,
            "lr": self._speed(),
            "steps": at.step,
            "train": self._summary(self.scores),
        }
        with self.average.in_place():
            for name, part in self.parts.items():
                row[name] = self._evaluate(name, part)
                for key, value in row[name].items():
                    if not math.isfinite(value):
                        self._diverged(f"the {name} {key} became {value} after epoch {at.epoch + 1}")
        row["seconds"] = at.seconds
        # On a GPU the host is done with a step before the device is: what it measures is not the model's time.
        timed = self.fabric.device.type == "cpu"
        row["model_seconds"] = at.model_seconds if timed else None  # forward and backward
        row["update_seconds"] = at.update_seconds if timed else None  # clipping and optimiser
        row["eval_seconds"] = time.perf_counter() - begun

        value = row[self.monitor][metric.name]
        best = metric.better(value, at.best)
        at.rows.append(row)
        at.epoch, at.step = at.epoch + 1, 0
        at.seconds = at.model_seconds = at.update_seconds = 0.0
        if best:
            at.best, at.best_epoch = value, at.epoch
        self.scores, self.carried = Scores(), {}
        if self.folder and self.first:
            if best:
                with self.average.in_place():
                    weights = checkpoint.prefixed("model", self.model.state_dict())
                    checkpoint.save(self.folder.best, weights, self._facts())
            self.folder.add_row(row)
        if self.average.watch([each[self.monitor]["loss"] for each in at.rows]):
            self.progress.note(f"from epoch {at.epoch + 1} on, weights are averaged")
        self._save()
        self.progress.epoch(row, best)

    def _evaluate(self, name: str, part: Split) -> dict[str, float]:
        """Score a whole part in large batches, without gradients and without touching any generator."""
        fabric, scores = self.fabric, Scores()
        carried: Batch = {}
        self.runner.eval()
        with torch.no_grad():
            for index in self.task.eval_batches(name, part, self.settings.eval_batch):
                mine, counted = shard(fabric, index)
                scored = self.task.score(self.runner, {**part.take(mine.to(fabric.device)), **carried})
                carried = scored.carry
                scores.add(scored, len(index), counted, fabric.global_rank, fabric.world_size)
                if self.stop.number and fabric.world_size == 1:
                    self._save()
                    self._interrupted(self.stop.number, f"the evaluation of epoch {self.at.epoch + 1}")
        return self._summary(scores)

    def _summary(self, scores: Scores) -> dict[str, float]:
        columns = scores.gather(self.fabric)
        loss = columns.pop("loss").mean().item()
        return {"loss": loss, **self.task.summarise(columns)}

    def _out_of_patience(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.at.epoch - self.at.best_epoch >= patience

    # Checkpoints

    def _save(self) -> None:
        """Write the last checkpoint; refuse one with weights that are no numbers, so that a good one stays."""
        self.saved_at, self.saved_step = time.monotonic(), self.at.step
        if not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            self._diverged(f"a weight became infinite or NaN in epoch {self.at.epoch + 1}, step {self.at.step}")
        if self.folder is None:
            return
        scores = self.scores.gather(self.fabric) if self.scores.total else {}
        carried = carry.gather(self.fabric, self.carried)
        chance = {name: of_all(self.fabric, state) for name, state in rng.capture(self.fabric.device).items()}
        if self.first:
            moments, numbers = checkpoint.pack_optimiser(self.optimiser)
            tensors = {
                **checkpoint.prefixed("model", self.model.state_dict()),
                **checkpoint.prefixed("optimiser", moments),
                **checkpoint.prefixed("rng", chance),
                **checkpoint.prefixed("scores", scores),
                **checkpoint.prefixed("carried", carried),
                **checkpoint.prefixed("average", self.average.means),
            }
            scaler = self.fabric.strategy.precision.state_dict()
            averaged = {"begun": self.average.begun, "steps": self.average.steps}
            facts = {
                **self._facts(),
                "optimiser": numbers,
                "scaler": scaler,
                "scored": self.scores.total,
                "averaged": averaged,
            }
            checkpoint.save(self.folder.last, tensors, facts)

    def _facts(self) -> dict[str, Any]:
        """What every checkpoint says of its run; the spec's own text is what it is compiled from again."""
        return {
            "settings": self.settings.to_json(),
            "cell": {"name": self.cell.name, "text": self.cell.text},
            "data": self.data_facts,
            "position": asdict(self.at),
            "versions": self.header["versions"],
        }

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Stand where the checkpoint stood."""
        self.at = Position(**facts["position"])
        if "optimiser" not in facts:
            raise CheckpointError("this checkpoint holds a model only, as best.safetensors does; resume the last one")
        self.model.load_state_dict(checkpoint.under("model", tensors))
        checkpoint.unpack_optimiser(self.optimiser, checkpoint.under("optimiser", tensors), facts["optimiser"])
        self.fabric.strategy.precision.load_state_dict(facts["scaler"])
        self.scores = Scores.restore(checkpoint.under("scores", tensors), facts["scored"], self.fabric.global_rank)
        self.carried = carry.scatter(self.fabric, checkpoint.under("carried", tensors))
        self.average.restore(checkpoint.under("average", tensors), **facts["averaged"])
        chance = checkpoint.under("rng", tensors)
        if len(chance["torch"]) == self.fabric.world_size:
            rng.restore({name: rows[self.fabric.global_rank] for name, rows in chance.items()}, self.fabric.device)
        else:
            rng.seed_all(self.settings.seed, "noise", self.fabric.global_rank, self.at.epoch, self.at.step)
            self.progress.note("resumed with another number of processes: equal within rounding, with fresh noise")

    # Ends

    def _checkpoint_path(self) -> Path | None:
        return self.folder.last if self.folder and self.folder.last.exists() else None

    def _diverged(self, what: str) -> NoReturn:
        path = self._checkpoint_path()
        kept = f"; the last good checkpoint is {path}" if path else ""
        speed = self.optimiser.param_groups[0]["lr"]
        hint = "a smaller lr or a clip may help"
        raise Diverged(f"{what} (learning rate {speed:g}){kept}; {hint}", path)

    def _interrupted(self, number: int, where: str) -> NoReturn:
        raise TrainInterrupted(number, self._checkpoint_path(), where)

    def _header(self) -> dict[str, Any]:
        return {
            "cell": self.cell.name,
            "spec_sha256": self.cell.sha256,
            "task": self.settings.task,
            "metric": self.task.metric.name,
            "monitor": self.monitor,
            "examples": {"train": len(self.train_part), **{name: len(part) for name, part in self.parts.items()}},
            "parameters": self.parameters,
            "data": self.data_facts,
            "settings": self.settings.to_json(),
            "backend": backend_of(self.model, self.settings.precision, self.fabric.device),
            "versions": machine.versions("torch", "lightning", "numpy"),
            "hardware": hardware(self.fabric.device, self.fabric.world_size),
        }

    def _result(self) -> Result:
        settings, at, metric = self.settings, self.at, self.task.metric
        return Result(
            cell=self.cell.name,
            spec_sha256=self.cell.sha256,
            task=settings.task,
            settings=settings.to_json(),
            metric=metric.name,
            higher_is_better=metric.higher_is_better,
            monitor=self.monitor,
            best_epoch=at.best_epoch,
            rows=at.rows,
            stopped="patience" if at.epoch < settings.epochs else "epochs",
            parameters=self.parameters,
            data=self.data_facts,
            versions=self.header["versions"],
            hardware=self.header["hardware"],
        )
