"""Checkpoints hold what was put in, and say so when they no longer do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from celldsl.train import CheckpointError, Settings, checkpoint, rng
from celldsl.train.rate import make_optimiser
from celldsl.train.settings import OPTIMISERS

TENSORS = {"a/x": torch.randn(3, 4), "n": torch.tensor(7), "none": torch.empty(0), "half": torch.ones(2).bfloat16()}
FACTS = {"text": "h_t = σ(U h_{t-1})", "rows": [{"loss": 0.1}], "nothing": None}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, TENSORS, FACTS)
    tensors, facts = checkpoint.load(path)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert list(tmp_path.iterdir()) == [path], "nothing else is left"


def test_an_unfinished_write_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, TENSORS, {"epoch": 1})
    path.with_name(path.name + ".tmp").write_bytes(b"cut sho")
    assert checkpoint.load(path)[1] == {"epoch": 1}

    def crash(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", crash)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path, TENSORS, {"epoch": 2})
    assert checkpoint.load(path)[1] == {"epoch": 1}


def test_damage_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, TENSORS, FACTS)
    good = path.read_bytes()
    for at in range(0, len(good), 41):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x20]) + good[at + 1 :])
        with pytest.raises(CheckpointError, match=r"last\.safetensors (is damaged|is no checkpoint)"):
            checkpoint.load(path)
    for length in (0, 5, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match="is damaged"):
            checkpoint.load(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.load(path)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    momentum = 0.9 if name in ("sgd", "rmsprop") else 0.0
    settings = Settings(optimiser=name, lr=0.01, momentum=momentum, weight_decay=0.1)

    def steps(weight: torch.nn.Parameter, optimiser: torch.optim.Optimizer, number: int) -> None:
        for _ in range(number):
            optimiser.zero_grad()
            weight.sin().sum().backward()
            optimiser.step()

    whole = torch.nn.Parameter(torch.linspace(-1, 1, 5))
    optimiser = make_optimiser(settings, [whole])
    steps(whole, optimiser, 3)
    tensors, facts = checkpoint.pack_optimiser(optimiser)
    checkpoint.save(tmp_path / "c", {**checkpoint.prefixed("o", tensors), "w": whole}, facts)
    steps(whole, optimiser, 3)

    loaded, facts = checkpoint.load(tmp_path / "c")
    again = torch.nn.Parameter(loaded["w"])
    optimiser = make_optimiser(settings, [again])
    checkpoint.unpack_optimiser(optimiser, checkpoint.under("o", loaded), facts)
    steps(again, optimiser, 3)
    assert torch.equal(whole, again)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_computes_its_own_way_whoever_wrote_the_checkpoint(name: str) -> None:
    """Adagrad, for one, has a fused step on CPUs only."""
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 5))
    here, there = (make_optimiser(Settings(optimiser=name), [weight], device) for device in ("cpu", "cuda"))
    weight.sum().backward()
    here.step()
    checkpoint.unpack_optimiser(there, *checkpoint.pack_optimiser(here))
    group = there.param_groups[0]
    assert group["foreach"]
    assert not group.get("fused")
    there.step()


def test_the_generators_are_put_back() -> None:
    import random

    import numpy as np

    def draw() -> tuple[object, ...]:
        return random.gauss(0, 1), random.random(), np.random.normal(), np.random.rand(), torch.randn(3).tolist()

    cpu = torch.device("cpu")
    rng.seed_all("x", 3)
    draw()  # an odd number of gauss() leaves half a pair behind
    state = rng.capture(cpu)
    first = draw()
    rng.seed_all("something else")
    rng.restore(state, cpu)
    assert draw() == first
    rng.seed_all("x", 3)
    assert draw() != first
