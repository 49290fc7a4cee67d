"""Emitted modules against the oracle, which evaluates the checked cell equation by equation."""

from __future__ import annotations

from typing import Any

import build
import pytest
import torch
from cells import CELLS
from torch import Tensor

from celldsl.runtime import oracle

NAMES = sorted(CELLS)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def tensors(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def parameters(spec: str, step: Any) -> dict[str, Tensor]:
    """What the oracle reads: every parameter by its name in the equations, two biases as their sum."""
    own = dict(step.named_parameters())
    found = {}
    for info in build.cell(spec).parameters:
        name = info.name if info.name in own else f"{info.name}_"
        second = own.get(f"{name.removesuffix('_')}_hh")
        found[info.name] = own[name] if second is None else own[name] + second
    return found


def shaken(spec: str, **options: Any) -> Any:
    layer = build.layer(spec, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


def inputs(spec: str, *rows: int) -> list[Tensor]:
    known = build.sizes(spec)
    return [random(*rows, int(info.shape.width.at(known))).requires_grad_() for info in build.cell(spec).inputs]


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("two_biases", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_signals_states_and_gradients(name: str, two_biases: bool, with_state: bool) -> None:
    torch.manual_seed(1)
    spec = CELLS[name]
    cell, layer, xs = build.cell(spec), shaken(spec, two_biases=two_biases), inputs(spec, 7, 3)
    if with_state and not cell.states:
        pytest.skip("no state")
    state = None
    if with_state:
        state = tuple(torch.randn_like(value) for value in tensors(layer(*xs)[1]))
        state = state[0] if len(state) == 1 else state
    output, last = layer(*xs, state)
    signals = layer.signals(*xs, state)
    given = {info.name: x for info, x in zip(cell.inputs, xs, strict=True)}
    first = None if state is None else [value[0] for value in tensors(state)]
    want = oracle.run(cell, parameters(spec, layer.layers["l0"]), given, build.sizes(spec), first)

    def close(found: Tensor, wanted: Tensor) -> None:
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)

    close(output, want.output)
    assert len(tensors(last)) == len(want.state)
    for found, wanted in zip(tensors(last), want.state, strict=True):
        close(found[0], wanted)
    assert set(signals) == {f"{equation.target}_l0" for equation in cell.steps}
    for key, found in signals.items():
        close(found, want.signals[key.removesuffix("_l0")])

    weight = torch.randn_like(output)
    leaves = [*layer.parameters(), *xs]
    found_gradients = _gradients(output, tensors(last), weight, leaves)
    for found, wanted in zip(found_gradients, _gradients(want.output, want.state, weight, leaves), strict=True):
        close(found, wanted)


def _gradients(output: Tensor, last: tuple[Tensor, ...], weight: Tensor, leaves: list[Tensor]) -> Any:
    loss = (output * weight).sum() + sum((k + 1) * (value**2).sum() for k, value in enumerate(last))
    return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("name", NAMES)
def test_packed_sequences_are_those_alone(name: str) -> None:
    """Two layers, two directions, sequences of all lengths: each as if it were run by itself."""
    torch.manual_seed(2)
    spec, lengths = CELLS[name], (3, 6, 1, 6)
    if build.cell(spec).inputs[0].shape.width.name in (None, "n"):
        pytest.skip("a second layer cannot be fed with two directions")
    layer = shaken(spec, num_layers=2, bidirectional=True)
    alone = [inputs(spec, length) for length in lengths]
    packed = [torch.nn.utils.rnn.pack_sequence(list(xs), enforce_sorted=False) for xs in zip(*alone, strict=True)]
    states = [random(4, len(lengths), value.shape[-1]) for value in tensors(layer(*alone[0])[1])]
    output, last = layer(*packed, states[0] if len(states) == 1 else tuple(states))
    signals = layer.signals(*packed, states[0] if len(states) == 1 else tuple(states))
    unpacked, found_lengths = torch.nn.utils.rnn.pad_packed_sequence(output)
    assert found_lengths.tolist() == list(lengths)
    for row, xs in enumerate(alone):
        own = [value[:, row] for value in states]
        want, want_last = layer(*xs, own[0] if len(own) == 1 else tuple(own))
        torch.testing.assert_close(unpacked[: lengths[row], row], want, rtol=1e-12, atol=1e-12)
        for found, wanted in zip(tensors(last), tensors(want_last), strict=True):
            torch.testing.assert_close(found[:, row], wanted, rtol=1e-12, atol=1e-12)
        want_signals = layer.signals(*xs, own[0] if len(own) == 1 else tuple(own))
        for key, sequence in want_signals.items():
            padded = torch.nn.utils.rnn.pad_packed_sequence(signals[key])[0]
            torch.testing.assert_close(padded[: lengths[row], row], sequence, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_in_chunks_is_the_whole_run(name: str) -> None:
    torch.manual_seed(3)
    layer, xs = shaken(CELLS[name]), inputs(CELLS[name], 7, 3)
    whole, whole_last = layer(*xs)
    state, pieces = None, []
    for chunk in (slice(0, 1), slice(1, 4), slice(4, 7)):
        piece, state = layer(*(x[chunk] for x in xs), state)
        pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-12, atol=1e-12)
    for found, wanted in zip(tensors(state), tensors(whole_last), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_step_makes_the_steps_of_the_sequence(name: str) -> None:
    torch.manual_seed(4)
    layer, xs = shaken(CELLS[name]), inputs(CELLS[name], 4, 3)
    whole, last = layer(*xs)
    step, state = layer.layers["l0"], None
    for t in range(4):
        output, state = step(*(x[t] for x in xs), state)
        torch.testing.assert_close(output, whole[t], rtol=1e-12, atol=1e-12)
    for found, wanted in zip(tensors(state), tensors(last), strict=True):
        torch.testing.assert_close(found, wanted[0], rtol=1e-12, atol=1e-12)
    alone, _ = step(*(x[0, 1] for x in xs))
    torch.testing.assert_close(alone, whole[0, 1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_scripted(name: str) -> None:
    torch.manual_seed(5)
    layer, xs = shaken(CELLS[name]), inputs(CELLS[name], 4, 3)
    scripted = torch.jit.script(layer)
    for _ in range(3):
        torch.testing.assert_close(scripted(*xs)[0], layer(*xs)[0], rtol=1e-12, atol=1e-12)
    assert set(scripted.signals(*xs)) == set(layer.signals(*xs))
