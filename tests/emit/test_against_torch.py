"""Emitted modules against `torch.nn`: outputs, states and every gradient, with weights copied by hand."""

from __future__ import annotations

from typing import Any

import build
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

GATES = {"lstm": "ifco", "gru_reset_after": "rzh", "rnn": ""}
TORCH = {"lstm": nn.LSTM, "gru_reset_after": nn.GRU, "rnn": nn.RNN}


def names(spec: str, kind: str) -> list[str]:
    """The parameters behind the rows of a `weight_ih`, `weight_hh`, `bias_ih` or `bias_hh`."""
    letter = {"weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "bias_hh": "b"}[kind]
    found = [f"{letter}_{gate}" for gate in GATES[spec]] or [letter]
    if kind == "bias_hh":
        found = [f"{name}_hh" for name in found]
        if spec == "gru_reset_after":
            found[-1] = "d_h"
    return found


def pair(spec: str, m: int = 5, n: int = 7, **options: Any) -> tuple[Any, nn.RNNBase]:
    """A layer with two biases, and the module of torch.nn with the same weights."""
    torch.manual_seed(11)
    reference = TORCH[spec](m, n, dtype=torch.float64, **options)
    layer = getattr(build.module(spec), build.cell(spec).name)(m, n, dtype=torch.float64, two_biases=True, **options)
    with torch.no_grad():
        for key, step in layer.layers.items():
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                packed = getattr(reference, f"{kind}_{key}")
                wanted = names(spec, kind)
                for name, rows in zip(wanted, packed.chunk(len(wanted)), strict=True):
                    getattr(step, name).copy_(rows)
                if spec == "gru_reset_after":
                    # torch swaps what z weighs: h' = (1 - z) g + z h, as here. The gate order is r, z, n.
                    continue
    return layer, reference


def tensors(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def same(layer: Any, reference: nn.RNNBase, spec: str, x: Any, state: Any) -> None:
    found, found_last = layer(x, state)
    wanted, wanted_last = reference(x, state)
    if isinstance(x, PackedSequence):
        assert torch.equal(found.batch_sizes, wanted.batch_sizes)
        found, wanted, leaf = found.data, wanted.data, x.data
    else:
        leaf = x

    def close(one: Tensor, other: Tensor) -> None:
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)

    close(found, wanted)
    for one, other in zip(tensors(found_last), tensors(wanted_last), strict=True):
        close(one, other)

    weight = torch.randn_like(found)

    def loss(output: Tensor, last: Any) -> Tensor:
        return (output * weight).sum() + sum((k + 1) * (value**2).sum() for k, value in enumerate(tensors(last)))

    leaves = [leaf, *(tensors(state) if state is not None else ())]
    for module in (layer, reference):
        module.zero_grad()
    own = torch.autograd.grad(loss(found, found_last), leaves, retain_graph=True)
    theirs = torch.autograd.grad(loss(wanted, wanted_last), leaves, retain_graph=True)
    for one, other in zip(own, theirs, strict=True):
        close(one, other)
    loss(found, found_last).backward(retain_graph=True)
    loss(wanted, wanted_last).backward(retain_graph=True)
    for key, step in layer.layers.items():
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            gradient = getattr(reference, f"{kind}_{key}").grad
            rows = [getattr(step, name).grad for name in names(spec, kind)]
            close(torch.cat(rows), gradient)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def states(spec: str, *shape: int) -> Any:
    return (random(*shape), random(*shape)) if spec == "lstm" else random(*shape)


@pytest.mark.parametrize("spec", sorted(GATES))
@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_dense(spec: str, options: dict[str, Any]) -> None:
    layer, reference = pair(spec, **options)
    rows = len(layer.layers)
    same(layer, reference, spec, random(9, 3, 5), None)
    same(layer, reference, spec, random(9, 3, 5), states(spec, rows, 3, 7))
    same(layer, reference, spec, random(1, 1, 5), states(spec, rows, 1, 7))


@pytest.mark.parametrize("spec", sorted(GATES))
def test_unbatched(spec: str) -> None:
    layer, reference = pair(spec, num_layers=2, bidirectional=True)
    same(layer, reference, spec, random(6, 5), None)
    same(layer, reference, spec, random(6, 5), states(spec, 4, 7))


@pytest.mark.parametrize("spec", sorted(GATES))
def test_batch_first(spec: str) -> None:
    layer, reference = pair(spec, num_layers=2, batch_first=True)
    same(layer, reference, spec, random(3, 6, 5), states(spec, 2, 3, 7))
    same(layer, reference, spec, random(6, 5), None)


@pytest.mark.parametrize("spec", sorted(GATES))
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [(6, 6, 3, 1), (3, 6, 1, 6), (4,), (5, 5)])
def test_packed(spec: str, bidirectional: bool, lengths: tuple[int, ...]) -> None:
    layer, reference = pair(spec, num_layers=2, bidirectional=bidirectional)
    ordered = list(lengths) == sorted(lengths, reverse=True)
    for enforce_sorted in (True, False) if ordered else (False,):
        packed = pack_sequence([random(length, 5).detach() for length in lengths], enforce_sorted=enforce_sorted)
        packed.data.requires_grad_()
        same(layer, reference, spec, packed, None)
        same(layer, reference, spec, packed, states(spec, len(layer.layers), len(lengths), 7))


def test_dropout_between_layers_is_torchs() -> None:
    layer, reference = pair("lstm", num_layers=2, dropout=0.5)
    x = random(9, 3, 5)
    torch.manual_seed(3)
    found = layer(x)[0]
    torch.manual_seed(3)
    wanted = reference(x)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert not torch.equal(found, layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    torch.testing.assert_close(layer(x)[0], reference.eval()(x)[0], rtol=1e-12, atol=1e-12)


def test_no_steps_is_an_error_as_torchs() -> None:
    layer, reference = pair("lstm")
    x = torch.zeros(0, 3, 5, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        reference(x)
    with pytest.raises(ValueError, match="at least one step"):
        layer(x)


def test_an_empty_batch_gives_what_torch_gives() -> None:
    for options in ({}, {"batch_first": True, "num_layers": 2, "bidirectional": True}):
        layer, reference = pair("lstm", **options)
        x = torch.zeros(0, 4, 5, dtype=torch.float64) if options else torch.zeros(4, 0, 5, dtype=torch.float64)
        found, last = layer(x)
        wanted, wanted_last = reference(x)
        assert found.shape == wanted.shape
        assert [value.shape for value in last] == [value.shape for value in wanted_last]
        found.sum().backward()
        assert all(float(parameter.grad.abs().sum()) == 0 for parameter in layer.parameters())
