"""Averaged SGD: when it begins, what it averages, and that runs which average resume to the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from celldsl.train import checkpoint, load_model, train
from celldsl.train.average import Average
from tests.train.helpers import quick
from tests.train.text_sets import resumes


def test_it_begins_when_a_loss_is_above_the_best_of_all_but_the_last_few() -> None:
    average = Average(torch.nn.Linear(1, 1), 2)
    losses = [5.0, 4.0, 3.0, 3.5, 3.2, 3.1]
    begun = [average.watch(losses[: epoch + 1]) for epoch in range(len(losses))]
    # 3.5 is compared with min(5) and 3.2 with min(5, 4); 3.1 is above the best of 5, 4, 3
    assert begun == [False] * 5 + [True]
    assert not average.watch([*losses, 9.0]), "it begins once"
    assert not Average(torch.nn.Linear(1, 1), None).watch([1.0, 2.0, 3.0])


def test_it_is_the_mean_over_all_steps() -> None:
    weight = torch.nn.Linear(1, 1, bias=False)
    average = Average(weight, 1)
    average.add()
    assert average.means == {}, "it has not begun"
    average.watch([1.0, 2.0, 3.0])
    for value in (1.0, 2.0, 6.0):
        torch.nn.init.constant_(weight.weight, value)
        average.add()
    with average.in_place():
        assert weight.weight.item() == 3.0
    assert weight.weight.item() == 6.0


def test_a_run_that_averages_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate grows until the loss rises."""
    growing = {"lr": 0.5, "schedule": "step", "step_every": 1, "step_factor": 10.0, "clip": 1.0}
    settings = quick(optimiser="nt-asgd", nonmono=1, epochs=4, **growing)
    whole = train(quick(**{**settings.to_json(), "out": str(tmp_path / "first")}))
    tensors, facts = checkpoint.load(tmp_path / "first" / "last.safetensors")
    assert facts["averaged"]["begun"], "or this run tests nothing"
    assert facts["averaged"]["steps"] > 0
    averaged = checkpoint.under("average", tensors)
    assert averaged.keys() == dict(load_model(tmp_path / "first" / "last.safetensors")[0].named_parameters()).keys()
    rows = resumes(settings, tmp_path, monkeypatch, epoch=3)
    assert [row["test"] for row in rows] == [row["test"] for row in whole.rows]
