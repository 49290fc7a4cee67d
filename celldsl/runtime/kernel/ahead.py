"""Kernels before they are asked for: built, so that no first call waits; registered, so that programs which torch saved
find their operators.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.library import load
from celldsl.runtime.kernel import bf16, cells
from celldsl.runtime.kernel.cells import CellKernels
from celldsl.runtime.kernel.kernel import Kernel
from celldsl.schedule import plan_kernels


class Built(NamedTuple):
    """One library in the cache. seconds: what building or finding it took."""

    variant: str
    dtype: torch.dtype
    seconds: float


def build_ahead(cell: Cell, dtypes: tuple[torch.dtype, ...] = (torch.float32,)) -> Iterator[Built]:
    """Builds both variants of a cell's kernels into the cache, with and without noise, and in bfloat16 where it runs.
    Raises NotForCpu, BuildError."""
    kernels = CellKernels(cell)
    forms = [(kernels.form, "")]
    if kernels.noisy is not None:
        forms.append((kernels.noisy.form, ", with noise"))
    for form, suffix in forms:
        for hoist in (False, True):
            kernel = Kernel(plan_kernels(form, hoist=hoist))
            for dtype in dtypes:
                begun = time.perf_counter()
                kernel.library(dtype)
                yield Built(kernel.schedule.variant + suffix, dtype, time.perf_counter() - begun)
            if bf16.why_not() is None:
                begun = time.perf_counter()
                Kernel(kernel.schedule, narrow=True).library(torch.float32)
                yield Built(kernel.schedule.variant + suffix, torch.bfloat16, time.perf_counter() - begun)


def register(spec: str) -> tuple[str, ...]:
    """Register the operators of a spec, a path or a shipped name, and return their names: for products with inputs
    folded in and hoisted, and the same in bfloat16 where it runs. A process that loads what torch.export or AOTInductor
    saved calls this first. Raises SpecError, NotForCpu."""
    text = relatives.whole(relatives.check(load(spec))[-1])
    kernels = cells.of(text)
    kinds = (False, True) if bf16.why_not() is None else (False,)
    return tuple(f"celldsl::{kernels.operator(hoist, narrow).name}" for narrow in kinds for hoist in (False, True))
