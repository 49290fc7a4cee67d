"""Variants that are timed in turns, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["train", "infer"]
KINDS: tuple[Kind, Kind] = ("train", "infer")
TOLERANCE, NARROW = 1e-4, 0.05
"""Between two variants in float32, and to one in bfloat16, relative to the larger of 1 and the largest entry."""
PARITY_STEPS = 28
"""Variants are compared on the first steps: some cells are chaotic, and over hundreds of steps rounding alone moves
their results as far as they are large."""


@dataclass(frozen=True)
class Measure:
    """Milliseconds (median), the ratio nn.LSTM / this with its quartiles, and the share of the machine's peak."""

    milliseconds: float
    ratio: float
    low: float
    high: float
    peak: float


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds at most, at least, seconds of a turn, seconds after which the least is enough."""

    rounds: int = 15
    least: int = 5
    turn: float = 0.03
    limit: float = 12.0


QUICK = Effort(rounds=5, turn=0.02)
ZOO = Effort(rounds=5, least=3, turn=0.02, limit=4.0)


@dataclass
class Runner:
    """Something to time.

    train: forward, and backward to all parameters and inputs; None where a variant cannot. results: of the first
    `PARITY_STEPS`, the output, then the gradients in the order of the portable layer's leaves, or fewer of them.
    own_threads: their number is not torch's; most_threads: fewer than all will do; tolerance: how far results may be
    from the portable layer's.
    """

    train: Callable[[], object] | None
    infer: Callable[[], object]
    results: Callable[[], Sequence[Tensor]]
    threads: int = 1
    own_threads: bool = False
    tolerance: float = TOLERANCE
    most_threads: int | None = None
    repeats: int = 1
    kept: Callable[[], int] | None = None

    @cached_property
    def saved(self) -> int | None:
        """Bytes kept for the backward pass; None where that cannot be asked. Takes a pass forward."""
        return None if self.kept is None else self.kept()

    def seconds(self, run: Callable[[], object]) -> float:
        if not self.own_threads:
            torch.set_num_threads(self.threads)
        begun = time.perf_counter()
        for _ in range(self.repeats):
            run()
        return (time.perf_counter() - begun) / self.repeats


def layer_runner(
    layer: Callable[..., Tensor], leaves: Sequence[Tensor], inputs: Sequence[Tensor], upstream: Tensor
) -> Runner:
    """A torch layer; leaves: inputs, then parameters."""

    def train() -> None:
        torch.autograd.backward(layer(*inputs), upstream, inputs=list(leaves))
        for leaf in leaves:
            leaf.grad = None

    def infer() -> None:
        with torch.no_grad():
            layer(*inputs)

    def results() -> list[Tensor]:
        output = layer(*[x[:PARITY_STEPS] for x in inputs])
        grads = torch.autograd.grad(output, list(leaves), upstream[:PARITY_STEPS], allow_unused=True)
        return [output, *(torch.zeros_like(x) if g is None else g for x, g in zip(leaves, grads, strict=True))]

    runner = Runner(train, infer, results)
    runner.kept = lambda: saved_bytes(lambda: layer(*inputs), leaves)
    return runner


def disagreement(runner: Runner, expected: Sequence[Tensor]) -> str:
    """What differs from the portable layer's results, or nothing."""
    for at, (mine, theirs) in enumerate(zip(runner.results(), expected, strict=False)):
        error = (mine - theirs).abs().max().item() / max(1.0, theirs.abs().max().item())
        if not error <= runner.tolerance:
            what = "output" if at == 0 else f"gradient {at - 1}"
            return f"disagrees with the portable layer: {what} by {error:.1e}"
    return ""


def compared(
    base: Runner, others: Mapping[str, Runner], kind: Kind, threads: int, effort: Effort
) -> dict[str, tuple[float, list[float]]]:
    """All in turns: for each, and for `nn.LSTM`, the median of its seconds and its ratios, one per round.

    Every one runs at the better of one thread and all, as found beforehand.
    """
    every = {"nn.LSTM": base, **others}
    runs = {name: getattr(runner, kind) for name, runner in every.items() if getattr(runner, kind) is not None}
    for name, run in runs.items():
        runner, best = every[name], {}
        runner.repeats = 1
        for count in [threads] if runner.own_threads else sorted({1, runner.most_threads or threads}):
            runner.threads = count
            first = runner.seconds(run)  # warms up
            slow = first > effort.limit / 40
            best[count] = first if slow else min(runner.seconds(run) for _ in range(3))
        runner.threads = min(best, key=best.__getitem__)
        runner.repeats = max(1, round(effort.turn / best[runner.threads]))
    times: dict[str, list[float]] = {name: [] for name in runs}
    begun = time.perf_counter()
    for at in range(effort.rounds):
        if at >= effort.least and time.perf_counter() - begun > effort.limit:
            break
        for name in list(runs)[:: -1 if at % 2 else 1]:
            times[name].append(every[name].seconds(runs[name]))
    found = {}
    for name, mine in times.items():
        found[name] = (
            statistics.median(mine),
            [theirs / own for theirs, own in zip(times["nn.LSTM"], mine, strict=True)],
        )
    return found


def measure(seconds: float, ratios: Sequence[float], work: float, peak: float) -> Measure:
    """work: floating point operations; peak: GFLOP/s of the machine."""
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Measure(1e3 * seconds, middle, low, high, work / seconds / 1e9 / peak)


def saved_bytes(run: Callable[[], Tensor], leaves: Sequence[Tensor]) -> int:
    """Bytes that a forward pass keeps for the backward pass, leaves apart."""
    own = {value.untyped_storage().data_ptr() for value in leaves}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = run()
    del output
    return sum(kept.values())


BUSY = "x = 1.0\nwhile True:\n    x = x * 1.0000001 % 7.0\n"


@contextmanager
def busy_process() -> Iterator[None]:
    """Another process that keeps one core busy meanwhile."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()
