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
from celldsl.emit.cpu.arguments import NUMBERS
from celldsl.runtime.kernel import bf16, build
from celldsl.schedule.cpu import CpuSchedule

Direction = Literal["forward", "backward"]

DTYPES = {torch.float32: (), torch.float64: ("CELLDSL_DOUBLE",)}
"""The dtypes of kernels, each with what its library is compiled with."""

ROWS_AT_A_TIME = 24
NARROW_ROWS_AT_A_TIME = 32
"""Two tiles of rows."""
SPLIT_BYTES = 1_600_000
"""Of packed weights, from which lanes rather than rows are split over threads: a thread's second-level cache."""
LEAST_WORK = 200_000
"""Multiplications per thread, below which another thread costs more than it brings."""
MOST_KEPT = 1 << 26
"""Bytes of packed weights that a kernel keeps between calls for inference; those of the last call at least."""
MOST_PLANS = 256
"""Remembered per kernel; lengths and batches may be many."""


class Plan(NamedTuple):
    """What follows from sizes, strides and threads alone: the numbers of a call, the reals that packed weights take.

    again: the numbers for weights that are packed already; layout: what the packed weights depend on besides the
    weights; bytes: of each matrix, None where one has gaps.
    """

    run: Any
    numbers: Any
    again: Any
    settings: Any
    packed: int
    layout: tuple[object, ...]
    bytes: Any


class Kernel:
    """Both directions of one variant of a cell, for every dtype. Thread-safe; libraries are built on first use.

    narrow: products are of bfloat16, and float32 is the only dtype.
    """

    def __init__(self, schedule: CpuSchedule, narrow: bool = False):
        self.schedule, self.narrow = schedule, narrow
        self.arguments = Arguments(schedule)
        self._libraries: dict[torch.dtype, ctypes.CDLL] = {}
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._kept: dict[tuple[object, ...], tuple[int, Tensor]] = {}
        self._lock = threading.Lock()
        self._lists = {
            "forward": ctypes.c_void_p * len(self.arguments.forward),
            "backward": ctypes.c_void_p * len(self.arguments.backward),
        }

    @cached_property
    def text(self) -> str:
        return emit(self.schedule, self.narrow)

    @property
    def name(self) -> str:
        return f"{self.schedule.cell.name.lower()}_{self.schedule.variant}{'_bf16' if self.narrow else ''}"

    def library(self, dtype: torch.dtype) -> ctypes.CDLL:
        """The library for a dtype. Raises BuildError, KeyError for a dtype that has none."""
        found = self._libraries.get(dtype)
        if found is None:
            with self._lock:
                found = self._libraries.get(dtype)
                if found is None:
                    reason = bf16.why_not() if self.narrow else None
                    if reason is not None:
                        raise build.BuildError(f"{self.name} multiplies in bfloat16: {reason}")
                    more = bf16.DEFINES if self.narrow else ()
                    found = build.load(self.text, self.name, (*DTYPES[dtype], *more))
                    for direction in ("forward", "backward"):
                        getattr(found, f"celldsl_{direction}_packed").restype = ctypes.c_int64
                    found.celldsl_fingerprint.restype = ctypes.c_uint64
                    found.celldsl_fingerprint.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
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
        keep: bool = False,
    ) -> None:
        """Run one direction. `pointers` are as `Arguments.forward` or `backward` lists them, but for the last, the
        packed weights, for which memory is made here. keep: packed weights serve again, while the weights stay what
        they are. Raises MemoryError."""
        strides = [matrix.stride() for matrix in matrices]
        key = (direction, dtype, torch.get_num_threads(), steps, batch, *widths, *settings, *strides)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plan(direction, pointers, matrices, dtype, steps, batch, widths, settings)
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        if keep and matrices and plan.bytes is not None:
            self._call_kept(plan, pointers, matrices, dtype)
            return
        packed = torch.empty(plan.packed, dtype=dtype)
        _run(plan, self._lists[direction](*pointers, packed.data_ptr()), plan.numbers)

    def _call_kept(
        self, plan: Plan, pointers: Sequence[int | None], matrices: Sequence[Tensor], dtype: torch.dtype
    ) -> None:
        """A forward run whose packed weights are kept. They are known again by what is in the weights, for a program
        may write to them in ways that no counter counts (`weight.data`)."""
        addresses = tuple([matrix.data_ptr() for matrix in matrices])
        arrays = (ctypes.c_void_p * len(addresses))(*addresses)
        print_ = self.library(dtype).celldsl_fingerprint(arrays, plan.bytes, len(addresses))
        key = (addresses, plan.layout)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == print_:
            _run(plan, self._lists["forward"](*pointers, kept[1].data_ptr()), plan.again)
            return
        packed = torch.empty(plan.packed, dtype=dtype)
        _run(plan, self._lists["forward"](*pointers, packed.data_ptr()), plan.numbers)
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (print_, packed)
            while len(self._kept) > 1 and sum(p.nbytes for _, p in self._kept.values()) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))

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
        numbers[NUMBERS.index("pack")] = 0
        again = (ctypes.c_int64 * len(numbers))(*numbers)
        layout = (dtype, threads if split else 0, most_rows, *widths, *strides)
        sizes = None
        if all(_dense(matrix) for matrix in matrices):
            sizes = (ctypes.c_int64 * len(matrices))(*[m.numel() * m.element_size() for m in matrices])
        return Plan(getattr(library, f"celldsl_{direction}"), whole, again, reals, packed, layout, sizes)

    def _shares(self, matrices: Sequence[Tensor], steps: int, batch: int) -> tuple[int, int, int]:
        """How many threads, whether they split the lanes, and how many rows one takes at a time."""
        weights = sum(matrix.numel() for matrix in matrices)
        threads = max(1, min(torch.get_num_threads(), steps * batch * max(weights, 256) // LEAST_WORK))
        itemsize = 2 if self.narrow else matrices[0].element_size() if matrices else 0
        large = weights * itemsize > SPLIT_BYTES
        if threads > 1 and self.schedule.hoist and large:
            return threads, 1, batch
        per_thread = -(-batch // threads)
        most = NARROW_ROWS_AT_A_TIME if self.narrow else ROWS_AT_A_TIME
        most_rows = -(-per_thread // -(-per_thread // most))
        return min(threads, -(-batch // most_rows)), 0, most_rows


def _run(plan: Plan, table: Any, numbers: Any) -> None:
    if plan.run(table, numbers, plan.settings):
        raise MemoryError("a CPU kernel found no memory for its own buffers")


def _dense(matrix: Tensor) -> bool:
    """Whether a matrix, or its transpose, lies without gaps."""
    return matrix.is_contiguous() or matrix.t().is_contiguous()
