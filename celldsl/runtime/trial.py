"""A trial: one layer with random parameters, inputs and state, ready to be run by one computation after another."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from celldsl.runtime import compare

if TYPE_CHECKING:
    from celldsl.api import CompiledCell


@dataclass(frozen=True)
class Case:
    """T steps of B rows, from a given state or none, through layers and directions."""

    steps: int
    batch: int
    state: bool
    layers: int = 1
    bidirectional: bool = False
    two_biases: bool = False

    def __str__(self) -> str:
        parts = [f"T={self.steps}", f"B={self.batch}"]
        parts += ["given state"] if self.state else []
        parts += [f"{self.layers} layers"] if self.layers > 1 else []
        parts += ["both directions"] if self.bidirectional else []
        parts += ["two biases"] if self.two_biases else []
        return ", ".join(parts)


CASES = (
    Case(7, 3, state=True),
    Case(5, 3, state=False),
    Case(1, 3, state=True),
    Case(4, 1, state=True, bidirectional=True),
    Case(4, 2, state=True, layers=2, bidirectional=True),
    Case(3, 2, state=True, two_biases=True),
)


@dataclass(frozen=True)
class Trial:
    """state: as the layer takes it; leaves: all that gradients are taken by, inputs and state and parameters."""

    cell: CompiledCell
    case: Case
    sizes: Mapping[str, int]
    layer: Any
    inputs: tuple[Tensor, ...]
    state: compare.State

    @staticmethod
    def of(
        cell: CompiledCell, case: Case, dtype: torch.dtype, start: int = 5, sizes: Mapping[str, int] | None = None
    ) -> Trial:
        """The trial of a case; the numbers are the same in every dtype. Sizes begin at `start` where none are given."""
        case, sizes = _fitted(cell, case, sizes or compare.sizes_of(cell.checked, start))
        known = compare.all_sizes(cell.checked, sizes)
        generator = torch.Generator().manual_seed(7)

        def random(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

        torch.manual_seed(7)
        layer = cell.rnn(
            **compare.layer_sizes(cell.checked, sizes),
            num_layers=case.layers,
            bidirectional=case.bidirectional,
            two_biases=case.two_biases,
            dtype=dtype,
        ).eval()
        with torch.no_grad():  # zeros would hide mistakes
            for parameter in layer.parameters():
                parameter.add_(0.2 * random(*parameter.shape))
        inputs = [random(case.steps, case.batch, compare.entries(info, known)) for info in cell.checked.inputs]
        rows = case.layers * (2 if case.bidirectional else 1)
        parts = [0.5 * random(rows, case.batch, width) for width in compare.state_widths(cell.checked, known)]
        positive = compare.positive_states(cell.checked)
        parts = [0.5 + part.abs() if at in positive else part for at, part in enumerate(parts)]
        for value in (*inputs, *parts):
            value.requires_grad_()
        state: compare.State = parts[0] if len(parts) == 1 else tuple(parts)
        return Trial(cell, case, sizes, layer, tuple(inputs), state if case.state and parts else None)

    @property
    def leaves(self) -> dict[str, Tensor]:
        return self.given | dict(self.layer.named_parameters())

    @property
    def given(self) -> dict[str, Tensor]:
        """The leaves that are no parameters."""
        names = [info.name for info in self.cell.checked.inputs]
        named = dict(zip(names, self.inputs, strict=True))
        return named | {f"state {place}": part for place, part in enumerate(compare.parts(self.state))}

    def to(self, dtype: torch.dtype) -> Trial:
        """The same trial in another dtype."""

        def cast(value: Tensor) -> Tensor:
            return value.detach().to(dtype).requires_grad_()

        parts = tuple(cast(part) for part in compare.parts(self.state))
        state = None if self.state is None else parts[0] if isinstance(self.state, Tensor) else parts
        layer = copy.deepcopy(self.layer).to(dtype)
        return replace(self, layer=layer, inputs=tuple(cast(value) for value in self.inputs), state=state)

    def by_module(self) -> compare.Trace:
        """Output, final states and all gradients, by the emitted module."""
        return self.by(self.layer)

    def by(self, module: Any, parameters: Mapping[str, Tensor] | None = None) -> compare.Trace:
        """The same by another module of the same conventions. parameters: its own, where they are not the layer's."""
        leaves = self.leaves if parameters is None else self.given | dict(parameters)
        return compare.trace(_results(*module(*self.inputs, self.state)), leaves)

    def masks(self) -> compare.Masks:
        """The noise of the next run, from the state of torch's generator. Sets the layer to training."""
        self.layer.train()
        return compare.draw(self.layer, self.case.steps, self.case.batch)

    def by_oracle(self, masks: compare.Masks | None = None) -> compare.Trace:
        """The same by the slow interpreter, with this noise (None: in evaluation)."""
        found = compare.run_layer(self.cell.checked, self.layer, self.inputs, self.state, self.sizes, masks)
        return compare.trace(_results(found.output, found.state), self.leaves)

    def __str__(self) -> str:
        return f"{self.case}, {str(self.inputs[0].dtype).removeprefix('torch.')}"


def _fitted(cell: CompiledCell, case: Case, sizes: Mapping[str, int]) -> tuple[Case, Mapping[str, int]]:
    """The case and sizes as far as the cell can be stacked: a layer's input is as wide as the outputs below it."""
    checked = cell.checked
    entering, leaving = checked.inputs[0].shape.width, checked.signal[checked.output].shape.width
    if case.layers == 1:
        return case, sizes
    if entering.name in checked.free_dims and entering.name not in leaving.names:
        if any(entering.name in info.shape.width.names for info in checked.states):  # of one width in all layers
            below = int(leaving.at(compare.all_sizes(checked, sizes)))
            sizes = dict(sizes) | {str(entering.name): below * (2 if case.bidirectional else 1)}
        return case, sizes
    return replace(case, layers=2 if entering == leaving else 1, bidirectional=False), sizes


def _results(output: Tensor, state: compare.State) -> compare.Trace:
    return {"output": output} | {f"final state {place}": part for place, part in enumerate(compare.parts(state))}
