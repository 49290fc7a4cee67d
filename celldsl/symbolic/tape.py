"""The pointwise map as a list of small steps, each with a name: what reverse mode walks back over.

A node is either one function applied to named values, or a rational expression without functions. Equations keep
their own names; what stands between is named after them: `a_i` is the argument inside the gate `i_t`, `tanh_c` is
tanh(c_t), `in_U_h` the operand of U_h. Each is named once, however often it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import sympy

from celldsl.check.cell import Parameter, Setting, Signal
from celldsl.check.width import Shape
from celldsl.symbolic.form import Atom, Form, Opaque, Product
from celldsl.symbolic.text import show


@dataclass(frozen=True)
class Node:
    """`symbol = value`; target: the equation it belongs to; constant: the same at every step."""

    symbol: sympy.Symbol
    value: sympy.Expr
    shape: Shape
    target: str
    constant: bool


@dataclass(frozen=True)
class ProductNode:
    """`symbol = product.matrix @ operand`, the operand a name (or a number, for a matrix applied to nothing else)."""

    symbol: sympy.Symbol
    product: Product
    operand: sympy.Expr
    shape: Shape
    target: str
    constant: bool


@dataclass(frozen=True)
class OpaqueNode:
    """`symbol = function(arguments)`, the arguments names or numbers."""

    symbol: sympy.Symbol
    opaque: Opaque
    arguments: tuple[sympy.Expr, ...]
    shape: Shape
    target: str
    constant: bool


AnyNode = Node | ProductNode | OpaqueNode


@dataclass(frozen=True)
class Tape:
    """The nodes in order of computation, and which symbols keep their value in time.

    shapes: of every node and of every symbol of the form.
    """

    form: Form
    nodes: tuple[AnyNode, ...]
    shapes: dict[sympy.Symbol, Shape]
    constants: frozenset[sympy.Symbol]
    names: Names


class Names:
    """Gives out names that no signal, parameter or setting has."""

    def __init__(self, taken: Iterable[str]):
        self.taken = set(taken)

    def unique(self, name: str) -> sympy.Symbol:
        """A symbol of this name; numbered where the name is taken."""
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return sympy.Symbol(found)


def record(form: Form) -> Tape:
    """The tape of a form's step equations. Derived parameters count as parameters: they are computed before."""
    writer = _Writer(form)
    for line in form.lines:
        writer.line(line.symbol, line.value, line.shape, line.target, line.atoms)
    return Tape(form, tuple(writer.nodes), writer.shapes, frozenset(writer.constants), writer.names)


@dataclass
class _Writer:
    form: Form
    nodes: list[AnyNode] = field(default_factory=list)
    known: dict[sympy.Expr, sympy.Symbol] = field(default_factory=dict)
    shapes: dict[sympy.Symbol, Shape] = field(default_factory=dict)
    constants: set[sympy.Symbol] = field(default_factory=set)

    def __post_init__(self) -> None:
        cell = self.form.cell
        self.names = Names([*cell.signal, *cell.parameter, *cell.setting, *cell.equation, *(d.name for d in cell.dims)])
        for symbol, meaning in self.form.meaning.items():
            self.shapes[symbol] = meaning.shape
            timeless = not isinstance(meaning, (Signal, Product, Opaque))
            if timeless or (isinstance(meaning, Signal) and meaning.delay == 0 and meaning.name not in cell.varying):
                self.constants.add(symbol)

    def line(self, symbol: sympy.Symbol, value: sympy.Expr, shape: Shape, target: str, atoms: tuple[Atom, ...]) -> None:
        for atom in atoms:
            if isinstance(atom, Product):
                operand = self.named(atom.operand_value, f"in_{_plain(show(atom.matrix))}", target)
                self.add(ProductNode(atom.symbol, atom, operand, atom.shape, target, self.is_constant(operand)))
            else:
                arguments = tuple(self.named(a, f"in_{atom.function}", target) for a in atom.argument_values)
                constant = all(self.is_constant(a) for a in arguments)
                self.add(OpaqueNode(atom.symbol, atom, arguments, atom.shape, target, constant))
        flat = self.call(value, target) if value.is_Function else self.flat(value, target)
        self.add(Node(symbol, flat, shape, target, self.is_constant(flat)))
        # A later `sigmoid(…)` of the same argument is this signal; a bare name keeps its own.
        if not flat.is_Symbol:
            self.known.setdefault(flat, symbol)

    def flat(self, value: sympy.Expr, target: str) -> sympy.Expr:
        """The value with every function in it replaced by a name."""
        if value.is_Function:
            return self.named(value, "", target)
        if not value.args:
            return value
        return value.func(*(self.flat(a, target) for a in value.args))

    def call(self, value: sympy.Expr, target: str) -> sympy.Expr:
        """A function whose arguments are names or numbers."""
        return value.func(*(self.named(a, f"a_{target}", target) for a in value.args))

    def named(self, value: sympy.Expr, name: str, target: str) -> sympy.Expr:
        """A name for a value; numbers and names stay themselves."""
        flat = self.call(value, target) if value.is_Function else self.flat(value, target)
        if flat.is_Symbol or not flat.free_symbols:
            return flat
        if flat not in self.known:
            if flat.is_Function:
                name = "_".join([flat.func.__name__, *(short_name(self.form, a) for a in flat.args if a.is_Symbol)])
            shape = next((self.shapes[s] for s in _ordered(flat.free_symbols) if self.shapes[s].rank), Shape())
            symbol = self.names.unique(name)
            self.known[flat] = symbol
            self.add(Node(symbol, flat, shape, target, self.is_constant(flat)))
        return self.known[flat]

    def add(self, node: AnyNode) -> None:
        self.nodes.append(node)
        self.shapes[node.symbol] = node.shape
        if node.constant:
            self.constants.add(node.symbol)

    def is_constant(self, value: sympy.Expr) -> bool:
        return value.free_symbols <= self.constants


def _plain(text: str) -> str:
    """A text as part of a name: letters, digits and `_`; `U_i h_{t-1}` -> `U_i_h_1`."""
    text = re.sub(r"_t\b", "", text.replace("{t-", "").replace("}", ""))
    return "_".join("".join(c if c.isalnum() or c == "_" else " " for c in text).split()) or "value"


def _ordered(symbols: Iterable[sympy.Symbol]) -> list[sympy.Symbol]:
    return sorted(symbols, key=lambda s: s.name)


def short_name(form: Form, symbol: sympy.Symbol) -> str:
    """A symbol's name as part of other names: `h`, `h_1`, `b_i`, `a_i`."""
    meaning = form.meaning.get(symbol)
    if isinstance(meaning, Signal):
        return meaning.name if meaning.delay == 0 else f"{meaning.name}_{meaning.delay}"
    if isinstance(meaning, (Parameter, Setting)):
        return meaning.name
    if isinstance(meaning, Opaque) and len(meaning.symbol.name) > 16:
        return meaning.function
    return _plain(symbol.name)
