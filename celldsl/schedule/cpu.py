"""The schedule of a cell for CPU kernels: stages of a step, forward and backward, and what memory they use.

Two variants of a cell differ in what the loop takes in. `folded`: products with inputs are part of the step, weight
gradients are gathered in the kernel while cotangents are in the cache; best while the packed weights fit the
second-level cache. `hoisted`: products with inputs are computed before the loop for all steps, and weight gradients
after it, as one product each. `takes` says which one suits given sizes.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from celldsl.check.cell import Cell, Expr, Signal
from celldsl.check.width import Shape, Width
from celldsl.schedule.cpu_program import build
from celldsl.schedule.cpu_stages import Buffer, Place, Steps, arrange, behind
from celldsl.schedule.cpu_statements import Multiply, Programs, Symbol, Take, Weight
from celldsl.schedule.rows import blocks_of
from celldsl.symbolic.algebra import dim_symbol, signal_symbol
from celldsl.symbolic.form import Form

L2_SHARE = 1_300_000
"""Bytes of packed weights, of one direction, up to which products with inputs are folded into the loop."""


@dataclass(frozen=True)
class WeightProduct:
    """Gradients of matrices that multiply one operand: `weights` have their cotangents side by side in the buffer
    of handed cotangents, behind those of the shapes `before`. blocks: of the one weight, if it is block-diagonal."""

    operand: Symbol
    weights: tuple[Weight, ...]
    before: tuple[Shape, ...]
    shapes: tuple[Shape, ...]
    blocks: Width | None = None


@dataclass(frozen=True)
class CpuSchedule:
    """Both directions of a cell's step, arranged. `hoist` says which variant it is."""

    cell: Cell
    programs: Programs
    forward: Steps
    backward: Steps
    handed: Buffer
    weight_products: tuple[WeightProduct, ...]
    names: dict[Symbol, str]
    operand_places: dict[Symbol, Place]
    """Where the operands of weight gradients are."""

    @property
    def hoist(self) -> bool:
        return self.programs.hoist

    @property
    def variant(self) -> str:
        return "hoisted" if self.hoist else "folded"

    @cached_property
    def histories(self) -> tuple[Buffer, ...]:
        """The sequences of carried states and of the output, in the order of `cell.states`, the output last if it is
        no state."""
        names = [info.name for info in self.cell.states if info.role == "state"]
        names += [self.cell.output] if self.cell.output not in names else []
        return tuple(Buffer(self.names[signal_symbol(n, 0)], "history", (self.cell.signal[n].shape,)) for n in names)

    @cached_property
    def saved(self) -> tuple[Buffer, ...]:
        """What is written forward and read backward, besides histories."""
        return tuple(b for b in self.forward.buffers if b.kind == "saved")

    @property
    def equation_of(self) -> dict[str, str]:
        """The author's equation of each target, as text."""
        from celldsl.syntax import write

        return {e.target: write(e.written) for e in self.cell.steps}

    def __str__(self) -> str:
        from celldsl.schedule.cpu_table import table

        return table(self)


