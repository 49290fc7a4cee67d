"""Weights from and to `torch.nn.LSTM`, `nn.GRU` and `nn.RNN`.

A layer whose cell is one of torch's up to names (`torch_cells`) takes weights from the module and gives them back.
With `two_biases=True` both hold the same numbers, so that round trips are exact to the bit; with one bias a gate, the
two of torch are summed on the way in, and the second is zero on the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.check.cell import Cell
from celldsl.runtime import compare
from celldsl.runtime.load import cell_of
from celldsl.runtime.torch_cells import Gate, Match, kind_of, recognise


def from_torch(module: nn.RNNBase, spec: str | None = None) -> nn.Module:
    """A layer that computes what a module of `torch.nn` does, with its weights.

    spec: the cell to build, as for `celldsl.compile`; without it, the one that the module is. The layer has two
    biases a gate if the module has biases. Raises ValueError for a spec that is not the module's cell.
    """
    from celldsl.api import compile

    kind = kind_of(module)
    compiled = compile(kind.spec if spec is None else spec)
    found = recognise(compiled.checked)
    if found is None or found.kind != kind:
        other = found.kind.title if found else "none of torch.nn's"
        raise ValueError(f"the module is {kind.title}, the cell {compiled.name} is {other}")
    like = next(module.parameters())
    sizes: dict[str, Any] = {}
    if kind.projection:
        sizes = {compiled.checked.free_dims[-1]: module.hidden_size}
    layer = compiled.rnn(
        module.input_size,
        module.proj_size or module.hidden_size,
        num_layers=module.num_layers,
        batch_first=module.batch_first,
        dropout=module.dropout,
        bidirectional=module.bidirectional,
        device=like.device,
        dtype=like.dtype,
        two_biases=kind.bias,
        **sizes,
    )
    load_torch(layer, module)
    return layer.train(module.training)


def load_torch(layer: nn.Module, module: nn.RNNBase, spec: str | None = None) -> None:
    """Copy the weights of a module of `torch.nn` into a layer of the same sizes.

    spec: the layer's cell, needed only where the layer was unpickled from another process's cache.
    Raises ValueError where the layer's cell or sizes are not the module's.
    """
    match = _of_layer(layer, spec)
    if match.kind != kind_of(module):
        raise ValueError(f"the module is {kind_of(module).title}, the layer's cell is {match.kind.title}")
    with torch.no_grad():
        for step, tensors in _pairs(layer, module):
            _unpack(tensors, _Places(match, _named(step, match.cell), tensors))


def to_torch(layer: Any, spec: str | None = None) -> nn.RNNBase:
    """The module of `torch.nn` that computes what a layer does, with its weights.

    spec: as for `load_torch`. Raises ValueError where the layer's cell is none of torch's.
    """
    match = _of_layer(layer, spec)
    own = _named(next(iter(layer.layers.values())), match.cell)
    hidden = own[match.places[match.kind.projection].names[0].name].shape[1] if match.kind.projection else None
    module = match.kind.make(layer, hidden or layer.hidden_size)
    with torch.no_grad():
        for step, tensors in _pairs(layer, module):
            for name, value in pack(_named(step, match.cell), match, tensors).items():
                tensors[name].copy_(value)
    return module.train(layer.training)


def _of_layer(layer: nn.Module, spec: str | None) -> Match:
    from celldsl.api import compile

    cell = compile(spec).checked if spec is not None else cell_of(layer)
    if cell is None:
        raise ValueError(f"the cell of {type(layer).__name__} is not known in this process; give it as spec=…")
    match = recognise(cell)
    if match is None:
        raise ValueError(f"{cell.name} is no cell of torch.nn's: there is no module to exchange weights with")
    return match


def _named(step: nn.Module, cell: Cell) -> dict[str, Tensor]:
    """The parameters of one step under their names in the equations."""
    found = dict(step.named_parameters())
    return {name: found[attribute] for name, attribute in compare.attributes(cell).items() if attribute in found}


def _pairs(layer: Any, module: nn.RNNBase) -> Iterator[tuple[nn.Module, dict[str, Tensor]]]:
    """The steps of a layer beside the tensors of torch's for the same layer and direction, `weight_ih` and so on."""
    for shown in ("input_size", "num_layers", "bidirectional"):
        if getattr(layer, shown) != getattr(module, shown):
            raise ValueError(f"{shown}: the layer has {getattr(layer, shown)}, the module {getattr(module, shown)}")
    if layer.hidden_size != (module.proj_size or module.hidden_size):
        raise ValueError(f"hidden_size: the layer has {layer.hidden_size}, the module {module.hidden_size}")
    tensors = dict(module.named_parameters())
    for key, step in layer.layers.items():
        end = f"_{key}"
        yield step, {name.removesuffix(end): tensor for name, tensor in tensors.items() if name.endswith(end)}


