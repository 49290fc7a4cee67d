"""How fast cells run, against torch.nn.LSTM of the same size: `celldsl speed`.

Parity first: a variant that disagrees with the portable layer gets no time. Then all variants of a shape run in turns
in one process; every round gives each a ratio to nn.LSTM's time of the same round, and medians and quartiles over
rounds are reported. Each runs at the better of one thread and all.

Variants: `naive`, a loop with one product per gate and step; `portable`, the emitted module; `scripted`, the same under
TorchScript; `cpu`, the kernels; `bf16`, the kernels under autocast; and peers, where they are installed. Training is
forward, and backward to all parameters and inputs. Ratios above 1 are faster than nn.LSTM.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.bench import speed_runs
from celldsl.bench.speed_naive import NaiveLoop
from celldsl.bench.speed_peak import peak
from celldsl.bench.speed_peers import PEERS
from celldsl.bench.speed_runs import KINDS, Effort, Measure, Runner, layer_runner
from celldsl.errors import CelldslError
from celldsl.machine import describe

Shape = tuple[int, int, int, int]
SHAPES: tuple[Shape, ...] = (
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

VARIANTS = ("naive", "portable", "scripted", "cpu", "bf16")


def possible() -> tuple[str, ...]:
    """The variants, without bfloat16 where the processor has no tiles for it."""
    from celldsl.runtime.kernel import bf16

    return VARIANTS if bf16.why_not() is None else VARIANTS[:-1]


BUSY = "cpu, busy"
"""The kernels while another process keeps a core busy; so is nn.LSTM then."""


@dataclass(frozen=True)
class Row:
    """One cell, shape and variant. `why`: what kept it from being timed. saved: bytes kept for the backward pass."""

    cell: str
    shape: Shape
    variant: str
    train: Measure | None = None
    infer: Measure | None = None
    saved: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Reference:
    """nn.LSTM at a shape: milliseconds, threads it ran best at, bytes kept, the share of the machine's peak."""

    shape: Shape
    train: float
    infer: float
    saved: int | None
    train_peak: float
    infer_peak: float
    threads: int


@dataclass(frozen=True)
class Build:
    """Seconds to build a cell's kernel where nothing is cached, and milliseconds to load it where it is."""

    cold: float
    warm: float


@dataclass
class SpeedReport:
    """Everything that was measured, and on what."""

    rows: list[Row] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    threads: int = 1
    peak: float = 0.0
    """GFLOP/s of multiply-adds in float32 on all threads, the roofline."""
    builds: dict[str, Build] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=describe)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    cells: Sequence[str],
    shapes: Sequence[Shape] = SHAPES,
    variants: Sequence[str] = VARIANTS,
    threads: int | None = None,
    effort: Effort | None = None,
    contention: bool = False,
    say: Callable[[str, float], None] = lambda text, done: None,
) -> SpeedReport:
    """Time cells; `say` hears what is measured and what share is done. Raises SpecError for a cell that does not
    compile, ValueError for a variant that is none."""
    for variant in variants:
        if variant not in VARIANTS and variant not in PEERS:
            raise ValueError(f"there is no variant {variant!r}; there are {', '.join((*VARIANTS, *PEERS))}")
    before = torch.get_num_threads()
    most = threads or before
    report = SpeedReport(threads=most)
    effort = effort or Effort()
    try:
        torch.set_num_threads(most)
        report.peak = peak(most)
        if "cpu" in variants:
            for name in cells:
                say(f"{name}: building", 0.0)
                built = build_time(name)
                if built is not None:
                    report.builds[name] = built
        for at, shape in enumerate(shapes):
            say(f"T, B, m, n = {', '.join(map(str, shape))}", at / len(shapes))
            _measure_shape(report, cells, shape, variants, effort)
            if contention and "cpu" in variants:
                _measure_shape(report, cells, shape, ("cpu",), effort, busy=True)
        say("done", 1.0)
    finally:
        torch.set_num_threads(before)
    return report


