"""Gradients of matrices, from the cotangents of a chunk of steps; and what is done when all is over."""

from __future__ import annotations

from collections.abc import Iterator

from celldsl.emit.cpu.direction import Direction
from celldsl.schedule.cpu_stages import Place
from celldsl.schedule.cpu_statements import Symbol


def weights(d: Direction) -> Iterator[str]:
    """Gradients of matrices, from the cotangents of a chunk of steps; and what is done when all is over."""
    products = () if d.schedule.hoist else d.schedule.weight_products
    yield "void gather_weights(const Backward& k, BackwardMemory& w, int64_t t0, int64_t t1, int64_t r0) {"
    if products:
        row = f"(up({d.row_size(d.schedule.handed)}, LANES) + 4 * LANES)"
        yield f"  const int64_t row = {row};"
    for at, product in enumerate(products):
        sizes = d.weight_sizes()[at]
        before = "".join(f" + {d.width(shape)}" for shape in product.before)
        place = _operand_place(d, product.operand)
        offset = d.offset(place)
        if sizes.blocks:
            yield f"  for (int64_t i = 0; i < {sizes.blocks}; ++i)"
            offset += f" + i * ({sizes.operand})"
            before += f" + i * ({sizes.columns})"
        yield f"  gather_weight(w.weight_{at}{sizes.shift}, w.outer, {sizes.operand}, {sizes.columns}, t0, t1, [&](int64_t t) {{"
        yield f"    Rows operand = {_located_for_weights(d, place)};"
        if offset:
            yield f"    operand.p += {offset.removeprefix(' + ')};"
        yield "    return Outer{k.time.rows(t, r0, w.rows), operand,"
        yield f"                 Rows{{w.handed + (t % k.chunk) * w.rows * row{before}, row}}}};"
        yield "  });"
    yield "  (void)k; (void)w; (void)t0; (void)t1; (void)r0;"
    yield "}"
    yield ""
    yield "// The sums of all threads, and their way into the gradients."
    yield "void finish(const Backward& k, const BackwardMemory* all, int count, Part part) {"
    yield "  if (part.number == 0) {"
    for symbol in d.schedule.programs.gathered:
        name = d.names[symbol]
        gather = next((g for g in d.gathers if g.symbol == symbol), None)
        if gather is not None:
            yield f"    if (k.out_{name}) gather_sum(k.out_{name}, {d.width(gather.shape)}, count, [&](int i) {{ return all[i].{name}; }});"
    yield "  }"
    for at, product in enumerate(products):
        sizes = d.weight_sizes()[at]
        offset = "0"
        for weight, shape in zip(product.weights, product.shapes, strict=True):
            width, out = d.width(shape), f"k.out_matrix_{weight.matrix}"
            yield f"  if ({out})"
            if sizes.blocks:
                width = sizes.columns
                yield f"    for (int64_t i = 0; i < {sizes.blocks}; ++i)"
                out += f" + i * ({width}) * ({sizes.operand})"
            yield (
                f"    spread_weight({out}, {width}, {sizes.operand}, {offset}, "
                f"count, part, [&](int thread) {{ return all[thread].weight_{at}{sizes.shift}; }});"
            )
            offset = width if offset == "0" else f"{offset} + {width}"
    yield "  (void)k; (void)all; (void)count; (void)part;"
    yield "}"
    yield ""


def _operand_place(d: Direction, symbol: Symbol) -> Place:
    place = d.steps.places.get(symbol)
    if place is not None:
        return place
    return d.schedule.operand_places[symbol]


def _located_for_weights(d: Direction, place: Place) -> str:
    buffer, delay = place.buffer, place.delay
    size = d.row_size(buffer)
    if buffer.kind in ("input", "history"):
        text = f"past(k.time, k.{buffer.name}, nullptr, 1, t - {delay}, r0, w.rows, {size})"
        for back in range(delay):
            first = f"k.initial_{d.signal_of(buffer)}_{delay - back}"
            text = f"t == {back} ? initial({first}, w.zeros, r0, {size}) : {text}"
        return text
    return f"Rows{{k.{buffer.name} + (k.time.offset(t) + r0) * ({size}), {size}}}"
