"""What is constant in time, as a list of torch operations: gates made of parameters alone, derived parameters.

A kernel takes such values ready made. The list is worked out once for given sizes and settings; running it touches
neither SymPy nor the tree, so that it is quick and that torch.compile can follow it. Where every value is a parameter
as it stands, it is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import Tensor, nn

from celldsl.check import cell as checked
from celldsl.check.cell import Cell
from celldsl.check.width import Shape, Width
from celldsl.functions import FUNCTIONS as TABLE
from celldsl.runtime.kernel.evaluate import FUNCTIONS
from celldsl.schedule.cpu_statements import Programs, Symbol
from celldsl.schedule.rows import blocks_of
from celldsl.symbolic.algebra import dim_symbol, parameter_symbol
from celldsl.symbolic.tape import Node, OpaqueNode, ProductNode

OPERATIONS: dict[str, Callable[..., Tensor]] = {
    **FUNCTIONS,
    "plus": torch.add,
    "minus": torch.neg,
    "times": torch.mul,
    "over": torch.div,
    "raise": torch.pow,
    "product": torch.matmul,
    "transpose": lambda a: a.mT,
    "concat": lambda *parts: torch.cat([part.reshape(-1) for part in parts]),
    "outer": torch.outer,
    "below": lambda blocks: blocks.flatten(0, 1),
    "scalar": lambda a: a.squeeze(-1),
}
NUMBERED: dict[str, Callable[[Tensor, int], Tensor]] = {
    "wide": lambda a, n: a.expand(n),
    "behind": lambda a, n: a[n:],
    "first": lambda a, n: a[:n],
    "repeat": lambda a, n: a.reshape(-1).repeat_interleave(n),
}
"""By name; besides those, `number` and `eye` take a number, and so do structures."""


def _block_diagonal(blocks: Tensor, rows: int) -> Tensor:
    k, p, q = blocks.shape
    places = torch.eye(k, dtype=blocks.dtype, device=blocks.device)
    return (places[:, None, :, None] * blocks[:, :, None, :]).reshape(k * p, k * q)


def _symmetric(numbers: Tensor, n: int) -> Tensor:
    at = torch.arange(n, device=numbers.device)
    high, low = torch.maximum(at[:, None], at), torch.minimum(at[:, None], at)
    return numbers[high * (high + 1) // 2 + low]


def _orthogonal(numbers: Tensor, n: int) -> Tensor:
    at = torch.arange(n, device=numbers.device)
    high, low = torch.maximum(at[:, None], at), torch.minimum(at[:, None], at)
    padded = torch.nn.functional.pad(numbers, [0, 1])  # what the diagonal's index may read, times zero
    skew = padded[(high * (high - 1) // 2 + low).clamp(max=numbers.shape[0])] * torch.sign(at[:, None] - at)
    return torch.linalg.matrix_exp(skew)


STRUCTURES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "diagonal": lambda numbers, n: torch.diag(numbers),
    "blocks": _block_diagonal,
    "symmetric": _symmetric,
    "orthogonal": _orthogonal,
}
"""The full matrix of a structured parameter, with so many rows: kernels know no others."""


@dataclass(frozen=True)
class Once:
    """`names` are read from the step's parameters into the first registers; each operation fills the next one.

    names: attributes; of a parameter with a second bias, both. operations: name, registers it reads, a number.
    constants, matrices: the registers of the operator's arguments. plain: whether every value is a parameter as it
    stands.
    """

    names: tuple[tuple[str, ...], ...]
    operations: tuple[tuple[str, tuple[int, ...], float], ...]
    constants: tuple[int, ...]
    matrices: tuple[int, ...]
    plain: bool

    def run(
        self, step: nn.Module, like: Tensor, masks: Mapping[str, Tensor] | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Constants and matrices, in the order of the operator's arguments. masks: of parameters, by name."""
        held: Mapping[str, Any] = step._parameters
        if step._buffers or masks:
            held = {**step._parameters, **step._buffers, **(masks or {})}
        if self.plain:
            read = [held[names[0]] for names in self.names]
            return [read[at] for at in self.constants], [read[at] for at in self.matrices]
        registers: list[Tensor] = []
        for names in self.names:
            registers.append(held[names[0]] if len(names) == 1 else held[names[0]] + held[names[1]])
        for name, reads, number in self.operations:
            if name == "number":
                registers.append(torch.full((), number, dtype=like.dtype, device=like.device))
            elif name == "eye":
                registers.append(torch.eye(int(number), dtype=like.dtype, device=like.device))
            elif name in NUMBERED:
                registers.append(NUMBERED[name](registers[reads[0]], int(number)))
            elif name in STRUCTURES:
                registers.append(STRUCTURES[name](registers[reads[0]], int(number)))
            else:
                registers.append(OPERATIONS[name](*[registers[read] for read in reads]))
        return [registers[at] for at in self.constants], [registers[at] for at in self.matrices]


def work_out(
    programs: Programs,
    attributes: Mapping[str, tuple[str, ...]],
    sizes: Mapping[str, int],
    settings: Mapping[str, float],
) -> Once:
    """The list for a cell's programs. attributes: parameter -> where a step keeps it."""
    return _Writer(programs, attributes, sizes, settings).write()


