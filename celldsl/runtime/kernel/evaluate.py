"""The programs of a kernel, computed by torch: SymPy expressions and statements over tensors.

Slow, differentiable any number of times, and open to every transform of torch. It computes what a kernel needs before
it runs (gates made of parameters alone), and takes the kernel's place where that cannot go: under vmap, and for
gradients of gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import sympy
import torch
from torch import Tensor

from celldsl.check.width import Shape
from celldsl.schedule.cpu_statements import Along, Concat, Let, Multiply, Programs, Symbol, Take
from celldsl.symbolic.algebra import signal_symbol

Values = dict[Symbol, Tensor]


def value_of(expr: sympy.Expr, values: Mapping[Symbol, Tensor], like: Tensor) -> Tensor:
    """A pointwise expression over tensors; `like` gives numbers their dtype and device."""
    if isinstance(expr, sympy.Symbol):
        return values[expr]
    if isinstance(expr, (sympy.Rational, type(sympy.pi))):
        return torch.tensor(float(expr), dtype=like.dtype, device=like.device)
    arguments = [value_of(argument, values, like) for argument in expr.args]
    if isinstance(expr, sympy.Add):
        return reduce(torch.add, arguments)
    if isinstance(expr, sympy.Mul):
        return reduce(torch.mul, arguments)
    if isinstance(expr, sympy.Pow):
        exponent = expr.args[1]
        return torch.pow(arguments[0], float(exponent) if exponent.is_number else arguments[1])
    return FUNCTIONS[expr.func.__name__](*arguments)


def linear(x: Tensor, matrix: Tensor) -> Tensor:
    """`x` (…, q) times the transpose of a matrix (p, q): (…, p). A matrix of fewer columns is the blocks of a
    block-diagonal one, one below the other."""
    columns = matrix.shape[1]
    if x.shape[-1] == columns:
        return torch.nn.functional.linear(x, matrix)
    parts = x.unflatten(-1, (x.shape[-1] // columns, 1, columns))
    return (parts @ matrix.reshape(parts.shape[-3], -1, columns).mT).flatten(-3)


def outer(cotangent: Tensor, operand: Tensor, columns: int) -> Tensor:
    """Σ outer(cotangent, operand) over rows, (p, q) of (N, p) and (N, q); with fewer columns, of the blocks alone."""
    if operand.shape[1] == columns:
        return cotangent.t() @ operand
    blocks = operand.shape[1] // columns
    parts = cotangent.view(-1, blocks, cotangent.shape[1] // blocks).permute(1, 2, 0)
    return (parts @ operand.view(-1, blocks, columns).transpose(0, 1)).flatten(0, 1)


def _rms(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "hard_sigmoid": lambda x: torch.clamp(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x: torch.clamp(x, -1, 1),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": torch.nn.functional.softsign,
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
    "power": torch.pow,
    "softmax": lambda x: torch.softmax(x, -1),
    "cumsum": lambda x: torch.cumsum(x, -1),
    "cumax": lambda x: torch.cumsum(torch.softmax(x, -1), -1),
    "layernorm": lambda x: _rms(x - x.mean(-1, keepdim=True)),
    "rmsnorm": _rms,
    "norm": lambda x: (x * x).sum(-1, keepdim=True).sqrt(),
    "sum": lambda x: x.sum(-1, keepdim=True),
    "mean": lambda x: x.mean(-1, keepdim=True),
    "dot": lambda x, y: (x * y).sum(-1, keepdim=True),
}


def step(programs: Programs, values: Values, matrices: Sequence[Tensor], widths: Callable[[Shape], int]) -> None:
    """Runs the forward program: `values` holds the leaves, and all that the step computes afterwards.

    widths: of a vector of some shape, as a number.
    """
    like = matrices[0] if matrices else next(iter(values.values()))
    for statement in programs.forward:
        if isinstance(statement, Let):
            values[statement.symbol] = value_of(statement.value, values, like)
        elif isinstance(statement, Multiply):
            terms = [linear(values[t.operand], matrices[t.matrix]) for t in statement.terms]
            values[statement.symbol] = reduce(torch.add, terms)
        elif isinstance(statement, Along) and statement.function == "repeat":
            operand = values[statement.operands[0]]
            values[statement.symbol] = operand.repeat_interleave(widths(statement.shape) // operand.shape[-1], -1)
        elif isinstance(statement, Along):
            values[statement.symbol] = FUNCTIONS[statement.function](*(values[o] for o in statement.operands))
        elif isinstance(statement, Concat):
            values[statement.symbol] = torch.cat([values[part] for part in statement.parts], -1)
        elif isinstance(statement, Take):
            start = sum(widths(shape) for shape in statement.before)
            values[statement.symbol] = values[statement.operand].narrow(-1, start, widths(statement.shape))


def sequence(
    programs: Programs,
    batch_sizes: Sequence[int],
    inputs: Mapping[str, Tensor],
    before: Tensor | None,
    initial: Mapping[tuple[str, int], Tensor],
    constants: Mapping[Symbol, Tensor],
    matrices: Sequence[Tensor],
    widths: Callable[[Shape], int],
) -> tuple[Tensor, dict[tuple[str, int], Tensor]]:
    """A whole sequence by torch operations: the outputs (N, n), and the last state by (signal, delay).

    inputs: (N, width) each, N the sum of batch_sizes, which never grow, but (B, width) of a mask that a sequence keeps;
    before: the hoisted products, (N, …).
    """
    cell = programs.form.cell
    carried = dict(initial)
    ended: dict[tuple[str, int], list[Tensor]] = {key: [] for key in carried}
    parts = None
    if before is not None:
        sizes = [widths(block.shape) for block in programs.hoisted]
        parts = dict(zip((b.symbol for b in programs.hoisted), before.split(sizes, -1), strict=True))
    outputs: list[Tensor] = []
    at = 0
    for size in batch_sizes:
        for key, value in carried.items():
            if value.shape[0] > size:
                ended[key].append(value[size:])
                carried[key] = value[:size]
        values: Values = dict(constants)
        for info in cell.inputs:
            first = 0 if info.noise == "sequence" else at
            values[signal_symbol(info.name, 0)] = inputs[info.name][first : first + size]
        for name, block in (parts or {}).items():
            values[name] = block[at : at + size]
        for (name, delay), value in carried.items():
            values[signal_symbol(name, delay)] = value
        step(programs, values, matrices, widths)
        rows = {name: values[signal_symbol(name, 0)] for name, _ in carried}
        rows = {n: v.expand(size, widths(cell.signal[n].shape)) for n, v in rows.items()}
        output = values[signal_symbol(cell.output, 0)]
        outputs.append(output.expand(size, widths(cell.signal[cell.output].shape)))
        carried = {(n, d): rows[n] if d == 1 else carried[n, d - 1] for n, d in carried}
        at += size
    last = {key: torch.cat([value, *reversed(ended[key])]) for key, value in carried.items()}
    return torch.cat(outputs), last
