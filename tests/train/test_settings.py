"""Settings: what is refused, and with which words; the rates of the schedules."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from celldsl.train import Settings, TrainError
from celldsl.train.rate import make_optimiser, rate
from celldsl.train.settings import OPTIMISERS, differences
from celldsl.train.tasks import TASKS, make_task


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "rmsprob"}, "did you mean 'rmsprop'"),
        ({"schedule": "exp_loss"}, "did you mean 'exp-loss'"),
        ({"precision": "fp8"}, "precision must be one of"),
        ({"device": "tpu"}, "device must be one of"),
        ({"hidden": 0}, "hidden must be a whole number of at least 1, not 0"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"batch": True}, "batch must be a whole number"),
        ({"patience": 0}, "patience must be a whole number"),
        ({"lr": 0.0}, "lr must be a number above 0"),
        ({"lr": math.nan}, "lr must be a number above 0"),
        ({"clip": -1.0}, "clip must be a number above 0"),
        ({"weight_decay": -0.1}, "weight_decay must be a number of at least 0"),
        ({"dropout": 0.5}, "dropout acts between layers"),
        ({"dropout": 1.0, "layers": 2}, "dropout must lie in"),
        ({"momentum": 0.9, "optimiser": "adam"}, "momentum belongs to"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"cell": ""}, "cell must name a cell"),
        ({"cell_options": {"k": object()}}, "plain numbers"),
    ],
)
def test_a_senseless_setting_is_refused_in_plain_words(changes: dict, message: str) -> None:
    with pytest.raises(TrainError, match=message):
        Settings(**changes).check()


def test_settings_survive_json() -> None:
    settings = Settings(task="adding", task_options={"length": 7}, clip=1.0, cell_options={"k": 2})
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_an_unknown_field_is_refused_with_the_nearest() -> None:
    with pytest.raises(TrainError, match="did you mean 'epochs'"):
        Settings.from_json({"epoch": 3})


def test_what_a_resumed_run_may_change() -> None:
    base = Settings().to_json()
    assert differences(base, Settings(epochs=99, out="elsewhere", threads=3).to_json()) == []
    assert differences(base, Settings(lr=0.5).to_json()) == ["lr: 0.001 -> 0.5"]
    cosine = Settings(schedule="cosine").to_json()
    assert differences(cosine, Settings(schedule="cosine", epochs=99).to_json()) == ["epochs: 20 -> 99"]


def test_exp_loss_is_always_eta0_times_exp_never_compounded() -> None:
    settings = Settings(schedule="exp-loss", lr=1e-3)
    assert rate(settings, 0, None) == 1e-3
    assert rate(settings, 1, 2.3) == pytest.approx(1e-3 * math.exp(2.3), rel=1e-15)
    assert rate(settings, 7, 0.0) == 1e-3
    assert rate(settings, 1, 1e6) == math.inf


def test_the_other_schedules() -> None:
    assert rate(Settings(lr=0.2), 9, 5.0) == 0.2
    cosine = Settings(schedule="cosine", lr=1.0, epochs=4)
    assert [rate(cosine, epoch, None) for epoch in range(4)] == pytest.approx(
        [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    )
    step = Settings(schedule="step", lr=1.0, step_every=2, step_factor=0.5)
    assert [rate(step, epoch, None) for epoch in range(5)] == [1.0, 1.0, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_goes_downhill(name: str) -> None:
    import torch

    weight = torch.nn.Parameter(torch.full((3,), 2.0))
    optimiser = make_optimiser(Settings(optimiser=name, lr=0.01), [weight])
    for _ in range(5):
        optimiser.zero_grad()
        weight.square().sum().backward()
        optimiser.step()
    assert bool((weight < 2.0).all())


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("turned", [False, True])
def test_every_optimiser_takes_the_same_steps_on_every_device(name: str, turned: bool) -> None:
    """A CPU's fused step is the step that other devices take; also where weights and gradients lie differently."""
    import torch

    ended = []
    for device in ("cpu", "cuda"):
        start = torch.linspace(-2, 2, 11 * 7, dtype=torch.float64)
        weight = torch.nn.Parameter(start.view(7, 11).t() if turned else start.view(11, 7))
        optimiser = make_optimiser(Settings(optimiser=name, lr=0.01, weight_decay=0.1), [weight], device)
        for _ in range(3):
            weight.grad = weight.detach().cos().contiguous()
            optimiser.step()
        ended.append(weight.detach())
    torch.testing.assert_close(*ended, rtol=1e-12, atol=1e-12)


def test_rmsprop_is_keras_1s() -> None:
    """a = 0.9 a + 0.1 g², p -= lr g / (sqrt(a) + 1e-8), from a = 0."""
    import torch

    weight = torch.nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimiser = make_optimiser(Settings(lr=0.1), [weight])
    expected, mean = 3.0, 0.0
    for _ in range(4):
        optimiser.zero_grad()
        (weight**2).sum().backward()
        optimiser.step()
        gradient = 2 * expected
        mean = 0.9 * mean + 0.1 * gradient**2
        expected -= 0.1 * gradient / (math.sqrt(mean) + 1e-8)
    assert weight.item() == pytest.approx(expected, rel=1e-12)


def test_tasks_are_found_by_name() -> None:
    for name in TASKS:
        assert make_task(name, {}).name == name
    with pytest.raises(TrainError, match="did you mean 'mnist-rows'"):
        make_task("mnist-row", {})
    with pytest.raises(TrainError, match="has no option 'lenght'; its options: length"):
        make_task("adding", {"lenght": 5})
    with pytest.raises(TrainError, match="length must be like 100, not '5'"):
        make_task("adding", {"length": "5"})


def test_naming_settings_imports_no_torch() -> None:
    code = "import celldsl.train, sys; celldsl.train.Settings().check(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