class _Writer:
    def __init__(
        self,
        programs: Programs,
        attributes: Mapping[str, tuple[str, ...]],
        sizes: Mapping[str, int],
        settings: Mapping[str, float],
    ):
        self.programs, self.attributes = programs, attributes
        self.cell: Cell = programs.form.cell
        self.sizes = dict(sizes)
        for dim in self.cell.dims:
            if dim.value is not None:
                self.sizes[dim.name] = int(dim.value.at(self.sizes))
        self.settings = settings
        self.operations: list[tuple[str, tuple[int, ...], float]] = []
        self.register = {name: at for at, name in enumerate(attributes)}
        self.known: dict[object, int] = {}
        self.nodes = {node.symbol: node for node in programs.tape.nodes if node.constant}

    def write(self) -> Once:
        for equation in self.cell.derived:
            self.register[equation.target] = self.expression(equation.value)
        constants = tuple(self.constant(symbol) for symbol in self.programs.constants)
        matrices = tuple(self.matrix(matrix) for matrix in self.programs.matrices)
        names = tuple(self.attributes.values())
        plain = not self.operations and all(len(each) == 1 for each in names)
        return Once(names, tuple(self.operations), constants, matrices, plain)

    def do(self, name: str, reads: Sequence[int] = (), number: float = 0.0) -> int:
        operation = (name, tuple(reads), float(number))
        if operation not in self.known:
            self.operations.append(operation)
            self.known[operation] = len(self.attributes) + len(self.operations) - 1
        return self.known[operation]

    def matrix(self, matrix: checked.Expr) -> int:
        """A matrix; of a block-diagonal one the blocks, one below the other."""
        blocks = blocks_of(matrix)
        return self.expression(matrix) if blocks is None else self.do("below", [self.expression(blocks)])

    # --- checked expressions of parameters ----------------------------------------------

    def expression(self, node: checked.Expr) -> int:
        if isinstance(node, checked.Parameter):
            return self.register[node.name]
        if isinstance(node, checked.Num):
            return self.do("number", number=float(node.value))
        if isinstance(node, checked.Dim):
            return self.do("number", number=float(node.width.at(self.sizes)))
        if isinstance(node, checked.Setting):
            return self.do("number", number=self.settings[node.name])
        if isinstance(node, checked.Identity):
            return self.do("eye", number=float(node.shape.width.at(self.sizes)))
        reads = [self.expression(child) for child in node.children]
        if isinstance(node, checked.Add):
            total = reads[0]
            for read in reads[1:]:
                total = self.do("plus", (total, read))
            return total
        if isinstance(node, checked.Call):
            value = self.do(node.function, reads)
            return (
                value if TABLE[node.function].rule in ("elementwise", "along", "outer") else self.do("scalar", [value])
            )
        if isinstance(node, checked.Slice):
            return self.part(reads[0], node.start, node.shape)
        if isinstance(node, checked.Repeat):
            return self.do("repeat", reads, float(node.times.at(self.sizes)))
        if isinstance(node, checked.Structured):
            return self.do(node.kind, reads, float(node.shape.dims[0].at(self.sizes)))
        return self.do(_NAMES[type(node)], reads)

    def part(self, vector: int, start: Width, shape: Shape) -> int:
        behind = self.do("behind", [vector], float(start.at(self.sizes))) if start.terms else vector
        return self.do("first", [behind], float(shape.width.at(self.sizes)))

    # --- constants of the tape ----------------------------------------------------------

    def constant(self, symbol: Symbol) -> int:
        meaning = self.programs.form.meaning.get(symbol)
        if isinstance(meaning, checked.Parameter):
            return self.register[meaning.name]
        for name, number in self.settings.items():
            if parameter_symbol(name) == symbol:
                return self.do("number", number=number)
        for name, size in self.sizes.items():
            if dim_symbol(name) == symbol:
                return self.do("number", number=float(size))
        node: Node | ProductNode | OpaqueNode = self.nodes[symbol]
        if isinstance(node, ProductNode):
            return self.do("product", (self.expression(node.product.matrix), self.constant(node.operand)))
        if isinstance(node, OpaqueNode) and node.opaque.function == "slice":
            return self.part(self.constant(node.arguments[0]), node.opaque.count, node.shape)
        if isinstance(node, OpaqueNode) and node.opaque.function == "repeat":
            return self.do("repeat", [self.constant(node.arguments[0])], float(node.opaque.count.at(self.sizes)))
        if isinstance(node, OpaqueNode):
            value = self.do(node.opaque.function, [self.constant(argument) for argument in node.arguments])
            return value if node.shape.rank else self.do("scalar", [value])
        value = self.value(node.value)
        if not node.shape.rank:
            return value
        ranks = [self.programs.tape.shapes[read].rank for read in node.value.free_symbols]
        return value if any(ranks) else self.do("wide", [value], float(node.shape.width.at(self.sizes)))

    def value(self, expr: sympy.Expr) -> int:
        if isinstance(expr, sympy.Symbol):
            return self.constant(expr)
        if not expr.args:
            return self.do("number", number=float(expr))
        reads = [self.value(argument) for argument in expr.args]
        if isinstance(expr, (sympy.Add, sympy.Mul)):
            name = "plus" if isinstance(expr, sympy.Add) else "times"
            total = reads[0]
            for read in reads[1:]:
                total = self.do(name, (total, read))
            return total
        return self.do("raise" if isinstance(expr, sympy.Pow) else expr.func.__name__, reads)


_NAMES: dict[type[checked.Expr], str] = {
    checked.Neg: "minus",
    checked.Mul: "times",
    checked.Div: "over",
    checked.Pow: "raise",
    checked.Product: "product",
    checked.Transpose: "transpose",
    checked.Concat: "concat",
}
