"""The time of a training step relative to torch.nn.LSTM's, measured so that the ratio can be believed.

A step is forward, and backward to all parameters and the input, of the layer alone. Both layers run in one process,
in turns, in blocks long enough for the clock; a round gives one ratio, and the median over rounds is reported with
its quartiles. Each layer runs at the thread count that suits it, found before. Parity comes first: call this only
for a layer that `verify` has passed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from celldsl.bench.report import Timing

ROUNDS = 21
LEAST_ROUNDS = 5
BLOCK_SECONDS = 0.03
LIMIT_SECONDS = 10.0  # for one layer's rounds; long sequences get fewer, at least LEAST_ROUNDS


@dataclass(frozen=True)
class Shape:
    """Steps T, rows B and input width m of a training batch, and the layer's width n."""

    steps: int
    batch: int
    input: int
    hidden: int


class Stepper:
    """A layer and a batch of noise, ready to run training steps on the CPU."""

    def __init__(self, layer: nn.Module, shape: Shape):
        self.layer = layer.train()
        generator = torch.Generator().manual_seed(0)
        self.input = torch.randn(shape.batch, shape.steps, shape.input, generator=generator).requires_grad_()
        self.upstream = torch.randn(shape.batch, shape.steps, shape.hidden, generator=generator)
        self.threads = torch.get_num_threads()
        self.repeats = 1

    def step(self) -> None:
        output: Tensor = self.layer(self.input)[0]
        torch.autograd.backward(output, self.upstream, inputs=[self.input, *self.layer.parameters()])
        self.input.grad = None
        for parameter in self.layer.parameters():
            parameter.grad = None

    def seconds(self) -> float:
        """The time of one step: the mean over a block, after one step that is not counted."""
        torch.set_num_threads(self.threads)
        self.step()
        begun = time.perf_counter()
        for _ in range(self.repeats):
            self.step()
        return (time.perf_counter() - begun) / self.repeats

    def settle(self, choices: Sequence[int], block: float = BLOCK_SECONDS) -> None:
        """Warm up, choose the fastest thread count, and set the length of a block."""
        found = {}
        for self.threads in choices:
            self.repeats = 3
            estimate = min(self.seconds() for _ in range(3))
            self.repeats = max(1, round(block / estimate))
            # The median, not the least: threads that were fast once and wait for each other mostly are no good choice.
            found[self.threads] = statistics.median(self.seconds() for _ in range(5))
        self.threads = min(found, key=found.__getitem__)
        self.repeats = max(1, round(block / found[self.threads]))


def compare(
    layers: dict[str, Callable[[], nn.Module]], shape: Shape, threads: int | None, say: Callable[[str], None]
) -> tuple[Timing, dict[str, Timing]]:
    """Time layers (batch first, input width m, width n) against nn.LSTM; returns its own timing and theirs by name.

    threads: the count for all, or None to let each have the better of one and all. say: told what is being timed.
    """
    with _threads_restored() as most:
        choices = [threads] if threads else sorted({1, most})
        base = Stepper(nn.LSTM(shape.input, shape.hidden, batch_first=True), shape)
        base.settle(choices)
        timings, base_times = {}, []
        for name, make in layers.items():
            say(name)
            other = Stepper(make(), shape)
            other.settle(choices)
            pairs = list(_rounds(base, other))
            base_times += [mine for mine, _ in pairs]
            ratios = [theirs / mine for mine, theirs in pairs]
            timings[name] = _timing(ratios, [theirs for _, theirs in pairs], other.threads)
        if not base_times:
            base_times = [base.seconds() for _ in range(LEAST_ROUNDS)]
        middle = statistics.median(base_times)
        return _timing([seconds / middle for seconds in base_times], base_times, base.threads), timings


def _rounds(base: Stepper, other: Stepper) -> Iterator[tuple[float, float]]:
    """Pairs of times, taken in turns; which layer goes first alternates."""
    begun = time.perf_counter()
    for at in range(ROUNDS):
        if at >= LEAST_ROUNDS and time.perf_counter() - begun > LIMIT_SECONDS:
            return
        if at % 2:
            theirs = other.seconds()
            yield base.seconds(), theirs
        else:
            mine = base.seconds()
            yield mine, other.seconds()


def _timing(ratios: Sequence[float], seconds: Sequence[float], threads: int) -> Timing:
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Timing(middle, low, high, 1e3 * statistics.median(seconds), threads)


@contextmanager
def _threads_restored() -> Iterator[int]:
    before = torch.get_num_threads()
    try:
        yield before
    finally:
        torch.set_num_threads(before)
