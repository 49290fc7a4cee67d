"""Kernels built before they are asked for: images of machines without a compiler, first calls that should not wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from celldsl.check.cell import Cell
from celldsl.runtime.kernel.cells import CellKernels
from celldsl.runtime.kernel.kernel import Kernel
from celldsl.schedule import plan_kernels


class Built(NamedTuple):
    """One library in the cache. seconds: what building or finding it took."""

    variant: str
    dtype: torch.dtype
    seconds: float


def build_ahead(cell: Cell, dtypes: tuple[torch.dtype, ...] = (torch.float32,)) -> Iterator[Built]:
    """Builds both variants of a cell's kernels into the cache. Raises NotForCpu, BuildError."""
    form = CellKernels(cell).form
    for hoist in (False, True):
        kernel = Kernel(plan_kernels(form, hoist=hoist))
        for dtype in dtypes:
            begun = time.perf_counter()
            kernel.library(dtype)
            yield Built(kernel.schedule.variant, dtype, time.perf_counter() - begun)
