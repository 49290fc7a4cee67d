"""Two computations of one cell, held against each other: results and every gradient.

A trace names the results of a computation and the gradients of its leaves. `difference` is the largest deviation
between two traces; each tensor's is measured against the larger of 1 and its own largest entry, so that one
tolerance serves gradients that were summed over many steps too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.check.cell import Cell, SignalInfo
from celldsl.check.width import Width
from celldsl.emit.torch import identifiers
from celldsl.runtime import oracle
from celldsl.symbolic import counts
from celldsl.syntax import tree

Trace = dict[str, Tensor]
State = Tensor | Sequence[Tensor] | None


def sizes_of(cell: Cell, start: int = 5) -> dict[str, int]:
    """Unequal sizes for the free dimensions of a cell, odd if need be, such that every width is a whole number."""
    for scale in range(1, 65):
        sizes = {name: (start + 2 * place) * scale for place, name in enumerate(reversed(cell.free_dims))}
        if all_sizes(cell, sizes):
            return sizes
    raise ValueError(f"no sizes up to 64 times {start} make every width of {cell.name} a whole number")


def layer_sizes(cell: Cell, sizes: Mapping[str, int]) -> dict[str, Any]:
    """The sizes as the arguments of an emitted layer: `input_size`, `hidden_size`, and further dimensions by name."""
    known = all_sizes(cell, sizes)
    entering, leaving = cell.inputs[0].shape.width, cell.signal[cell.output].shape.width
    hidden = Width.of("n") if "n" in cell.free_dims else leaving
    first = {"input_size": int(entering.at(known)), "hidden_size": int(hidden.at(known))}
    return first | {name: sizes[name] for name in cell.free_dims if name not in (entering.name, hidden.name)}


def all_sizes(cell: Cell, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes with those computed from them and from settings; empty if one of these is no whole number above 0."""
    known = {info.name: int(info.value) for info in cell.settings if info.is_width} | dict(sizes)
    for dim in cell.dims:
        if dim.value is not None:
            value = dim.value.at(known)
            if value.denominator != 1 or value < 1:
                return {}
            known[dim.name] = int(value)
    # Blocks and repeated vectors have widths of their own, n/heads.
    shapes = [*(info.shape for info in cell.signals), *(info.shape for info in cell.parameters)]
    sides = [dim.at(known) for shape in shapes for dim in shape.dims if dim.names <= known.keys()]
    return known if all(side.denominator == 1 for side in sides) else {}


def entries(info: SignalInfo, known: Mapping[str, int]) -> int:
    """The last dimension of a signal's tensor."""
    return int(info.shape.width.at(known))


def state_widths(cell: Cell, known: Mapping[str, int]) -> list[int]:
    """The last dimension of each tensor of the state, in the order of the layer's state."""
    deepest = max((info.depth for info in cell.states), default=0)
    return [entries(info, known) for delay in range(1, deepest + 1) for info in cell.states if info.depth >= delay]


def positive_states(cell: Cell) -> set[int]:
    """Which tensors of the state are claimed to stay above zero, `claim n_t >= 0`: what is divided by them may not be
    tried beside zero."""
    claims = [claim for claim in cell.claims if isinstance(claim, tree.ClaimRange)]
    above = {claim.signal.text for claim in claims if claim.low is not None and claim.high is None}
    deepest = max((info.depth for info in cell.states), default=0)
    order = [info.name for delay in range(1, deepest + 1) for info in cell.states if info.depth >= delay]
    return {at for at, name in enumerate(order) if name in above}


