"""The memory of a call: what a step keeps besides the tensors of the call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from celldsl.emit.cpu.direction import Direction
from celldsl.schedule.cpu_stages import Group


def memory(d: Direction) -> Iterator[str]:
    """What a step keeps besides the tensors of the call."""
    yield f"struct {d.type}Memory {{"
    yield "  int64_t rows = 0;"
    yield "  real* zeros = nullptr;"
    for name in _memory_names(d):
        yield f"  real* {name} = nullptr;"
    for name, _ in _own_sizes(d):
        yield f"  real* {name} = nullptr;"
    yield ""
    yield f"  static int64_t shared_reals(const {d.type}& k, int64_t rows) {{"
    yield "    int64_t total = 0;"
    for _, size in shared_sizes(d):
        yield f"    total += up({size}, LANES);"
    yield "    (void)k; (void)rows;"
    yield "    return total;"
    yield "  }"
    yield f"  static int64_t own_reals(const {d.type}& k, int64_t rows) {{"
    yield "    int64_t total = 0;"
    for _, size in _own_sizes(d):
        yield f"    total += up({size}, LANES);"
    yield "    (void)k; (void)rows;"
    yield "    return total;"
    yield "  }"
    yield f"  void share(const {d.type}& k, Arena& arena, int64_t most) {{"
    yield "    rows = most;"
    for name, size in shared_sizes(d):
        yield f"    {name} = arena.take({size});"
    yield f"    std::fill(zeros, zeros + ({_widest(d)}), real(0));"
    for gather in d.gathers:
        name = d.names[gather.symbol]
        yield f"    std::fill({name}, {name} + {d.width(gather.shape)}, real(0));"
    if d.back and not d.schedule.hoist:
        # Weight gradients multiply padding too: what lies there must not be subnormal, which is slow.
        size = next(size for name, size in shared_sizes(d) if name == "handed")
        yield f"    std::fill(handed, handed + {size}, real(0));"
    if d.back:
        for at, weight in enumerate(d.weight_sizes()):
            yield f"    std::fill(weight_{at}, weight_{at} + {weight.reals}, real(0));"
    yield "  }"
    yield f"  void own(const {d.type}& k, Arena& arena) {{"
    for name, size in _own_sizes(d):
        yield f"    {name} = arena.take({size});"
    yield "    (void)k; (void)arena;"
    yield "  }"
    yield "};"
    yield ""


def _memory_names(d: Direction) -> list[str]:
    return [name for name, _ in shared_sizes(d) if name != "zeros"]


def _most_products(d: Direction) -> int:
    return max((len(group.products) for group in d.groups), default=0)


def _widest(d: Direction) -> str:
    text = "int64_t(1)"
    for name in d.arguments.widths.values():
        text = f"std::max<int64_t>({text}, k.{name})"
    return text


def shared_sizes(d: Direction) -> list[tuple[str, str]]:
    """Memory that all threads share where lanes are split: names and sizes in reals."""
    found = [("zeros", f"({_widest(d)}) + LANES")]
    for buffer in d.scratch:
        found.append((f"scratch_{buffer.name}", f"rows * up({d.row_size(buffer)}, LANES)"))
    if not d.back:
        for buffer in d.switching():
            found.append((f"scratch_{buffer.name}", f"rows * up({d.row_size(buffer)}, LANES)"))
        for buffer in d.schedule.histories:
            found.append((f"rolling_{buffer.name}", f"{d.slots(buffer)} * rows * ({d.row_size(buffer)})"))
    for (name, delay), buffer in d.carry_names.items():
        found.append((f"{name}_{delay}", f"2 * rows * up({d.row_size(buffer)}, LANES)"))
    for gather in d.gathers:
        found.append((d.names[gather.symbol], f"{d.width(gather.shape)} + LANES"))
    if d.back and not d.schedule.hoist:
        row = d.row_size(d.schedule.handed)
        found.append(("handed", f"k.chunk * rows * (up({row}, LANES) + 4 * LANES)"))
        found += [(f"weight_{at}", weight.reals) for at, weight in enumerate(d.weight_sizes())]
    return found


def _own_sizes(d: Direction) -> list[tuple[str, str]]:
    """Memory of each thread: names and sizes in reals."""
    sizes = []
    for at in range(_most_products(d)):
        numbers = [number + at for number, group in _numbered(d) if at < len(group.products)]
        stride = _largest(f"k.products[{number}].stride()" for number in numbers)
        sizes.append((f"product_{at}", f"up(rows, ROW_STEP) * ({stride}) + 4 * LANES"))
        if d.bf16:
            narrow = _largest(f"narrow_reals(k.products[{number}], rows)" for number in numbers)
            sizes.append((f"narrow_{at}", narrow))
    if d.weight_sizes():
        room = _largest(f"outer_reals(k.chunk * rows, {sizes.operand}, {sizes.columns})" for sizes in d.weight_sizes())
        sizes.append(("outer", room))
    return sizes


def _numbered(d: Direction) -> Iterator[tuple[int, Group]]:
    """Each group, and which of all products is its first."""
    number = 0
    for group in d.groups:
        yield number, group
        number += len(group.products)


def _largest(sizes: Iterable[str]) -> str:
    text = "int64_t(0)"
    for size in dict.fromkeys(sizes):
        text = f"std::max<int64_t>({text}, {size})"
    return text
