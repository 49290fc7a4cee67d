"""A cell's kernel: the schedule, the library built from it, and calls with raw pointers.

Which numbers a call gets (threads, rows at a time, steps of a chunk) is decided here from the sizes at hand.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from celldsl.emit.cpu import Arguments, emit
from celldsl.runtime.kernel import build
from celldsl.schedule.cpu import CpuSchedule

Direction = Literal["forward", "backward"]

DTYPES = {torch.float32: (), torch.float64: ("CELLDSL_DOUBLE",)}
"""The dtypes of kernels, each with what its library is compiled with."""

ROWS_AT_A_TIME = 24
SPLIT_BYTES = 1_600_000
"""Of packed weights, from which lanes rather than rows are split over threads: a thread's second-level cache."""
LEAST_WORK = 200_000
"""Multiplications per thread, below which another thread costs more than it brings."""
MOST_PLANS = 256
"""Remembered per kernel; lengths and batches may be many."""


class Plan(NamedTuple):
    """What follows from sizes, strides and threads alone: the numbers of a call, the reals that packed weights take."""

    run: Any
    numbers: Any
    settings: Any
    packed: int


class Kernel:
    """Both directions of one variant of a cell, for every dtype. Thread-safe; libraries are built on first use."""

    def __init__(self, schedule: CpuSchedule):
        self.schedule = schedule
        self.arguments = Arguments(schedule)
        self._libraries: dict[torch.dtype, ctypes.CDLL] = {}
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._lock = threading.Lock()
        self._lists = {
            "forward": ctypes.c_void_p * len(self.arguments.forward),
            "backward": ctypes.c_void_p * len(self.arguments.backward),
        }

    @cached_property
    def text(self) -> str:
        return emit(self.schedule)

    @property
    def name(self) -> str:
        return f"{self.schedule.cell.name.lower()}_{self.schedule.variant}"

    def library(self, dtype: torch.dtype) -> ctypes.CDLL:
        """The library for a dtype. Raises BuildError, KeyError for a dtype that has none."""
        found = self._libraries.get(dtype)
        if found is None:
            with self._lock:
                found = self._libraries.get(dtype)
                if found is None:
                    found = build.load(self.text, self.name, DTYPES[dtype])
                    for direction in ("forward", "backward"):
                        getattr(found, f"celldsl_{direction}_packed").restype = ctypes.c_int64
                    self._libraries[dtype] = found
        return found

    def widths(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The widths that a call passes, at given dimensions."""
        values = dict(sizes)
        for dim in self.schedule.cell.dims:
            if dim.value is not None:
                values[dim.name] = int(dim.value.at(values))
        return tuple(int(width.at(values)) for width in self.arguments.widths)

    def call(
        self,
        direction: Direction,
        pointers: Sequence[int | None],
        matrices: Sequence[Tensor],
        dtype: torch.dtype,
        steps: int,
        batch: int,
        widths: Sequence[int],
        settings: Sequence[float],
    ) -> None:
        """Run one direction. `pointers` are as `Arguments.forward` or `backward` lists them, but for the last, the
        packed weights, for which memory is made here. Raises MemoryError."""
        strides = [matrix.stride() for matrix in matrices]
        key = (direction, dtype, torch.get_num_threads(), steps, batch, *widths, *settings, *strides)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plan(direction, pointers, matrices, dtype, steps, batch, widths, settings)
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        packed = torch.empty(plan.packed, dtype=dtype)
        table = self._lists[direction](*pointers, packed.data_ptr())
        if plan.run(table, plan.numbers, plan.settings):
            raise MemoryError("a CPU kernel found no memory for its own buffers")

    def _plan(
        self,
        direction: Direction,
        pointers: Sequence[int | None],
        matrices: Sequence[Tensor],
        dtype: torch.dtype,
        steps: int,
        batch: int,
        widths: Sequence[int],
        settings: Sequence[float],
    ) -> Plan:
        library = self.library(dtype)
        threads, split, most_rows = self._shares(matrices, steps, batch)
        chunk = max(1, min(32, 128 // most_rows))
        strides = [stride for matrix in matrices for stride in matrix.stride()]
        numbers = [threads, split, steps, batch, most_rows, chunk, 1, *widths, *strides]
        whole = (ctypes.c_int64 * len(numbers))(*numbers)
        reals = (ctypes.c_double * max(1, len(settings)))(*settings)
        table = self._lists[direction](*pointers)
        packed = getattr(library, f"celldsl_{direction}_packed")(table, whole, reals)
        return Plan(getattr(library, f"celldsl_{direction}"), whole, reals, packed)

    def _shares(self, matrices: Sequence[Tensor], steps: int, batch: int) -> tuple[int, int, int]:
        """How many threads, whether they split the lanes, and how many rows one takes at a time."""
        weights = sum(matrix.numel() for matrix in matrices)
        threads = max(1, min(torch.get_num_threads(), steps * batch * max(weights, 256) // LEAST_WORK))
        large = matrices and weights * matrices[0].element_size() > SPLIT_BYTES
        if threads > 1 and self.schedule.hoist and large:
            return threads, 1, batch
        per_thread = -(-batch // threads)
        most_rows = -(-per_thread // -(-per_thread // ROWS_AT_A_TIME))
        return min(threads, -(-batch // most_rows)), 0, most_rows
