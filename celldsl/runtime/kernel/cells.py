"""A cell's kernels, and what must be computed by torch before one runs.

`of(spec)` is cached per process; everything else of a spec is made on first use: the programs of both variants, their
libraries, their operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from celldsl import relatives
from celldsl.check.cell import Cell, Mask, Setting
from celldsl.emit.torch.module import View
from celldsl.runtime.kernel import bf16
from celldsl.runtime.kernel.evaluate import linear
from celldsl.runtime.kernel.kernel import DTYPES, Kernel
from celldsl.runtime.kernel.memory import product
from celldsl.runtime.kernel.noise import Draw, draw, draws, rate_of
from celldsl.runtime.kernel.once import Once, work_out
from celldsl.runtime.kernel.operator import Operator, operator_of, plainly
from celldsl.schedule import plan_kernels, plan_module
from celldsl.schedule.cpu import takes
from celldsl.schedule.cpu_noise import masked
from celldsl.schedule.cpu_program import NotForCpu, refuse
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


class Variants:
    """Both variants of a form's kernels; `masks` are those that it takes as inputs and parameters. Raises NotForCpu."""

    def __init__(self, form: Form, masks: Mapping[str, Mask]):
        refuse(record(form))
        self.form, self.masks = form, masks
        self._operators: dict[tuple[bool, bool], Operator] = {}

    def operator(self, hoist: bool, narrow: bool) -> Operator:
        """hoist: the products with inputs; narrow: products in bfloat16."""
        key = hoist, narrow
        if key not in self._operators:
            self._operators[key] = operator_of(Kernel(plan_kernels(self.form, hoist=hoist), narrow))
        return self._operators[key]

    @property
    def folded(self) -> Operator:
        return self.operator(False, False)

    @property
    def hoisted(self) -> Operator:
        return self.operator(True, False)


class CellKernels(Variants):
    """The kernels of one cell, which compute as in evaluation. Raises NotForCpu where there can be none.

    keys: the attributes of a step that hold its sizes and settings. carried: the number of tensors of a state.
    starts_elsewhere: whether some state does not begin at zero. noisy: the kernels that take masks, for training with
    noise; None where there can be none. All of it plain attributes, which torch.compile can read.
    """

    def __init__(self, cell: Cell):
        super().__init__(lower(cell), {})
        self.cell = cell
        self.attributes = View(plan_module(self.form)).constructor.attributes
        known = [*cell.free_dims, *(info.name for info in cell.settings if info.is_width or info.kind == "hyper")]
        self.keys = tuple(dict.fromkeys(self.attributes[name] for name in known))
        self.carried = sum(info.depth for info in cell.states)
        self.starts_elsewhere = any(info.initial is not None for info in cell.states)
        self.noisy = _noisy(cell)
        rates = [mask.rate for mask in cell.masks]
        self._rates = tuple(dict.fromkeys(self.attributes[rate.name] for rate in rates if isinstance(rate, Setting)))
        self._always = any(rate_of(mask, {}) > 0 for mask in cell.masks if not isinstance(mask.rate, Setting))

    def draws(self, step: nn.Module) -> bool:
        """Whether a step, while training, has masks that are not all their means."""
        return self._always or any(getattr(step, name) > 0 for name in self._rates)

    def call(self, noise: bool, itemsize: int, two_biases: bool, values: Sequence[float]) -> Call:
        """What follows from a step's sizes and settings. noise: with masks; itemsize: of what products multiply, 2 for
        bfloat16; values: those of the attributes `keys`."""
        variants = self.noisy if noise else self
        assert variants is not None
        numbers = dict(zip(self.keys, values, strict=True))
        sizes = self.sizes(numbers)
        settings = {
            info.name: float(numbers[self.attributes[info.name]] if info.kind == "hyper" else info.value)
            for info in self.cell.settings
        }
        operator = variants.operator(takes(self.cell, sizes, itemsize), itemsize == 2)
        programs = operator.schedule.programs
        second = doubled_biases(self.cell) if two_biases else ()
        places = {
            info.name: (
                self.attributes[info.name],
                *((self.attributes[f"{info.name}_hh"],) if info.name in second else ()),
            )
            for info in self.cell.parameters
        }
        places |= {name: (name,) for name, mask in variants.masks.items() if mask.per == "batch"}
        once = work_out(programs, places, sizes, settings)
        order = [info.name for info in self.cell.inputs]
        blocks = tuple(tuple((m, order.index(name)) for m, name in block.terms) for block in programs.hoisted) or None
        widths = list(operator.kernel.widths(sizes))
        every = sizes | {dim.name: int(dim.value.at(sizes)) for dim in self.cell.dims if dim.value is not None}
        masks = draws(variants.masks, every, settings)
        return Call(operator, widths, list(settings.values()), once, blocks, masks)

    def sizes(self, numbers: Mapping[str, float]) -> dict[str, int]:
        """A number for every free dimension and width setting. numbers: attribute -> value."""
        names = [*self.cell.free_dims, *(info.name for info in self.cell.settings if info.is_width)]
        return {name: int(numbers[self.attributes[name]]) for name in names}


def _noisy(cell: Cell) -> Variants | None:
    if not cell.masks:
        return None
    given = masked(cell)
    try:
        return Variants(lower(given.cell), given.masks)
    except NotForCpu:
        return None


class Call(NamedTuple):
    """What follows from sizes and settings alone. blocks: hoisted products, as pairs of a matrix and an input."""

    operator: Operator
    widths: list[int]
    settings: list[float]
    once: Once
    blocks: tuple[tuple[tuple[int, int], ...], ...] | None
    masks: tuple[Draw, ...]