@dataclass(frozen=True)
class Prepared:
    """A cell at a shape: its portable layer, inputs and upstream gradient, and how many operations a pass takes."""

    name: str
    cell: Any
    sizes: dict[str, int]
    portable: nn.Module
    inputs: list[Tensor]
    upstream: Tensor
    work: float

    @staticmethod
    def of(name: str, shape: Shape) -> Prepared:
        """Dimensions beyond m and n are n; inputs that are numbers, such as times, are from [0, 1). Raises ValueError
        where the cell has no such sizes."""
        import celldsl
        from celldsl.runtime import compare

        steps, batch, width, hidden = shape
        cell = celldsl.compile(name)
        checked = cell.checked
        sizes = {dim: width if dim == "m" else hidden for dim in checked.free_dims}
        known = compare.all_sizes(checked, sizes)
        if not known:
            raise ValueError(f"{cell.name} has no whole widths at m = {width}, n = {hidden}")
        generator = torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        portable = cell.rnn(**compare.layer_sizes(checked, sizes), backend="torch").eval()
        inputs = [
            draw(steps, batch, compare.entries(info, known), generator=generator).requires_grad_()
            for info, draw in ((info, torch.randn if info.shape.rank else torch.rand) for info in checked.inputs)
        ]
        upstream = torch.randn(
            steps, batch, compare.entries(checked.signal[checked.output], known), generator=generator
        )
        flops = float(cell.flops.subs({symbol: known[symbol.name] for symbol in cell.flops.free_symbols}))
        return Prepared(name, cell, sizes, portable, inputs, upstream, flops * steps * batch)

    @property
    def leaves(self) -> list[Tensor]:
        return [*self.inputs, *self.portable.parameters()]

    def expected(self) -> list[Tensor]:
        """What every variant has to give."""
        return list(layer_runner(lambda *x: self.portable(*x)[0], self.leaves, self.inputs, self.upstream).results())

    def runner(self, variant: str, threads: int) -> Runner:
        """A variant, ready to run. Raises ValueError or RuntimeError where there is none of this cell."""
        if variant in PEERS:
            return PEERS[variant](self.name, self.portable, self.inputs, self.upstream, threads)
        if variant == "naive":
            loop = NaiveLoop(self.cell.checked, self.portable, self.sizes)
            return layer_runner(loop, self.leaves, self.inputs, self.upstream)
        layer: Any = self.portable
        if variant == "bf16":
            return self._narrow()
        if variant == "scripted":
            layer = torch.jit.script(self.portable)
        elif variant == "cpu":
            layer = self._on_kernels()
        leaves = [*self.inputs, *layer.parameters()]
        return layer_runner(lambda *x: layer(*x)[0], leaves, self.inputs, self.upstream)

    def _narrow(self) -> Runner:
        from celldsl.runtime.kernel import bf16

        reason = bf16.why_not()
        if reason is not None:
            raise ValueError(reason)
        layer = self._on_kernels()

        def call(*x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                output: Tensor = layer(*x)[0]
            return output

        runner = layer_runner(call, [*self.inputs, *layer.parameters()], self.inputs, self.upstream)
        runner.tolerance = speed_runs.NARROW
        return runner

    def _on_kernels(self) -> nn.Module:
        from celldsl.runtime import compare

        layer = self.cell.rnn(**compare.layer_sizes(self.cell.checked, self.sizes), backend="cpu").eval()
        layer.load_state_dict(self.portable.state_dict())
        return layer


def reference(shape: Shape) -> tuple[Runner, float]:
    """nn.LSTM at a shape, and its operations."""
    import celldsl

    steps, batch, width, hidden = shape
    layer = nn.LSTM(width, hidden)
    x = torch.randn(steps, batch, width).requires_grad_()
    runner = layer_runner(
        lambda value: layer(value)[0], [x, *layer.parameters()], [x], torch.randn(steps, batch, hidden)
    )
    flops = celldsl.compile("lstm").flops
    return runner, float(flops.subs({s: {"m": width, "n": hidden}[s.name] for s in flops.free_symbols})) * steps * batch


def agreeing(prepared: Prepared, variants: Sequence[str], threads: int) -> Iterator[tuple[str, Runner | str]]:
    """Each variant that agrees with the portable layer, or why there is none."""
    expected = prepared.expected()
    for variant in variants:
        try:
            runner = prepared.runner(variant, threads)
            wrong = speed_runs.disagreement(runner, expected)
        except (CelldslError, RuntimeError, ValueError) as error:
            wrong = str(error).partition("\n")[0]
        yield variant, wrong or runner


def _measure_shape(
    report: SpeedReport, cells: Sequence[str], shape: Shape, variants: Sequence[str], effort: Effort, busy: bool = False
) -> None:
    made: dict[str, Runner] = {}
    found: dict[tuple[str, str], Runner | str] = {}
    work: dict[str, float] = {}
    for name in cells:
        try:
            prepared = Prepared.of(name, shape)
        except ValueError as error:
            found |= {(name, variant): str(error) for variant in variants}
            continue
        work[name] = prepared.work
        for variant, runner in agreeing(prepared, variants, report.threads):
            found[name, variant] = runner
            if isinstance(runner, Runner):
                made[f"{name} {variant}"] = runner
    base, base_work = reference(shape)
    times = {}
    for kind in KINDS:
        with speed_runs.busy_process() if busy else nullcontext():
            times[kind] = speed_runs.compared(base, made, kind, report.threads, effort)
    if not busy:
        seconds = {kind: times[kind]["nn.LSTM"][0] for kind in KINDS}
        train, infer = (
            base_work * factor / seconds[kind] / 1e9 / report.peak for kind, factor in zip(KINDS, (3, 1), strict=True)
        )
        report.references.append(
            Reference(shape, 1e3 * seconds["train"], 1e3 * seconds["infer"], base.saved, train, infer, base.threads)
        )
    for (name, variant), runner in found.items():
        shown = BUSY if busy else variant
        if isinstance(runner, str):
            if not (busy or runner.endswith("alone") or "no name known" in runner or "not installed" in runner):
                report.rows.append(Row(name, shape, shown, why=runner))
            continue
        measures: list[Measure | None] = []
        for kind, factor in zip(KINDS, (3, 1), strict=True):
            known = times[kind].get(f"{name} {variant}")
            measures.append(known and speed_runs.measure(*known, work[name] * factor, report.peak))
        report.rows.append(Row(name, shape, shown, measures[0], measures[1], runner.saved))


def build_time(name: str) -> Build | None:
    """How long building a cell's kernel takes, and loading it again; None where there can be none, as its row
    says then. The file is removed. Raises SpecError."""
    import celldsl
    from celldsl.runtime.kernel import build

    cell = celldsl.compile(name)
    try:
        text = cell.source("cpu") + f"// measured {time.time_ns()}\n"
        begun = time.perf_counter()
        path = build.library(text, "measured")
        cold = time.perf_counter() - begun
        begun = time.perf_counter()
        build.load(text, "measured")
        warm = time.perf_counter() - begun
    except CelldslError:
        return None
    for file in path.parent.glob(f"*{path.stem}*"):
        file.unlink(missing_ok=True)
    return Build(cold, 1e3 * warm)
