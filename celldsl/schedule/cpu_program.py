"""One step of a cell, forward and backward, as two lists of statements for a kernel.

The forward list is the tape of the symbolic form, the backward list its adjoint; both are freed here of what a kernel
has no use for. Sums of products become one product of several terms, functions of whole vectors become statements of
their own, and the backward list begins with what it computes again rather than reads from memory. Where statements
run, and where values live, is `cpu_stages`'.
"""

from __future__ import annotations

from dataclasses import replace

import sympy
from sympy import Symbol

from celldsl.check.cell import Cell, Dim, Expr, Setting, Signal
from celldsl.check.width import Shape, Width
from celldsl.errors import CelldslError
from celldsl.schedule.cpu_statements import (
    Along,
    Carry,
    Concat,
    Gather,
    Hoisted,
    Let,
    Multiply,
    Programs,
    Statement,
    Take,
    Term,
    Weight,
)
from celldsl.schedule.rows import blocks_of
from celldsl.symbolic.adjoint import Accumulated, Adjoint, Assign, Transposed, derive
from celldsl.symbolic.algebra import Along as AlongFunction
from celldsl.symbolic.algebra import block_sums, place, signal_symbol, size_of, stretch, take, width_of
from celldsl.symbolic.form import Form
from celldsl.symbolic.tape import Node, OpaqueNode, ProductNode, Tape


class NotForCpu(CelldslError):
    """The cell has something in it that no CPU kernel is generated for; the text says what."""


def build(form: Form, hoist: bool) -> Programs:
    """The programs of a form's step. `hoist`: products with inputs are left out of the loop.

    Raises NotForCpu for what a kernel cannot do.
    """
    return _Builder(form, hoist).build()


def refuse(tape: Tape) -> None:
    """Raises NotForCpu for what no kernel is generated for."""
    cell = tape.form.cell
    for info in cell.signals:
        if info.shape.rank > 1:
            raise NotForCpu(f"{info.name} is a matrix; only vectors and scalars are carried in kernels")
    for name in {cell.output, *(info.name for info in cell.states)}:
        if name not in cell.varying:
            raise NotForCpu(f"{name} does not change in time")
    if cell.signal[cell.output].role == "input":
        raise NotForCpu(f"the output {cell.output} is an input")
    for node in tape.nodes:
        if isinstance(node, OpaqueNode) and node.opaque.function == "outer":
            raise NotForCpu("outer products")
        if isinstance(node, (ProductNode, OpaqueNode)):
            operands = (node.operand,) if isinstance(node, ProductNode) else node.arguments
            if not node.constant and not all(operand.is_Symbol for operand in operands):
                raise NotForCpu(f"{node.symbol}: a number in the place of a vector")


