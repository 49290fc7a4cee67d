"""Data-parallel runs: two processes give what one gives, but for the order of sums."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from celldsl.train import checkpoint, train
from tests.train.helpers import plain, quick

ROOT = Path(__file__).resolve().parents[2]
# 320 examples in batches of 29: the last batch has one example, so one process has none of it.
SETTINGS = {
    "cell": "lstm3",
    "batch": 29,
    "train_limit": 320,
    "test_limit": 97,
    "eval_batch": 32,
    "checkpoint_steps": 5,
    "clip": 1.0,
}

CHILD = """
import sys
from celldsl.train import train
from tests.train.helpers import quick
train(quick(out=sys.argv[1], devices=2, **{settings!r}))
"""


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(settings=SETTINGS))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    child = subprocess.run(
        [*torchrun, str(script), str(tmp_path / "two")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    train(quick(out=str(tmp_path / "one"), **SETTINGS))

    one, facts = checkpoint.load(tmp_path / "one" / "last.safetensors")
    two, others = checkpoint.load(tmp_path / "two" / "last.safetensors")
    for name in checkpoint.under("model", one):
        assert (one[f"model/{name}"] - two[f"model/{name}"]).abs().max() < 1e-5, name
    for row, other in zip(plain(facts["position"]["rows"]), plain(others["position"]["rows"]), strict=True):
        for part in ("train", "test"):
            assert other[part] == pytest.approx(row[part], abs=1e-5)


TEXT = """
import sys
from celldsl.train import train
from tests.train.test_text_tasks import GAO_OATES_SICK, NO_NOISE, run
from tests.train.helpers import plain
task, folder, out = sys.argv[1:]
settings = {
    "sick": lambda: run("sick", folder, out=out, batch=7, **GAO_OATES_SICK),
    "ptb": lambda: run("ptb", folder, NO_NOISE, out=out, batch=3, layers=2, optimiser="nt-asgd", lr=0.5),
}[task]()
train(settings)
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", ["sick", "ptb"])
def test_two_processes_equal_one_on_text(task: str, tmp_path: Path) -> None:
    """Sums of losses in SICK, states carried from chunk to chunk in PTB: 3 rows, so one process has two of them."""
    import random

    from tests.train.test_text_tasks import write_all

    write_all(tmp_path / "data", random.Random(3))
    script = tmp_path / "child.py"
    script.write_text(TEXT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for command, name in (([sys.executable], "one"), (torchrun, "two")):
        child = subprocess.run(
            [*command, str(script), task, str(tmp_path / "data"), str(tmp_path / name)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert child.returncode == 0, child.stderr
    one, facts = checkpoint.load(tmp_path / "one" / "last.safetensors")
    two, others = checkpoint.load(tmp_path / "two" / "last.safetensors")
    for name in checkpoint.under("model", one):
        assert (one[f"model/{name}"] - two[f"model/{name}"]).abs().max() < 1e-4, name
    for row, other in zip(plain(facts["position"]["rows"]), plain(others["position"]["rows"]), strict=True):
        for part in ("train", "validation", "test"):
            assert other[part] == pytest.approx(row[part], rel=1e-3, abs=1e-4)
