"""Where the rows of a step are, and how they are fetched ahead."""

from __future__ import annotations

from collections.abc import Iterator

from celldsl.emit.cpu.direction import Direction
from celldsl.schedule.cpu_stages import Buffer


def at(d: Direction) -> Iterator[str]:
    yield "// Where the rows of step t are."
    yield f"struct {d.type}At {{"
    yield "  int64_t rows = 0;"
    for name in dict.fromkeys(d.rows.values()):
        yield f"  Rows {name};"
    yield f"  {d.type}At(const {d.type}& k, const {d.type}Memory& w, int64_t t, int64_t r0) {{"
    yield "    const int64_t now = k.time.offset(t) + r0;"
    yield "    rows = k.time.rows(t, r0, w.rows);"
    done: set[str] = set()
    for (buffer, delay), name in d.rows.items():
        if name not in done:
            done.add(name)
            yield f"    {name} = {located(d, buffer, delay)};"
    yield "    (void)now;"
    yield "  }"
    yield "};"
    yield ""


def ahead(d: Direction) -> Iterator[str]:
    """Brings what a step streams through near the processor. Backward in time no hardware sees the pattern, and at
    most cells' sizes waiting for saved values would take longer than computing with them."""
    read = ("input", "before", "upstream", *(("saved", "history") if d.back else ()))
    written = ("result", *(("handed",) if d.schedule.hoist else ())) if d.back else ("saved", "history")
    deepest = {buffer: max(d for b, d in d.rows if b == buffer) for buffer, _ in d.rows}
    yield "template <bool save>"
    yield f"void ahead(const {d.type}& k, const {d.type}At& at, Part part) {{"
    for (buffer, delay), name in d.rows.items():
        size = d.row_size(buffer)
        if buffer.kind in read and delay == deepest[buffer]:
            yield f"  fetch<0>(at.{name}, at.rows, {size}, part);"
        elif buffer.kind in written and not delay:
            yield f"  {'' if d.back else 'if constexpr (save) '}fetch<1>(at.{name}, at.rows, {size}, part);"
    yield "  (void)k; (void)at; (void)part;"
    yield "}"
    yield ""


def located(d: Direction, buffer: Buffer, delay: int) -> str:
    size = d.row_size(buffer)
    if buffer.kind in ("arriving", "leaving"):
        # Two halves that change roles at every step: nothing is overwritten before it is read.
        turn = "t & 1" if buffer.kind == "arriving" else "(t & 1) ^ 1"
        return f"{{w.{buffer.name}_{buffer.delay} + ({turn}) * w.rows * up({size}, LANES), up({size}, LANES)}}"
    if buffer.kind == "scratch":
        return f"{{w.scratch_{buffer.name}, up({size}, LANES)}}"
    if buffer.kind == "handed" and not d.schedule.hoist:
        row = f"(up({size}, LANES) + 4 * LANES)"
        return f"{{w.handed + (t % k.chunk) * w.rows * {row}, {row}}}"
    pointer = f"k.{buffer.name}"
    if buffer.kind == "locked":
        return f"{{{pointer} + r0 * ({size}), {size}}}"
    if buffer.kind == "upstream":
        return f"k.upstream ? Rows{{k.upstream + now * ({size}), {size}}} : Rows{{w.zeros, 0}}"
    if buffer.kind in ("input", "history"):
        rolling = f"w.rolling_{buffer.name}" if buffer.kind == "history" and not d.back else "nullptr"
        slots = d.slots(buffer)
        text = f"past(k.time, {pointer}, {rolling}, {slots}, t - {delay}, r0, w.rows, {size})"
        if not delay:
            return text
        signal = d.signal_of(buffer)
        for back in range(delay):  # at step `back`, the value so many steps back is the initial one
            first = f"k.initial_{signal}_{delay - back}"
            text = f"t == {back} ? initial({first}, w.zeros, r0, {size}) : {text}"
        return text
    if buffer.kind == "saved" and not d.back and buffer in d.switching():
        return f"{pointer} ? Rows{{{pointer} + now * ({size}), {size}}} : Rows{{w.scratch_{buffer.name}, up({size}, LANES)}}"
    return f"{{{pointer} + now * ({size}), {size}}}"
