"""The backward pass of one step, derived: cotangents of everything a step reads, given those of what it makes.

`derive(form)` gives plain data that a code emitter prints. Statements stand in order of computation, in four
phases: `step` (one time step after another, backwards), `before` and `after` (per step too, but in no step's way to
another: all steps at once, before or after that loop), and `once` (per sequence: what belongs to values that are
constant in time). Weight gradients are outer products of a product's cotangent and its operand, summed over steps and
rows.

Values are named as on the tape (`tape.py`), so that sigmoid' reads `i_t * (1 - i_t)`; no term is computed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import sympy

from celldsl.check.cell import Dim, Expr, Parameter, Setting, Signal, Transpose
from celldsl.check.width import Shape
from celldsl.functions import FUNCTIONS
from celldsl.symbolic.algebra import (
    CLASSES,
    F,
    Pointwise,
    block_sums,
    place,
    power,
    signal_symbol,
    size_of,
    take,
    width,
    width_value,
)
from celldsl.symbolic.form import Form, Product
from celldsl.symbolic.tape import AnyNode, Node, OpaqueNode, ProductNode, Tape, record, short_name
from celldsl.symbolic.text import show

When = Literal["before", "step", "after", "once"]


@dataclass(frozen=True)
class Assign:
    """`symbol = value`: pointwise, apart from `sum`, `mean` and the like along a vector."""

    symbol: sympy.Symbol
    value: sympy.Expr
    shape: Shape
    phase: When = "step"

    @property
    def reads(self) -> frozenset[sympy.Symbol]:
        return frozenset(self.value.free_symbols)

    def __str__(self) -> str:
        return f"{self.symbol} = {self.value}"


@dataclass(frozen=True)
class Transposed:
    """`symbol = Σ matrix^T cotangent` over the products that read one operand: one stacked product."""

    symbol: sympy.Symbol
    terms: tuple[tuple[Product, sympy.Symbol], ...]
    shape: Shape
    phase: When = "step"

    @property
    def reads(self) -> frozenset[sympy.Symbol]:
        return frozenset(cotangent for _, cotangent in self.terms)

    def __str__(self) -> str:
        return f"{self.symbol} = " + " + ".join(f"{_transpose(p.matrix)} {c}" for p, c in self.terms)


def _transpose(matrix: Expr) -> str:
    if isinstance(matrix, Transpose):
        return show(matrix.operand)
    return show(Transpose(Shape(tuple(reversed(matrix.shape.dims))), operand=matrix))


@dataclass(frozen=True)
class Accumulated:
    """`symbol = Σ of` over steps and rows of the batch: where the cotangent of `constant`, a value that is constant
    in time, gathers."""

    symbol: sympy.Symbol
    of: sympy.Symbol
    shape: Shape
    constant: sympy.Symbol
    phase: When = "once"

    @property
    def reads(self) -> frozenset[sympy.Symbol]:
        return frozenset((self.of,))

    def __str__(self) -> str:
        return f"{self.symbol} = Σ {self.of}"


Statement = Assign | Transposed | Accumulated


@dataclass(frozen=True)
class WeightGradient:
    """The cotangent of `product.matrix` is the sum of outer(cotangent, operand): over steps and rows in the
    phase `step`, once in the phase `once`."""

    product: Product
    cotangent: sympy.Symbol
    operand: sympy.Expr
    phase: Literal["step", "once"]

    def __str__(self) -> str:
        sign = "+=" if self.phase == "step" else "="
        return f"d({show(self.product.matrix)}) {sign} {self.cotangent} {self.operand}^T"


@dataclass(frozen=True)
class Adjoint:
    """The backward pass of a step.

    tape: the named values of the forward pass, which the statements read.
    given: signal -> the cotangent that comes from outside the step (the output's use, and the steps after).
    statements: all of them, in order within each phase.
    weights: gradients of matrices; vectors: parameter -> the symbol of its whole gradient (phase `once`).
    earlier: (signal, delay) -> cotangent of the value so many steps back; inputs: input -> cotangent at t.
    """

    form: Form
    tape: Tape
    given: Mapping[str, sympy.Symbol]
    statements: tuple[Statement, ...]
    weights: tuple[WeightGradient, ...]
    vectors: Mapping[str, sympy.Symbol]
    earlier: Mapping[tuple[str, int], sympy.Symbol]
    inputs: Mapping[str, sympy.Symbol]

    def phase(self, when: When) -> tuple[Statement, ...]:
        return tuple(statement for statement in self.statements if statement.phase == when)

    @cached_property
    def saved(self) -> tuple[sympy.Symbol, ...]:
        """The values of the forward pass that the backward pass reads, in order: signals, earlier values, named
        parts and atoms. What it keeps and what it computes again is a schedule's choice."""
        read: set[sympy.Symbol] = set()
        for statement in self.statements:
            read |= statement.reads
        for weight in self.weights:
            read |= weight.operand.free_symbols
        order = [*self.form.meaning, *(node.symbol for node in self.tape.nodes)]
        timeless = {s for s, m in self.form.meaning.items() if not isinstance(m, Signal) and s in self.tape.constants}
        return tuple(dict.fromkeys(symbol for symbol in order if symbol in read and symbol not in timeless))

    def __str__(self) -> str:
        rows = [f"adjoint of {self.form.cell.name}", "given    " + ", ".join(str(s) for s in self.given.values())]
        named = [n for n in self.tape.nodes if isinstance(n, Node) and n.symbol not in self.form.meaning]
        rows += _block("values", [f"{node.symbol} = {node.value}" for node in named])
        for when in ("before", "step", "after", "once"):
            rows += _block(when, [str(statement) for statement in self.phase(when)])
        rows += _block("weights", [str(weight) for weight in self.weights])
        rows += _block("vectors", [f"d({name}) = {symbol}" for name, symbol in self.vectors.items()])
        rows += _block("earlier", [f"{name}_{{t-{d}}}: {symbol}" for (name, d), symbol in self.earlier.items()])
        rows += _block("inputs", [f"{name}_t: {symbol}" for name, symbol in self.inputs.items()])
        return "\n".join(rows)


def _block(head: str, rows: list[str]) -> list[str]:
    return [f"{head if at == 0 else '':<8} {row}" for at, row in enumerate(rows)]


def derive(form: Form, outside: tuple[str, ...] = ()) -> Adjoint:
    """The adjoint of a form's step.

    outside: further signals that are read outside the step (named outputs), besides the output and the states.
    """
    return _Reverse(form, outside).run()


class _Reverse:
    """Walks the tape backwards, gathering what each value contributes."""

    def __init__(self, form: Form, outside: tuple[str, ...]):
        self.form, self.tape, self.outside = form, record(form), outside
        self.statements: list[Statement] = []
        self.weights: list[WeightGradient] = []
        self.per_step: dict[sympy.Symbol, list[sympy.Expr]] = {}
        self.per_sequence: dict[sympy.Symbol, list[sympy.Expr]] = {}
        self.products: dict[tuple[sympy.Symbol, bool], list[tuple[Product, sympy.Symbol]]] = {}
        self.assigned: dict[sympy.Expr, sympy.Symbol] = {}

    def run(self) -> Adjoint:
        cell = self.form.cell
        carried = [info.name for info in cell.signals if info.depth > 0 and info.role == "state"]
        makes = [name for name in dict.fromkeys([cell.output, *carried, *self.outside]) if name in cell.equation]
        given = {name: self.tape.names.unique(f"g_{name}") for name in makes}
        for name, symbol in given.items():
            self.per_step[signal_symbol(name, 0)] = [symbol]
        for node in reversed(self.tape.nodes):
            cotangent = self.cotangent(node.symbol)
            if cotangent is not None:
                self.spread(node, cotangent)
        vectors, earlier, inputs = {}, {}, {}
        for symbol, meaning in self.form.meaning.items():
            if isinstance(meaning, Parameter):
                found = self.cotangent(symbol)
                if found is not None:
                    vectors[meaning.name] = found
            elif isinstance(meaning, Signal) and (meaning.delay or cell.signal[meaning.name].role == "input"):
                found = self.cotangent(symbol)
                if found is not None and meaning.delay:
                    earlier[meaning.name, meaning.delay] = found
                elif found is not None:
                    inputs[meaning.name] = found
        results = {*vectors.values(), *earlier.values(), *inputs.values(), *(w.cotangent for w in self.weights)}
        statements = _in_phases(_needed(self.statements, results), given, earlier)
        return Adjoint(self.form, self.tape, given, statements, tuple(self.weights), vectors, earlier, inputs)

    def cotangent(self, symbol: sympy.Symbol) -> sympy.Symbol | None:
        """The name of a value's whole cotangent, its statement written; None where nothing reads the value.

        Of a value that is constant in time: its contributions per step, summed, and those of constant values.
        """
        name, shape = short_name(self.form, symbol), self.tape.shapes[symbol]
        if symbol not in self.tape.constants:
            return self.total(symbol, self.per_step.get(symbol, []), f"d_{name}", shape, once=False)
        inside = self.total(symbol, self.per_step.get(symbol, []), f"d_{name}", shape, once=False)
        parts = list(self.per_sequence.get(symbol, []))
        if inside is not None:
            gathered = self.tape.names.unique(f"sum_{name}")
            self.statements.append(Accumulated(gathered, inside, shape, symbol))
            parts.insert(0, gathered)
        return self.total(symbol, parts, f"total_{name}", shape, once=True)

    def total(
        self, symbol: sympy.Symbol, parts: list[sympy.Expr], name: str, shape: Shape, once: bool
    ) -> sympy.Symbol | None:
        phase: When = "once" if once else "step"
        products = self.products.get((symbol, once), [])
        if products:
            back = self.tape.names.unique(f"back_{name[2:]}" if parts and not once else name)
            self.statements.append(Transposed(back, tuple(products), shape, phase))
            parts = [*parts, back]
        if not parts:
            return None
        value = sympy.Add(*parts)
        if value.is_Symbol:
            return value
        if value not in self.assigned:
            self.assigned[value] = self.tape.names.unique(name)
            self.statements.append(Assign(self.assigned[value], value, shape, phase))
        return self.assigned[value]

    def spread(self, node: AnyNode, cotangent: sympy.Symbol) -> None:
        """What a node's cotangent contributes to the values it reads."""
        if isinstance(node, ProductNode):
            phase: Literal["step", "once"] = "once" if node.constant else "step"
            self.weights.append(WeightGradient(node.product, cotangent, node.operand, phase))
            if node.operand.is_Symbol:
                key = (node.operand, node.constant)
                self.products.setdefault(key, []).append((node.product, cotangent))
        elif isinstance(node, OpaqueNode):
            for argument, value in zip(node.arguments, self.opaque(node, cotangent), strict=True):
                if argument.is_Symbol:
                    self.contribute(argument, value, node)
        else:
            for symbol, partial in partials(node):
                if partial == 0 or isinstance(self.form.meaning.get(symbol), Setting | Dim):
                    continue
                value = cotangent * partial
                if node.shape.rank and not self.tape.shapes[symbol].rank:
                    value = F.sum(value)
                self.contribute(symbol, value, node)

    def contribute(self, symbol: sympy.Symbol, value: sympy.Expr, node: AnyNode) -> None:
        gathered = self.per_sequence if node.constant else self.per_step
        gathered.setdefault(symbol, []).append(value)

    def opaque(self, node: OpaqueNode, cotangent: sympy.Symbol) -> tuple[sympy.Expr, ...]:
        if node.opaque.function == "slice":
            start = width_value(node.opaque.count)
            return (place(cotangent, start, size_of(node.opaque.arguments[0].shape)),)
        if node.opaque.function == "repeat":
            return (block_sums(cotangent, width_value(node.opaque.count)),)
        if node.opaque.function != "concat":
            vjp = FUNCTIONS[node.opaque.function].vjp
            assert vjp is not None
            return tuple(self.counted(value) for value in vjp(F, node.arguments, node.symbol, cotangent))
        start, parts = sympy.Integer(0), []
        for argument in node.opaque.arguments:
            stop = start + size_of(argument.shape)
            parts.append(take(cotangent, start, stop))
            start = stop
        return tuple(parts)

    def counted(self, value: sympy.Expr) -> sympy.Expr:
        """The value with the number of entries of its vectors written out."""
        return value.xreplace({w: size_of(self.tape.shapes[w.args[0]]) for w in value.atoms(width)})


def partials(node: Node) -> list[tuple[sympy.Symbol, sympy.Expr]]:
    """The partial derivative of a node's value by each name it reads, in terms of its own value where it helps."""
    value = node.value
    if isinstance(value, Pointwise):
        derivative = value.row.derivative
        assert derivative is not None
        by_argument = [sympy.Integer(0) + d for d in derivative(F, value.args, node.symbol)]
    elif isinstance(value, power):
        base, exponent = value.args
        by_argument = [exponent * power(base, exponent - 1), node.symbol * CLASSES["log"](base)]
    else:
        symbols = sorted(value.free_symbols, key=lambda s: s.name)
        return [(symbol, value.diff(symbol)) for symbol in symbols]
    found: dict[sympy.Symbol, sympy.Expr] = {}
    for argument, derivative in zip(value.args, by_argument, strict=True):
        if argument.is_Symbol:
            found[argument] = found.get(argument, sympy.Integer(0)) + derivative
    return list(found.items())


def _needed(statements: list[Statement], results: set[sympy.Symbol]) -> list[Statement]:
    """The statements that some result reads (sign and floor pass nothing on)."""
    needed, kept = set(results), []
    for statement in reversed(statements):
        if statement.symbol in needed:
            needed |= statement.reads
            kept.append(statement)
    return kept[::-1]


def _in_phases(
    statements: list[Statement], given: Mapping[str, sympy.Symbol], earlier: Mapping[tuple[str, int], sympy.Symbol]
) -> tuple[Statement, ...]:
    """Sorts what is computed per step. A statement belongs to the loop where it both depends on what another step
    hands back (an earlier value's cotangent, which that value's own step is given) and contributes to the like."""
    reads = {statement.symbol: statement.reads for statement in statements if statement.phase == "step"}

    def reached(start: set[sympy.Symbol], follow: Mapping[sympy.Symbol, set[sympy.Symbol]]) -> set[sympy.Symbol]:
        found, waiting = set(), list(start)
        while waiting:
            symbol = waiting.pop()
            if symbol not in found:
                found.add(symbol)
                waiting += follow.get(symbol, ())
        return found

    backward: dict[sympy.Symbol, set[sympy.Symbol]] = {symbol: set(read) for symbol, read in reads.items()}
    for (name, _), symbol in earlier.items():
        if name in given:
            backward.setdefault(given[name], set()).add(symbol)
    forward: dict[sympy.Symbol, set[sympy.Symbol]] = {}
    for symbol, read in backward.items():
        for other in read:
            forward.setdefault(other, set()).add(symbol)
    # On a cycle through time: reached from itself.
    cycles = {symbol for symbol in backward if symbol in reached(set(forward.get(symbol, ())), forward)}
    downstream, upstream = reached(cycles, forward), reached(cycles, backward)

    def phase(symbol: sympy.Symbol) -> When:
        if symbol in downstream:
            return "step" if symbol in upstream else "after"
        return "before"

    per_step = [replace(s, phase=phase(s.symbol)) for s in statements if s.phase == "step"]
    return (*per_step, *(statement for statement in statements if statement.phase == "once"))
