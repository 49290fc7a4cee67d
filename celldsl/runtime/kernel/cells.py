"""A cell's kernels, and what must be computed by torch before one runs.

`of(spec)` is cached per process; everything else of a spec is made on first use: the programs of both variants, their
libraries, their operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from celldsl import relatives
from celldsl.check.cell import Cell, Num, Setting
from celldsl.check.width import SCALAR
from celldsl.emit.torch.module import View
from celldsl.runtime.kernel.evaluate import linear
from celldsl.runtime.kernel.kernel import DTYPES, Kernel
from celldsl.runtime.kernel.memory import product
from celldsl.runtime.kernel.once import Once, work_out
from celldsl.runtime.kernel.operator import Operator, operator_of, plainly
from celldsl.schedule import plan_kernels, plan_module
from celldsl.schedule.cpu import takes
from celldsl.schedule.cpu_program import refuse
from celldsl.source import Source
from celldsl.symbolic import lower
from celldsl.symbolic.counts import doubled_biases
from celldsl.symbolic.form import Form
from celldsl.symbolic.tape import record


class Rows(NamedTuple):
    """How many rows each step has: `sizes` (None: `batch` in all), `steps`, and `batch`, the rows of the first."""

    sizes: Tensor | None
    steps: int
    batch: int


class CellKernels:
    """The kernels of one cell. Raises NotForCpu where there can be none.

    keys: the attributes of a step that hold its sizes and settings.
    """

    def __init__(self, cell: Cell):
        self.cell = cell
        self.form: Form = lower(cell)
        refuse(record(self.form))
        self.attributes = View(plan_module(self.form)).constructor.attributes
        known = [*cell.free_dims, *(info.name for info in cell.settings if info.is_width or info.kind == "hyper")]
        self.keys = tuple(dict.fromkeys(self.attributes[name] for name in known))

    @cached_property
    def carried(self) -> int:
        """The number of tensors of a state."""
        return sum(info.depth for info in self.cell.states)

    @cached_property
    def starts_elsewhere(self) -> bool:
        """Whether some state does not begin at zero."""
        return any(info.initial is not None for info in self.cell.states)

    def draws(self, step: nn.Module) -> bool:
        """Whether a step draws masks while training, which kernels do not know: they compute as in evaluation."""
        rates = {mask.rate for mask in self.cell.masks}
        return any(
            getattr(step, self.attributes[rate.name]) > 0 if isinstance(rate, Setting) else rate != Num(SCALAR, "0")
            for rate in rates
        )

    @cached_property
    def folded(self) -> Operator:
        return operator_of(Kernel(plan_kernels(self.form, hoist=False)))

    @cached_property
    def hoisted(self) -> Operator:
        return operator_of(Kernel(plan_kernels(self.form, hoist=True)))

    def call(self, itemsize: int, two_biases: bool, values: Sequence[float]) -> Call:
        """What follows from a step's sizes and settings. values: those of the attributes `keys`."""
        numbers = dict(zip(self.keys, values, strict=True))
        sizes = self.sizes(numbers)
        settings = {
            info.name: float(numbers[self.attributes[info.name]] if info.kind == "hyper" else info.value)
            for info in self.cell.settings
        }
        operator = self.hoisted if takes(self.cell, sizes, itemsize) else self.folded
        programs = operator.schedule.programs
        second = doubled_biases(self.cell) if two_biases else ()
        places = {
            info.name: (
                self.attributes[info.name],
                *((self.attributes[f"{info.name}_hh"],) if info.name in second else ()),
            )
            for info in self.cell.parameters
        }
        once = work_out(programs, places, sizes, settings)
        order = [info.name for info in self.cell.inputs]
        blocks = tuple(tuple((m, order.index(name)) for m, name in block.terms) for block in programs.hoisted) or None
        widths = list(operator.kernel.widths(sizes))
        return Call(operator, widths, list(settings.values()), once, blocks)

    def sizes(self, numbers: Mapping[str, float]) -> dict[str, int]:
        """A number for every free dimension and width setting. numbers: attribute -> value."""
        names = [*self.cell.free_dims, *(info.name for info in self.cell.settings if info.is_width)]
        return {name: int(numbers[self.attributes[name]]) for name in names}


