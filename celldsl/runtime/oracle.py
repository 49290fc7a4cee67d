"""The oracle: a checked cell, evaluated equation by equation.

Slow and obvious on purpose. It walks the equations of a `Cell` at every time step, in the order of
computation, and calls one torch operation per node. It shares no code with the emitter, hoists nothing and
stacks nothing, so that whatever the emitted modules do faster can be held against it: outputs, signals, states
and (through autograd) every gradient, in any dtype.

Shapes: T steps, batch B. A w-vector signal is (B, w) at one step, a scalar signal (B, 1); parameters and all that
is made of parameters alone have no batch: (w,), (r, c), ().
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, SignalInfo
from celldsl.functions import FUNCTIONS


class Run(NamedTuple):
    """`output` (T, B, n); `signals` name -> (T, B, width); `state` as in `flatten_state`, (B, width) each."""

    output: Tensor
    signals: dict[str, Tensor]
    state: tuple[Tensor, ...]


def run(
    cell: Cell,
    parameters: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    sizes: Mapping[str, int],
    state: Sequence[Tensor] | None = None,
    settings: Mapping[str, float] | None = None,
    masks: Mapping[str, Tensor] | None = None,
) -> Run:
    """Run a cell over a sequence.

    parameters: name -> tensor, each of its parameter's shape.
    inputs: name -> (T, B, width).
    sizes: a number for every free dimension of the cell.
    state: first values, (B, width) each: of every carried signal the value one step back, in the order of
        `cell.states`, then those two steps back of the signals that are read so far back, and so on.
        Without it, the cell's own initial values.
    settings: values of `hyper` settings; those left out keep the spec's.
    masks: noise, as a run while training has it: by the names of `cell.masks`, (T, B, width) each, one per step or
        sequence alike; that of a parameter has the parameter's shape. Without it, evaluation: every mask its mean.
    """
    first = next(iter(inputs.values()))
    steps, batch = first.shape[0], first.shape[1]
    cell = cell if masks is not None else cell.evaluated
    scope = _Scope(cell, sizes, settings or {}, first.dtype, first.device)
    timed = {mask.name: masks[mask.name] for mask in cell.masks if mask.per != "batch"} if masks else {}
    scope.masks = {name: mask for name, mask in (masks or {}).items() if name not in timed}
    for name, value in parameters.items():
        scope.parameters[name] = value
    for equation in cell.derived:
        scope.parameters[equation.target] = scope.evaluate(equation.value)

    history = _first_history(cell, scope, batch, state)
    rows: dict[str, list[Tensor]] = {info.name: [] for info in cell.signals}
    for t in range(steps):
        scope.now = {name: sequence[t] for name, sequence in inputs.items()}
        scope.past = history
        scope.masks.update({name: mask[t] for name, mask in timed.items()})
        for equation in cell.steps:
            info = cell.signal[equation.target]
            scope.now[info.name] = scope.evaluate(equation.value).expand(batch, *scope.entries(info))
        for name, value in scope.now.items():
            rows[name].append(value)
        history = {name: [scope.now[name], *values[:-1]] for name, values in history.items()}

    signals = {name: torch.stack(values) for name, values in rows.items()}
    return Run(signals[cell.output], signals, flatten_state(cell, history))


def flatten_state(cell: Cell, history: Mapping[str, Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """The carried values in their published order: one step back of every state, then two steps back, …"""
    deepest = max((info.depth for info in cell.states), default=0)
    return tuple(
        history[info.name][delay - 1] for delay in range(1, deepest + 1) for info in cell.states if info.depth >= delay
    )


def _first_history(cell: Cell, scope: _Scope, batch: int, state: Sequence[Tensor] | None) -> dict[str, list[Tensor]]:
    """name -> [value at t-1, value at t-2, …] before the first step."""
    history: dict[str, list[Tensor]] = {}
    for info in cell.states:
        if info.initial is None:
            value = torch.zeros((), dtype=scope.dtype, device=scope.device)
        elif info.initial == "learned":
            value = scope.parameters[f"{info.name}_0"]
        else:
            value = scope.evaluate(info.initial)
        history[info.name] = [value.expand(batch, *scope.entries(info))] * info.depth
    if state is not None:
        given = iter(state)
        deepest = max((info.depth for info in cell.states), default=0)
        for delay in range(1, deepest + 1):
            for info in cell.states:
                if info.depth >= delay:
                    history[info.name][delay - 1] = next(given)
    return history


class _Scope:
    """The values of names at one step, and what an expression is worth among them."""

    def __init__(
        self,
        cell: Cell,
        sizes: Mapping[str, int],
        settings: Mapping[str, float],
        dtype: torch.dtype,
        device: torch.device,
    ):
        self.settings = {info.name: settings.get(info.name, float(info.value)) for info in cell.settings}
        self.sizes: dict[str, int] = {
            info.name: int(self.settings[info.name]) for info in cell.settings if info.is_width
        }
        self.sizes.update(sizes)
        for dim in cell.dims:
            if dim.value is not None:
                self.sizes[dim.name] = int(dim.value.at(self.sizes))
        self.dtype, self.device = dtype, device
        self.parameters: dict[str, Tensor] = {}
        self.masks: dict[str, Tensor] = {}
        self.now: dict[str, Tensor] = {}
        self.past: Mapping[str, Sequence[Tensor]] = {}

    def entries(self, info: SignalInfo) -> tuple[int, ...]:
        """The shape of one batch row of a signal; a scalar has one entry."""
        return tuple(int(dim.at(self.sizes)) for dim in info.shape.dims) or (1,)

    def number(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=self.dtype, device=self.device)

    def evaluate(self, node: checked.Expr) -> Tensor:
        """The value of a typed expression."""
        if isinstance(node, checked.Num):
            return self.number(float(node.value))
        if isinstance(node, checked.Dim):
            return self.number(float(node.width.at(self.sizes)))
        if isinstance(node, checked.Setting):
            return self.number(self.settings[node.name])
        if isinstance(node, checked.Infinity):
            return self.number(float("inf"))
        if isinstance(node, checked.Parameter):
            return self.parameters[node.name]
        if isinstance(node, checked.Mask):
            return self.masks[node.name]
        if isinstance(node, checked.Signal):
            return self.now[node.name] if node.delay == 0 else self.past[node.name][node.delay - 1]
        if isinstance(node, checked.Identity):
            return torch.eye(int(node.shape.width.at(self.sizes)), dtype=self.dtype, device=self.device)

        values = [self.evaluate(child) for child in node.children]
        if isinstance(node, checked.Product):
            return _matrix_product(node, values[0], values[1])
        if isinstance(node, checked.Transpose):
            return values[0].mT
        if isinstance(node, checked.Structured):
            return _STRUCTURES[node.kind](values[0], int(node.shape.dims[0].at(self.sizes)))
        if isinstance(node, checked.Concat):
            return _stack(values)
        if isinstance(node, checked.Slice):
            start = int(node.start.at(self.sizes))
            return values[0][..., start : start + int(node.shape.width.at(self.sizes))]
        if isinstance(node, checked.Repeat):
            return _repeat(values[0], int(node.times.at(self.sizes)))
        if isinstance(node, checked.Call) and FUNCTIONS[node.function].rule != "elementwise":
            return _along_a_vector(node, values)

        # What is left works entry by entry.
        values = [_stretch(value, child, node) for value, child in zip(values, node.children, strict=True)]
        if isinstance(node, checked.Add):
            total = values[0]
            for value in values[1:]:
                total = total + value
            return total
        if isinstance(node, checked.Neg):
            return -values[0]
        if isinstance(node, checked.Mul):
            return values[0] * values[1]
        if isinstance(node, checked.Div):
            return values[0] / values[1]
        if isinstance(node, checked.Pow):
            return torch.pow(values[0], values[1])
        if isinstance(node, checked.Call):
            return _ELEMENTWISE[node.function](*values)
        raise TypeError(f"the oracle does not know {type(node).__name__}")


def _has_batch(value: Tensor, node: checked.Expr) -> bool:
    """Whether a value of this expression carries a batch dimension (see the shapes on top)."""
    return value.dim() > node.shape.rank


def _stretch(value: Tensor, child: checked.Expr, node: checked.Expr) -> Tensor:
    """An operand made ready for broadcasting: a (B, 1) scalar beside a matrix needs one more dimension."""
    if node.shape.rank == 2 and child.shape.rank == 0 and _has_batch(value, child):
        return value.unsqueeze(-1)
    return value


def _matrix_product(node: checked.Product, left: Tensor, right: Tensor) -> Tensor:
    if node.right.shape.rank == 1:
        return (left @ right.unsqueeze(-1)).squeeze(-1)
    return left @ right


def _symmetric(numbers: Tensor, n: int) -> Tensor:
    """The lower triangle row by row, and the same above the diagonal."""
    rows = [numbers[i * (i + 1) // 2 :][: i + 1] for i in range(n)]
    return torch.stack([torch.stack([rows[max(i, j)][min(i, j)] for j in range(n)]) for i in range(n)])


def _orthogonal(numbers: Tensor, n: int) -> Tensor:
    """exp(S - S^T), the numbers being the rows of S below its diagonal."""
    zero = numbers.new_zeros(())
    rows = [[*numbers[i * (i - 1) // 2 :][:i], *[zero] * (n - i)] for i in range(n)]
    lower = torch.stack([torch.stack(row) for row in rows])
    return torch.linalg.matrix_exp(lower - lower.mT)


_STRUCTURES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "diagonal": lambda numbers, n: torch.diag(numbers),
    "blocks": lambda blocks, n: torch.block_diag(*blocks),
    "symmetric": _symmetric,
    "orthogonal": _orthogonal,
}


def _stack(values: list[Tensor]) -> Tensor:
    """Vectors one above the other; if one of them has a batch, all get it. A scalar is a vector of width 1."""
    values = [value.unsqueeze(-1) if value.dim() == 0 else value for value in values]
    batches = [value.shape[0] for value in values if value.dim() == 2]
    if batches:
        values = [value.expand(batches[0], value.shape[-1]) for value in values]
    return torch.cat(values, dim=-1)


def _repeat(value: Tensor, times: int) -> Tensor:
    """[a, b] as [a, a, b, b]."""
    return value.unsqueeze(-1).expand(*value.shape, times).reshape(*value.shape[:-1], -1)


def _along_a_vector(node: checked.Call, values: list[Tensor]) -> Tensor:
    """A function that is not elementwise. Scalars with a batch keep their last dimension: (B, 1)."""
    x = values[0]
    keep = any(_has_batch(value, child) for value, child in zip(values, node.children, strict=True))
    if node.function == "sum":
        return x.sum(-1, keepdim=keep)
    if node.function == "mean":
        return x.mean(-1, keepdim=keep)
    if node.function == "norm":
        return torch.linalg.vector_norm(x, dim=-1, keepdim=keep)
    if node.function == "dot":
        return (x * values[1]).sum(-1, keepdim=keep)
    if node.function == "outer":
        return x.unsqueeze(-1) * values[1].unsqueeze(-2)
    return _ALONG[node.function](x)


def _layernorm(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


_ALONG: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: torch.softmax(x, -1),
    "cumsum": lambda x: torch.cumsum(x, -1),
    "cumax": lambda x: torch.cumsum(torch.softmax(x, -1), -1),
    "layernorm": _layernorm,
    "rmsnorm": lambda x: x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt(),
}

_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "hard_sigmoid": lambda x: torch.clamp(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x: torch.clamp(x, -1, 1),
    # log(1 + e^x), exact at both ends: torch's own is the identity above 20.
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": lambda x: x / (1 + torch.abs(x)),
    "silu": lambda x: x * torch.sigmoid(x),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "elu": lambda x: torch.where(x > 0, x, torch.expm1(torch.clamp(x, max=0))),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "exp": torch.exp,
    "log": torch.log,
    "log_sigmoid": lambda x: -torch.logaddexp(-x, torch.zeros_like(x)),
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "floor": torch.floor,
    "max": torch.maximum,
    "min": torch.minimum,
    "clamp": lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
}
