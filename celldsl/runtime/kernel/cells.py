"""A cell's kernels, and what must be computed by torch before one runs.

`of(spec)` is cached per process; everything else of a spec is made on first use: the programs of both variants, their
libraries, their operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from celldsl import relatives
from celldsl.check.cell import Cell, Expr, Parameter, Transpose
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
        self._calls: dict[tuple[Any, ...], _Call] = {}
        self._attributes: tuple[str, ...] | None = None

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(info.name for info in self.cell.parameters)

    @cached_property
    def carried(self) -> int:
        """The number of tensors of a state."""
        return sum(info.depth for info in self.cell.states)

    @cached_property
    def starts_elsewhere(self) -> bool:
        """Whether some state does not begin at zero."""
        return any(info.initial is not None for info in self.cell.states)

    @cached_property
    def folded(self) -> Operator:
        return operator_of(Kernel(plan(self.form, hoist=False)))

    @cached_property
    def hoisted(self) -> Operator:
        return operator_of(Kernel(plan(self.form, hoist=True)))

    def run(
        self, step: nn.Module, inputs: Sequence[Tensor], rows: Rows, first: Sequence[Tensor | None], portable: bool
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """One layer and direction: outputs (N, n) and the last state, in the order of the state tuple.

        step: the emitted step module, which holds the parameters; inputs: (N, width) each; first: the state before,
        None for zeros. portable: by torch operations, for transforms that kernels cannot follow.
        """
        call = self._call(step, inputs[0].element_size())
        operator = call.operator
        constants, matrices = call.once(self, step, inputs[0])
        before = (self._before(operator, inputs, matrices),) if operator.schedule.programs.hoisted else ()
        tensors = (rows.sizes, *inputs, *before, *first, *constants, *matrices)
        if portable:
            results = operator.portable(*tensors, rows.steps, rows.batch, call.widths, call.settings)
        else:
            results = operator(*tensors, rows.steps, rows.batch, call.widths, call.settings)
        if isinstance(results, Tensor):
            return results, ()
        return results[0], results[1 : 1 + len(operator.finals)]

    def _call(self, step: nn.Module, itemsize: int) -> _Call:
        """What follows from a step's sizes and settings, worked out once for each."""
        key = (itemsize, *(getattr(step, name) for name in self._keys(step)))
        found = self._calls.get(key)
        if found is None:
            sizes, settings = self.sizes(step), self._settings(step)
            hoist = takes(self.cell, sizes, itemsize)
            operator = self.hoisted if hoist else self.folded
            found = _Call(operator, list(operator.kernel.widths(sizes)), sizes, settings, list(settings.values()))
            self._calls[key] = found
        return found

    def _keys(self, step: nn.Module) -> tuple[str, ...]:
        """The attributes that sizes and settings are kept in."""
        if self._attributes is None:
            names = ["input_size", "hidden_size"]
            names += [_attribute_name(step, name) for name in self.cell.free_dims if name not in ("m", "n")]
            names += [_attribute_name(step, i.name) for i in self.cell.settings if i.is_width or i.kind == "hyper"]
            self._attributes = tuple(dict.fromkeys(names))
        return self._attributes

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

    def sizes(self, step: nn.Module) -> dict[str, int]:
        """A number for every free dimension and width setting."""
        found = {}
        for at, name in enumerate(self.cell.free_dims):
            known = {"m": "input_size", "n": "hidden_size"} if at < 2 else {}
            found[name] = int(getattr(step, known.get(name) or _attribute_name(step, name)))
        for info in self.cell.settings:
            if info.is_width:
                found[info.name] = int(getattr(step, _attribute_name(step, info.name)))
        return found

    def _settings(self, step: nn.Module) -> dict[str, float]:
        """The values of constants and settings."""
        return {
            info.name: float(getattr(step, _attribute_name(step, info.name)) if info.kind == "hyper" else info.value)
            for info in self.cell.settings
        }


class _Call(NamedTuple):
    """What follows from sizes and settings alone."""

    operator: Operator
    widths: list[int]
    sizes: dict[str, int]
    settings_by_name: dict[str, float]
    settings: list[float]

    def once(self, kernels: CellKernels, step: nn.Module, like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What is constant in time: constants and matrices, in the order of the operator's arguments."""
        programs = self.operator.schedule.programs
        scope = _Once(kernels, step, self, like)
        return [scope.constant(symbol) for symbol in programs.constants], [scope.matrix(m) for m in programs.matrices]


class _Once:
    """What is constant in time, for one call."""

    def __init__(self, kernels: CellKernels, step: nn.Module, call: _Call, like: Tensor):
        self.kernels, self.cell, self.form = kernels, kernels.cell, kernels.form
        self.sizes, self.settings, self.like = call.sizes, call.settings_by_name, like
        self.found: dict[Symbol, Tensor] = {}
        held, names = step._parameters, kernels.names
        self.parameters: dict[str, Tensor] = {name: held[names[name]] for name in kernels.parameter_names}  # type: ignore[misc]
        if getattr(step, "two_biases", False):
            for name in kernels.parameter_names:
                second = held.get(names.get(f"{name}_hh", ""))
                if second is not None:
                    self.parameters[name] = self.parameters[name] + second
        for equation in self.cell.derived:
            self.parameters[equation.target] = self._evaluated(equation.value)

    def _evaluated(self, expr: Expr) -> Tensor:
        return parameter_value(self.cell, expr, self.parameters, self.sizes, self.settings, self.like)

    def matrix(self, matrix: Expr) -> Tensor:
        """A timeless matrix."""
        if isinstance(matrix, Parameter):
            return self.parameters[matrix.name]
        if isinstance(matrix, Transpose) and isinstance(matrix.operand, Parameter):
            return self.parameters[matrix.operand.name].t()
        return self._evaluated(matrix)

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


def _attribute_name(step: nn.Module, name: str) -> str:
    """Where a step keeps a size or setting: under its name, which steps aside for others' by underscores."""
    for _ in range(4):
        if hasattr(step, name) and not isinstance(getattr(step, name), Tensor):
            return name
        name += "_"
    raise AttributeError(name)


def suits(inputs: Sequence[Tensor], steps: Iterable[nn.Module]) -> bool:
    """Whether kernels can compute with these tensors and parameters: on the CPU, all of one dtype that has kernels."""
    dtype = inputs[0].dtype
    if dtype not in DTYPES or not all(x.is_cpu and x.dtype is dtype for x in inputs):
        return False
    return all(p is None or (p.is_cpu and p.dtype is dtype) for step in steps for p in step._parameters.values())


@lru_cache(maxsize=256)
def of(spec: str) -> CellKernels:
    """The kernels of a spec. Raises NotForCpu, SpecError."""
    return CellKernels(relatives.check(Source(spec, "<kernel>"))[-1])