def trace(results: Trace, leaves: Mapping[str, Tensor]) -> Trace:
    """The results, and the gradients of the leaves for random cotangents, the same for results of the same names."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=torch.float64)
    for name in sorted(results):
        cotangent = torch.randn(results[name].shape, generator=generator, dtype=torch.float64)
        total = total + (results[name] * cotangent.to(results[name])).sum()
    found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    gradients = {
        f"d {name}": torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }
    return {name: value.detach() for name, value in results.items()} | gradients


def difference(one: Trace, other: Trace) -> tuple[float, str]:
    """The largest deviation, and the name of what deviates so. Infinite where names, shapes or finiteness differ."""
    if one.keys() != other.keys():
        return float("inf"), ", ".join(sorted(one.keys() ^ other.keys()))
    worst, where = 0.0, ""
    for name, value in one.items():
        found = _deviation(value.double(), other[name].double())
        if found > worst:
            worst, where = found, name
    return worst, where


def _deviation(one: Tensor, other: Tensor) -> float:
    """Entries that are undefined, or infinite, in both count as equal; a tensor of nothing else shows nothing."""
    if one.shape != other.shape:
        return float("inf")
    finite = other[other.isfinite()].abs()
    if one.numel() == 0 or finite.numel() == 0:
        return 0.0 if one.numel() == 0 else float("inf")
    apart = (one != other) & ~(one.isnan() & other.isnan())
    if not apart.any():
        return 0.0
    found = float((one - other)[apart].abs().max()) / max(1.0, float(finite.max()))
    return found if found == found else float("inf")


def attributes(cell: Cell) -> dict[str, str]:
    """The attribute of each parameter in the emitted step, second biases too; its own name wherever Python lets it."""
    scope = identifiers.attributes()
    names = [info.name for info in cell.parameters] + [f"{name}_hh" for name in counts.doubled_biases(cell)]
    return {name: identifiers.attribute(scope, name) for name in names}


def parameters_of(step: nn.Module, cell: Cell) -> dict[str, Tensor]:
    """The parameters of a single-step module as the equations have them: of two biases, the sum."""
    found = dict(step.named_parameters()) | dict(step.named_buffers())
    names = attributes(cell)
    values = {name: found[attribute] for name, attribute in names.items() if attribute in found}
    return {
        info.name: values[info.name] + values[f"{info.name}_hh"] if f"{info.name}_hh" in values else values[info.name]
        for info in cell.parameters
    }


def parts(state: State) -> tuple[Tensor, ...]:
    """The tensors of a layer's state: it is bare where there is one, None or a tuple else."""
    if state is None:
        return ()
    return (state,) if isinstance(state, Tensor) else tuple(state)


Masks = Mapping[str, Mapping[str, Tensor]]
"""Noise of each layer and direction, `l0_reverse`, as its step draws it."""


def draw(layer: Any, steps: int, batch: int) -> Masks:
    """The masks that the next run of a layer over dense sequences would draw, from the state of the generator."""
    found = {}
    for key, step in layer.layers.items():
        like = next(step.parameters())
        found[key] = _method(step, "noise")(like, [batch] * steps)
    return found


def _method(step: nn.Module, name: str) -> Any:
    """A method of an emitted step; it has given way to a parameter of the same name."""
    while isinstance(getattr(step, name), Tensor | int | float):
        name += "_"
    return getattr(step, name)


def run_layer(
    cell: Cell,
    layer: Any,
    inputs: Sequence[Tensor],
    state: State,
    sizes: Mapping[str, int],
    masks: Masks | None = None,
) -> oracle.Run:
    """What an emitted layer should give, by the oracle: layers and directions one after the other.

    inputs: (T, B, width) each; state: as the layer takes it; masks: noise, as `draw` has it (None: in evaluation).
    Signals are named as the layer names them (`c_l0`).
    """
    shared = {mask.name for mask in cell.masks if mask.per == "batch"}
    signals: dict[str, Tensor] = {}
    states: list[tuple[Tensor, ...]] = []
    first, *others = inputs
    width = cell.inputs[0].shape.width.name
    directions = ("", "_reverse") if layer.bidirectional else ("",)
    for level in range(layer.num_layers):
        outputs = []
        for direction in directions:
            key = f"l{level}{direction}"
            own = dict(sizes) if width is None else dict(sizes) | {width: first.shape[-1]}
            given = [part[len(states)] for part in parts(state)] or None
            named = {info.name: _turned(x, direction) for info, x in zip(cell.inputs, (first, *others), strict=True)}
            noise = None
            if masks is not None:
                shape = (first.shape[0], first.shape[1], -1)
                noise = {
                    name: mask if name in shared else _turned(mask.reshape(shape), direction)
                    for name, mask in masks[key].items()
                }
            parameters = parameters_of(layer.layers[key], cell)
            found = oracle.run(cell, parameters, named, own, given, masks=noise)
            outputs.append(_turned(found.output, direction))
            states.append(found.state)
            signals |= {f"{name}_{key}": _turned(sequence, direction) for name, sequence in found.signals.items()}
        first = torch.cat(outputs, dim=-1)
    return oracle.Run(first, signals, tuple(torch.stack(rows) for rows in zip(*states, strict=True)))


def _turned(sequence: Tensor, direction: str) -> Tensor:
    return sequence.flip(0) if direction else sequence
