"""The support code: functions within their stated error, on every instruction set this compiler knows."""

from __future__ import annotations

import ctypes
import mmap
import platform
import subprocess
from importlib import resources

import pytest
import torch
from torch import Tensor

from celldsl.runtime.kernel import build

TARGETS = {"native": build.NATIVE, "portable": ()}
if platform.machine() in ("x86_64", "AMD64"):
    TARGETS["avx2"] = ("-mavx2", "-mfma")

NAMES = """exp sigmoid tanh abs sign relu hard_sigmoid hard_tanh softsign silu leaky_relu log erf sin cos sqrt floor
softplus log_sigmoid gelu elu"""
FUNCTIONS = NAMES.split()
SUMS = ["sum", "mean", "norm", "dot"]
ROWS = ["softmax", "cumsum", "cumax", "layernorm", "rmsnorm"]

# Units in the last place of the result, for what has loops of its own. Stated in support.hpp.
ULP = {
    torch.float32: {"exp": 3, "sigmoid": 3, "tanh": 3}
    | dict.fromkeys(("log", "log1p", "erf", "elu", "softplus", "log_sigmoid"), 2),
    torch.float64: {"exp": 2, "log": 2, "log1p": 2, "erf": 3, "elu": 3, "softplus": 3, "log_sigmoid": 3}
    | {"sigmoid": 4, "tanh": 4},
}


def softplus(x: Tensor) -> Tensor:
    return x.clamp_min(0) + torch.log1p(torch.exp(-x.abs()))


EXACT = {
    **{name: getattr(torch, name) for name in ("exp", "sigmoid", "tanh", "log", "log1p", "erf")},
    "elu": lambda x: torch.where(x > 0, x, torch.expm1(x.clamp_max(0))),
    "softplus": softplus,
    "log_sigmoid": lambda x: -softplus(-x),
}
RANGES = {
    "log": ((1e-6, 1e-3), (1e-3, 5), (0.9, 1.1), (5, 1e6)),
    "log1p": ((0, 1e-6), (0, 1e-3), (0, 1), (0.4, 0.42)),
    "erf": ((-1e-3, 1e-3), (-1, 1), (0.9, 1.1), (-9, 9)),
}


def runs_here(name: str) -> bool:
    return name != "avx2" or "avx2" in build.instructions()


@pytest.fixture(scope="module", params=[(t, d) for t in TARGETS for d in ULP], ids=lambda p: f"{p[0]}-{p[1]}"[:16])
def compiled(request):
    name, dtype = request.param
    if not runs_here(name):
        pytest.skip(f"this processor has no {name}")
    lines = [
        "#define CELLDSL_MOST_GATES 1",
        "#define CELLDSL_MOST_SEGMENTS 1",
        (resources.files("celldsl.emit.cpu") / "support.hpp").read_text(encoding="utf-8"),
        "using namespace celldsl;",
    ]
    exported = 'extern "C" __attribute__((visibility("default"))) void'
    for function in [*FUNCTIONS, "log1p"]:
        lines.append(
            f"{exported} f_{function}(const real* a, real* b, int64_t n) {{"
            f" for (int64_t j = 0; j < n; j += LANES) store(b + j, celldsl::{function}(load(a + j))); }}"
        )
    for function in SUMS:
        body = f"*b = along::{function}({'a, a' if function == 'dot' else 'a'}, n);"
        lines.append(f"{exported} f_{function}(real* a, real* b, int64_t n) {{ {body} }}")
    for function in [*ROWS, "reverse_cumsum"]:
        lines.append(f"{exported} f_{function}(real* a, real* b, int64_t n) {{ along::{function}(a, b, n); }}")
    patch = pytest.MonkeyPatch()
    patch.setattr(build, "NATIVE", TARGETS[name])
    try:
        defines = ("CELLDSL_DOUBLE",) if dtype is torch.float64 else ()
        library = build.load("\n".join(lines), f"support_{name}", defines)
    finally:
        patch.undo()

    def call(function: str, x: Tensor, out: Tensor | None = None) -> Tensor:
        y = torch.empty_like(x) if out is None else out
        getattr(library, f"f_{function}")(
            ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr()), ctypes.c_int64(x.numel())
        )
        return y

    return dtype, call


@pytest.mark.parametrize("function", EXACT)
def test_error_bounds(compiled, function):
    dtype, call = compiled
    info = torch.finfo(dtype)
    for low, high in RANGES.get(function, ((-1e-3, 1e-3), (-1, 1), (-9, 9), (-80, 80))):
        x = torch.linspace(low, high, 1 << 14, dtype=dtype)
        reference = EXACT[function](x.double())
        error = (call(function, x).double() - reference).abs() / reference.abs().clamp_min(info.tiny / info.eps)
        assert error.max().item() / info.eps <= ULP[dtype][function]


def test_all_functions_agree_with_torch(compiled):
    from celldsl.runtime.kernel.evaluate import FUNCTIONS as REFERENCE

    dtype, call = compiled
    x = torch.linspace(-6, 6, 1 << 10, dtype=dtype)
    for function in FUNCTIONS:
        points = x.abs() + 0.01 if function in ("log", "sqrt") else x
        reference = torch.erf(points) if function == "erf" else REFERENCE[function](points)
        bound = 64 * torch.finfo(dtype).eps
        torch.testing.assert_close(call(function, points), reference, rtol=bound, atol=bound, msg=function)


