"""Resuming: whatever stopped a run, what comes out is what would have come out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from celldsl.train import CheckpointError, TrainError, checkpoint, load_model, train
from celldsl.train.folder import read_metrics
from tests.train.helpers import plain, quick

ROOT = Path(__file__).resolve().parents[2]
# Two layers with dropout: noise is drawn at every step, so a generator that is not put back shows at once.
NOISY = {"layers": 2, "dropout": 0.4, "epochs": 3, "schedule": "exp-loss", "checkpoint_steps": 3, "optimiser": "adam"}

CHILD = """
import sys
from celldsl.train import train
from tests.train.helpers import SlowDigits, quick
train(quick(out=sys.argv[1], **{noisy!r}), task=SlowDigits())
"""


def same_checkpoints(one: Path, other: Path) -> None:
    """Two checkpoints hold the same bits: weights, optimiser, generators; and the same metrics but for the times."""
    first, facts = checkpoint.load(one)
    second, others = checkpoint.load(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert plain(facts["position"]["rows"]) == plain(others["position"]["rows"])


def test_kill_9_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    child = subprocess.Popen([sys.executable, "-c", CHILD.format(noisy=NOISY), str(killed)], cwd=ROOT)
    try:
        position = {"epoch": 0, "step": 0}
        deadline = time.monotonic() + 120
        while not (position["epoch"] == 1 and position["step"] > 0):
            assert child.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
            if (killed / "last.safetensors").exists():
                position = checkpoint.load(killed / "last.safetensors")[1]["position"]
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert not (killed / "result.json").exists()
    with open(
        killed / "metrics.jsonl", "a"
    ) as file:  # what a crash may leave: an epoch that does not count, and half a line
        file.write('{"epoch": 2}\n{"epoch": 3, "tra')
    (killed / "last.safetensors.tmp").write_bytes(b"half a check")

    resumed = train(quick(out=str(killed), **NOISY), resume=True)
    straight = train(quick(out=str(whole), **NOISY))
    assert plain(resumed.rows) == plain(straight.rows)
    same_checkpoints(killed / "last.safetensors", whole / "last.safetensors")
    same_checkpoints(killed / "best.safetensors", whole / "best.safetensors")
    _, rows = read_metrics(killed / "metrics.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_a_longer_run_is_the_same_as_one_run(tmp_path: Path) -> None:
    train(quick(out=str(tmp_path / "a"), epochs=1))
    grown = train(quick(out=str(tmp_path / "a"), epochs=3), resume=True)
    straight = train(quick(out=str(tmp_path / "b"), epochs=3))
    assert plain(grown.rows) == plain(straight.rows)
    same_checkpoints(tmp_path / "a" / "last.safetensors", tmp_path / "b" / "last.safetensors")


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    settings = quick(out=str(tmp_path))
    first = train(settings)
    before = (tmp_path / "last.safetensors").stat().st_mtime_ns
    assert train(settings, resume=True) == first
    assert (tmp_path / "last.safetensors").stat().st_mtime_ns == before
    with pytest.raises(CheckpointError, match=r"is not what .* was trained with"):
        train(quick(out=str(tmp_path), cell="torch.nn.GRU"), resume=True)


def test_resuming_nothing_starts(tmp_path: Path) -> None:
    assert len(train(quick(out=str(tmp_path / "new"), epochs=1), resume=True).rows) == 1


def test_a_run_is_not_overwritten_nor_mixed_with_another(tmp_path: Path) -> None:
    settings = quick(out=str(tmp_path), epochs=1)
    train(settings)
    with pytest.raises(TrainError, match="already holds a run: resume it"):
        train(settings)
    with pytest.raises(
        CheckpointError, match=r"of another run, whose settings differ:\n  hidden: 12 -> 13\n  lr: 0.001 -> 0.5"
    ):
        train(quick(out=str(tmp_path), epochs=1, hidden=13, lr=0.5), resume=True)
    with pytest.raises(CheckpointError, match=r"is not what .* was trained with"):
        train(quick(out=str(tmp_path), epochs=1, cell="torch.nn.GRU"), resume=True)


def test_a_damaged_run_says_so(tmp_path: Path) -> None:
    settings = quick(out=str(tmp_path), epochs=1)
    train(settings)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is no result of a run"):
        train(settings, resume=True)
    (tmp_path / "result.json").unlink()
    last = tmp_path / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is damaged"):
        train(settings, resume=True)


def test_a_checkpoint_gives_its_model_back(tmp_path: Path) -> None:
    from celldsl.train.tasks.digits import Digits

    result = train(quick(out=str(tmp_path)))
    model, facts = load_model(tmp_path / "best.safetensors")
    assert facts["position"]["best_epoch"] == result.best_epoch
    test = Digits().load(None).test.first(100)
    with torch.no_grad():
        right = Digits().score(model, test.tensors).values["accuracy"].double().mean()
    assert right.item() == result.best


def test_no_checkpoint_holds_code(tmp_path: Path) -> None:
    train(quick(out=str(tmp_path), epochs=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.safetensors", "last.safetensors", "metrics.jsonl", "result.json",
    ]  # fmt: skip
    _, facts = checkpoint.load(tmp_path / "last.safetensors")
    assert json.loads(json.dumps(facts)) == facts
