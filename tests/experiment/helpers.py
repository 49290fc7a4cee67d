"""A small experiment for the tests: torch's own layer on a part of `digits`, a fraction of a second a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch

from celldsl.experiment.experiment import Experiment
from celldsl.experiment.files import parse
from tests.train.helpers import plain

TRIAL = """
title = "A trial"
paper = "Nobody, Nothing (1900)"
about = "Does it run?"
decisions = ["All of them."]

[settings]
task = "digits"
hidden = 12
epochs = 3
train_limit = 320
test_limit = 100
threads = 1

[grid]
seed = [0]
lr = [1e-2, 1e-3]
cell = ["torch.nn.LSTM", "torch.nn.GRU"]

[report]
metric = "accuracy"
also = ["loss"]
columns = "lr"

[published]
source = "nowhere"
values = [{ cell = "torch.nn.LSTM", lr = 1e-2, value = 0.5 }]
"""

CPU = {"device": "cpu"}


def trial(**changes: Any) -> Experiment:
    """The trial under changed settings and axes (lists)."""
    experiment = parse(TRIAL, "trial", "trial.toml")
    experiment = experiment.with_axes({name: each for name, each in changes.items() if isinstance(each, list)})
    return experiment.with_settings({name: each for name, each in changes.items() if not isinstance(each, list)})


def results(out: Path) -> dict[str, tuple[Any, ...]]:
    """What every finished run under a folder came to, without times: its epochs, and its weights bit by bit."""
    found = {}
    for path in sorted((out / "points").glob("*/result.json")):
        result = json.loads(path.read_text())
        weights = safetensors.torch.load_file(path.parent / "last.safetensors")
        bits = {name: each.numpy().tobytes() for name, each in weights.items()}
        found[path.parent.name] = (plain(result["rows"]), result["best_epoch"], bits)
    return found
