"""One row, measured: our layer and the package's cell on the same weights, inputs, states and cotangents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

import celldsl
from celldsl.runtime import compare
from tests.peers.rows import Answer, Arrays, Row, constants, fill, gather

STEPS, ROWS = 5, 2


@dataclass(frozen=True)
class Measured:
    """Largest differences, each against the larger of 1 and the tensor's own largest entry.

    parameters: how many we have and how many the package has; constant: how many of the package's are held at a
    constant; zeroed: how many of ours are held at zero. halves: our run in two halves against our run as a whole.
    """

    outputs: float
    states: float
    gradients: float
    halves: float
    ours: int
    theirs: int
    constant: int
    zeroed: int

    @property
    def largest(self) -> float:
        return max(self.outputs, self.states, self.gradients)

    @property
    def note(self) -> str:
        """How the two differ in parameters, in words."""
        words = []
        if self.constant:
            words.append(f"{self.constant} of the package's parameters held constant")
        if self.zeroed:
            words.append(f"{self.zeroed} of ours held at zero")
        return "; ".join(words)


def measure(row: Row) -> Measured:
    """Compares a row's cell with its peer."""
    generator = np.random.default_rng(7)
    compiled = celldsl.compile(row.cell)
    m, n = row.sizes
    layer = compiled.rnn(m, n, dtype=torch.float64, backend="torch", **row.settings)
    zero = row.zero.split()
    for name, value in layer.layers["l0"].named_parameters():
        with torch.no_grad():
            value.copy_(torch.tensor(_entries(generator, value) * (name not in zero)))
    own = dict(layer.layers["l0"].named_parameters())
    known = layer_sizes(compiled, m, n, row)
    x = torch.from_numpy(_inputs(generator, compiled.checked, known))
    widths = compare.state_widths(compiled.checked, known)
    states = [torch.from_numpy(0.7 * generator.standard_normal((1, ROWS, width))) for width in widths]
    if row.positive:
        states = [state.abs() + 0.1 for state in states]

    inputs = [compare.entries(info, known) for info in compiled.checked.inputs]
    ours, cotangents = _ours(layer, own, x, inputs, states, generator)
    names = carried(compiled.checked)
    order = row.states.split()
    peer = row.make(m, n)
    shapes = peer.shapes()
    theirs = peer.run(
        fill(row, shapes, {name: value.numpy(force=True) for name, value in own.items()}),
        x.numpy(force=True),
        tuple(states[names.index(name)][0].numpy(force=True) for name in order),
        (
            cotangents[0],
            *(cotangents[1 + names.index(name)] * (order.index(name) == at) for at, name in enumerate(order)),
        ),
    )
    return Measured(
        outputs=_apart(ours.output, theirs.output),
        states=max(
            _apart(ours.states[names.index(name)], found) for name, found in zip(order, theirs.states, strict=True)
        ),
        gradients=_gradients_apart(ours, theirs, row, names, order),
        halves=_halves(layer, x, inputs, states),
        ours=sum(value.numel() for value in own.values()),
        theirs=sum(int(np.prod(shape)) for shape in shapes.values()),
        constant=constants(row, shapes),
        zeroed=sum(own[name].numel() for name in zero),
    )


def carried(cell) -> list[str]:
    """The names of what is carried, in the order of the layer's state: `h`, and `h_2` for the h two steps back."""
    deepest = max(info.depth for info in cell.states)
    return [
        info.name if delay == 1 else f"{info.name}_{delay}"
        for delay in range(1, deepest + 1)
        for info in cell.states
        if info.depth >= delay
    ]


def layer_sizes(compiled, m: int, n: int, row: Row) -> dict[str, int]:
    """Every width of the cell by its name."""
    cell = compiled.checked
    entering, leaving = cell.inputs[0].shape.width.name, cell.signal[cell.output].shape.width.name
    known = {name: value for name, value in ((entering, m), (leaving, n)) if name}
    known |= {name: value for name, value in row.settings.items() if name in cell.free_dims}
    return compare.all_sizes(cell, known)


def _entries(generator, value) -> np.ndarray:
    return np.asarray(0.5 * generator.standard_normal(tuple(value.shape)))


def _inputs(generator, cell, known) -> np.ndarray:
    """All inputs side by side, (T, B, sum of widths); an input of one number, such as a time, is above zero."""
    parts = [generator.standard_normal((STEPS, ROWS, compare.entries(info, known))) for info in cell.inputs]
    parts = [part if info.shape.rank else np.abs(part) for part, info in zip(parts, cell.inputs, strict=True)]
    return np.concatenate(parts, axis=-1)


def _ours(layer, own, x, inputs, states, generator) -> tuple[Answer, list[np.ndarray]]:
    """inputs: the widths of the inputs that stand side by side in x."""
    leaves = [x.requires_grad_(), *(state.requires_grad_() for state in states)]
    output, after = layer(*x.split(inputs, dim=-1), tuple(states) if len(states) > 1 else states[0])
    results = [output, *(part[0] for part in compare.parts(after))]
    cotangents = [generator.standard_normal(tuple(result.shape)) for result in results]
    total = sum((result * torch.from_numpy(each)).sum() for result, each in zip(results, cotangents, strict=True))
    found = torch.autograd.grad(total, [*leaves, *own.values()], allow_unused=True)
    arrays = [
        np.zeros(tuple(leaf.shape)) if each is None else each.numpy()
        for each, leaf in zip(found, [*leaves, *own.values()], strict=True)
    ]
    d_x, rest = arrays[0], arrays[1:]
    return Answer(
        output.numpy(force=True),
        tuple(result.numpy(force=True) for result in results[1:]),
        dict(zip(own, rest[len(states) :], strict=True)),
        d_x,
        tuple(each[0] for each in rest[: len(states)]),
    ), cotangents


def _gradients_apart(ours: Answer, theirs: Answer, row: Row, names: list[str], order: list[str]) -> float:
    found: Arrays = gather(row, theirs.gradients)
    missing = ours.gradients.keys() - found.keys() - set(row.zero.split())
    assert not missing, f"{row.peer} has nothing for {sorted(missing)}"
    apart = [_apart(ours.gradients[name], value.reshape(ours.gradients[name].shape)) for name, value in found.items()]
    apart.append(_apart(ours.d_x, theirs.d_x))
    for name in dict.fromkeys(order):
        whole = sum(found for each, found in zip(order, theirs.d_states, strict=True) if each == name)
        apart.append(_apart(ours.d_states[names.index(name)], whole))
    return max(apart)


def _halves(layer, x, inputs, states) -> float:
    """Our run in two pieces, the state carried over, against our run as a whole."""
    with torch.no_grad():
        start = tuple(states) if len(states) > 1 else states[0]
        whole, end = layer(*x.split(inputs, dim=-1), start)
        first, between = layer(*x[:2].split(inputs, dim=-1), start)
        second, last = layer(*x[2:].split(inputs, dim=-1), between)
    pairs = [(whole, torch.cat([first, second])), *zip(compare.parts(end), compare.parts(last), strict=True)]
    return max(_apart(one.numpy(), other.numpy()) for one, other in pairs)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    assert one.shape == other.shape, (one.shape, other.shape)
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()
    return float(np.abs(one - other).max() / max(1.0, np.abs(other).max())) if one.size else 0.0
