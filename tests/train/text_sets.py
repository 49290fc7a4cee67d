"""Little text sets laid out as the real ones, and what every task is asked: to resume to the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from celldsl.train import Progress, TrainInterrupted, train
from celldsl.train.loop import Run
from celldsl.train.settings import Settings
from tests.train.helpers import plain
from tests.train.test_resume import same_checkpoints


def write(root: Path, name: str, part: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """One part of a set as Parquet."""
    (root / name).mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), root / name / f"{part}.parquet")


def resumes(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch, step: int = 3, epoch: int = 1
) -> list[dict[str, Any]]:
    """A run stopped after so many steps of the epoch after so many, and resumed, equals one that was not; its rows."""
    import dataclasses

    def at(name: str) -> Settings:
        return dataclasses.replace(settings, out=str(root / name))

    whole = train(at("whole"))
    look_up = Run._look_up

    def stop(run: Run, loss: float, steps: int) -> None:
        if run.at.epoch == epoch and run.at.step == step:
            run.stop.number = 15
        look_up(run, loss, steps)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "_look_up", stop)
        with pytest.raises(TrainInterrupted, match=f"epoch {epoch + 1}, step"):
            train(at("stopped"))
    resumed = train(at("stopped"), resume=True, progress=Progress())
    assert plain(resumed.rows) == plain(whole.rows)
    for each in ("last", "best"):
        same_checkpoints(root / "stopped" / f"{each}.safetensors", root / "whole" / f"{each}.safetensors")
    return resumed.rows
