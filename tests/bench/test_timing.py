"""Timing: the layer that does more work is slower, and nothing is left changed behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from celldsl.bench import timing
from celldsl.bench.timing import Shape, Stepper, compare

SHAPE = Shape(steps=6, batch=4, input=3, hidden=5)


class Repeated(nn.Module):
    """An LSTM that does its work several times over."""

    def __init__(self, times: int):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.times = times

    def forward(self, input):
        outputs = [self.lstm(input)[0] for _ in range(self.times)]
        return sum(outputs), None


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 7)
    monkeypatch.setattr(timing, "BLOCK_SECONDS", 0.002)


def test_work_shows_in_the_ratio():
    said = []
    layers = {"same": lambda: Repeated(1), "twelve": lambda: Repeated(12)}
    reference, timings = compare(layers, SHAPE, threads=1, say=said.append)
    assert said == ["same", "twelve"]
    assert timings["twelve"].ratio > 3 * timings["same"].ratio
    assert timings["twelve"].milliseconds > reference.milliseconds
    for found in (reference, *timings.values()):
        assert 0 < found.low <= found.ratio <= found.high
        assert found.threads == 1
    assert reference.ratio == pytest.approx(1, abs=0.5)


def test_a_step_reaches_every_gradient(monkeypatch):
    layer = nn.LSTM(3, 5, batch_first=True)
    stepper = Stepper(layer, SHAPE)
    seen = []
    backward = torch.autograd.backward

    def spy(*tensors, inputs):
        backward(*tensors, inputs=inputs)
        seen.extend(tensor.grad is not None for tensor in inputs)

    monkeypatch.setattr(torch.autograd, "backward", spy)
    stepper.step()
    assert seen == [True] * 5  # the input and four parameters
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_threads_are_given_back():
    before = torch.get_num_threads()
    compare({"same": lambda: Repeated(1)}, SHAPE, threads=before + 1, say=lambda _: None)
    assert torch.get_num_threads() == before


def test_nothing_to_time_is_no_error():
    reference, timings = compare({}, SHAPE, threads=1, say=lambda _: None)
    assert timings == {}
    assert reference.milliseconds > 0
