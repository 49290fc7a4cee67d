"""Numbers for the forms: the tape and the adjoint of a cell, evaluated with torch in float64.

Independent of the emitter: every SymPy node is one torch call, every statement one line.
"""

from __future__ import annotations

import torch

from celldsl.check import cell as checked
from celldsl.symbolic.adjoint import Accumulated, Assign, Transposed
from celldsl.symbolic.algebra import dim_symbol
from celldsl.symbolic.tape import Node, ProductNode

torch.set_num_threads(1)

AROUND = {
    "sum": lambda x: x.sum(-1, keepdim=True),
    "mean": lambda x: x.mean(-1, keepdim=True),
    "norm": lambda x: x.norm(dim=-1, keepdim=True),
    "dot": lambda x, y: (x * y).sum(-1, keepdim=True),
    "softmax": lambda x: torch.softmax(x, -1),
    "cumsum": lambda x: x.cumsum(-1),
    "cumax": lambda x: torch.softmax(x, -1).cumsum(-1),
    "reverse_cumsum": lambda x: x.flip(-1).cumsum(-1).flip(-1),
    "layernorm": lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
    "rmsnorm": lambda x: x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt(),
    "stretch": lambda s, v: s.expand_as(v),
    "take": lambda v, start, stop: v[..., int(start) : int(stop)],
    "place": lambda v, start, width: torch.nn.functional.pad(v, (int(start), int(width) - int(start) - v.shape[-1])),
    "block_sums": lambda v, times: v.unflatten(-1, (-1, int(times))).sum(-1),
    "slice": lambda v, start, width: v[..., start : start + width],
    "repeat": lambda v, times, _: v.repeat_interleave(times, -1),
    "concat": lambda *parts: torch.cat(parts, -1),
    "power": torch.pow,
    "where": lambda c, a, b: torch.where(c > 0, a, b),
    "less": lambda a, b: (a < b).double(),
    "between": lambda low, a, high: ((low < a) & (a < high)).double(),
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "hard_sigmoid": torch.nn.functional.hardsigmoid,
    "hard_tanh": torch.nn.functional.hardtanh,
    "softplus": torch.nn.functional.softplus,
    "softsign": torch.nn.functional.softsign,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "elu": torch.nn.functional.elu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "floor": torch.floor,
    "max": torch.maximum,
    "min": torch.minimum,
    "clamp": lambda x, low, high: torch.clamp(x, low, high),
}


def value_of(expr, values):
    """A SymPy expression at the given values of its symbols."""
    if expr.is_Symbol:
        return values[expr]
    if expr.is_number and not expr.args:
        return torch.tensor(float(expr), dtype=torch.float64)
    parts = [value_of(a, values) for a in expr.args]
    if expr.is_Add or expr.is_Mul:
        total = parts[0]
        for part in parts[1:]:
            total = total + part if expr.is_Add else total * part
        return total
    if expr.is_Pow:
        return parts[0] ** parts[1]
    return AROUND[expr.func.__name__](*parts)


def matrix_of(expr, values):
    """A checked matrix expression."""
    if isinstance(expr, checked.Parameter):
        return values[expr.name]
    if isinstance(expr, checked.Transpose):
        return matrix_of(expr.operand, values).mT
    if isinstance(expr, checked.Product):
        return matrix_of(expr.left, values) @ matrix_of(expr.right, values)
    if isinstance(expr, checked.Add):
        return sum(matrix_of(term, values) for term in expr.terms)
    if isinstance(expr, checked.Neg):
        return -matrix_of(expr.operand, values)
    raise TypeError(type(expr).__name__)


def forward_step(tape, values, matrices):
    """Adds the value of every node to `values` (symbol -> (B, width), or (width,) for constants)."""
    for node in tape.nodes:
        if isinstance(node, Node):
            values[node.symbol] = value_of(node.value, values)
        elif isinstance(node, ProductNode):
            operand = value_of(node.operand, values)
            values[node.symbol] = operand @ matrix_of(node.product.matrix, matrices).mT
        else:
            arguments = [value_of(a, values) for a in node.arguments]
            if node.opaque.function == "concat":
                batch = torch.broadcast_shapes(*(a.shape[:-1] for a in arguments))
                arguments = [a.expand(*batch, a.shape[-1]) for a in arguments]
            if node.opaque.function in ("slice", "repeat"):
                widths = (node.opaque.count, node.shape.width)
                sizes = {name: int(values[dim_symbol(name)]) for width in widths for name in width.names}
                arguments += [int(width.at(sizes)) for width in widths]
            values[node.symbol] = AROUND[node.opaque.function](*arguments)


def run_statement(statement, values, matrices, sums):
    """sums: symbol -> list of its values, one per step, for `Accumulated`."""
    if isinstance(statement, Assign):
        values[statement.symbol] = value_of(statement.value, values)
    elif isinstance(statement, Transposed):
        values[statement.symbol] = sum(values[c] @ matrix_of(p.matrix, matrices) for p, c in statement.terms)
    else:
        assert isinstance(statement, Accumulated)
        values[statement.symbol] = sum(v.sum(0) if v.dim() > 1 else v for v in sums[statement.of])
