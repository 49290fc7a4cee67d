"""One direction of a kernel, as its printers see it: names, widths, and where values lie."""

from __future__ import annotations

from typing import NamedTuple

from celldsl.check.width import Shape, Width
from celldsl.emit.cpu.arguments import Arguments, Pointer
from celldsl.emit.cpu.printer import Printer
from celldsl.schedule.cpu import CpuSchedule
from celldsl.schedule.cpu_stages import Buffer, Group, Place, StackedProduct, Steps
from celldsl.schedule.cpu_statements import Gather, Symbol
from celldsl.symbolic.algebra import signal_symbol


class WeightSizes(NamedTuple):
    """Widths of the operand and of the cotangents of a weight product, as text; blocks: of a block-diagonal matrix, whose
    blocks have these widths."""

    operand: str
    columns: str
    blocks: str

    @property
    def reals(self) -> str:
        one = f"weight_reals({self.columns}, {self.operand})"
        return f"{self.blocks} * {one}" if self.blocks else one

    @property
    def shift(self) -> str:
        """Where block i is."""
        return f" + i * weight_reals({self.columns}, {self.operand})" if self.blocks else ""


class Direction:
    """The forward or the backward half of a kernel. bf16: its products are of bfloat16, with sums in float."""

    def __init__(self, schedule: CpuSchedule, arguments: Arguments, name: str, bf16: bool = False):
        self.schedule, self.arguments, self.name = schedule, arguments, name
        self.bf16 = bf16
        self.back = name == "backward"
        self.type = "Backward" if self.back else "Forward"
        self.steps: Steps = schedule.backward if self.back else schedule.forward
        self.pointers: tuple[Pointer, ...] = arguments.backward if self.back else arguments.forward
        self.names = schedule.names
        self.printer = Printer(schedule.names, schedule.programs.form.literals)
        self.shapes = schedule.programs.shapes
        self.products = self.steps.products
        self.groups = [group for stage in self.steps.stages for group in stage.groups]
        self.gathers = [s for group in self.groups for s in group.body if isinstance(s, Gather)]
        self.rows = self._rows()
        self.scratch = tuple(b for b in self.steps.buffers if b.kind == "scratch")
        self.carries = tuple(b for b in self.steps.buffers if b.kind == "arriving" or b.kind == "leaving")
        self.carry_names = {(b.name, b.delay): b for b in self.carries}

    def width(self, shape: Shape, of: str = "k.") -> str:
        if not shape.rank:
            return "1"
        name = self.arguments.widths[shape.width]
        return f"{of}{name}"

    def row_size(self, buffer: Buffer, of: str = "k.") -> str:
        return " + ".join(self.width(shape, of) for shape in buffer.shapes) or "0"

    def offset(self, place: Place) -> str:
        return "".join(f" + {self.width(shape)}" for shape in place.before)

    def blocks(self, width: Width, of: str = "k.") -> str:
        return f"{of}{self.arguments.widths[width]}"

    def sections(self, shape: Shape) -> str:
        """In how many equal parts the lanes of a shape are cut, so that each has its own blocks of matrices."""
        products = [p for group in self.groups if group.shape == shape for p in group.products]
        found = dict.fromkeys(b for product in products for b in product.blocks if b is not None)
        text = ""
        for width in found:
            text = f"std::lcm({text}, {self.blocks(width, '')})" if text else self.blocks(width, "")
        return text or "1"

    def shape_name(self, shape: Shape) -> str:
        return self.arguments.widths[shape.width].removeprefix("width_") if shape.rank else "one"

    def group_shapes(self) -> list[Shape]:
        return list(dict.fromkeys(group.shape for group in self.groups))

    def can_split(self) -> bool:
        """Whether lanes can be split over threads: nothing but products reads across lanes."""
        along = any(stage.along for stage in self.steps.stages)
        return self.schedule.hoist and not along and all(group.shape.rank for group in self.groups)

    def switching(self) -> tuple[Buffer, ...]:
        """Saved values that later stages read: they live in scratch memory where nothing is saved."""
        read = {place.buffer for place in self.steps.places.values()}
        return tuple(b for b in self.schedule.saved if b in read)

    def slots(self, buffer: Buffer) -> int:
        for info in self.schedule.cell.signals:
            if self.names.get(signal_symbol(info.name, 0)) == buffer.name:
                return info.depth + 1
        raise AssertionError(buffer)

    def _rows(self) -> dict[tuple[Buffer, int], str]:
        """The rows that a step touches: (buffer, delay) -> name."""
        found: dict[tuple[Buffer, int], str] = {}
        places = [*self.steps.places.values(), *(p for ps in self.steps.stores.values() for p in ps)]
        for place in places:
            buffer, delay = place.buffer, place.delay
            if buffer.kind in ("arriving", "leaving"):
                name = f"{buffer.kind}_{buffer.name}_{buffer.delay}"
            else:
                name = buffer.name if not delay else f"{buffer.name}_{delay}"
            found[buffer, delay] = name
        return found

    def signal_of(self, buffer: Buffer) -> str:
        for info in self.schedule.cell.signals:
            if self.names.get(signal_symbol(info.name, 0)) == buffer.name:
                return info.name
        raise AssertionError(buffer)

    def name_of(self, symbol: Symbol) -> str:
        """The variable of a value; one that has no name yet gets one."""
        if symbol not in self.names:
            word = "".join(c if c.isascii() and c.isalnum() else "_" for c in symbol.name)
            self.names[symbol] = f"copy_{len(self.names)}_{word}".rstrip("_")
        return self.names[symbol]

    def product_index(self, group: Group, product: StackedProduct) -> int:
        index = 0
        for other in self.groups:
            for candidate in other.products:
                if other is group and candidate is product:
                    return index
                index += 1
        raise AssertionError("a product of this direction")

    def row(self, symbol: Symbol) -> str:
        """Where the value of row `r` begins."""
        place = self.steps.places.get(symbol)
        if place is None:
            return f"k.{self.names[symbol]}"
        return f"at.{self.rows[place.buffer, place.delay]}[r]{self.offset(place)}"

    def operand(self, symbol: Symbol) -> str:
        """All rows of a value."""
        place = self.steps.places[symbol]
        rows = f"at.{self.rows[place.buffer, place.delay]}"
        if not place.before:
            return rows
        return f"Rows{{{rows}.p{self.offset(place)}, {rows}.stride}}"

    def weight_sizes(self) -> list[WeightSizes]:
        """Sizes of each weight product, where the kernel gathers them itself."""
        if self.schedule.hoist or not self.back:
            return []
        found = []
        for product in self.schedule.weight_products:
            operand = self.width(self.shapes[product.operand])
            columns = " + ".join(self.width(shape) for shape in product.shapes)
            blocks = "" if product.blocks is None else self.blocks(product.blocks)
            each = f" / {blocks}" if blocks else ""
            found.append(WeightSizes(f"{operand}{each}", f"{columns}{each}", blocks))
        return found
