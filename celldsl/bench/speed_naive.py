"""What people write by hand: a loop over time steps, the equations one after another, one product per gate.

Each expression becomes a Python function once, so that a step costs its torch operations and little else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from celldsl.check import cell as checked
from celldsl.check.cell import Cell
from celldsl.runtime import compare
from celldsl.runtime.kernel.evaluate import FUNCTIONS

Env = dict[Any, Any]
Value = Callable[[Env], Any]


class NaiveLoop:
    """A cell with the parameters of an emitted layer, evaluated as it is written. Raises ValueError for cells that
    are not written in vectors and plain functions."""

    def __init__(self, cell: Cell, layer: nn.Module, sizes: dict[str, int]):
        self.cell = cell.evaluated
        self.step: Any = layer.layers["l0"]  # type: ignore[index, union-attr]
        self.sizes = compare.all_sizes(cell, sizes)
        self.settings = {info.name: float(info.value) for info in cell.settings}
        self.constants: list[tuple[Any, Value]] = []
        if any(info.initial is not None for info in self.cell.states):
            raise ValueError("the naive loop takes cells that begin at zero")
        if any(info.structure is not None for info in self.cell.parameters):
            raise ValueError("the naive loop takes full matrices only")
        self.derived = [(e.target, self._value(e.value, top=False)) for e in self.cell.derived]
        self.equations = [(e.target, self._value(e.value)) for e in self._ordered()]
        self.widths = {info.name: compare.entries(info, self.sizes) for info in self.cell.states}

    def _ordered(self) -> list[checked.Equation]:
        return [self.cell.equation[name] for name in self.cell.order]

    def __call__(self, *inputs: Tensor) -> Tensor:
        """(T, B, width) each -> (T, B, n)."""
        env: Env = {**compare.parameters_of(self.step, self.cell)}
        for name, constant in (*self.derived, *self.constants):
            env[name] = constant(env)
        batch = inputs[0].shape[1]
        past: dict[str, list[Tensor]] = {}
        for info in self.cell.states:
            past[info.name] = [inputs[0].new_zeros(batch, self.widths[info.name])] * info.depth
        outputs = []
        for entering in zip(*(x.unbind(0) for x in inputs), strict=True):
            now: Env = env
            for info, value in zip(self.cell.inputs, entering, strict=True):
                now[info.name, 0] = value
            for name, values in past.items():
                for delay, value in enumerate(values, 1):
                    now[name, delay] = value
            for name, equation in self.equations:
                now[name, 0] = equation(now)
            for name, values in past.items():
                past[name] = [now[name, 0], *values[:-1]]
            outputs.append(now[self.cell.output, 0])
        return torch.stack(outputs)

    def _value(self, node: checked.Expr, top: bool = True) -> Value:
        """The function that computes an expression; what no signal is in, is computed once a sequence."""
        timeless = not any(isinstance(part, checked.Signal) for part in node.walk())
        if top and timeless and node.children:
            key = ("constant", len(self.constants))
            self.constants.append((key, self._value(node, top=False)))
            return lambda env: env[key]
        if isinstance(node, checked.Parameter):
            name = node.name
            return lambda env: env[name]
        if isinstance(node, checked.Signal):
            place = (node.name, node.delay)
            return lambda env: env[place]
        number = self._number(node)
        if number is not None:
            return lambda env: number
        if isinstance(node, checked.Identity):
            eye = torch.eye(int(node.shape.width.at(self.sizes)))
            return lambda env: eye
        return self._operation(node, [self._value(child, top) for child in node.children], timeless)

    def _number(self, node: checked.Expr) -> float | None:
        if isinstance(node, checked.Num):
            return float(node.value)
        if isinstance(node, checked.Dim):
            return float(node.width.at(self.sizes))
        if isinstance(node, checked.Setting):
            return self.settings[node.name]
        return None

    def _operation(self, node: checked.Expr, parts: Sequence[Value], timeless: bool) -> Value:
        if isinstance(node, checked.Add):
            first, *others = parts

            def add(env: Env) -> Any:
                total = first(env)
                for other in others:
                    total = total + other(env)
                return total

            return add
        if isinstance(node, checked.Neg):
            (only,) = parts
            return lambda env: -only(env)
        if isinstance(node, checked.Transpose):
            (matrix,) = parts
            return lambda env: matrix(env).mT
        if isinstance(node, checked.Concat):
            return lambda env: torch.cat([part(env) for part in parts], -1)
        if isinstance(node, checked.Call) and node.function in FUNCTIONS:
            function = FUNCTIONS[node.function]
            # What numbers and settings come to is a number; torch's max and min take tensors alone.
            return lambda env: function(*(torch.as_tensor(part(env)) for part in parts))
        if len(parts) == 2:
            left, right = parts
            if isinstance(node, checked.Mul):
                return lambda env: left(env) * right(env)
            if isinstance(node, checked.Div):
                return lambda env: left(env) / right(env)
            if isinstance(node, checked.Pow):
                return lambda env: left(env) ** right(env)
            if isinstance(node, checked.Product) and timeless:
                return lambda env: left(env) @ right(env)
            if isinstance(node, checked.Product) and node.right.shape.rank == 1:
                return lambda env: functional.linear(right(env), left(env))
        raise ValueError(f"the naive loop has no {type(node).__name__.lower()}")
