"""What a kernel is called with: one list of pointers, one of whole numbers, one of settings.

The emitter prints the reading of these lists, the runtime fills them; both follow the order given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from celldsl.check.width import Shape, Width
from celldsl.schedule.cpu import CpuSchedule
from celldsl.schedule.cpu_statements import Along, Multiply, Symbol, Take
from celldsl.symbolic.algebra import signal_symbol

Role = Literal[
    "sizes", "input", "before", "initial", "constant", "matrix", "history", "saved", "final",
    "upstream", "final_grad", "result", "handed", "initial_grad", "gathered", "weight", "packed",
]  # fmt: skip

NUMBERS = ("threads", "split", "steps", "batch", "most_rows", "chunk", "pack")
"""The first whole numbers of a call. split: 0 the batch over threads, 1 the lanes; most_rows: of the batch that one
thread takes through the whole sequence at a time; chunk: steps whose weight gradients are gathered at once; pack:
whether weights must be packed."""


@dataclass(frozen=True)
class Pointer:
    """A tensor of the call, in C++ under `name`. key: what it is among those of its role."""

    name: str
    role: Role
    key: str | int | tuple[str, int] | Symbol = ""


@dataclass(frozen=True)
class Arguments:
    """The arguments of both entries of a schedule's kernel."""

    schedule: CpuSchedule

    @cached_property
    def forward(self) -> tuple[Pointer, ...]:
        return (
            *self._given,
            *self._constants,
            *self._histories,
            *(Pointer(f"final_{name}_{delay}", "final", (name, delay)) for name, delay in self.carried),
            Pointer("packed", "packed"),
        )

    @cached_property
    def backward(self) -> tuple[Pointer, ...]:
        programs = self.schedule.programs
        return (
            *self._given,
            *self._constants,
            *self._histories,
            Pointer("upstream", "upstream"),
            *(Pointer(f"final_grad_{name}_{delay}", "final_grad", (name, delay)) for name, delay in self.carried),
            *(Pointer(self.schedule.names[symbol], "result", name) for symbol, name in programs.gradients.items()),
            *([Pointer("handed", "handed")] if self.schedule.hoist else ()),
            *(Pointer(f"initial_grad_{name}_{delay}", "initial_grad", (name, delay)) for name, delay in self.carried),
            *(Pointer(f"out_{self.schedule.names[s]}", "gathered", s) for s in programs.gathered),
            *(Pointer(f"out_matrix_{at}", "weight", at) for at in self.weights),
            Pointer("packed", "packed"),
        )

    @property
    def _given(self) -> tuple[Pointer, ...]:
        schedule, cell = self.schedule, self.schedule.cell
        return (
            Pointer("sizes", "sizes"),
            *(Pointer(schedule.names[signal_symbol(info.name, 0)], "input", info.name) for info in cell.inputs),
            *([Pointer("before", "before")] if schedule.programs.hoisted else ()),
            *(Pointer(f"initial_{name}_{delay}", "initial", (name, delay)) for name, delay in self.carried),
        )

    @property
    def _constants(self) -> tuple[Pointer, ...]:
        programs = self.schedule.programs
        return (
            *(Pointer(self.schedule.names[s], "constant", s) for s in programs.constants),
            *(Pointer(f"matrix_{at}", "matrix", at) for at in range(len(programs.matrices))),
        )

    @property
    def _histories(self) -> tuple[Pointer, ...]:
        return (
            *(Pointer(buffer.name, "history", buffer.name) for buffer in self.schedule.histories),
            *(Pointer(buffer.name, "saved", buffer.name) for buffer in self.schedule.saved),
        )

    @cached_property
    def carried(self) -> tuple[tuple[str, int], ...]:
        """(signal, delay) in the order of the state tuple: one step back of every state, then two steps back, …"""
        states = self.schedule.cell.states
        deepest = max((info.depth for info in states), default=0)
        return tuple((i.name, delay) for delay in range(1, deepest + 1) for i in states if i.depth >= delay)

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """The matrices whose gradients the kernel gathers itself."""
        if self.schedule.hoist:
            return ()
        return tuple(sorted({weight.matrix for weight in self.schedule.programs.weights}))

    @cached_property
    def settings(self) -> tuple[str, ...]:
        return tuple(info.name for info in self.schedule.cell.settings)

    @cached_property
    def widths(self) -> dict[Width, str]:
        """Every width that the kernel needs, and its name in C++."""
        cell = self.schedule.cell
        found: dict[Width, str] = {}
        shapes: list[Shape] = [*self.schedule.programs.shapes.values(), *(info.shape for info in cell.signals)]
        shapes += [matrix.shape for matrix in self.schedule.programs.matrices]
        dims = [Width.of(symbol_name) for symbol_name in (*(d.name for d in cell.dims),)]
        every = [*dims, *(Width.of(s.name) for s in cell.settings if s.is_width)]
        every += [width for shape in shapes for width in shape.dims]
        for statement in (*self.schedule.programs.forward, *self.schedule.programs.backward):
            if isinstance(statement, Take):
                every += [shape.width for shape in statement.before]
            elif isinstance(statement, Along) and statement.times is not None:
                every.append(statement.times)
            elif isinstance(statement, Multiply):
                every += [term.blocks for term in statement.terms if term.blocks is not None]
        for width in dict.fromkeys(every):
            found[width] = f"width_{width.name}" if width.name else f"width_{len(found)}"
        return found