def plan(form: Form, hoist: bool = False) -> CpuSchedule:
    """The schedule of a form. Raises NotForCpu for a cell that no kernel is generated for."""
    programs = build(form, hoist)
    names = _identifiers(form.cell, programs)
    cell = form.cell

    def buffer(symbol: Symbol, kind: str) -> Buffer:
        return Buffer(names[symbol], kind, (programs.shapes[symbol],))  # type: ignore[arg-type]

    leaves: dict[Symbol, Place] = {}
    # Not a set: the text of a kernel, by which its library is found again, must be the same in every process.
    kept = tuple(dict.fromkeys([*(info.name for info in cell.states if info.role == "state"), cell.output]))
    for symbol, meaning in form.meaning.items():
        if isinstance(meaning, Signal) and meaning.name in cell.varying:
            info = cell.signal[meaning.name]
            now = signal_symbol(meaning.name, 0)
            names.setdefault(now, names.get(now, meaning.name))
            if info.role == "input" or meaning.delay or meaning.name in kept:
                kind = "history" if info.role != "input" else "locked" if info.noise == "sequence" else "input"
                leaves[symbol] = Place(Buffer(names[now], kind, (info.shape,)), delay=meaning.delay)  # type: ignore[arg-type]
    made = {s.symbol for s in programs.forward}
    before = Buffer("before", "before", tuple(block.shape for block in programs.hoisted))
    for at, block in enumerate(programs.hoisted):
        leaves[block.symbol] = Place(before, before.shapes[:at])
    homes = {
        signal_symbol(name, 0): (Place(Buffer(names[signal_symbol(name, 0)], "history", (cell.signal[name].shape,))),)
        for name in kept
    }
    for symbol in programs.saved:
        homes[symbol] = (*homes.get(symbol, ()), Place(buffer(symbol, "saved")))
    forward_leaves = {s: p for s, p in leaves.items() if s not in made}
    forward = arrange(programs.forward, forward_leaves, homes, programs.shapes, names.__getitem__)

    back_leaves = dict(leaves)
    for symbol in programs.saved:
        back_leaves[symbol] = Place(buffer(symbol, "saved"))
    back_leaves[programs.upstream] = Place(buffer(programs.upstream, "upstream"))
    back_homes: dict[Symbol, tuple[Place, ...]] = {}
    for carry in programs.carries:
        name, shapes = f"carry_{names[signal_symbol(carry.signal, 0)]}", (programs.shapes[carry.arriving],)
        back_leaves[carry.arriving] = Place(Buffer(name, "arriving", shapes, carry.delay))
        back_homes[carry.leaving] = (Place(Buffer(name, "leaving", shapes, carry.delay)),)
    for symbol in programs.gradients:
        back_homes[symbol] = (Place(buffer(symbol, "result")),)
    cotangents = _handed_order(programs)
    handed = Buffer("handed", "handed", tuple(programs.shapes[c] for c in cotangents))
    for at, symbol in enumerate(cotangents):
        back_homes[symbol] = (*back_homes.get(symbol, ()), Place(handed, handed.shapes[:at]))
    operands = {weight.operand: _in_memory(weight.operand, programs, back_leaves) for weight in programs.weights}
    computed = {s.symbol for s in programs.backward}
    back_leaves = {s: p for s, p in back_leaves.items() if s not in computed}
    backward = arrange(programs.backward, back_leaves, back_homes, programs.shapes, names.__getitem__)
    products = _weight_products(programs, cotangents, handed)
    return CpuSchedule(cell, programs, forward, backward, handed, products, names, operands)


def _in_memory(symbol: Symbol, programs: Programs, leaves: dict[Symbol, Place]) -> Place:
    """Where a value stands that is in memory, or a part of one that is."""
    if symbol in leaves:
        return leaves[symbol]
    made = next(s for s in programs.forward if s.symbol == symbol)
    assert isinstance(made, Take)
    return behind(_in_memory(made.operand, programs, leaves), made.before)


def takes(cell: Cell, sizes: dict[str, int], itemsize: int) -> bool:
    """Whether products with inputs are better hoisted at these sizes."""
    total = 0
    for matrix in _matrices(cell):
        blocks = blocks_of(matrix)
        total += int((matrix if blocks is None else blocks).shape.size.at(sizes)) * itemsize
    return total > L2_SHARE


def _matrices(cell: Cell) -> list[Expr]:
    from celldsl.check.cell import Product

    found: dict[Expr, None] = {}
    for equation in cell.steps:
        for node in equation.value.walk():
            if isinstance(node, Product) and node.left.shape.rank == 2:
                found[node.left] = None
    return list(found)


def _handed_order(programs: Programs) -> list[Symbol]:
    """The cotangents that leave the step, those of hoisted products first, then by the operands they meet, so that
    gradients of matrices with one operand are one product."""
    order = [block.cotangent for block in programs.hoisted if block.cotangent is not None]
    meets: dict[Symbol, list[str]] = {}
    for weight in programs.weights:
        meets.setdefault(weight.cotangent, []).append(weight.operand.name)
    by_operands = sorted(meets, key=lambda c: (sorted(meets[c]), programs.shapes[c].rank))
    return list(dict.fromkeys([*order, *by_operands]))