def test_nan_infinity_and_the_ends(compiled):
    dtype, call = compiled
    inf, nan = float("inf"), float("nan")
    ends = torch.tensor([nan, inf, -inf, 0.0, 1e4, -1e4, 90.0, -105.0] * 8, dtype=dtype)
    for function in ("exp", "tanh", "relu", "abs", "sign", "hard_tanh", "softplus"):
        found, reference = call(function, ends), getattr(torch, function, None)
        if reference is None:
            reference = {"hard_tanh": lambda a: a.clamp(-1, 1)}.get(
                function, lambda a: torch.logaddexp(a, torch.zeros_like(a))
            )
        torch.testing.assert_close(found, reference(ends), rtol=1e-6, atol=1e-6, equal_nan=True, msg=function)
    found = call("sigmoid", ends)
    assert found[0].isnan()
    torch.testing.assert_close(found[1:8], torch.sigmoid(ends[1:8]), rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("function", ["log", "sqrt", "floor", "erf", "elu", "softplus", "log_sigmoid", "abs"])
def test_zeros_subnormal_numbers_and_what_lies_outside(compiled, function):
    """As torch does on each, to the sign of a zero."""
    from celldsl.runtime.kernel.evaluate import FUNCTIONS as REFERENCE

    dtype, call = compiled
    inf, nan, info = float("inf"), float("nan"), torch.finfo(dtype)
    least = info.tiny * info.eps  # the least subnormal number
    sizes = [0.0, least, 5 * least, info.tiny / 3, info.tiny, 0.5, 1.0, 100.0, info.max, inf]
    x = torch.tensor([nan, *sizes, *(-size for size in sizes), 1e-4, 3.0, -1e-4], dtype=dtype)
    x = torch.cat([x, x[torch.randperm(24, generator=torch.Generator().manual_seed(0))]])  # in other lanes too
    found, reference = call(function, x), (torch.erf if function == "erf" else REFERENCE[function])(x)
    torch.testing.assert_close(found, reference, rtol=4 * info.eps, atol=2 * least, equal_nan=True)
    finite = ~reference.isnan()
    assert torch.equal(found[finite].signbit(), reference[finite].signbit())


def at_the_end_of_a_page(x: Tensor) -> tuple[Tensor, mmap.mmap]:
    """A copy that ends where memory ends that may be touched: what reads or writes behind it does not live on."""
    size = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * size)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    assert protect(ctypes.c_void_p(first + size), ctypes.c_size_t(size), ctypes.c_int(0)) == 0
    whole = torch.frombuffer(memory, dtype=x.dtype, count=size // x.element_size())
    whole.fill_(float("nan"))
    row = whole[whole.numel() - x.numel() :]
    return row.copy_(x), memory


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 33, 50, 63, 64, 101])
def test_along_a_row(compiled, n):
    """Any length, from any address, with nothing behind the row; in the operand's place too."""
    from celldsl.runtime.kernel.evaluate import FUNCTIONS as REFERENCE

    dtype, call = compiled
    x = 3 * torch.randn(n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    bound = {"rtol": 16 * torch.finfo(dtype).eps, "atol": 64 * torch.finfo(dtype).eps}
    row, _memory = at_the_end_of_a_page(x.to(dtype))
    for function in SUMS:
        operands = (row.double(),) * (2 if function == "dot" else 1)
        result = torch.zeros(1, dtype=dtype)
        call(function, row, result)
        torch.testing.assert_close(result, REFERENCE[function](*operands).to(dtype), **bound, msg=function)
    references = {name: REFERENCE[name](row.double()) for name in ROWS}
    references["reverse_cumsum"] = row.double().flip(0).cumsum(0).flip(0)
    for function, reference in references.items():
        out, _more = at_the_end_of_a_page(torch.zeros_like(row))
        call(function, row, out)
        torch.testing.assert_close(out, reference.to(dtype), **bound, msg=function)
        before = torch.as_strided(out, (8,), (1,), out.storage_offset() - 8)
        assert before.isnan().all(), function
        out.copy_(row)
        call(function, out, out)
        torch.testing.assert_close(out, reference.to(dtype), **bound, msg=function)


def test_softmax_of_nan_and_infinities(compiled):
    dtype, call = compiled
    inf, nan = float("inf"), float("nan")
    for n in (3, 8, 21):
        for value in (nan, inf, -inf, 1e4, -1e4):
            for place in (0, n // 2, n - 1):
                x = torch.linspace(-1, 1, n, dtype=dtype)
                x[place] = value
                torch.testing.assert_close(call("softmax", x), x.softmax(0), rtol=1e-6, atol=1e-37, equal_nan=True)
        x = torch.full((n,), -inf, dtype=dtype)
        assert call("softmax", x).isnan().all()


@pytest.mark.parametrize("flags", [("-mavx2", "-mfma"), ("-mavx512f",), ()], ids=["avx2", "avx512", "portable"])
def test_kernels_compile_for_other_processors(flags, tmp_path):
    import celldsl

    if flags and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("flags of another architecture")
    file = tmp_path / "gru.cpp"
    file.write_text(celldsl.compile("gru").source("cpu"), encoding="utf-8")
    command = [*build.compiler(), "-std=c++17", "-O0", "-Wall", "-Wextra", "-fsyntax-only", *flags, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
