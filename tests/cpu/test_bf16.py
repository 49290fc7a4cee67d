"""Products in bfloat16, as autocast asks for them: by emulated tiles, and by the processor's own where it has some."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import torch

import celldsl
from celldsl.emit.cpu import emit
from celldsl.runtime.kernel import bf16, build, cells, kernel
from celldsl.runtime.kernel.ahead import build_ahead, register
from celldsl.schedule import plan_kernels
from celldsl.symbolic import lower
from tests.cpu import parity
from tests.cpu.odd import ODD

TILES = pytest.mark.skipif(bf16.why_not() is not None, reason=str(bf16.why_not()))


@pytest.fixture(params=["emulated", pytest.param("tiles", marks=TILES)])
def narrow(request, monkeypatch):
    """Kernels in bfloat16 from now on, under autocast."""
    monkeypatch.setattr(cells, "KERNELS", {})
    monkeypatch.setattr(cells, "CALLS", {})
    if request.param == "emulated":
        monkeypatch.setattr(bf16, "why_not", lambda: None)
        monkeypatch.setattr(bf16, "DEFINES", ("CELLDSL_EMULATE_TILES", "CELLDSL_POISON"))


class Autocast(torch.nn.Module):
    """A layer under autocast, as parity calls layers."""

    def __init__(self, layer: torch.nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, *given):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layer(*given)

    def named_parameters(self, *args, **kwargs):
        return self.layer.named_parameters(*args, **kwargs)


def compared(source: str, m: int, n: int, steps: int, batch: int, **options) -> dict[str, float]:
    """How far a layer under autocast is from the portable one without, each result relative to its largest entry."""
    portable, narrowed = parity.layers(source, m, n, dtype=torch.float32, **options)
    given = parity.inputs(source, m, steps, batch, dtype=torch.float32)
    other = parity.gradients(Autocast(narrowed), given)
    one = parity.gradients(portable, given)
    found = {}
    for name, value in one.items():
        assert other[name].dtype == torch.float32
        found[name] = (value - other[name]).abs().max().item() / max(1e-3, value.abs().max().item())
    return found


SIZES = [(3, 7, 5, 3), (5, 50, 4, 37), (33, 16, 1, 1), (20, 70, 3, 18)]


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
@pytest.mark.parametrize("name", ["lstm", "gru", "ulstm", "SRU", "Delayed", "Blocks"])
def test_results_are_those_of_rounded_operands(name, variant, narrow, monkeypatch):
    """A product of rounded operands is off by 2^-8 at most: so is everything here, and by more than float would be."""
    parity.variant(monkeypatch, variant)
    source = ODD.get(name, name)
    for m, n, steps, batch in SIZES[:2] if name != "Blocks" else [(4, 12, 5, 3), (6, 24, 4, 37)]:
        found = compared(source, m, n, steps, batch)
        assert max(found.values()) < 0.05, found
        assert max(found.values()) > 1e-5, "the kernels ran in float"


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
def test_odd_sizes(variant, narrow, monkeypatch):
    parity.variant(monkeypatch, variant)
    for m, n, steps, batch in SIZES:
        found = compared("lstm", m, n, steps, batch, num_layers=2, bidirectional=True)
        assert max(found.values()) < 0.05, (m, n, steps, batch, found)


@pytest.mark.parametrize("name", ["lstm", "Blocks"])
def test_lanes_split_over_threads(name, narrow, monkeypatch):
    """Each thread has its own rounded operands."""
    parity.variant(monkeypatch, "hoisted")
    monkeypatch.setattr(kernel, "SPLIT_BYTES", 0)
    monkeypatch.setattr(kernel, "LEAST_WORK", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    found = compared(ODD.get(name, name), 6, 132, 3, 37)
    assert max(found.values()) < 0.05, found


def test_one_step_is_exactly_the_product_of_rounded_operands(narrow, monkeypatch):
    """Ties and NaN as torch rounds them; sums in float."""
    parity.variant(monkeypatch, "folded")
    _, narrowed = parity.layers("cell Sum {\n  h_t = W x_t + U h_{t-1}\n}", 40, 23, dtype=torch.float32)
    torch.manual_seed(3)
    x, h = torch.randn(1, 19, 40), torch.randn(1, 19, 23)
    x[0, :, 5] = 1 + torch.arange(19) * 2.0**-9  # every second one is a tie
    x[0, 7, 3], x[0, 8, 2] = float("nan"), float("inf")
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        found = narrowed(x, h)[0][0]
    cell = next(iter(narrowed.layers.values()))
    rounded = [v.detach().bfloat16().double() for v in (x[0], cell.W, h[0], cell.U)]
    want = rounded[0] @ rounded[1].T + rounded[2] @ rounded[3].T
    torch.testing.assert_close(found.double(), want, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_they_are_no_less_accurate_than_the_portable_layer_under_autocast(name, narrow, monkeypatch):
    """States stay float: over many steps that shows."""
    parity.variant(monkeypatch, "folded")
    portable, narrowed = parity.layers(name, 3, 20, dtype=torch.float32)
    given = parity.inputs(name, 3, 60, 4, dtype=torch.float32)
    exact = parity.gradients(portable, given)

    def distance(layer: torch.nn.Module) -> float:
        found = parity.gradients(Autocast(layer), given)
        return sum(((found[k] - v).norm() / v.norm()).item() for k, v in exact.items())

    assert distance(narrowed) < 0.9 * distance(portable)


def test_dtypes_are_those_of_the_portable_layer(narrow):
    portable, narrowed = parity.layers("lstm", 3, 5, dtype=torch.float32)
    x = torch.randn(4, 2, 3)
    for given in (x, x.bfloat16()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            want, state = portable(given)
            found, last = narrowed(given)
            again, _ = narrowed(given, tuple(value.float() for value in last))
        assert found.dtype == want.dtype
        assert [value.dtype for value in last] == [value.dtype for value in state]
        assert again.dtype == torch.float32
        torch.testing.assert_close(found.float(), want.float(), rtol=0.05, atol=0.05)


def test_packed_sequences_and_compilation(narrow, monkeypatch):
    parity.variant(monkeypatch, "folded")
    portable, narrowed = parity.layers("gru", 3, 5, dtype=torch.float32)
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(length, 3) for length in (6, 4, 4, 1)])
    want = portable(packed)[0].data
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = narrowed(packed)[0].data
    torch.testing.assert_close(found, want, rtol=0.03, atol=0.03)
    compiled = torch.compile(Autocast(narrowed), fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 2, 3)
    assert torch.equal(compiled(x)[0], Autocast(narrowed)(x)[0])


def test_noise_while_training_is_that_of_the_portable_layer(narrow, monkeypatch):
    parity.variant(monkeypatch, "folded")
    portable, narrowed = parity.layers("variational_lstm", 3, 8, dtype=torch.float32)
    (x,) = parity.inputs("variational_lstm", 3, 5, 4, dtype=torch.float32)
    torch.manual_seed(5)
    want = portable(x)[0]
    torch.manual_seed(5)
    found = Autocast(narrowed)(x)[0]
    assert not torch.equal(want, portable.eval()(x)[0]), "no mask was drawn"
    torch.testing.assert_close(found, want, rtol=0.05, atol=0.05)


def test_without_tiles_autocast_gets_float_kernels(monkeypatch):
    monkeypatch.setattr(bf16, "why_not", lambda: "no tiles")
    _, narrowed = parity.layers("lstm", 3, 5, dtype=torch.float32)
    x = torch.randn(4, 2, 3)
    assert torch.equal(Autocast(narrowed)(x)[0], narrowed(x)[0])
    with torch.autocast("cpu", dtype=torch.float16):
        assert torch.equal(narrowed(x)[0], narrowed(x)[0])


def test_kernels_of_bfloat16_are_built_and_registered_ahead_where_they_run(monkeypatch):
    monkeypatch.setattr(bf16, "why_not", lambda: "no tiles")
    monkeypatch.setattr(cells, "KERNELS", {})
    assert len(register("lstm")) == 2
    narrow = kernel.Kernel(plan_kernels(lower(celldsl.compile("rnn").checked), hoist=False), narrow=True)
    with pytest.raises(build.BuildError, match="rnn_folded_bf16 multiplies in bfloat16: no tiles"):
        narrow.library(torch.float32)
    monkeypatch.setattr(bf16, "why_not", lambda: None)
    monkeypatch.setattr(bf16, "DEFINES", ("CELLDSL_EMULATE_TILES",))
    assert [name.count("_bf16_") for name in register("lstm")] == [0, 0, 1, 1]
    built = list(build_ahead(celldsl.compile("rnn").checked))
    assert [(b.variant, b.dtype) for b in built] == [
        (variant, dtype) for variant in ("folded", "hoisted") for dtype in (torch.float32, torch.bfloat16)
    ]


def test_a_processor_without_tiles_says_so(monkeypatch):
    monkeypatch.setattr(build, "instructions", lambda: "flags : fpu avx512f")
    assert "no tiles" in str(bf16.why_not.__wrapped__())


def test_the_text_builds_for_a_processor_with_tiles(tmp_path):
    """Compiled with all warnings as errors, and the instructions are there; it cannot run everywhere."""
    compiler = build.compiler()
    flags = [
        "-std=c++17",
        "-O1",
        "-march=sapphirerapids",
        "-fno-math-errno",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-maybe-uninitialized",
    ]
    asked = subprocess.run([*compiler, *flags, "-fsyntax-only", "-xc++", "-"], input="", capture_output=True, text=True)
    if asked.returncode:
        pytest.skip("this compiler knows no processor with tiles")
    source, target = tmp_path / "kernel.cpp", tmp_path / "kernel.s"
    source.write_text(emit(plan_kernels(lower(celldsl.compile("lstm").checked), hoist=False), bf16=True))
    done = subprocess.run([*compiler, *flags, "-S", str(source), "-o", str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    text = target.read_text()
    for instruction in ("ldtilecfg", "sttilecfg", "tileloadd", "tilezero", "tdpbf16ps", "tilestored", "tilerelease"):
        assert instruction in text, instruction
    assert shutil.which(compiler[0]) is not None
