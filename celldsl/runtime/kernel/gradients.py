"""From what the backward kernel wrote to a gradient for each tensor that the operator was given.

A kernel whose products with inputs are folded in gathers all gradients itself. One whose products are hoisted hands
back the cotangents of all steps; gradients of matrices are then one large product for each operand.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from celldsl.runtime.kernel.evaluate import outer
from celldsl.runtime.kernel.layout import Layout, Tensors
from celldsl.schedule.cpu_statements import Symbol
from celldsl.symbolic.algebra import signal_symbol


class Gradients:
    """Puts the gradients of one kernel's operators together. narrow: products are of bfloat16."""

    def __init__(self, layout: Layout, narrow: bool = False):
        self.layout, self.schedule = layout, layout.schedule
        self._outer = _narrow_outer if narrow else outer
        symbols = {info.name: signal_symbol(info.name, 0) for info in self.schedule.cell.signals}
        self._signal_of = {layout.names[s]: name for name, s in symbols.items() if s in layout.names}
        self._at = {p.name: at for at, p in enumerate((*layout.given, *layout.kept))}

    def __call__(
        self, tensors: Tensors, kept: Tensors, results: Sequence[Tensor], steps: int, batch: int, widths: Sequence[int]
    ) -> list[Tensor | None]:
        """tensors: as given; kept: the histories and saved values; results: of the backward operator."""
        layout = self.layout
        found: list[Tensor | None] = [None] * len(tensors)
        for at, result in zip(layout.results_from, results, strict=False):
            found[at] = result
        places = [at for at in layout.summed_from if tensors[at] is not None]
        owners = [tensors[at] for at in places]
        for at, part in zip(places, _unflattened(results[-1], owners), strict=True):  # type: ignore[arg-type]
            found[at] = part
        if layout.hands_back:
            handed = results[len(layout.results)]
            if layout.before is not None:
                like = tensors[layout.first_input]
                assert like is not None
                found[layout.before] = self._before(handed, widths).unflatten(0, like.shape[:-1])
            values = [None if t is None else t if t.dim() == 2 else t.reshape(-1, t.shape[-1]) for t in kept]
            self._products(found, handed, tensors, values, steps, batch, widths)
        return found

    def _before(self, handed: Tensor, widths: Sequence[int]) -> Tensor:
        """The cotangents of hoisted products: they stand first among what is handed back, unless two are one."""
        blocks = self.layout.programs.hoisted
        order = list(dict.fromkeys(block.cotangent for block in blocks))
        starts, at = {}, 0
        for cotangent in order:
            width = self.layout.symbol(cotangent, widths)  # type: ignore[arg-type]
            starts[cotangent] = (at, width)
            at += width
        if len(order) == len(blocks):
            return handed[:, :at]
        return torch.cat([handed.narrow(1, *starts[block.cotangent]) for block in blocks], 1)

    def _products(
        self,
        found: list[Tensor | None],
        handed: Tensor,
        tensors: Tensors,
        kept: Tensors,
        steps: int,
        batch: int,
        widths: Sequence[int],
    ) -> None:
        """Gradients of matrices: one product per operand, over all steps and rows."""
        layout = self.layout
        for product in self.schedule.weight_products:
            start = layout.sum(product.before, widths)
            sizes = [layout.sum([shape], widths) for shape in product.shapes]
            cotangent = handed.narrow(1, start, sum(sizes))
            columns = tensors[layout.matrices[product.weights[0].matrix]].shape[1]  # type: ignore[union-attr]
            total = self._over_steps(cotangent, product.operand, columns, tensors, kept, steps, batch, widths)
            for weight, part in zip(product.weights, total.split(sizes, 0), strict=True):
                at = layout.matrices[weight.matrix]
                before = found[at]
                found[at] = part if before is None else before + part

    def _over_steps(
        self,
        cotangent: Tensor,
        operand: Symbol,
        columns: int,
        tensors: Tensors,
        kept: Tensors,
        steps: int,
        batch: int,
        widths: Sequence[int],
    ) -> Tensor:
        """Σ outer(cotangent, operand) over all steps and rows, for a matrix of so many columns."""
        layout = self.layout
        place = self.schedule.operand_places[operand]
        name, delay = place.buffer.name, place.delay
        at = self._at[name]
        sequence = tensors[at] if at < len(tensors) else kept[at - len(tensors)]
        assert sequence is not None
        start, width = layout.sum(place.before, widths), layout.symbol(operand, widths)
        sequence = _columns(sequence.reshape(-1, sequence.shape[-1]), start, width)
        if not delay:
            return self._outer(cotangent, sequence, columns)
        signal = self._signal_of[name]
        first: list[Tensor | None] = []
        for back in range(1, delay + 1):
            value = tensors[layout.initials[signal, back]] if (signal, back) in layout.initials else None
            first.append(None if value is None else _columns(value.reshape(batch, -1), start, width))
        if tensors[0] is not None:
            return self._outer(cotangent, delayed(sequence, tensors[0].tolist(), first), columns)
        total = self._outer(cotangent[delay * batch :], sequence[: max(0, steps - delay) * batch], columns)
        for step in range(min(delay, steps)):
            value = first[delay - step - 1]
            if value is not None:
                part = cotangent[step * batch : (step + 1) * batch]
                dense = columns == value.shape[1]
                total = total.addmm(part.t(), value) if dense else total + self._outer(part, value, columns)
        return total


def _narrow_outer(cotangent: Tensor, operand: Tensor, columns: int) -> Tensor:
    return outer(cotangent.bfloat16(), operand.bfloat16(), columns).float()


def _columns(matrix: Tensor, start: int, width: int) -> Tensor:
    return matrix if matrix.shape[1] == width else matrix.narrow(1, start, width)


def _unflattened(flat: Tensor, like: list[Tensor]) -> Sequence[Tensor]:
    """Consecutive parts of a flat tensor, in the shapes of others. In one call where nothing is traced: a dozen views
    would cost as much as a small kernel."""
    if not like:
        return ()
    if type(flat) is Tensor:
        found: Sequence[Tensor] = torch._C._nn.unflatten_dense_tensors(flat, like)  # type: ignore[attr-defined]
        return found
    parts = flat.split([t.numel() for t in like])
    return [part.view(t.shape) for part, t in zip(parts, like, strict=True)]


def delayed(sequence: Tensor, sizes: Sequence[int], first: Sequence[Tensor | None]) -> Tensor:
    """A packed sequence `len(first)` steps late; `first[k]` are the values k + 1 steps before the beginning."""
    delay, width = len(first), sequence.shape[1]
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    parts = []
    for t, size in enumerate(sizes):
        if t >= delay:
            parts.append(sequence[offsets[t - delay] : offsets[t - delay] + size])
        else:
            value = first[delay - t - 1]
            parts.append(sequence.new_zeros(size, width) if value is None else value[:size])
    return torch.cat(parts)
