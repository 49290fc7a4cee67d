"""The structure of a call: all its pointers and sizes, read from the three lists."""

from __future__ import annotations

from collections.abc import Iterator

from celldsl.emit.cpu.arguments import NUMBERS
from celldsl.emit.cpu.direction import Direction
from celldsl.schedule.cpu_stages import Group, StackedProduct


def call(d: Direction) -> Iterator[str]:
    """The structure of all pointers and sizes of a call, read from the three lists."""
    numbers = [*NUMBERS, *d.arguments.widths.values()]
    yield f"struct {d.type}Memory;"
    yield f"struct {d.type}At;"
    yield f"struct {d.type} {{"
    yield f"  using Memory = {d.type}Memory;"
    yield f"  using At = {d.type}At;"
    yield f"  static constexpr bool backward = {'true' if d.back else 'false'};"
    yield f"  int64_t {', '.join(numbers)};"
    yield f"  Lanes {', '.join(f'lanes_{d.shape_name(shape)}' for shape in d.group_shapes())};"
    reals = [p.name for p in d.pointers if p.role != "sizes"]
    for at in range(0, len(reals), 8):
        yield "  real " + ", ".join(f"*{name}" for name in reals[at : at + 8]) + ";"
    yield "  Time time;"
    for setting in d.arguments.settings:
        yield f"  real setting_{setting};"
    count = max(1, len(d.products))
    yield f"  Product products[{count}];"
    yield f"  static constexpr int weight_count = {len(d.weight_sizes())};"
    yield f"  static constexpr int product_count = {len(d.products)};"
    yield f"  static constexpr bool can_split = {'true' if d.can_split() else 'false'};"
    yield ""
    yield f"  {d.type}(void* const* tensors, const int64_t* numbers, const double* settings) {{"
    yield "    (void)settings;"
    for at, number in enumerate(numbers):
        yield f"    {number} = numbers[{at}];"
    for at, pointer in enumerate(d.pointers):
        if pointer.role != "sizes":
            yield f"    {pointer.name} = static_cast<real*>(tensors[{at}]);"
    yield "    time.open(static_cast<const int64_t*>(tensors[0]), steps, batch);"
    for at, setting in enumerate(d.arguments.settings):
        yield f"    setting_{setting} = static_cast<real>(settings[{at}]);"
    for shape in d.group_shapes():
        gates = max((len(p.gates) for g in d.groups if g.shape == shape for p in g.products), default=1)
        yield (
            f"    lanes_{d.shape_name(shape)} = cut_lanes({d.width(shape, '')}, {d.sections(shape)}, {gates}, "
            "split ? threads : 1, most_rows);"
        )
    strides = len(numbers)
    at = 0
    for group in d.groups:
        for product in group.products:
            yield from _describe(d, at, group, product, strides)
            at += 1
    yield "    real* p = packed;"
    yield "    for (int i = 0; i < product_count; ++i) {"
    yield "      products[i].close();"
    yield "      products[i].packed = p;"
    yield "      p += products[i].packed_reals();"
    yield "    }"
    yield "  }"
    yield f"  bool saves() const {{ return {_saves(d)}; }}"
    yield "  int64_t packed_reals() const {"
    yield "    int64_t total = 0;"
    yield "    for (int i = 0; i < product_count; ++i) total += products[i].packed_reals();"
    yield "    return total;"
    yield "  }"
    yield "};"
    yield ""


def _describe(d: Direction, at: int, group: Group, product: StackedProduct, strides: int) -> Iterator[str]:
    matrices = d.schedule.programs.matrices
    yield f"    products[{at}].gates = {len(product.gates)};"
    yield f"    products[{at}].segments = {len(product.operands)};"
    yield f"    products[{at}].lanes = lanes_{d.shape_name(group.shape)};"
    for s, (operand, blocks) in enumerate(zip(product.operands, product.blocks, strict=True)):
        cuts = "1" if blocks is None else d.blocks(blocks, "")
        each = "" if blocks is None else f" / {cuts}"
        yield f"    products[{at}].length[{s}] = {d.width(d.shapes[operand], '')}{each};"
        yield f"    products[{at}].cuts[{s}] = {cuts};"
    for g, gate in enumerate(product.gates):
        for s, term in enumerate(gate.terms):
            down, across = strides + 2 * term.matrix, strides + 2 * term.matrix + 1
            if term.transposed:
                down, across = across, down
            strides_of = f"numbers[{down}], numbers[{across}]"
            following = "0"
            if term.blocks is not None:  # the blocks are kept one below the other
                high = d.shapes[term.operand] if term.transposed else group.shape
                following = f"numbers[{strides + 2 * term.matrix}] * {d.width(high, '')} / {d.blocks(term.blocks, '')}"
            yield f"    products[{at}].matrix[{g}][{s}] = {{matrix_{term.matrix}, {strides_of}, {following}}};"
    assert all(t.matrix < len(matrices) for gate in product.gates for t in gate.terms)


def _saves(d: Direction) -> str:
    """Whether the call has room for what is saved."""
    rest = [b.name for b in d.schedule.saved if b not in d.switching()]
    return " && ".join(rest) if rest and not d.back else "false"
