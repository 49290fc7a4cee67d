"""The function of a stage that computes a vector of lanes for all rows."""

from __future__ import annotations

from collections.abc import Iterator

from celldsl.check.cell import Setting
from celldsl.check.width import Shape
from celldsl.emit.cpu.direction import Direction
from celldsl.schedule.cpu_stages import Group, Place
from celldsl.schedule.cpu_statements import Gather, Let, Symbol
from celldsl.symbolic.algebra import signal_symbol


def lanes(d: Direction, number: int, group: Group) -> Iterator[str]:
    """The function that computes a vector of lanes for all rows."""
    equations = d.schedule.equation_of
    yield f"// stage {number}, {group.shape}"
    yield "template <bool part, bool save>"
    yield f"CELLDSL_INLINE void {function(d, number, group)}("
    yield f"    const {d.type}& k, {d.type}Memory& w, const {d.type}At& at, int64_t first, int64_t lanes,"
    yield "    int64_t j, int count) {"
    made = set(group.made)
    reads = dict.fromkeys(read for s in group.body for read in s.reads if read not in made)
    registers = {s: d.steps.places.get(s) for s in reads}
    for symbol, place in registers.items():
        if place is None:
            yield f"  const vec {d.names[symbol]} = {_constant(d, symbol)};"
    for gather in (s for s in group.body if isinstance(s, Gather)):
        yield f"  vec {d.names[gather.symbol]}{{}};"
    yield "  for (int64_t r = 0; r < at.rows; ++r) {"
    for symbol, place in registers.items():
        if place is not None:
            yield f"    const vec {d.names[symbol]} = {_read(d, symbol, place, group.shape)};"
    for number_of, product in enumerate(group.products):
        for g, gate in enumerate(product.gates):
            index = d.product_index(group, product)
            yield (
                f"    const vec {d.names[gate.symbol]} = "
                f"load(w.product_{number_of} + r * k.products[{index}].stride() + {g} * lanes + j - first);"
            )
            if not isinstance(gate, Let):
                yield from _stored(d, gate.symbol, group.shape)
    for statement in group.body:
        if isinstance(statement, Gather):
            yield f"    {d.names[statement.symbol]} += {d.names[statement.of]};"
            continue
        target = _target(d, statement.symbol)
        if target is not None and not d.back:
            yield f"    // {equations[target]}"
        yield f"    const vec {d.name_of(statement.symbol)} = {d.printer.value(statement.value)};"
        yield from _stored(d, statement.symbol, group.shape)
    yield "  }"
    for gather in (s for s in group.body if isinstance(s, Gather)):
        name = d.names[gather.symbol]
        yield f"  put<part>(w.{name} + j, get<part>(w.{name} + j, count) + {name}, count);"
    yield "  (void)k; (void)w; (void)first; (void)lanes; (void)count;"
    yield "}"
    yield ""


def function(d: Direction, number: int, group: Group) -> str:
    return f"{d.name}_{number}_{d.shape_name(group.shape)}"


def _target(d: Direction, symbol: Symbol) -> str | None:
    for name in d.schedule.equation_of:
        if signal_symbol(name, 0) == symbol:
            return name
    return None


def _constant(d: Direction, symbol: Symbol) -> str:
    programs = d.schedule.programs
    if symbol in programs.constants:
        name = d.names[symbol]
        return f"get<part>(k.{name} + j, count)" if d.shapes[symbol].rank else f"broadcast(k.{name}[0])"
    meaning = programs.form.meaning.get(symbol)
    if isinstance(meaning, Setting):
        return f"broadcast(k.setting_{meaning.name})"
    return f"broadcast(static_cast<real>(k.{d.names[symbol]}))"


def _read(d: Direction, symbol: Symbol, place: Place, shape: Shape) -> str:
    rows = f"at.{d.rows[place.buffer, place.delay]}[r]{d.offset(place)}"
    if not d.shapes[symbol].rank and shape.rank:
        return f"broadcast(*({rows}))"
    return f"get<part>({rows} + j, count)"


def _stored(d: Direction, symbol: Symbol, shape: Shape) -> Iterator[str]:
    for place in d.steps.stores.get(symbol, ()):
        name = d.rows[place.buffer, place.delay]
        text = f"put<part>(at.{name}[r]{d.offset(place)} + j, {d.name_of(symbol)}, count);"
        optional = place.buffer.kind == "saved" and not d.back and place.buffer not in d.switching()
        yield f"    if constexpr (save) {text}" if optional else f"    {text}"
