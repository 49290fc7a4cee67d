"""How fast cells run, against torch.nn.LSTM of the same size: `celldsl speed`.

Parity first: a variant that disagrees with the portable layer gets no time. Then all variants of a shape run in turns
in one process; every round gives each a ratio to nn.LSTM's time of the same round, and medians and quartiles over
rounds are reported. Each runs at the better of one thread and all.

Variants: `naive`, the equations one after another, one product per gate and step; `portable`, the emitted module;
`scripted`, the same under TorchScript; `cpu`, the kernels. Training is forward, and backward to all parameters and the
input. Ratios above 1 are faster than nn.LSTM.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.machine import describe

SHAPES: tuple[tuple[int, int, int, int], ...] = (
    (28, 32, 28, 50),
    (784, 32, 1, 100),
    (80, 32, 128, 128),
    (35, 20, 200, 200),
    (70, 20, 400, 1150),
    (128, 64, 256, 256),
    (28, 256, 28, 50),
    (784, 1, 1, 100),
)
"""T, B, m, n: MNIST by rows and by pixels, character and word language models, and what lies between."""

VARIANTS = ("naive", "portable", "scripted", "cpu")
ROUNDS, LEAST_ROUNDS, ROUND_SECONDS, LIMIT_SECONDS = 15, 5, 0.05, 20.0
TOLERANCE = 1e-4  # float32, relative to the largest entry


@dataclass(frozen=True)
class Measure:
    """Milliseconds (median), the ratio nn.LSTM / this with its quartiles, and the share of the machine's peak."""

    milliseconds: float
    ratio: float
    low: float
    high: float
    peak: float


@dataclass(frozen=True)
class Row:
    """One cell, shape and variant. `why`: what kept it from being timed. saved: bytes kept for the backward pass."""

    cell: str
    shape: tuple[int, int, int, int]
    variant: str
    train: Measure | None = None
    infer: Measure | None = None
    saved: int | None = None
    why: str = ""


@dataclass
class SpeedReport:
    """Everything that was measured, and on what."""

    rows: list[Row] = field(default_factory=list)
    threads: int = 1
    peak: float = 0.0
    """GFLOP/s of a large float32 product, the roofline."""
    builds: dict[str, float] = field(default_factory=dict)
    """Cell -> seconds to build its kernels anew."""
    machine: dict[str, Any] = field(default_factory=describe)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    cells: Sequence[str],
    shapes: Sequence[tuple[int, int, int, int]] = SHAPES,
    variants: Sequence[str] = VARIANTS,
    threads: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> SpeedReport:
    """Time cells. Raises SpecError for a cell that does not compile."""
    before = torch.get_num_threads()
    most = threads or before
    report = SpeedReport(threads=most)
    try:
        torch.set_num_threads(most)
        report.peak = _peak()
        if "cpu" in variants:
            for name in cells:
                report.builds[name] = _build_seconds(name)
        for shape in shapes:
            for name in cells:
                say(f"{name} at T, B, m, n = {', '.join(map(str, shape))}")
                report.rows += _rows(name, shape, variants, most, report.peak)
    finally:
        torch.set_num_threads(before)
    return report


@dataclass
class _Runner:
    """A layer, ready to run; `threads` it runs at."""

    layer: Callable[[Tensor], Tensor]
    parameters: list[nn.Parameter]
    input: Tensor
    upstream: Tensor
    threads: int
    repeats: int = 1

    def train(self) -> None:
        torch.autograd.backward(self.layer(self.input), self.upstream, inputs=[self.input, *self.parameters])
        self.input.grad = None
        for parameter in self.parameters:
            parameter.grad = None

    def infer(self) -> None:
        with torch.no_grad():
            self.layer(self.input)

    def seconds(self, run: Callable[[], None]) -> float:
        torch.set_num_threads(self.threads)
        begun = time.perf_counter()
        for _ in range(self.repeats):
            run()
        return (time.perf_counter() - begun) / self.repeats


def _rows(
    name: str, shape: tuple[int, int, int, int], variants: Sequence[str], threads: int, peak: float
) -> Iterator[Row]:
    import celldsl

    steps, batch, width, hidden = shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, batch, width, generator=generator).requires_grad_()
    upstream = torch.randn(steps, batch, hidden, generator=generator)
    reference = nn.LSTM(width, hidden)

    def runner(layer: Any, parameters: Sequence[nn.Parameter], count: int = threads) -> _Runner:
        return _Runner(layer, list(parameters), x, upstream, count)

    base = runner(lambda value: reference(value)[0], list(reference.parameters()))
    cell = celldsl.compile(name)
    portable = cell.rnn(width, hidden, backend="torch")
    made, refused = {}, {}
    for variant in variants:
        try:
            made[variant] = _variant(variant, cell, portable, width, hidden, runner)
        except (RuntimeError, ValueError) as error:
            refused[variant] = str(error).partition("\n")[0]
    for variant in list(made):
        wrong = _disagreement(made[variant], runner(lambda value: portable(value)[0], list(portable.parameters())))
        if wrong:
            refused[variant] = wrong
            del made[variant]
    flops = float(cell.flops.subs({s: {"m": width, "n": hidden}.get(s.name, 1) for s in cell.flops.free_symbols}))
    work = flops * steps * batch
    results: dict[str, dict[str, Measure]] = {variant: {} for variant in made}
    for kind in ("train", "infer"):
        for variant, found in _compared(base, made, kind, threads, work * (3 if kind == "train" else 1), peak):
            results[variant][kind] = found
    for variant in variants:
        if variant in refused:
            yield Row(name, shape, variant, why=refused[variant])
        else:
            saved = _saved(made[variant])
            yield Row(name, shape, variant, results[variant]["train"], results[variant]["infer"], saved)


