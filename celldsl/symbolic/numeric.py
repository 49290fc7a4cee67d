"""A cell with numbers in it, in plain Python: what confirms or refutes a comparison of two cells.

Vectors are lists, matrices lists of rows, one row of a batch. Slow, and wanted at tiny widths alone; the compiler
stays free of torch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, Expr
from celldsl.check.width import Shape
from celldsl.functions import FUNCTIONS

Value = Any  # float, list of floats, or list of lists


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _sigmoid(x: float) -> float:
    return 1 / (1 + _exp(-x)) if x > 0 else 1 - 1 / (1 + _exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(_exp(-abs(x)))


def _clamp(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


POINTWISE: dict[str, Callable[..., float]] = {
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "hard_sigmoid": lambda x: _clamp(x + 3, 0.0, 6.0) / 6,
    "hard_tanh": lambda x: _clamp(x, -1.0, 1.0),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "exp": _exp,
    "log": lambda x: math.log(x) if x > 0 else -math.inf if x == 0 else math.nan,
    "log_sigmoid": lambda x: -_softplus(-x),
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "sin": math.sin,
    "cos": math.cos,
    "floor": lambda x: float(math.floor(x)),
    "max": max,
    "min": min,
    "clamp": _clamp,
}


def _softmax(x: list[float]) -> list[float]:
    parts = [_exp(v - max(x)) for v in x]
    return [part / sum(parts) for part in parts]


def _cumsum(x: list[float]) -> list[float]:
    return [sum(x[: at + 1]) for at in range(len(x))]


def _mean(x: list[float]) -> float:
    return sum(x) / len(x)


def _rmsnorm(x: list[float]) -> list[float]:
    return [v / math.sqrt(_mean([w * w for w in x]) + 1e-5) for v in x]


_WHOLE: dict[str, Callable[..., Value]] = {
    "softmax": _softmax,
    "cumsum": _cumsum,
    "cumax": lambda x: _cumsum(_softmax(x)),
    "layernorm": lambda x: _rmsnorm([v - _mean(x) for v in x]),
    "rmsnorm": _rmsnorm,
    "norm": lambda x: math.sqrt(sum(v * v for v in x)),
    "sum": sum,
    "mean": _mean,
    "dot": lambda x, y: sum(v * w for v, w in zip(x, y, strict=True)),
    "outer": lambda x, y: [[v * w for w in y] for v in x],
}


def _block_diagonal(blocks: list[Value], rows: int) -> Value:
    width = len(blocks[0][0])
    return [
        [0.0] * width * at + row + [0.0] * width * (len(blocks) - 1 - at)
        for at, block in enumerate(blocks)
        for row in block
    ]


def _symmetric(numbers: list[float], n: int) -> Value:
    return [[numbers[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(n)] for i in range(n)]


def _orthogonal(numbers: list[float], n: int) -> Value:
    """exp(S - S^T) by its series, of a 256th of the exponent, squared eight times."""

    def entry(i: int, j: int) -> float:
        if i == j:
            return 0.0
        return numbers[i * (i - 1) // 2 + j] / 256 if i > j else -numbers[j * (j - 1) // 2 + i] / 256

    def times(a: Value, b: Value) -> Value:
        return [[_dot(row, column) for column in zip(*b, strict=True)] for row in a]

    skew = [[entry(i, j) for j in range(n)] for i in range(n)]
    power = total = [[float(i == j) for j in range(n)] for i in range(n)]
    for order in range(1, 16):
        power = [[value / order for value in row] for row in times(power, skew)]
        total = [[a + b for a, b in zip(one, other, strict=True)] for one, other in zip(total, power, strict=True)]
    for _ in range(8):
        total = times(total, total)
    return total


STRUCTURES: dict[str, Callable[[Value, int], Value]] = {
    "diagonal": lambda numbers, n: [[numbers[i] if i == j else 0.0 for j in range(n)] for i in range(n)],
    "blocks": _block_diagonal,
    "symmetric": _symmetric,
    "orthogonal": _orthogonal,
}
"""The matrices that the numbers of structured parameters make, with so many rows."""


def small_sizes(*cells: Cell) -> dict[str, int]:
    """Small sizes, all different, at which every width of the cells is a whole number."""
    dims = list(dict.fromkeys(name for cell in cells for name in cell.free_dims))
    fixed = {s.name: int(s.value) for cell in cells for s in cell.settings if s.is_width}
    for factor in (1, 2, 3, 4, 6, 8, 12, 24, 60, 120):
        sizes = fixed | {name: factor * (at + 2) for at, name in enumerate(dims)}
        if all(_whole(cell, sizes) for cell in cells):
            return sizes
    raise ValueError(f"no small sizes fit {', '.join(cell.name for cell in cells)}")


def _whole(cell: Cell, sizes: Mapping[str, int]) -> bool:
    every = all_sizes(cell, sizes)
    shapes = [*(info.shape for info in cell.signals), *(info.shape for info in cell.parameters)]
    widths = [*every.values(), *(dim.at(every) for shape in shapes for dim in shape.dims)]
    return all(width.denominator == 1 and width > 0 for width in widths)


def all_sizes(cell: Cell, sizes: Mapping[str, int]) -> dict[str, Fraction]:
    """Sizes of all dimensions, those computed from others too."""
    every = {name: Fraction(size) for name, size in sizes.items()}
    waiting = [dim for dim in cell.dims if dim.value is not None]
    while waiting:
        ready = [dim for dim in waiting if dim.value is not None and dim.value.names <= every.keys()]
        if not ready:
            raise ValueError(f"{cell.name}: no size for {', '.join(dim.name for dim in waiting)}")
        for dim in ready:
            assert dim.value is not None
            every[dim.name] = dim.value.at(every)
        waiting = [dim for dim in waiting if dim not in ready]
    return every


def random_value(shape: Shape, sizes: Mapping[str, Fraction], generator: random.Random) -> Value:
    """Entries spread evenly over ±1.5."""

    def build(dims: tuple[int, ...]) -> Value:
        if not dims:
            return generator.uniform(-1.5, 1.5)
        return [build(dims[1:]) for _ in range(dims[0])]

    return build(tuple(int(dim.at(sizes)) for dim in shape.dims))


def random_parameters(cell: Cell, sizes: Mapping[str, int], generator: random.Random) -> dict[str, Value]:
    """A value for every parameter, learned first values of states included."""
    every = all_sizes(cell, sizes)
    found = {info.name: random_value(info.shape, every, generator) for info in cell.parameters}
    for info in cell.states:
        if info.initial == "learned":
            found.setdefault(f"{info.name}_0", random_value(info.shape, every, generator))
    return found


def run(
    cell: Cell,
    parameters: Mapping[str, Value],
    inputs: Mapping[str, list[Value]],
    sizes: Mapping[str, int],
    first: Mapping[str, Value] | None = None,
) -> dict[str, list[Value]]:
    """Every signal's value at every step, in evaluation.

    inputs: name -> one value per step; first: values before the first step in the place of the cell's own.
    """
    cell = cell.evaluated
    scope = _Scope(cell, sizes, dict(parameters))
    for equation in cell.derived:
        scope.parameters[equation.target] = scope.value(equation.value)
    rows: dict[str, list[Value]] = {info.name: [] for info in cell.signals}
    start = {info.name: scope.first(info.name) for info in cell.states} | dict(first or {})
    for t in range(len(next(iter(inputs.values())))):
        scope.now = {name: sequence[t] for name, sequence in inputs.items()}
        scope.past = {
            (name, delay): rows[name][t - delay] if t >= delay else start[name]
            for name in start
            for delay in range(1, cell.signal[name].depth + 1)
        }
        for equation in cell.steps:
            shape = cell.signal[equation.target].shape
            scope.now[equation.target] = scope.stretched(scope.value(equation.value), shape)
        for name, value in scope.now.items():
            rows[name].append(value)
    return rows


class _Scope:
    def __init__(self, cell: Cell, sizes: Mapping[str, int], parameters: dict[str, Value]):
        self.cell, self.parameters = cell, parameters
        self.sizes = all_sizes(cell, sizes)
        self.settings = {info.name: float(info.value) for info in cell.settings}
        self.now: dict[str, Value] = {}
        self.past: dict[tuple[str, int], Value] = {}

    def first(self, name: str) -> Value:
        info = self.cell.signal[name]
        if info.initial == "learned":
            return self.parameters[f"{name}_0"]
        value = 0.0 if info.initial is None else self.value(info.initial)
        return self.stretched(value, info.shape)

    def stretched(self, value: Value, shape: Shape) -> Value:
        """A scalar in every entry of a shape."""
        if isinstance(value, list):
            return value
        for dim in reversed(shape.dims):
            value = [value] * int(dim.at(self.sizes))
        return value

    def value(self, expr: Expr) -> Value:
        match expr:
            case checked.Num():
                return float(expr.value)
            case checked.Dim(width=width):
                return float(width.at(self.sizes))
            case checked.Setting(name=name):
                return self.settings[name]
            case checked.Infinity():
                return math.inf
            case checked.Parameter(name=name):
                return self.parameters[name]
            case checked.Signal(name=name, delay=delay):
                return self.past[name, delay] if delay else self.now[name]
            case checked.Identity(shape=shape):
                size = int(shape.width.at(self.sizes))
                return [[float(row == column) for column in range(size)] for row in range(size)]
        values = [self.value(child) for child in expr.children]
        match expr:
            case checked.Product():
                left, right = values
                if right and isinstance(right[0], list):
                    return [[_dot(row, column) for column in zip(*right, strict=True)] for row in left]
                return [_dot(row, right) for row in left]
            case checked.Transpose():
                return [list(column) for column in zip(*values[0], strict=True)]
            case checked.Structured(kind=kind):
                return STRUCTURES[kind](values[0], int(expr.shape.dims[0].at(self.sizes)))
            case checked.Concat():
                return [entry for value in values for entry in (value if isinstance(value, list) else [value])]
            case checked.Slice(start=start, shape=shape):
                begin = int(start.at(self.sizes))
                return values[0][begin : begin + int(shape.width.at(self.sizes))]
            case checked.Repeat(times=times):
                return [entry for entry in values[0] for _ in range(int(times.at(self.sizes)))]
            case checked.Call(function=function) if FUNCTIONS[function].rule != "elementwise":
                return _WHOLE[function](*values)
            case checked.Call(function=function):
                return _map(POINTWISE[function], values)
            case checked.Add():
                return _map(lambda *terms: sum(terms), values)
            case checked.Neg():
                return _map(lambda a: -a, values)
            case checked.Mul():
                return _map(lambda a, b: a * b, values)
            case checked.Div():
                return _map(lambda a, b: a / b if b else math.nan, values)
            case checked.Pow():
                return _map(_power, values)
        raise TypeError(f"not a checked expression: {type(expr).__name__}")


def _dot(row: list[float], column: Any) -> float:
    return sum(a * b for a, b in zip(row, column, strict=True))


def _power(base: float, exponent: float) -> float:
    try:
        value = base**exponent
    except (ZeroDivisionError, OverflowError):
        return math.nan
    return value if isinstance(value, float) else math.nan


def _map(function: Callable[..., float], values: list[Value]) -> Value:
    """Entry by entry; scalars stretch."""
    lengths = [len(value) for value in values if isinstance(value, list)]
    if not lengths:
        return function(*values)
    rows = [value if isinstance(value, list) else [value] * lengths[0] for value in values]
    return [_map(function, list(entries)) for entries in zip(*rows, strict=True)]
