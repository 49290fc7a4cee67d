"""The loop: it learns, stops when it should, and says what happened."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from celldsl.train import Diverged, Lines, Progress, Result, TrainError, TrainInterrupted, load_model, rng, train
from celldsl.train.cells import find_cell
from celldsl.train.folder import read_metrics
from celldsl.train.tasks import make_task
from celldsl.train.tasks.task import Scored
from tests.train.helpers import Failing, plain, quick


def test_an_lstm_learns_digits() -> None:
    settings = quick(hidden=32, epochs=8, optimiser="adam", lr=1e-2, train_limit=None, test_limit=None, clip=1.0)
    result = train(settings)
    assert result.best > 0.9
    assert result.curve("train", "loss")[-1] < result.curve("train", "loss")[0] / 3
    assert result.best == max(result.curve("test"))
    assert result.parameters == {"layer": 4 * (8 * 32 + 32 * 32 + 2 * 32), "model": 4 * (8 * 32 + 32 * 32 + 64) + 330}
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_parameters_stay_within_their_bounds(tmp_path: Path) -> None:
    spec = "cell C { h_t = tanh(W x_t + u ⊙ h_{t-1} + b); constrain abs(u) <= 0.01; constrain b >= 0 }"
    train(quick(cell=spec, epochs=1, optimiser="adam", lr=0.1, out=str(tmp_path)))
    model, _ = load_model(tmp_path / "last.safetensors")
    step = model.rnn.layers["l0"]  # type: ignore[union-attr,index]
    assert step.u.abs().max() <= 0.01
    assert 0 == step.b.min() < step.b.max()


@pytest.mark.parametrize("task", ["adding", "copy"])
def test_the_other_tasks_learn(task: str) -> None:
    size = {"length": 8} if task == "adding" else {"symbols": 2, "delay": 2}
    result = train(quick(task=task, task_options=size, epochs=4, optimiser="adam", lr=1e-2, train_limit=2000))
    losses = result.curve("test", "loss")
    assert losses[-1] < losses[0]
    assert result.higher_is_better == (task == "copy")


def test_one_seed_one_result_whatever_else_was_drawn() -> None:
    one = train(quick(seed=5))
    torch.randn(7)
    other = train(quick(seed=5))
    assert plain(one.rows) == plain(other.rows)
    assert plain(one.rows) != plain(train(quick(seed=6)).rows)


def test_exp_loss_rates_in_a_run() -> None:
    rows = train(quick(schedule="exp-loss", epochs=3, lr=2e-3)).rows
    assert rows[0]["lr"] == 2e-3
    for before, after in itertools.pairwise(rows):
        assert after["lr"] == 2e-3 * math.exp(before["train"]["loss"])


def test_early_stopping_counts_epochs_without_gain() -> None:
    result = train(quick(lr=1e-12, epochs=10, patience=3))  # a rate too small to change any answer
    assert result.stopped == "patience"
    assert result.best_epoch == 1
    assert len(result.rows) == 4


def test_clipping_bounds_the_whole_gradient(tmp_path: Path) -> None:
    """One step of SGD at rate 1 moves the weights by the clipped gradient: by exactly the bound."""

    def moved(name: str, clip: float | None) -> float:
        settings = quick(epochs=1, optimiser="sgd", lr=1.0, clip=clip, train_limit=32, out=str(tmp_path / name))
        train(settings)
        after, _ = load_model(tmp_path / name / "last.safetensors")
        rng.seed_all(settings.seed, "weights")
        before = make_task("digits", {}).model(find_cell(settings).layer, {})
        with torch.no_grad():
            pairs = zip(after.parameters(), before.parameters(), strict=True)
            return torch.cat([(new - old).flatten() for new, old in pairs]).norm().item()

    free = moved("free", None)
    assert moved("clipped", free / 2) == pytest.approx(free / 2, rel=1e-4)
    assert moved("loose", free * 2) == pytest.approx(free, rel=1e-6)


@pytest.mark.parametrize("precision", ["64", "bf16-mixed"])
def test_other_precisions_train(precision: str) -> None:
    result = train(quick(precision=precision, epochs=1))
    assert math.isfinite(result.last)


def test_layers_directions_and_penalties() -> None:
    def regularised(scored: Scored, call: int) -> Scored:
        return dataclasses.replace(scored, penalty=0.01 * scored.loss.square().mean())

    settings = quick(layers=2, dropout=0.2, bidirectional=True, epochs=1)
    plain_loss = train(settings).rows[0]["train"]["loss"]
    assert train(settings, task=Failing(regularised)).rows[0]["train"]["loss"] != plain_loss


def test_metrics_file_and_progress(tmp_path: Path) -> None:
    heard: list[Any] = []

    class Listener(Progress):
        def begin(self, header: Any, epochs: int, done: int) -> None:
            heard.append(("begin", header["cell"], epochs, done))

        def epoch(self, row: Any, best: bool) -> None:
            heard.append(("epoch", row["epoch"]))

        def end(self, result: Result) -> None:
            heard.append("end")

        def close(self) -> None:
            heard.append("close")

    result = train(quick(out=str(tmp_path / "run")), progress=Listener())
    assert heard == [("begin", "torch.nn.LSTM", 2, 0), ("epoch", 1), ("epoch", 2), "end", "close"]
    header, rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert rows == result.rows
    assert header["settings"]["hidden"] == 12
    assert header["examples"] == {"train": 320, "test": 100}
    assert {"torch", "celldsl", "python"} <= header["versions"].keys()
    saved = json.loads((tmp_path / "run" / "result.json").read_text())
    assert Result.from_json(saved) == result
    assert saved["best"] == result.best


def test_lines_for_a_log() -> None:
    import io

    stream = io.StringIO()
    train(quick(epochs=1), progress=Lines(stream))
    first, second = stream.getvalue().splitlines()
    assert first.startswith("torch.nn.LSTM on digits: ")
    assert second.startswith("epoch 1/1  train loss ")


def test_a_nan_stops_the_run_and_keeps_the_good_checkpoint(tmp_path: Path) -> None:
    def poisoned(scored: Scored, call: int) -> Scored:
        return dataclasses.replace(scored, loss=scored.loss * math.nan) if call == 16 else scored  # epoch 2, step 5

    with pytest.raises(
        Diverged, match=r"training loss became nan in epoch 2, step 5 of 10 .*last\.safetensors"
    ) as stop:
        train(quick(out=str(tmp_path)), task=Failing(poisoned))
    assert stop.value.checkpoint == tmp_path / "last.safetensors"
    rest = train(quick(out=str(tmp_path)), resume=True)
    assert plain(rest.rows) == plain(train(quick()).rows)


def test_weights_gone_bad_are_never_saved(tmp_path: Path) -> None:
    def explode(scored: Scored, call: int) -> Scored:
        return dataclasses.replace(scored, loss=_poison_gradient(scored.loss)) if call == 7 else scored

    with pytest.raises(Diverged, match=r"a weight became infinite or NaN in epoch 1, step 7"):
        train(quick(out=str(tmp_path), checkpoint_steps=1), task=Failing(explode))
    model, facts = load_model(tmp_path / "last.safetensors")
    assert facts["position"]["step"] == 6
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def _poison_gradient(loss: torch.Tensor) -> torch.Tensor:
    """The same loss, whose gradient is NaN."""
    copy = loss * 1.0
    copy.register_hook(lambda gradient: gradient * math.nan)
    return copy


def test_an_infinite_rate_stops_the_run() -> None:
    def enormous(scored: Scored, call: int) -> Scored:
        return dataclasses.replace(scored, loss=scored.loss.detach() * 0 + scored.loss + 1000.0)

    with pytest.raises(Diverged, match="the learning rate became inf at the start of epoch 2"):
        train(quick(schedule="exp-loss"), task=Failing(enormous))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_checkpoints_and_raises(tmp_path: Path, number: signal.Signals) -> None:
    def interrupt(scored: Scored, call: int) -> Scored:
        if call == 13:
            os.kill(os.getpid(), number)
        return scored

    before = signal.getsignal(number)
    with pytest.raises(
        TrainInterrupted, match=rf"stopped by {number.name} in epoch 2, step .*continue with --resume"
    ) as stop:
        train(quick(out=str(tmp_path)), task=Failing(interrupt))
    assert stop.value.exit_status == 128 + number
    assert signal.getsignal(number) == before
    rest = train(quick(out=str(tmp_path)), resume=True)
    assert plain(rest.rows) == plain(train(quick()).rows)


def test_a_signal_during_evaluation(tmp_path: Path) -> None:
    def interrupt(scored: Scored, call: int) -> Scored:
        if call == 12:  # after ten batches, the second of four of the evaluation
            os.kill(os.getpid(), signal.SIGINT)
        return scored

    with pytest.raises(TrainInterrupted, match="in the evaluation of epoch 1"):
        train(quick(out=str(tmp_path), eval_batch=25), task=Failing(interrupt))
    rest = train(quick(out=str(tmp_path), eval_batch=25), resume=True)
    assert plain(rest.rows) == plain(train(quick(eval_batch=25)).rows)


def test_numbers_too_small_to_matter_are_zero_while_training() -> None:
    seen = []

    def watch(scored: Scored, call: int) -> Scored:
        seen.append((torch.tensor(1e-38) * 0.01).item())
        return scored

    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot")
    train(quick(epochs=1), task=Failing(watch))
    assert set(seen) == {0.0}
    assert (torch.tensor(1e-38) * 0.01).item() > 0, "as before"


def test_impossible_runs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainError, match=r"no layer 'torch\.nn\.LSTN'"):
        train(quick(cell="torch.nn.LSTN"))
    with pytest.raises(TrainError, match="has no option 'forget'"):
        train(quick(cell_options={"forget": 1}))
    with pytest.raises(TrainError, match="torchrun --nproc-per-node 2"):
        train(quick(devices=2))
    with pytest.raises(TrainError, match="nothing to resume without an out folder"):
        train(quick(), resume=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainError, match="torch finds no CUDA device"):
        train(quick(device="cuda"))
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainError, match="cannot be made"):
        train(quick(out=str(tmp_path / "file" / "run")))
