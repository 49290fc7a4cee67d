"""Weights from and to `torch.nn.LSTM`, `nn.GRU` and `nn.RNN`.

A layer whose cell is one of torch's up to names (`torch_cells`) takes weights from the module and gives them back.
With `two_biases=True` both hold the same numbers, so that round trips are exact to the bit; with one bias a gate, the
two of torch are summed on the way in, and the second is zero on the way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.runtime.load import cell_of
from celldsl.runtime.torch_cells import Kind, kind_of, recognise


def from_torch(module: nn.RNNBase, spec: str | None = None) -> nn.Module:
    """A layer that computes what a module of `torch.nn` does, with its weights.

    spec: the cell to build, as for `celldsl.compile`; without it, the one that the module is. The layer has two
    biases a gate if the module has biases. Raises ValueError for a spec that is not the module's cell.
    """
    from celldsl.api import compile

    kind = kind_of(module)
    compiled = compile(kind.spec if spec is None else spec)
    found = recognise(compiled.checked)
    if found is None or found[0] != kind:
        other = f"{found[0].title}" if found else "none of torch.nn's"
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
    kind, names = _of_layer(layer, spec)
    if kind != kind_of(module):
        raise ValueError(f"the module is {kind_of(module).title}, the layer's cell is {kind.title}")
    with torch.no_grad():
        for step, tensors in _pairs(layer, module):
            _read(step, tensors, kind, names)


def to_torch(layer: nn.Module, spec: str | None = None) -> nn.RNNBase:
    """The module of `torch.nn` that computes what a layer does, with its weights.

    spec: as for `load_torch`. Raises ValueError where the layer's cell is none of torch's.
    """
    kind, names = _of_layer(layer, spec)
    module = kind.make(layer)
    with torch.no_grad():
        for step, tensors in _pairs(layer, module):
            for name, value in pack(dict(step.named_parameters()), kind, names).items():
                tensors[name].copy_(value)
    return module.train(layer.training)


def _of_layer(layer: nn.Module, spec: str | None) -> tuple[Kind, dict[str, str]]:
    from celldsl.api import compile

    cell = compile(spec).checked if spec is not None else cell_of(layer)
    if cell is None:
        raise ValueError(f"the cell of {type(layer).__name__} is not known in this process; give it as spec=…")
    found = recognise(cell)
    if found is None:
        raise ValueError(f"{cell.name} is no cell of torch.nn's: there is no module to exchange weights with")
    return found


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


def _read(step: nn.Module, tensors: Mapping[str, Tensor], kind: Kind, names: Mapping[str, str]) -> None:
    """torch's tensors into the parameters of one step."""
    own = dict(step.named_parameters())
    rows = {name: tensor.chunk(len(kind.gates)) for name, tensor in tensors.items()}
    for place, gate in enumerate(kind.gates):
        own[names[gate.W]].copy_(rows["weight_ih"][place])
        own[names[gate.U]].copy_(rows["weight_hh"][place])
        if kind.bias:
            bias_ih, bias_hh = rows["bias_ih"][place], rows["bias_hh"][place]
            second = own.get(names[gate.d] if gate.d else f"{names[gate.b]}_hh")
            own[names[gate.b]].copy_(bias_ih + bias_hh if second is None else bias_ih)
            if second is not None:
                second.copy_(bias_hh)
    if kind.projection:
        own[names[kind.projection]].copy_(tensors["weight_hr"])


def pack(own: Mapping[str, Tensor], kind: Kind, names: Mapping[str, str]) -> dict[str, Tensor]:
    """What torch calls `weight_ih`, `weight_hh`, … from the parameters of one step (or their gradients), by name."""
    found = {
        "weight_ih": torch.cat([own[names[gate.W]] for gate in kind.gates]),
        "weight_hh": torch.cat([own[names[gate.U]] for gate in kind.gates]),
    }
    if kind.bias:
        firsts = [own[names[gate.b]] for gate in kind.gates]
        seconds = [own.get(names[gate.d] if gate.d else f"{names[gate.b]}_hh") for gate in kind.gates]
        found["bias_ih"] = torch.cat(firsts)
        found["bias_hh"] = torch.cat([torch.zeros_like(firsts[0]) if each is None else each for each in seconds])
    if kind.projection:
        found["weight_hr"] = own[names[kind.projection]]
    return found
