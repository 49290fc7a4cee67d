"""A step, stage by stage; and what comes before the first and after the last."""

from __future__ import annotations

from collections.abc import Iterator

from celldsl.emit.cpu.direction import Direction
from celldsl.emit.cpu.lanes import function
from celldsl.schedule.cpu_stages import Group, Stage
from celldsl.schedule.cpu_statements import Along, Concat, Take
from celldsl.symbolic.algebra import signal_symbol


def step(d: Direction) -> Iterator[str]:
    yield "template <bool save>"
    yield f"void step(const {d.type}& k, {d.type}Memory& w, const {d.type}At& at, Part part, Barrier* barrier) {{"
    yield "  (void)barrier;"
    early = _needs_barrier_first(d)
    for number, stage in enumerate(d.steps.stages):
        if d.can_split() and (number or early or any(g.products for g in stage.groups)):
            yield "  if (barrier) barrier->wait();"
        yield from _along(d, stage)
        for group in stage.groups:
            yield from _group(d, number, group)
    yield "}"
    yield ""


def _needs_barrier_first(d: Direction) -> bool:
    """Whether memory of one step alone is read across lanes, and so may be overwritten too early."""
    across = {operand for product in d.products for operand in product.operands}
    programs = d.schedule.programs
    across |= {s.symbol for s in (programs.backward if d.back else programs.forward) if isinstance(s, (Take, Concat))}
    kinds = {place.buffer.kind for symbol, place in d.steps.places.items() if symbol in across}
    return "scratch" in kinds or ("saved" in kinds and not d.back) or ("history" in kinds and not d.back)


def _along(d: Direction, stage: Stage) -> Iterator[str]:
    if not stage.along:
        return
    yield "  for (int64_t r = 0; r < at.rows; ++r) {"
    for statement in stage.along:
        yield f"    {_along_call(d, statement)}"
    yield "  }"


def _along_call(d: Direction, statement: Along) -> str:
    operands = ", ".join(d.row(operand) for operand in statement.operands)
    width = d.width(d.shapes[statement.operands[0]])
    if statement.function == "block_sums":
        width = d.width(statement.shape)
    if statement.times is not None:
        width += f", k.{d.arguments.widths[statement.times]}"
    stores = d.steps.stores[statement.symbol]
    target = f"at.{d.rows[stores[0].buffer, 0]}[r]{d.offset(stores[0])}"
    if statement.shape.rank or statement.times is not None:
        return f"along::{statement.function}({operands}, {target}, {width});"
    return f"*({target}) = along::{statement.function}({operands}, {width});"


def _group(d: Direction, number: int, group: Group) -> Iterator[str]:
    lanes = f"k.lanes_{d.shape_name(group.shape)}"
    yield f"  for (int64_t b = part.first({lanes}), last = part.last({lanes}); b < last; ++b) {{"
    yield f"    const int64_t first = {lanes}.first(b), lanes = {lanes}.size(b);"
    for at, product in enumerate(group.products):
        index = d.product_index(group, product)
        operands = ", ".join(d.operand(operand) for operand in product.operands)
        yield f"    const Rows operands_{at}[] = {{{operands}}};"
        narrow = f", w.narrow_{at}, b == part.first({lanes})" if d.bf16 else ""
        yield f"    multiply(k.products[{index}], b, operands_{at}, at.rows, w.product_{at}{narrow});"
    of_stage = function(d, number, group)
    yield "    int64_t j = first;"
    yield "    for (; j + LANES <= first + lanes; j += LANES)"
    yield f"      {of_stage}<false, save>(k, w, at, first, lanes, j, LANES);"
    yield "    if (j < first + lanes)"
    yield f"      {of_stage}<true, save>(k, w, at, first, lanes, j, static_cast<int>(first + lanes - j));"
    yield "  }"


def begin_and_end(d: Direction) -> Iterator[str]:
    """What happens to a group of rows before its first step and after its last."""
    yield f"void begin(const {d.type}& k, {d.type}Memory& w, int64_t r0) {{"
    if d.back:
        yield "  const int64_t rows = k.time.rows(0, r0, w.rows);"
        for name, delay in d.arguments.carried:
            buffer = f"carry_{d.names[signal_symbol(name, 0)]}_{delay}"
            width = d.width(d.schedule.cell.signal[name].shape)
            yield f"  receive(w.{buffer}, w.rows, k.final_grad_{name}_{delay}, r0, rows, {width});"
    yield "  (void)k; (void)w; (void)r0;"
    yield "}"
    yield f"void end(const {d.type}& k, {d.type}Memory& w, int64_t r0) {{"
    yield "  const int64_t rows = k.time.rows(0, r0, w.rows);"
    for name, delay in d.arguments.carried:
        info = d.schedule.cell.signal[name]
        word, width = d.names[signal_symbol(name, 0)], d.width(info.shape)
        if d.back:
            yield f"  if (k.initial_grad_{name}_{delay})"
            yield f"    deliver(w.carry_{word}_{delay}, w.rows, k.initial_grad_{name}_{delay}, r0, rows, {width});"
            continue
        rolling = f"w.rolling_{word}" if info.role == "state" else "nullptr"
        yield f"  if (k.final_{name}_{delay})"
        yield "    for (int64_t r = 0; r < rows; ++r) {"
        yield f"      const int64_t t = k.time.length(r0 + r) - {delay};"
        yield f"      const Rows from = t >= 0 ? past(k.time, k.{word}, {rolling}, {info.depth + 1}, t, r0, w.rows, {width})"
        first = f"initial(k.initial_{name}_{delay}, w.zeros, r0, {width})"
        for back in range(1, delay):
            first = f"t == -{back} ? initial(k.initial_{name}_{back}, w.zeros, r0, {width}) : {first}"
        yield f"                               : {first};"
        yield f"      std::memcpy(k.final_{name}_{delay} + (r0 + r) * {width}, from[r], sizeof(real) * static_cast<size_t>({width}));"
        yield "    }"
    yield "  (void)k; (void)w; (void)r0; (void)rows;"
    yield "}"
    yield ""