AUTOCAST = (torch.float32, torch.bfloat16, torch.float16)
"""What inputs may be under autocast."""

KERNELS: dict[str, CellKernels] = {}
CALLS: dict[tuple[object, ...], Call] = {}
"""By spec, and by spec, noise, itemsize, layout of biases and sizes."""


class Traced:
    """The same as attributes, for torch.compile: it takes a dictionary for what it was when it first saw it, but looks
    each attribute up."""

    def add(self, value: object) -> str:
        """The attribute that holds the value from now on."""
        name = f"at_{id(value)}"
        setattr(self, name, value)
        return name


TRACED = Traced()


@torch.compiler.assume_constant_result
def open_kernels(spec: str) -> str:
    """Puts the kernels of a spec into `KERNELS`; where they are in `TRACED`. Raises NotForCpu, SpecError."""
    if spec not in KERNELS:
        KERNELS[spec] = CellKernels(relatives.check(Source(spec, "<kernel>"))[-1])
    return TRACED.add(KERNELS[spec])


@torch.compiler.assume_constant_result
def open_call(spec: str, noise: bool, itemsize: int, two_biases: bool, values: tuple[float, ...]) -> str:
    """Puts what follows from these sizes into `CALLS`; where it is in `TRACED`."""
    key = (spec, noise, itemsize, two_biases, values)
    if key not in CALLS:
        CALLS[key] = KERNELS[spec].call(noise, itemsize, two_biases, values)
    return TRACED.add(CALLS[key])


def of(spec: str) -> CellKernels:
    """The kernels of a spec. Raises NotForCpu, SpecError."""
    if torch.compiler.is_compiling():
        found: CellKernels = getattr(TRACED, open_kernels(spec))
        return found
    if spec not in KERNELS:
        open_kernels(spec)
    return KERNELS[spec]


def run(
    spec: str,
    step: nn.Module,
    inputs: Sequence[Tensor],
    rows: Rows,
    first: Sequence[Tensor | None],
    portable: bool,
    noise: bool = False,
    turned: Callable[[Tensor], Tensor] | None = None,
    narrow: bool = False,
) -> tuple[Tensor, Sequence[Tensor]]:
    """One layer and direction: outputs (…, n) and the last state (1, B, …), in the order of the state tuple.

    step: the emitted step module, which holds the parameters; inputs: (T, B, width) each, (N, width) if packed; first:
    the state before, (B, …) or (1, B, …), None for zeros. portable: by torch operations, for transforms that kernels
    cannot follow. noise: with masks, drawn here; turned: what made these inputs run backwards, for masks, which are
    drawn in order of time. narrow: products in bfloat16.
    """
    held = step.__dict__
    values = tuple([held[name] for name in of(spec).keys])
    key = (spec, noise, 2 if narrow else inputs[0].element_size(), held.get("two_biases", False), values)
    if torch.compiler.is_compiling():
        call: Call = getattr(TRACED, open_call(*key))
    else:
        if key not in CALLS:
            open_call(*key)
        call = CALLS[key]
    masks = draw(call.masks, inputs[0], rows.batch) if call.masks else {}
    if masks:
        inputs = [*inputs, *_rows_of(call.masks, masks, turned)]
    constants, matrices = call.once.run(step, inputs[0], masks)
    before = () if call.blocks is None else (_hoisted(call.blocks, inputs, matrices, portable, narrow),)
    tensors = (rows.sizes, *inputs, *before, *first, *constants, *matrices)
    compute = call.operator.portable if portable else call.operator
    output, *last = compute(tensors, rows.steps, rows.batch, call.widths, call.settings)
    return output, last


def _rows_of(
    draws: Sequence[Draw], masks: Mapping[str, Tensor], turned: Callable[[Tensor], Tensor] | None
) -> list[Tensor]:
    """The masks that have rows, in the order of their inputs."""
    found = []
    for mask in draws:
        if mask.per == "step" and turned is not None:
            found.append(turned(masks[mask.name]))
        elif mask.per != "batch":
            found.append(masks[mask.name])
    return found


def _hoisted(
    blocks: tuple[tuple[tuple[int, int], ...], ...],
    inputs: Sequence[Tensor],
    matrices: Sequence[Tensor],
    portable: bool,
    narrow: bool,
) -> Tensor:
    """The hoisted products of all steps, side by side: (…, widths)."""
    if narrow:
        inputs, matrices = [x.bfloat16() for x in inputs], [matrix.bfloat16() for matrix in matrices]
        return _hoisted(blocks, inputs, matrices, True, False).float()
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


def suits(inputs: Sequence[Any], steps: Iterable[nn.Module], autocast: bool = False) -> bool:
    """Whether kernels can compute with these inputs and parameters: tensors on the CPU, of one dtype with kernels.
    autocast: parameters are float32, and inputs any dtype that becomes it."""
    dtype = torch.float32 if autocast else getattr(inputs[0], "dtype", None)
    if dtype not in DTYPES:
        return False
    for x in inputs:
        if not isinstance(x, Tensor) or not x.is_cpu or (x.dtype not in AUTOCAST if autocast else x.dtype is not dtype):
            return False
    for step in steps:
        for p in step._parameters.values():
            if p is not None and (p.dtype is not dtype or not p.is_cpu):
                return False
    return True


@torch.compiler.assume_constant_result
def narrow() -> bool:
    """Whether products in bfloat16 are to be had here."""
    return bf16.why_not() is None