class _Places:
    """The parameters of one step (or their gradients) under the names of torch's own cell, as views."""

    def __init__(self, match: Match, own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]):
        self.match, self.own = match, own
        cell = match.cell
        first, output = cell.inputs[0].shape.width.name, cell.signal[cell.output].shape.width.name
        widths = ((first, tensors["weight_ih"].shape[1]), (output, tensors["weight_hh"].shape[1]))
        self.sizes = {name: size for name, size in widths if name is not None}

    def sign(self, name: str) -> int:
        return -1 if self.match.places[name].negated else 1

    def view(self, name: str, number: int = 0) -> Tensor:
        """The memory of one parameter; of a bias that the cell writes as a sum of two, that of one of them."""
        part = self.match.places[name].names[number]
        tensor = self.own[part.name]
        if part.columns is not None:
            start, stop = (int(bound.at(self.sizes)) for bound in part.columns)
            tensor = tensor[:, start:stop]
        return tensor.mT if part.transposed else tensor

    def second(self, gate: Gate) -> Tensor | None:
        """The memory of torch's `bias_hh` of a gate; None where the layer has one bias a gate."""
        if gate.d:
            return self.view(gate.d)
        parts = self.match.places[gate.b].names
        return self.view(gate.b, 1) if len(parts) > 1 else self.own.get(f"{parts[0].name}_hh")


def _unpack(tensors: Mapping[str, Tensor], places: _Places) -> None:
    """torch's tensors into the parameters of one step."""
    kind = places.match.kind
    rows = {name: tensor.chunk(len(kind.gates)) for name, tensor in tensors.items()}
    for number, gate in enumerate(kind.gates):
        places.view(gate.W).copy_(places.sign(gate.W) * rows["weight_ih"][number])
        places.view(gate.U).copy_(places.sign(gate.U) * rows["weight_hh"][number])
        if kind.bias:
            bias_ih, bias_hh = rows["bias_ih"][number], rows["bias_hh"][number]
            second = places.second(gate)
            places.view(gate.b).copy_(places.sign(gate.b) * (bias_ih + bias_hh if second is None else bias_ih))
            if second is not None:
                second.copy_(places.sign(gate.d or gate.b) * bias_hh)
    if kind.projection:
        places.view(kind.projection).copy_(tensors["weight_hr"])


def pack(own: Mapping[str, Tensor], match: Match, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`weight_ih`, `weight_hh`, … of torch's from the parameters of one step, or from their gradients, by name.

    like: torch's tensors, for their sizes.
    """
    kind, places = match.kind, _Places(match, own, like)

    def rows(names: Iterable[str]) -> Tensor:
        return torch.cat([places.sign(name) * places.view(name) for name in names])

    found = {
        "weight_ih": rows(gate.W for gate in kind.gates),
        "weight_hh": rows(gate.U for gate in kind.gates),
    }
    if kind.bias:
        found["bias_ih"] = rows(gate.b for gate in kind.gates)
        seconds = [
            torch.zeros_like(places.view(gate.b)) if tensor is None else places.sign(gate.d or gate.b) * tensor
            for gate in kind.gates
            for tensor in [places.second(gate)]
        ]
        found["bias_hh"] = torch.cat(seconds)
    if kind.projection:
        found["weight_hr"] = rows([kind.projection])
    return found