def _variant(variant: str, cell: Any, portable: nn.Module, width: int, hidden: int, runner: Any) -> _Runner:
    parameters = list(portable.parameters())
    if variant == "portable":
        return runner(lambda value: portable(value)[0], parameters)
    if variant == "scripted":
        scripted = torch.jit.script(portable)
        return runner(lambda value: scripted(value)[0], list(scripted.parameters()))
    if variant == "cpu":
        layer = cell.rnn(width, hidden, backend="cpu")
        layer.load_state_dict(portable.state_dict())
        return runner(lambda value: layer(value)[0], list(layer.parameters()))
    if variant == "naive":
        from celldsl.runtime import oracle

        names = {key.rpartition(".")[2]: value for key, value in portable.named_parameters()}
        checked = cell.checked
        if len(checked.inputs) > 1 or set(names) != set(checked.parameter):
            raise ValueError("the naive loop takes cells of one input whose parameters keep their names")
        sizes = (
            dict(zip(checked.free_dims, (width, hidden), strict=True)) if len(checked.free_dims) == 2 else {"n": hidden}
        )
        (entering,) = checked.inputs
        return runner(lambda value: oracle.run(checked, names, {entering.name: value}, sizes).output, parameters)
    raise ValueError(f"there is no variant {variant!r}; there are {', '.join(VARIANTS)}")


def _disagreement(one: _Runner, other: _Runner) -> str:
    """What differs between two layers of the same weights, or nothing."""
    results = []
    for runner in (one, other):
        output = runner.layer(runner.input)
        grads = torch.autograd.grad(output, [runner.input, *runner.parameters], runner.upstream)
        results.append([output, *grads])
    for at, (mine, theirs) in enumerate(zip(*results, strict=True)):
        error = (mine - theirs).abs().max().item() / max(1.0, theirs.abs().max().item())
        if not error <= TOLERANCE:
            what = ("output", "gradient of the input")[at] if at < 2 else f"gradient {at - 2}"
            return f"disagrees with the portable layer: {what} by {error:.1e}"
    return ""


def _compared(
    base: _Runner, made: dict[str, _Runner], kind: str, threads: int, work: float, peak: float
) -> Iterator[tuple[str, Measure]]:
    """All variants in turns with nn.LSTM."""
    every = {"nn.LSTM": base, **made}
    run = {name: getattr(runner, kind) for name, runner in every.items()}
    for name, runner in every.items():
        runner.repeats, best = 1, {}
        for runner.threads in sorted({1, threads}):
            best[runner.threads] = min(runner.seconds(run[name]) for _ in range(4))
        runner.threads = min(best, key=best.__getitem__)
        runner.repeats = max(1, round(ROUND_SECONDS / best[runner.threads]))
    times: dict[str, list[float]] = {name: [] for name in every}
    begun = time.perf_counter()
    for at in range(ROUNDS):
        if at >= LEAST_ROUNDS and time.perf_counter() - begun > LIMIT_SECONDS:
            break
        order = list(every)[:: -1 if at % 2 else 1]
        for name in order:
            times[name].append(every[name].seconds(run[name]))
    for name in made:
        ratios = [theirs / mine for theirs, mine in zip(times["nn.LSTM"], times[name], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        seconds = statistics.median(times[name])
        yield name, Measure(1e3 * seconds, middle, low, high, work / seconds / 1e9 / peak)


def _saved(runner: _Runner) -> int:
    """Bytes that a forward pass keeps for the backward pass, parameters and inputs apart."""
    own = {value.untyped_storage().data_ptr() for value in (runner.input, *runner.parameters)}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        output = runner.layer(runner.input)
    del output
    return sum(kept.values())


def _peak() -> float:
    """GFLOP/s of a large product."""
    size = 1536
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = min(_clocked(lambda: torch.mm(a, b)) for _ in range(8))
    return 2 * size**3 / best / 1e9


def _clocked(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _build_seconds(name: str) -> float:
    """Seconds to build a cell's kernels where nothing is cached."""
    import celldsl
    from celldsl.runtime.kernel import build

    try:
        text = celldsl.compile(name).source("cpu") + f"// measured {time.time_ns()}\n"
        begun = time.perf_counter()
        path = build.library(text, "measured")
    except Exception as error:
        raise RuntimeError(f"{name}: {error}") from error
    taken = time.perf_counter() - begun
    for file in (path, path.with_suffix(".cpp")):
        file.unlink(missing_ok=True)
    return taken
