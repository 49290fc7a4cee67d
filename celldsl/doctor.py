"""What this machine can do with celldsl, what it cannot, why not, and what would change that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from celldsl import machine
from celldsl.extras import CONTAINS, install, lacking

KERNELS = (
    "for kernels install a C++17 compiler (g++ or clang++; on macOS: xcode-select --install) or set CXX to one; "
    "until then the portable modules serve, several times slower"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `ok` None: a plain fact, neither good nor bad. `fix`: what would help."""

    part: str
    subject: str
    found: str
    ok: bool | None = None
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """Look at everything, in the order of the report. Nothing raises: what fails is a finding."""
    return [*_versions(), *_machine(), *_backends(), *_cache(), *_extras(), *_tasks()]


def able(findings: list[Finding]) -> bool:
    """Whether cells can be compiled and run here: some backend runs, and nothing of the core is missing."""
    backends = [finding.ok for finding in findings if finding.part == "backends"]
    core = [finding.ok for finding in findings if finding.part == "versions"]
    return any(backends) and False not in core


def _versions() -> Iterator[Finding]:
    told = machine.versions()
    yield Finding("versions", "celldsl", told["celldsl"])
    yield Finding("versions", "python", told["python"])
    for name in ("torch", "sympy", "lark", "jinja2", "click", "rich"):
        found = machine.version(name)
        fix = "" if found else f"pip install {name}"
        yield Finding("versions", name, found or "not installed", found is not None, fix)


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "processor", machine.processor())
    yield Finding("machine", "vector instructions", ", ".join(machine.cpu_features()) or "not known")
    yield Finding("machine", "cores", str(machine.cores()))
    found = machine.compiler()
    fix = "" if found else "for backends that build kernels: install g++ or clang++, or set CXX"
    yield Finding("machine", "C++ compiler", found or "none found", found is not None, fix)
    try:
        import torch
    except ImportError as error:
        yield Finding("machine", "torch", f"cannot be imported: {error}", False, "pip install torch")
        return
    yield Finding("machine", "torch threads", f"{torch.get_num_threads()} (OMP_NUM_THREADS or --threads sets it)")
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
        yield Finding("machine", "CUDA", f"{torch.version.cuda}: {', '.join(cards)}", True)
    else:
        built = torch.version.cuda
        why = "no device that torch can use" if built else "this torch is built without it"
        fix = "" if built else "https://pytorch.org/get-started/locally has builds with CUDA"
        yield Finding("machine", "CUDA", why, False, fix)
    triton = machine.version("triton")
    yield Finding("machine", "Triton", triton or "not installed", triton is not None)


def _backends() -> Iterator[Finding]:
    from celldsl.runtime.backends import BACKENDS
    from celldsl.runtime.kernel import bf16

    for backend in BACKENDS.values():
        reason = backend.why_not()
        fix = KERNELS if reason is not None and backend.target == "cpu" else ""
        yield Finding("backends", backend.name, reason or f"runs: {backend.about}", reason is None, fix)
    reason = bf16.why_not()
    found = "products of kernels in bfloat16" if reason is None else f"kernels stay in float32: {reason}"
    yield Finding("backends", "autocast on CPU", found)


def _cache() -> Iterator[Finding]:
    from celldsl.runtime import cache

    try:
        yield Finding("cache", "compiled modules", _home(str(cache.folder())), True)
    except OSError as error:
        yield Finding("cache", "compiled modules", str(error), False, "set CELLDSL_CACHE to a folder you can write")


def _extras() -> Iterator[Finding]:
    purposes = {
        "train": "celldsl train runs",
        "bench": "celldsl bench runs",
        "test": "the project's own tests run",
        "ray": "experiments run on several machines",
        "tensorboard": "training writes what TensorBoard reads",
        "peers": "cells are compared with Keras, Flax and xlstm in the tests",
    }
    for extra in CONTAINS:
        absent = lacking(extra)
        found = f"lacks {', '.join(absent)}" if absent else f"complete: {purposes[extra]}"
        yield Finding("extras", extra, found, not absent, install(extra) if absent else "")


def _tasks() -> Iterator[Finding]:
    from celldsl.train.tasks import TASKS

    absent = lacking("train")
    for name in TASKS:
        if absent:
            yield Finding("tasks", name, f"needs {', '.join(absent)}", False, install("train"))
        elif name.startswith("mnist"):
            yield Finding("tasks", name, "runs with --data DIR, or downloads through the datasets package", True)
        else:
            yield Finding("tasks", name, "runs, needs no data", True)


def _home(path: str) -> str:
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if home not in ("/", "~") and path.startswith(home + os.sep) else path
