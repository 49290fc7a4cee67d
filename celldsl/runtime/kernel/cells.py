"""A cell's kernels, and what must be computed by torch before one runs.

`of(spec)` is cached per process; everything else of a spec is made on first use: the programs of both variants, their
libraries, their operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from celldsl import relatives
from celldsl.check.cell import Cell, Parameter, Transpose
from celldsl.emit.torch import identifiers
from celldsl.runtime.kernel import evaluate
from celldsl.runtime.kernel.kernel import DTYPES, Kernel
from celldsl.runtime.kernel.operator import Operator, operator_of
from celldsl.runtime.oracle import parameter_value
from celldsl.schedule.cpu import plan, takes
from celldsl.schedule.cpu_program import NotForCpu, Symbol
from celldsl.source import Source
from celldsl.symbolic import lower
from celldsl.symbolic.algebra import dim_symbol, parameter_symbol
from celldsl.symbolic.form import Form
from celldsl.symbolic.tape import Node, OpaqueNode, ProductNode


class Rows(NamedTuple):
    """How many rows each step has: `sizes` (None: `batch` in all), `steps`, and `batch`, the rows of the first."""

    sizes: Tensor | None
    steps: int
    batch: int


class CellKernels:
    """The kernels of one cell. Raises NotForCpu where there can be none."""

    def __init__(self, cell: Cell):
        for info in cell.parameters:
            if info.structure is not None:
                raise NotForCpu(f"{info.name} is {info.structure[0]}: kernels take full matrices only")
        self.cell = cell
        self.form: Form = lower(cell)
        self.names = _attributes(cell)

    @cached_property
    def folded(self) -> Operator:
        return operator_of(Kernel(plan(self.form, hoist=False)))

    @cached_property
    def hoisted(self) -> Operator:
        return operator_of(Kernel(plan(self.form, hoist=True)))

    def operator(self, sizes: dict[str, int], itemsize: int) -> Operator:
        """The variant that suits the sizes."""
        return self.hoisted if takes(self.cell, sizes, itemsize) else self.folded

    def run(
        self, step: nn.Module, inputs: Sequence[Tensor], rows: Rows, first: Sequence[Tensor | None], portable: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """One layer and direction: outputs (N, n) and the last state, in the order of the state tuple.

        step: the emitted step module, which holds the parameters; inputs: (N, width) each; first: the state before,
        None for zeros. portable: by torch operations, for transforms that kernels cannot follow.
        """
        sizes, settings = self._sizes(step), self._settings(step)
        values = self._parameters(step)
        like = inputs[0]
        operator = self.operator(sizes, like.element_size())
        programs = operator.schedule.programs
        scope = _Once(self, values, sizes, settings, like)
        matrices = [scope.matrix(matrix) for matrix in programs.matrices]
        constants = [scope.constant(symbol) for symbol in programs.constants]
        before = [self._before(operator, inputs, matrices)] if programs.hoisted else []
        widths = list(operator.kernel.widths(sizes))
        numbers = (rows.steps, rows.batch, widths, list(settings.values()))
        flat = (rows.sizes, *inputs, *before, *first, *constants, *matrices, *numbers)
        if portable:
            results = operator.portable(*flat)
        elif torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in flat[: -len(numbers)]):
            results = operator.train(*flat)
        else:
            results = operator.infer(*flat)
        results = results if isinstance(results, (tuple, list)) else (results,)
        return results[0], list(results[1 : 1 + len(operator.finals)])

    def _before(self, operator: Operator, inputs: Sequence[Tensor], matrices: Sequence[Tensor]) -> Tensor:
        """The hoisted products of all steps, side by side: (N, …)."""
        by_name = dict(zip((info.name for info in self.cell.inputs), inputs, strict=True))
        blocks = operator.schedule.programs.hoisted
        if all(len(block.terms) == 1 for block in blocks) and len({block.terms[0][1] for block in blocks}) == 1:
            stacked = [matrices[block.terms[0][0]] for block in blocks]
            return by_name[blocks[0].terms[0][1]] @ (torch.cat(stacked) if len(stacked) > 1 else stacked[0]).t()
        parts = []
        for block in blocks:
            total = by_name[block.terms[0][1]] @ matrices[block.terms[0][0]].t()
            for matrix, name in block.terms[1:]:
                total = total + by_name[name] @ matrices[matrix].t()
            parts.append(total)
        return torch.cat(parts, 1)

    def _parameters(self, step: nn.Module) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        for info in self.cell.parameters:
            values[info.name] = getattr(step, self.names[info.name])
            second = self.names.get(f"{info.name}_hh")
            if second is not None and getattr(step, "two_biases", False) and hasattr(step, second):
                values[info.name] = values[info.name] + getattr(step, second)
        return values

    def _sizes(self, step: nn.Module) -> dict[str, int]:
        """A number for every free dimension and width setting."""
        free = self.cell.free_dims
        found = {}
        for at, name in enumerate(free):
            attribute = ("input_size", "hidden_size")[at] if at < 2 and name in ("m", "n") else name
            found[name] = int(_attribute(step, "hidden_size" if name == "n" else attribute))
        for info in self.cell.settings:
            if info.is_width:
                found[info.name] = int(_attribute(step, info.name))
        return found

    def _settings(self, step: nn.Module) -> dict[str, float]:
        """The values of constants and settings."""
        return {
            info.name: float(_attribute(step, info.name)) if info.kind == "hyper" else float(info.value)
            for info in self.cell.settings
        }


class _Once:
    """What is constant in time, for one call."""

    def __init__(
        self,
        kernels: CellKernels,
        parameters: dict[str, Tensor],
        sizes: dict[str, int],
        settings: dict[str, float],
        like: Tensor,
    ):
        self.kernels, self.cell, self.form = kernels, kernels.cell, kernels.form
        self.parameters, self.sizes, self.settings, self.like = parameters, sizes, settings, like
        self.found: dict[Symbol, Tensor] = {}
        for equation in self.cell.derived:
            self.parameters[equation.target] = parameter_value(
                self.cell, equation.value, self.parameters, sizes, settings, like
            )

    def matrix(self, matrix: object) -> Tensor:
        """A timeless matrix."""
        if isinstance(matrix, Parameter):
            return self.parameters[matrix.name]
        if isinstance(matrix, Transpose) and isinstance(matrix.operand, Parameter):
            return self.parameters[matrix.operand.name].t()
        return parameter_value(self.cell, matrix, self.parameters, self.sizes, self.settings, self.like)  # type: ignore[arg-type]

    def constant(self, symbol: Symbol) -> Tensor:
        """A vector or scalar of parameters alone."""
        meaning = self.form.meaning.get(symbol)
        if isinstance(meaning, Parameter):
            return self.parameters[meaning.name]
        if symbol not in self.found:
            self.found[symbol] = self._computed(symbol)
        return self.found[symbol]

    def _computed(self, symbol: Symbol) -> Tensor:
        for name, number in self.settings.items():
            if parameter_symbol(name) == symbol:
                return torch.tensor(number, dtype=self.like.dtype)
        for name, size in self.sizes.items():
            if dim_symbol(name) == symbol:
                return torch.tensor(float(size), dtype=self.like.dtype)
        node = self._nodes[symbol]
        if isinstance(node, ProductNode):
            return self.matrix(node.product.matrix) @ self.constant(node.operand)
        if isinstance(node, OpaqueNode):
            operands = [self.constant(argument) for argument in node.arguments]
            if node.opaque.function == "concat":
                return torch.cat([operand.reshape(-1) for operand in operands])
            value = evaluate.FUNCTIONS[node.opaque.function](*operands)
            return value if node.shape.rank else value.squeeze(-1)
        values = {read: self.constant(read) for read in node.value.free_symbols}
        value = evaluate.value_of(node.value, values, self.like)
        shape = self.kernels.folded.schedule.programs.shapes[symbol]
        return value if value.dim() or not shape.rank else value.expand(int(shape.width.at(self.sizes)))

    @cached_property
    def _nodes(self) -> dict[Symbol, Node | ProductNode | OpaqueNode]:
        return {node.symbol: node for node in self.kernels.folded.schedule.programs.tape.nodes if node.constant}


def _attributes(cell: Cell) -> dict[str, str]:
    """Parameter -> attribute of the emitted step; `b_i_hh` for second biases."""
    scope = identifiers.attributes()
    names = {info.name: identifiers.attribute(scope, info.name) for info in cell.parameters}
    for info in cell.parameters:
        if info.bias:
            names[f"{info.name}_hh"] = identifiers.attribute(scope, f"{info.name}_hh")
    return names


def _attribute(step: nn.Module, name: str) -> float:
    """A size or setting, kept under its name, which steps aside for others' by underscores."""
    for _ in range(4):
        if hasattr(step, name):
            return getattr(step, name)
        name += "_"
    raise AttributeError(name)


def suits(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels can compute with these tensors: on the CPU, all of one dtype that has kernels."""
    dtype = tensors[0].dtype
    return dtype in DTYPES and all(t.device.type == "cpu" and t.dtype == dtype for t in tensors)


@lru_cache(maxsize=256)
def of(spec: str) -> CellKernels:
    """The kernels of a spec. Raises NotForCpu, SpecError."""
    return CellKernels(relatives.check(Source(spec, "<kernel>"))[-1])
