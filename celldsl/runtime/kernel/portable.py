"""What a kernel's operators compute, by torch operations: where kernels cannot go, and for gradients of gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from celldsl.runtime.kernel import evaluate
from celldsl.runtime.kernel.layout import Layout, Tensors
from celldsl.symbolic.algebra import dim_symbol, parameter_symbol


class Portable:
    """One kernel's computation by torch. Takes what the operator takes, gives what the one for inference gives."""

    def __init__(self, layout: Layout):
        self.layout = layout

    def __call__(
        self, tensors: Tensors, steps: int, batch: int, widths: Sequence[int], settings: Sequence[float]
    ) -> tuple[Tensor, ...]:
        layout = self.layout
        like = tensors[layout.first_input]
        assert like is not None
        inputs: dict[str, Any] = {}
        initial: dict[Any, Tensor] = {}
        constants: dict[Any, Any] = {}
        matrices: list[Any] = []
        before = None
        for tensor, p in zip(tensors, layout.given, strict=True):
            if p.role == "input":
                inputs[str(p.key)] = _flat(tensor)
            elif p.role == "before":
                before = _flat(tensor)
            elif p.role == "initial":
                width = layout.signal(p.key[0], widths)  # type: ignore[index]
                initial[p.key] = like.new_zeros(batch, width) if tensor is None else tensor.reshape(batch, width)
            elif p.role == "constant":
                constants[p.key] = tensor
            elif p.role == "matrix":
                matrices.append(tensor)
        for name, value in zip(layout.arguments.settings, settings, strict=True):
            constants[parameter_symbol(name)] = torch.tensor(value, dtype=like.dtype, device=like.device)
        for known, number in zip(layout.arguments.widths, widths, strict=True):
            if known.name:
                constants[dim_symbol(known.name)] = torch.tensor(float(number), dtype=like.dtype, device=like.device)
        sizes = [batch] * steps if tensors[0] is None else tensors[0].tolist()

        output, last = evaluate.sequence(
            layout.programs,
            sizes,
            inputs,
            before,
            initial,
            constants,
            matrices,
            lambda shape: layout.sum([shape], widths),
        )
        output = output.view(*like.shape[:-1], output.shape[-1])
        return (output, *(last[p.key].unsqueeze(0) for p in layout.finals))  # type: ignore[index]

    def gradients(
        self, tensors: Tensors, numbers: tuple[Any, ...], grads: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """Gradients that can themselves be differentiated."""
        layout = self.layout
        # Other names for the tensors: a hoisted product made again from an input is no way to that input's gradient.
        named = [None if t is None else t.view_as(t) for t in tensors]
        if layout.forgotten is not None:
            named[layout.forgotten] = self._hoisted(tensors)
        outputs = self(named, *numbers)
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None and o.requires_grad]
        if not pairs:
            return [None] * len(tensors)
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs],
                [t for t in named if t is not None and t.requires_grad],
                [g for _, g in pairs],
                create_graph=True,
                allow_unused=True,
            )
        )
        return [next(found) if t is not None and t.requires_grad else None for t in named]

    def _hoisted(self, tensors: Tensors) -> Tensor:
        """The hoisted products of all steps, side by side."""
        layout = self.layout
        parts = []
        for block in layout.programs.hoisted:
            products = [
                evaluate.linear(tensors[layout.inputs[name]], tensors[layout.matrices[matrix]])  # type: ignore[arg-type]
                for matrix, name in block.terms
            ]
            parts.append(sum(products[1:], products[0]))
        return torch.cat(parts, -1)


def _flat(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.reshape(-1, tensor.shape[-1])


def each(call: Callable[..., Any], info: Any, in_dims: Sequence[Any], arguments: Sequence[Any]) -> tuple[Any, Any]:
    """vmap of an operator whose first argument is a list of tensors: a call for each entry of the dimension."""
    tensors, *rest = arguments
    places = in_dims[0] if isinstance(in_dims[0], (list, tuple)) else [in_dims[0]] * len(tensors)
    found = []
    for at in range(info.batch_size):
        taken = [t if d is None else t.select(d, at) for t, d in zip(tensors, places, strict=True)]
        results = call(taken, *rest)
        found.append(results if isinstance(results, (tuple, list)) else (results,))
    stacked = [torch.stack(values) for values in zip(*found, strict=True)]
    return returned(stacked), returned([0] * len(stacked))


def returned(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)
