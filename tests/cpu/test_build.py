"""Building: once, whoever asks; and what happens where it cannot be done."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

import celldsl
from celldsl import doctor
from celldsl.runtime import backends, cache
from celldsl.runtime.kernel import build, modules
from celldsl.runtime.kernel.layer import KernelLayer
from celldsl.schedule.cpu_program import NotForCpu
from tests.cpu import parity

TEXT = 'extern "C" __attribute__((visibility("default"))) int answer() {{ return {}; }}\n'


def test_the_same_text_is_built_once(monkeypatch):
    runs = []
    real = subprocess.run
    monkeypatch.setattr(
        build.subprocess, "run", lambda command, **rest: (runs.append(command), real(command, **rest))[1]
    )
    first = build.library(TEXT.format(41), "answer")
    second = build.library(TEXT.format(41), "answer")
    assert first == second
    assert len([command for command in runs if "-o" in command]) <= 1
    assert build.library(TEXT.format(42), "answer") != first
    assert build.library(TEXT.format(41), "answer", ("OTHER",)) != first


def test_a_broken_library_is_built_again(tmp_path):
    text = TEXT.format(17)
    path = build.library(text, "answer")
    path.unlink()
    path.write_bytes(b"\x7fELF, and then the disk was full")
    assert build.load(text, "answer").answer() == 17


def test_a_library_is_of_one_processor_and_one_compiler(monkeypatch):
    """A cache that other machines share never gives a library with instructions that this one lacks."""
    first = build.library(TEXT.format(5), "answer")
    monkeypatch.setattr(build, "instructions", lambda: "flags : fpu sse2")
    build._identity.cache_clear()
    try:
        assert build.library(TEXT.format(5), "answer") != first
    finally:
        build._identity.cache_clear()


def test_processes_that_ask_at_once():
    number = time.time_ns() % 1_000_000
    code = f"from celldsl.runtime.kernel import build; print(build.library({TEXT.format(number)!r}, 'race'))"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 4
    (path,) = found
    assert ctypes.CDLL(path).answer() == number
    assert not [
        other
        for other in Path(path).parent.iterdir()
        if other.suffix == ".so" and other.name.startswith(f".{Path(path).stem}")
    ]


def test_an_error_of_the_compiler_is_shown():
    with pytest.raises(build.BuildError, match="could not build"):
        build.library("this is no C++\n", "broken")


def test_without_a_compiler(monkeypatch):
    """auto falls back to the portable module and says so once; cpu is an error that says what would help."""
    monkeypatch.setenv("CELLDSL_BACKEND", "")
    reason = "no C++ compiler was found; install g++ or clang++, or set CXX"
    row = backends.BACKENDS["cpu"]
    without = type(row)(row.name, row.target, row.about, lambda: reason, row.module)
    monkeypatch.setitem(backends.BACKENDS, "cpu", without)
    backends._say_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="no C\\+\\+ compiler"):
        assert backends.choose("auto").name == "torch"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backends.choose("auto").name == "torch"
    with pytest.raises(RuntimeError, match="install g\\+\\+"):
        celldsl.compile("lstm").rnn(2, 3, backend="cpu")
    (finding,) = (f for f in doctor.examine() if (f.part, f.subject) == ("backends", "cpu"))
    assert finding.ok is False
    assert finding.found == reason
    assert "install a C++17 compiler" in finding.fix


def test_no_compiler_is_found_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    build.compiler.cache_clear()
    try:
        with pytest.raises(build.BuildError, match="CXX=no-such-compiler"):
            build.compiler()
    finally:
        build.compiler.cache_clear()


def test_auto_takes_kernels_and_cells_without_stay_portable(monkeypatch):
    monkeypatch.setenv("CELLDSL_BACKEND", "")

    assert isinstance(celldsl.compile("lstm").rnn(2, 3), KernelLayer)

    def refuse(cell):
        raise NotForCpu("C is a matrix")

    monkeypatch.setattr(modules, "CellKernels", refuse)
    compiled = celldsl.compile("gru")
    assert not isinstance(compiled.rnn(3, 3), KernelLayer)
    with pytest.raises(RuntimeError, match="cannot run GRU: C is a matrix"):
        celldsl.compile("gru").rnn(3, 3, backend="cpu")


def test_a_warm_kernel_is_only_loaded(monkeypatch):
    """No process is started, nothing is written: what is left is reading one file."""
    _, kernel = parity.layers("lstm", 2, 3)
    operator = kernel.kernels.folded.kernel
    operator._libraries.clear()  # another test may have built it with other flags
    operator.library(torch.float64)
    operator._libraries.clear()
    build._identity.cache_clear()
    build.compiler.cache_clear()
    monkeypatch.setattr(build.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    monkeypatch.setattr(cache, "write", lambda *_: pytest.fail("a file was written"))
    operator.library(torch.float64)


def test_the_text_is_the_same_under_every_hash_seed():
    code = "import celldsl; print(celldsl.compile('gru').source('cpu'))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in (1, 2)
    }
    assert len(texts) == 1
    text = texts.pop()
    assert "// r_t = σ(W_r x_t + U_r h_{t-1} + b_r)" in text.replace("  ", " ")
    assert str(cache.folder()) not in text


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sanitizer", ["address,undefined"])
def test_sanitizers(sanitizer, tmp_path):
    """Kernels of both variants under the address and undefined-behaviour sanitizers, in a process of their own."""
    probe = tmp_path / "probe.cpp"
    probe.write_text("int main() { return 0; }\n")
    flags = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    done = subprocess.run([*build.compiler(), *flags, str(probe), "-o", str(tmp_path / "probe")], capture_output=True)
    found = subprocess.run([*build.compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True)
    library = found.stdout.strip()
    if done.returncode or not os.path.isabs(library):
        pytest.skip("this compiler has no sanitizers")
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.format(flags=flags))
    environment = {
        **os.environ,
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": os.getcwd(),
        "OMP_NUM_THREADS": "2",
    }
    done = subprocess.run([sys.executable, str(driver)], env=environment, capture_output=True, text=True, timeout=1100)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all clean" in done.stdout


DRIVER = """
import torch
from celldsl.runtime.kernel import bf16, build, cells
from tests.cpu import parity
from tests.cpu.odd import ODD
bf16.DEFINES, bf16.why_not = ("CELLDSL_EMULATE_TILES",), lambda: None
build.FLAGS = tuple("-O1" if flag == "-O2" else flag for flag in build.FLAGS) + {flags}
for name in ("lstm", "Delayed"):
    for variant in ("folded", "hoisted"):
        cells.takes = lambda *_: variant == "hoisted"
        cells.CALLS.clear()
        for T, B, m, n in ((1, 1, 1, 2), (4, 9, 3, 19)):
            source = ODD.get(name, name)
            portable, kernel = parity.layers(source, m, n)
            given = parity.inputs(source, m, T, B)
            found = parity.differences(portable, kernel, given, portable(*given)[1])
            assert max(found.values()) < 1e-12, found
            with torch.no_grad():
                for _ in range(2):  # weights are packed, then known again
                    torch.testing.assert_close(kernel(*given)[0], portable(*given)[0])
            portable, kernel = parity.layers(source, m, n, dtype=torch.float32)
            given = [x.float().requires_grad_() for x in given]
            with torch.autocast("cpu", dtype=torch.bfloat16):  # on emulated tiles
                output, _ = kernel(*given)
            torch.testing.assert_close(output, portable(*given)[0], rtol=0.05, atol=0.05)
            output.sum().backward()
print("all clean")
"""