def _weight_products(programs: Programs, cotangents: list[Symbol], handed: Buffer) -> tuple[WeightProduct, ...]:
    found: list[WeightProduct] = []
    for operand in dict.fromkeys(weight.operand for weight in programs.weights):
        mine = [weight for weight in programs.weights if weight.operand == operand]
        for weight in (weight for weight in mine if weight.blocks is not None):
            start = cotangents.index(weight.cotangent)
            shapes = handed.shapes[start : start + 1]
            found.append(WeightProduct(operand, (weight,), handed.shapes[:start], shapes, weight.blocks))
        left = [weight for weight in mine if weight.blocks is None]
        while left:  # `A h + B h` are two matrices with one operand and one cotangent
            taken = {weight.cotangent: weight for weight in reversed(left)}
            left = [weight for weight in left if weight not in taken.values()]
            run: list[Weight] = []
            for at, cotangent in enumerate([*cotangents, None]):
                if cotangent in taken:
                    run.append(taken[cotangent])
                elif run:
                    start = at - len(run)
                    found.append(WeightProduct(operand, tuple(run), handed.shapes[:start], handed.shapes[start:at]))
                    run = []
    return tuple(found)


# --- names ---------------------------------------------------------------------------------

_WORDS = """
    alignas alignof and asm auto bool break case catch char class concept const constexpr continue decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not nullptr operator or private protected public register requires return short
    signed sizeof static struct switch template this throw true try typedef typeid typename union unsigned using
    virtual void volatile wchar_t while xor main NULL std celldsl along
    real whole vec ivec mask loose load store get put add broadcast where less between lanewise within scaled nearest
    bits pattern SIGN signed_as halvings expm1_rest log_core
    exp exp_core reciprocal sigmoid tanh abs sign max min clamp relu hard_sigmoid hard_tanh softsign silu
    leaky_relu log log1p erf sin cos sqrt floor softplus log_sigmoid gelu elu power raised sum mean dot norm softmax
    cumsum reverse_cumsum cumax rmsnorm layernorm repeat block_sums Lanes
    rows parts_of up pack multiply tile Rows Arena Matrix Product Barrier Piece Tile Forward Backward Memory At r j k
    w at lane lanes count part parts b t save work time first last row zeros run step handed packed before upstream
    sizes threads split steps batch most_rows chunk products ahead outer
"""
RESERVED = frozenset(_WORDS.split())
"""Names that no value of a kernel may have: C++'s, the support code's, and those of the generated functions."""


def _identifiers(cell: Cell, programs: Programs) -> dict[Symbol, str]:
    """A C++ name for every symbol: the author's, without `_t`; `h_{t-1}` is `h_1`."""
    taken: set[str] = set(RESERVED) | set(keyword.kwlist)
    names: dict[Symbol, str] = {}

    def give(symbol: Symbol, wish: str) -> None:
        word = "".join(c if c.isascii() and (c.isalnum() or c == "_") else " " for c in wish)
        word = "_".join(word.split()).strip("_") or "value"
        word = f"v{word}" if word[0].isdigit() else word
        while "__" in word:
            word = word.replace("__", "_")
        found, count = word, 1
        while found in taken:
            count += 1
            found = f"{word}_" if count == 2 and word in RESERVED else f"{word}_v{count}"
        taken.add(found)
        names[symbol] = found

    for symbol in programs.shapes:
        meaning = programs.form.meaning.get(symbol)
        if isinstance(meaning, Signal):
            give(symbol, meaning.name if not meaning.delay else f"{meaning.name}_{meaning.delay}")
    for info in cell.signals:
        if signal_symbol(info.name, 0) not in names:
            give(signal_symbol(info.name, 0), info.name)
    for name in dict.fromkeys([*(dim.name for dim in cell.dims), *(s.name for s in cell.settings if s.is_width)]):
        give(dim_symbol(name), f"width_{name}")
    for symbol in programs.shapes:
        if symbol not in names:
            give(symbol, symbol.name.replace("{t-", "").replace("}", "").removesuffix("_t"))
    return names


Name = Callable[[Symbol], str]
__all__ = ["CpuSchedule", "Multiply", "WeightProduct", "plan", "takes"]
