"""Regularisers as settings of a run, for every cell."""

from __future__ import annotations

import json

import pytest
import torch

from celldsl.train import TrainError, train
from celldsl.train.cells import find_cell
from celldsl.train.settings import Settings
from tests.train.helpers import plain, quick

REGULARISED = {
    "recurrent_dropout": 0.2,
    "input_dropout": 0.2,
    "weight_drop": {"U_*": 0.5},
    "zoneout": {"*": 0.1},
    "init": {"b_*": 0.25, "U_*": "orthogonal"},
    "gates": "keras1_hard_sigmoid",
}


def test_a_run_with_noise_learns_repeats_and_resumes_to_the_same_bits(tmp_path):
    settings = {**REGULARISED, "cell": "lstm", "optimiser": "adam", "lr": 1e-2}
    whole = train(quick(**settings, epochs=3))
    assert plain(train(quick(**settings, epochs=3)).rows) == plain(whole.rows)
    out = str(tmp_path / "run")
    train(quick(**settings, epochs=2, out=out))
    resumed = train(quick(**settings, epochs=3, out=out), resume=True)
    assert plain(resumed.rows) == plain(whole.rows)
    losses = whole.curve("train", "loss")
    assert losses[-1] < losses[0]
    assert plain(train(quick(cell="lstm", optimiser="adam", lr=1e-2, epochs=3)).rows) != plain(whole.rows)


def test_the_layer_is_the_variant():
    layer = find_cell(
        Settings(cell="ulstm", hidden=6, **{**REGULARISED, "weight_drop": {"U_*": 0.5, "M": 0.5}})
    ).layer.make(5)
    step = layer.layers["l0"]
    assert torch.allclose(step.U_z @ step.U_z.T, torch.eye(6), atol=1e-5)
    assert step.b_z.tolist() == [0.25] * 6
    masks = step.noise(torch.zeros(1), [2] * 3)
    assert masks["mask_M_prime"].shape == (6, 6)
    assert {"mask_c", "mask_h", "mask_i", "mask_i_2"} <= masks.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recurrent_dropout": 1.0}, r"recurrent_dropout must lie in \[0, 1\)"),
        ({"weight_drop": {"V_*": 0.5}}, "has no parameter 'V_"),
        ({"zoneout": {"q": 0.5}}, "has no state 'q'"),
        ({"init": {"b_q": 1}}, "has no 'b_q' to start"),
        ({"gates": "relu6"}, "no function 'relu6'"),
        ({"cell": "torch.nn.LSTM", "gates": "hard_sigmoid"}, "torch.nn.LSTM has no gates"),
    ],
)
def test_what_does_not_suit_a_cell_is_said(changes, message):
    with pytest.raises(TrainError, match=message):
        train(quick(**{"cell": "lstm", "epochs": 1, **changes}))


def test_the_command_takes_each(capsys):
    from celldsl.cli.main import main

    flags = {
        "--recurrent-dropout": [0.2],
        "--weight-drop": ["U_*=0.5"],
        "--zoneout": ["c=0.5", "h=0.05"],
        "--init": ["b_f=1.5"],
        "--gates": ["hard_sigmoid"],
        "--epochs": [1],
        "--hidden": [4],
        "--train-limit": [64],
        "--test-limit": [32],
    }
    given = [str(part) for flag, values in flags.items() for value in values for part in (flag, value)]
    assert main(["train", "lstm", *given, "--quiet", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["weight_drop"] == {"U_*": 0.5}
    assert settings["zoneout"] == {"c": 0.5, "h": 0.05}
    assert settings["init"] == {"b_f": 1.5}
