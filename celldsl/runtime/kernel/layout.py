"""Which tensors a kernel's operators take and give, and how wide they are.

The operators' own list of tensors is flat: the rows of each step (None: equally many), the inputs, the hoisted
products, first values of carried signals, constants, matrices. Inputs are (T, B, width), or (N, width) where sequences
are packed; whatever runs over time has the same leading dimensions. A mask of sequences is an input of (B, width).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from celldsl.check.width import Shape
from celldsl.emit.cpu.arguments import Arguments
from celldsl.runtime.kernel.memory import REUSED
from celldsl.schedule.cpu_statements import Symbol
from celldsl.symbolic.algebra import signal_symbol

GIVEN = ("sizes", "input", "before", "initial", "constant", "matrix")
SUMMED = ("gathered", "weight", "initial_grad")
"""Roles whose gradients the kernel writes into one buffer, behind one another."""

Tensors = Sequence[Tensor | None]


class Widths(NamedTuple):
    """What widths come to: of the output, the last states, what is kept besides the output, what is handed back."""

    output: int
    finals: tuple[int, ...]
    extra: tuple[int, ...]
    results: tuple[int, ...]
    handed: int


class Layout:
    """The layout of one kernel's operators. `given`, `kept`, … are `Pointer`s in the order of the call."""

    def __init__(self, arguments: Arguments):
        self.arguments, self.schedule = arguments, arguments.schedule
        self.names, self.programs = self.schedule.names, self.schedule.programs
        cell = self.schedule.cell
        self.given = [p for p in arguments.forward if p.role in GIVEN]
        self.kept = [p for p in arguments.forward if p.role in ("history", "saved")]
        self.output_name = self.names[signal_symbol(cell.output, 0)]
        self.extra = [p for p in self.kept if p.name != self.output_name]
        self.output_at = next(at for at, p in enumerate(self.kept) if p.name == self.output_name)
        self.finals = [p for p in arguments.forward if p.role == "final"]
        self.results = [p for p in arguments.backward if p.role == "result"]
        self.summed = [p for p in arguments.backward if p.role in SUMMED]
        self.hands_back = any(p.role == "handed" for p in arguments.backward)
        at = {(p.role, p.key): k for k, p in enumerate(self.given)}
        self.first_input = next(k for k, p in enumerate(self.given) if p.role == "input")
        self.dense = [k for k, p in enumerate(self.given) if p.role != "matrix"]
        self.matrices = [k for k, p in enumerate(self.given) if p.role == "matrix"]
        owner = {"weight": "matrix", "gathered": "constant", "initial_grad": "initial"}
        self.summed_from = [
            at[owner[p.role], self.programs.gathered[p.key] if p.role == "gathered" else p.key]  # type: ignore[index]
            for p in self.summed
        ]
        """For each summed gradient, whose it is among what was given."""
        self.results_from = [at["input", p.key] for p in self.results]
        self.inputs = {str(p.key): k for k, p in enumerate(self.given) if p.role == "input"}
        self.initials = {p.key: k for k, p in enumerate(self.given) if p.role == "initial"}
        self.before = next((k for k, p in enumerate(self.given) if p.role == "before"), None)
        self.forgotten = self.before
        """The hoisted products, where no backward step and no weight's gradient reads them: they are large, and made
        again if need be."""
        read = [*self.schedule.backward.buffers, *(place.buffer for place in self.schedule.operand_places.values())]
        if any(buffer.kind == "before" for buffer in read):
            self.forgotten = None
        self._index = {width: at for at, width in enumerate(arguments.widths)}
        self._known: dict[tuple[int, ...], Widths] = {}

    # --- widths -------------------------------------------------------------------------

    def sum(self, shapes: Sequence[Shape], widths: Sequence[int]) -> int:
        """The widths of these shapes together; a scalar counts 1."""
        return sum(widths[self._index[shape.width]] if shape.rank else 1 for shape in shapes)

    def symbol(self, symbol: Symbol, widths: Sequence[int]) -> int:
        return self.sum([self.programs.shapes[symbol]], widths)

    def signal(self, name: str, widths: Sequence[int]) -> int:
        return self.sum([self.schedule.cell.signal[name].shape], widths)

    def widths(self, widths: Sequence[int]) -> Widths:
        key = tuple(widths)
        found = self._known.get(key)
        if found is None:
            buffers = {buffer.name: buffer for buffer in (*self.schedule.histories, *self.schedule.saved)}
            found = self._known[key] = Widths(
                self.signal(self.schedule.cell.output, key),
                tuple(self.signal(p.key[0], key) for p in self.finals),  # type: ignore[index]
                tuple(self.sum(buffers[p.name].shapes, key) for p in self.extra),
                tuple(self.signal(str(p.key), key) for p in self.results),
                self.sum(self.schedule.handed.shapes, key),
            )
        return found

    def remembered(self, tensors: Tensors) -> Tensors:
        """What the backward pass reads of the tensors that were given."""
        if self.forgotten is None:
            return tensors
        return [None if at == self.forgotten else tensor for at, tensor in enumerate(tensors)]

    # --- new tensors --------------------------------------------------------------------

    def made(self, tensors: Tensors, batch: int, widths: Sequence[int], train: bool) -> list[Tensor]:
        """New tensors for the output, the last states (1, B, width), and in training what is kept besides."""
        like, sizes = tensors[self.first_input], self.widths(widths)
        assert like is not None
        lead = like.shape[:-1]
        found = [like.new_empty((*lead, sizes.output))]
        found += [like.new_empty((1, batch, width)) for width in sizes.finals]
        if train:
            found += [like.new_empty((*lead, width)) for width in sizes.extra]
        return found

    def made_back(self, tensors: Tensors, widths: Sequence[int]) -> list[Tensor]:
        """New tensors for gradients: of inputs, what is handed back, and all that is summed, in one."""
        like, sizes = tensors[self.first_input], self.widths(widths)
        assert like is not None
        lead = like.shape[:-1]
        found = [like.new_empty((*lead, width)) for width in sizes.results]
        if self.hands_back:
            found.append(REUSED.empty(like, (math.prod(lead), sizes.handed)))
        total = sum(t.numel() for t in (tensors[at] for at in self.summed_from) if t is not None)
        found.append(like.new_zeros(total))
        return found