class Call(NamedTuple):
    """What follows from sizes and settings alone. blocks: hoisted products, as pairs of a matrix and an input."""

    operator: Operator
    widths: list[int]
    settings: list[float]
    once: Once
    blocks: tuple[tuple[tuple[int, int], ...], ...] | None


KERNELS: dict[str, CellKernels] = {}
CALLS: dict[tuple[object, ...], Call] = {}
"""By spec, and by spec, itemsize, layout of biases and sizes. Plain dictionaries, which torch.compile reads."""


@torch.compiler.assume_constant_result
def open_kernels(spec: str) -> bool:
    """Puts the kernels of a spec into `KERNELS`. Raises NotForCpu, SpecError."""
    if spec not in KERNELS:
        KERNELS[spec] = CellKernels(relatives.check(Source(spec, "<kernel>"))[-1])
    return True


@torch.compiler.assume_constant_result
def open_call(spec: str, itemsize: int, two_biases: bool, values: tuple[float, ...]) -> bool:
    """Puts what follows from these sizes into `CALLS`."""
    CALLS[spec, itemsize, two_biases, values] = KERNELS[spec].call(itemsize, two_biases, values)
    return True


def of(spec: str) -> CellKernels:
    """The kernels of a spec. Raises NotForCpu, SpecError."""
    if spec not in KERNELS or torch.compiler.is_compiling():
        open_kernels(spec)
    return KERNELS[spec]


def run(
    spec: str, step: nn.Module, inputs: Sequence[Tensor], rows: Rows, first: Sequence[Tensor | None], portable: bool
) -> tuple[Tensor, Sequence[Tensor]]:
    """One layer and direction: outputs (…, n) and the last state (1, B, …), in the order of the state tuple.

    step: the emitted step module, which holds the parameters; inputs: (T, B, width) each, (N, width) if packed; first:
    the state before, (B, …) or (1, B, …), None for zeros. portable: by torch operations, for transforms that kernels
    cannot follow.
    """
    held = step.__dict__
    values = tuple([held[name] for name in of(spec).keys])
    key = (spec, inputs[0].element_size(), held.get("two_biases", False), values)
    if key not in CALLS or torch.compiler.is_compiling():
        open_call(*key)
    call = CALLS[key]
    constants, matrices = call.once.run(step, inputs[0])
    before = () if call.blocks is None else (_hoisted(call.blocks, inputs, matrices, portable),)
    tensors = (rows.sizes, *inputs, *before, *first, *constants, *matrices)
    compute = call.operator.portable if portable else call.operator
    output, *last = compute(tensors, rows.steps, rows.batch, call.widths, call.settings)
    return output, last


def _hoisted(
    blocks: tuple[tuple[tuple[int, int], ...], ...],
    inputs: Sequence[Tensor],
    matrices: Sequence[Tensor],
    portable: bool,
) -> Tensor:
    """The hoisted products of all steps, side by side: (…, widths)."""
    if all(
        len(terms) == 1
        and terms[0][1] == blocks[0][0][1]
        and matrices[terms[0][0]].shape[1] == inputs[terms[0][1]].shape[-1]
        for terms in blocks
    ):
        stacked = [matrices[terms[0][0]] for terms in blocks]
        x, matrix = inputs[blocks[0][0][1]], torch.cat(stacked) if len(stacked) > 1 else stacked[0]
        return functional.linear(x, matrix) if portable or not plainly((x, matrix)) else product(x, matrix)
    parts = []
    for terms in blocks:
        products = [linear(inputs[name], matrices[matrix]) for matrix, name in terms]
        parts.append(sum(products[1:], products[0]))
    return torch.cat(parts, -1)


def suits(inputs: Sequence[Any], steps: Iterable[nn.Module]) -> bool:
    """Whether kernels can compute with these inputs and parameters: tensors on the CPU, of one dtype with kernels."""
    dtype = getattr(inputs[0], "dtype", None)
    if dtype not in DTYPES:
        return False
    for x in inputs:
        if not isinstance(x, Tensor) or not x.is_cpu or x.dtype is not dtype:
            return False
    for step in steps:
        for p in step._parameters.values():
            if p is not None and (p.dtype is not dtype or not p.is_cpu):
                return False
    return True