class _Builder:
    def __init__(self, form: Form, hoist: bool):
        self.form, self.hoist, self.cell = form, hoist, form.cell
        self.adjoint: Adjoint = derive(form)
        self.tape = self.adjoint.tape
        self.shapes = dict(self.tape.shapes)
        self.matrices: list[Expr] = []
        self.hoisted: list[Hoisted] = []
        self.constants: dict[Symbol, None] = {}
        self.owner: dict[Symbol, Symbol] = {}
        self.ranges: dict[Symbol, tuple[sympy.Expr, ...]] = {}
        self.numbers = {symbol for symbol, meaning in form.meaning.items() if isinstance(meaning, (Setting, Dim))}
        refuse(self.tape)

    def build(self) -> Programs:
        forward = self._merged(self._forward())
        backward, saved, again = self._backward(forward)
        weights = self._weights()
        forward = _needed(forward, {*self._leaving(), *saved})
        for statement in (*forward, *backward):
            for symbol in statement.reads:
                if symbol in self.tape.constants and symbol not in self.numbers:
                    self.constants[symbol] = None
        return Programs(
            form=self.form,
            tape=self.tape,
            hoist=self.hoist,
            matrices=tuple(self.matrices),
            constants=tuple(self.constants),
            forward=tuple(forward),
            backward=tuple(backward),
            hoisted=tuple(self.hoisted),
            saved=tuple(saved),
            again=tuple(again),
            weights=tuple(weights),
            carries=tuple(self.carries),
            upstream=self.upstream,
            gradients=self.gradients,
            gathered={s.symbol: self.owner[s.symbol] for s in backward if isinstance(s, Gather)},
            shapes=self.shapes,
        )

    def _term(self, matrix: Expr, transposed: bool, operand: Symbol) -> Term:
        return Term(self._matrix(matrix), transposed, operand, number_of_blocks(matrix))

    def _matrix(self, matrix: Expr) -> int:
        if matrix not in self.matrices:
            self.matrices.append(matrix)
        return self.matrices.index(matrix)

    def _input_of(self, symbol: Symbol) -> str | None:
        """The input that a symbol is, at t."""
        meaning = self.form.meaning.get(symbol)
        if isinstance(meaning, Signal) and meaning.delay == 0 and self.cell.signal[meaning.name].role == "input":
            return meaning.name
        return None

    def _leaving(self) -> set[Symbol]:
        """The values of a step that others read: output and states."""
        names = {self.cell.output, *(info.name for info in self.cell.states if info.role == "state")}
        return {signal_symbol(name, 0) for name in names}

    # --- forward ------------------------------------------------------------------------

    def _forward(self) -> list[Statement]:
        statements: list[Statement] = []
        for node in self.tape.nodes:
            if node.constant:
                continue
            if isinstance(node, Node):
                statements.append(Let(node.symbol, node.value, node.shape))
            elif isinstance(node, ProductNode):
                term = self._term(node.product.matrix, False, node.operand)
                statements.append(Multiply(node.symbol, (term,), node.shape))
            elif node.opaque.function == "concat":
                statements.append(Concat(node.symbol, node.arguments, node.shape))
            elif node.opaque.function == "slice":
                before = (Shape((node.opaque.count,)),) if node.opaque.count.terms else ()
                statements.append(Take(node.symbol, node.arguments[0], before, node.shape))
            elif node.opaque.function == "repeat":
                statements.append(Along(node.symbol, "repeat", node.arguments, node.shape, node.opaque.count))
            else:
                statements.append(Along(node.symbol, node.opaque.function, node.arguments, node.shape))
        return statements

    def _merged(self, statements: list[Statement]) -> list[Statement]:
        """Products that only ever stand together in one sum become one product; those with inputs are hoisted."""
        products = {s.symbol: s for s in statements if isinstance(s, Multiply)}
        readers: dict[Symbol, int] = {}
        for statement in statements:
            for symbol in statement.reads:
                readers[symbol] = readers.get(symbol, 0) + 1
        merged: list[Statement] = []
        gone: set[Symbol] = set()
        for statement in statements:
            if isinstance(statement, Let):
                parts = [p for p in sympy.Add.make_args(statement.value) if p in products and readers.get(p) == 1]
                parts.sort(key=lambda p: list(products).index(p))
                if parts:
                    gone.update(parts)
                    rest = statement.value - sympy.Add(*parts)
                    terms = [term for part in parts for term in products[part].terms]
                    replaced = self._sum_of(terms, statement.symbol, products[parts[0]].shape, merged)
                    merged.append(replace(statement, value=rest + replaced))
                    continue
            merged.append(statement)
        alone = [s for s in merged if not (isinstance(s, Multiply) and s.symbol in gone)]
        if not self.hoist:
            return alone
        done: list[Statement] = []
        for statement in alone:
            if isinstance(statement, Multiply) and statement.symbol in products:
                names = [self._input_of(term.operand) for term in statement.terms]
                if all(names):
                    pairs = tuple((t.matrix, name) for t, name in zip(statement.terms, names, strict=True) if name)
                    self.hoisted.append(Hoisted(statement.symbol, pairs, statement.shape))
                    continue
            done.append(statement)
        return done

    def _sum_of(self, terms: list[Term], target: Symbol, shape: Shape, out: list[Statement]) -> sympy.Expr:
        names = [self._input_of(term.operand) if self.hoist else None for term in terms]
        outside = tuple((term.matrix, name) for term, name in zip(terms, names, strict=True) if name)
        inside = tuple(term for term, name in zip(terms, names, strict=True) if not name)
        total = sympy.Integer(0)
        if inside:
            symbol = self._new(f"product_{_word(target)}", shape)
            out.append(Multiply(symbol, inside, shape))
            total += symbol
        if outside:
            symbol = self._new(f"before_{_word(target)}", shape)
            self.hoisted.append(Hoisted(symbol, outside, shape))
            total += symbol
        return total

    def _new(self, name: str, shape: Shape) -> Symbol:
        symbol = self.tape.names.unique(name)
        self.shapes[symbol] = shape
        return symbol

    # --- backward -----------------------------------------------------------------------

    def _backward(self, forward: list[Statement]) -> tuple[list[Statement], list[Symbol], list[Symbol]]:
        cell, adjoint = self.cell, self.adjoint
        self.upstream = self._new(f"grad_{cell.output}", cell.signal[cell.output].shape)
        statements: list[Statement] = []
        outside: dict[Symbol, sympy.Expr] = {}
        arriving: dict[tuple[str, int], Symbol] = {}
        for info in cell.states:
            for delay in range(1, info.depth + 1):
                arriving[info.name, delay] = self._new(f"carry_{info.name}_{delay}", info.shape)
        for name, symbol in adjoint.given.items():
            value = sympy.Integer(0)
            if name == cell.output:
                value += self.upstream
            if (name, 1) in arriving:
                value += arriving[name, 1]
            self.shapes[symbol] = cell.signal[name].shape
            statements.append(Let(symbol, value, cell.signal[name].shape))
        for statement in adjoint.statements:
            if statement.phase == "once":
                continue
            self.shapes[statement.symbol] = statement.shape
            if isinstance(statement, Assign):
                statements.append(self._assigned(statement, statement.value.xreplace(outside), statements))
            elif isinstance(statement, Transposed):
                if self.hoist and _is_input(cell, statement.terms[0][0].operand):
                    outside[statement.symbol] = sympy.Integer(0)  # the hoisted products take care of it
                    continue
                terms = tuple(self._term(p.matrix, True, cotangent) for p, cotangent in statement.terms)
                statements.append(Multiply(statement.symbol, terms, statement.shape))
        self.carries = []
        for (name, delay), symbol in arriving.items():
            value = arriving.get((name, delay + 1), sympy.Integer(0)) + adjoint.earlier.get((name, delay), 0)
            leaving = self._new(f"leaving_{name}_{delay}", self.shapes[symbol])
            statements.append(Let(leaving, value, self.shapes[symbol]))
            self.carries.append(Carry(name, delay, symbol, leaving))
        self.gradients: dict[Symbol, str] = {}
        for info in cell.inputs:
            if info.noise:
                continue
            value = adjoint.inputs.get(info.name, sympy.Integer(0)) + arriving.get((info.name, 1), 0)
            value = value.xreplace(outside)
            if value == 0:
                continue
            symbol = self._new(f"grad_{info.name}", info.shape)
            statements.append(Let(symbol, value, info.shape))
            self.gradients[symbol] = info.name
        for accumulated in adjoint.statements:
            if isinstance(accumulated, Accumulated):
                self.shapes[accumulated.symbol] = accumulated.shape
                statements.append(Gather(accumulated.symbol, accumulated.of, accumulated.shape))
                self.owner[accumulated.symbol] = accumulated.constant
        self.hoisted = [replace(block, cotangent=self._cotangent(*block.terms[0])) for block in self.hoisted]
        results = {s.symbol for s in statements if isinstance(s, Gather)}
        results |= {carry.leaving for carry in self.carries} | set(self.gradients)
        results |= {w.cotangent for w in self._weights()} | {h.cotangent for h in self.hoisted if h.cotangent}
        statements = _needed(statements, results)
        return self._recomputed(statements, forward)

    def _assigned(self, statement: Assign, value: sympy.Expr, out: list[Statement]) -> Statement:
        """The statement of an assignment, behind those it needs."""
        chains, rest = self._chains(value, out)
        if rest == 0 and len(chains) == 1:
            return Concat(statement.symbol, chains[0], statement.shape)
        total = self._flat(rest, out)
        for chain in chains:
            symbol = self._new(f"placed_{_word(statement.symbol)}", statement.shape)
            out.append(Concat(symbol, chain, statement.shape))
            total += symbol
        return Let(statement.symbol, total, statement.shape)

    def _chains(self, value: sympy.Expr, out: list[Statement]) -> tuple[list[tuple[Symbol, ...]], sympy.Expr]:
        """The vectors placed in zeros that a sum has among its terms, those that do not overlap as parts of one
        concatenation, with zeros between; and the rest of the sum."""
        placed = [term for term in sympy.Add.make_args(value) if isinstance(term, place)]
        parts = [(self._as_symbol(t.args[0], "part", out), width_of(t.args[1]), width_of(t.args[2])) for t in placed]
        # The order of positions at some size; whether one follows another at every size is asked below.
        parts.sort(key=lambda part: (part[1].at(dict.fromkeys(part[1].names, 60)), part[0].name))
        chains: list[tuple[Symbol, ...]] = []
        while parts:
            chain: list[Symbol] = []
            left: list[tuple[Symbol, Width, Width]] = []
            end, total = Width(), parts[0][2]
            for symbol, start, width in parts:
                if not chain or _is_never_negative(start - end):
                    chain += [*self._zeros(start - end, out), symbol]
                    end = start + self.shapes[symbol].width
                else:
                    left.append((symbol, start, width))
            chains.append((*chain, *self._zeros(total - end, out)))
            parts = left
        return chains, value - sympy.Add(*placed)

    def _zeros(self, width: Width, out: list[Statement]) -> list[Symbol]:
        if not width.terms:
            return []
        symbol = self._new("zeros", Shape((width,)))
        out.append(Let(symbol, sympy.Integer(0), Shape((width,))))
        return [symbol]

    def _flat(self, value: sympy.Expr, out: list[Statement]) -> sympy.Expr:
        """The value with every function of whole vectors replaced by the symbol of a statement before it."""
        if not value.args:
            return value
        if isinstance(value, stretch):
            return self._flat(value.args[0], out)
        if isinstance(value, take):
            return self._taken(value, out)
        if isinstance(value, block_sums):
            return self._summed(value, out)
        arguments = [self._flat(argument, out) for argument in value.args]
        if not isinstance(value, AlongFunction):
            return value.func(*arguments)
        name = value.func.__name__
        operands = tuple(self._as_symbol(argument, f"in_{name}", out) for argument in arguments)
        shape = self.shapes[operands[0]] if name in ("softmax", "cumsum", "reverse_cumsum", "cumax") else Shape()
        for statement in out:
            if isinstance(statement, Along) and (statement.function, statement.operands) == (name, operands):
                return statement.symbol
        symbol = self._new(name, shape)
        out.append(Along(symbol, name, operands, shape))
        return symbol

    def _summed(self, value: sympy.Expr, out: list[Statement]) -> Symbol:
        """The cotangent of what is repeated."""
        operand, times = self._as_symbol(value.args[0], "in_block_sums", out), width_of(value.args[1])
        for statement in out:
            if isinstance(statement, Along) and (statement.operands, statement.times) == ((operand,), times):
                return statement.symbol
        shape = next(
            node.opaque.arguments[0].shape
            for node in self.tape.nodes
            if isinstance(node, OpaqueNode)
            and (node.opaque.function, node.opaque.count, node.shape) == ("repeat", times, self.shapes[operand])
        )
        symbol = self._new("block_sums", shape)
        out.append(Along(symbol, "block_sums", (operand,), shape, times))
        return symbol

    def _as_symbol(self, value: sympy.Expr, name: str, out: list[Statement]) -> Symbol:
        if value.is_Symbol:
            return value
        shape = next((self.shapes[s] for s in sorted(value.free_symbols, key=str) if self.shapes[s].rank), Shape())
        symbol = self._new(name, shape)
        out.append(Let(symbol, value, shape))
        return symbol

    def _taken(self, value: sympy.Expr, out: list[Statement]) -> Symbol:
        operand, start, stop = value.args
        for statement in out:
            if isinstance(statement, Take) and self.ranges[statement.symbol] == (operand, start, stop):
                return statement.symbol
        for node in self.tape.nodes:
            if not isinstance(node, OpaqueNode) or not self._is_concat(node, operand):
                continue
            before: list[Shape] = []
            at = sympy.Integer(0)
            for argument in node.opaque.arguments:
                end = at + size_of(argument.shape)
                if sympy.expand(at - start) == 0 and sympy.expand(end - stop) == 0:
                    symbol = self._new(f"part_{_word(operand)}", argument.shape)
                    self.ranges[symbol] = (operand, start, stop)
                    out.append(Take(symbol, operand, tuple(before), argument.shape))
                    return symbol
                at = end
                before.append(argument.shape)
        raise AssertionError(f"{value} is no part of a concatenation")

    def _is_concat(self, node: OpaqueNode, operand: Symbol) -> bool:
        return node.opaque.function == "concat" and node.shape == self.shapes[operand]

    def _weights(self) -> list[Weight]:
        left_out = {(matrix, name) for block in self.hoisted for matrix, name in block.terms}
        found = []
        for weight in self.adjoint.weights:
            if weight.phase == "once":
                continue
            matrix = self._matrix(weight.product.matrix)
            if (matrix, self._input_of(weight.operand)) not in left_out:
                blocks = number_of_blocks(weight.product.matrix)
                found.append(Weight(matrix, weight.cotangent, weight.operand, blocks))
        return found

    def _cotangent(self, matrix: int, name: str) -> Symbol | None:
        """The cotangent of the product of a matrix and an input."""
        for weight in self.adjoint.weights:
            if self._matrix(weight.product.matrix) == matrix and self._input_of(weight.operand) == name:
                return weight.cotangent
        return None

    def _recomputed(
        self, statements: list[Statement], forward: list[Statement]
    ) -> tuple[list[Statement], list[Symbol], list[Symbol]]:
        """Of the forward values that the backward step reads: which are saved, which computed again in front."""
        made = {s.symbol: s for s in forward}
        names = {signal_symbol(info.name, 0) for info in self.cell.states if info.role == "state"}
        kept = names | {signal_symbol(self.cell.output, 0)}
        saved: dict[Symbol, None] = {}
        again: dict[Symbol, None] = {}

        def is_there(symbol: Symbol) -> bool:
            """Whether a value is in memory anyway, or part of one that is."""
            if symbol not in made or symbol in kept or symbol in saved:
                return True
            statement = made[symbol]
            return isinstance(statement, Take) and is_there(statement.operand)

        def is_cheap(symbol: Symbol) -> bool:
            """Whether a value follows from saved values, states, inputs and constants, entry by entry."""
            if is_there(symbol):
                return True
            statement = made[symbol]
            return isinstance(statement, Let) and all(is_cheap(read) for read in statement.reads)

        def need(symbol: Symbol) -> None:
            if symbol not in made or symbol in kept or symbol in saved or symbol in again:
                return
            statement = made[symbol]
            if isinstance(statement, Let) and isinstance(statement.value, Symbol) and statement.value in made:
                need(statement.value)
                again[symbol] = None
            elif is_cheap(symbol):
                for read in statement.reads:
                    need(read)
                again[symbol] = None
            else:
                saved[symbol] = None

        operands = dict.fromkeys(weight.operand for weight in self._weights())
        for symbol in [s for s in made if s in operands]:
            if not is_there(symbol):
                saved[symbol] = None
        wanted = {symbol for statement in statements for symbol in statement.reads}
        for symbol in [s for s in made if s in wanted]:
            need(symbol)
        front = [made[symbol] for symbol in made if symbol in again]
        return [*front, *statements], [s for s in made if s in saved], list(again)


def _needed(statements: list[Statement], results: set[Symbol]) -> list[Statement]:
    needed, kept = set(results), []
    for statement in reversed(statements):
        if statement.symbol in needed:
            needed.update(statement.reads)
            kept.append(statement)
    return kept[::-1]


def _is_never_negative(width: Width) -> bool:
    return all(coefficient > 0 for _, coefficient in width.terms)


def number_of_blocks(matrix: Expr) -> Width | None:
    """Of a block-diagonal matrix."""
    blocks = blocks_of(matrix)
    return None if blocks is None else blocks.shape.dims[0]


def _is_input(cell: Cell, operand: Expr) -> bool:
    return isinstance(operand, Signal) and operand.delay == 0 and cell.signal[operand.name].role == "input"


def _word(symbol: Symbol) -> str:
    """A symbol's name as part of another's."""
    return "".join(c if c.isalnum() else "_" for c in symbol.name.removesuffix("_t")).strip("_")
