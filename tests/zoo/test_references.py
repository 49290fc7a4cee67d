"""Every shipped cell's module against a NumPy step written from its paper: outputs, final states, parameter counts."""

from __future__ import annotations

import importlib
import pkgutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import celldsl
from celldsl.runtime import compare
from tests.peers.measure import carried
from tests.zoo import references
from tests.zoo.references import REFERENCES

torch.set_num_threads(1)
for _module in pkgutil.iter_modules(references.__path__):
    importlib.import_module(f"{references.__name__}.{_module.name}")

STEPS, ROWS = 5, 2


def test_every_spec_has_a_reference():
    assert sorted(REFERENCES) == celldsl.zoo()


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_module_is_what_the_paper_says(name):
    assert apart(name, REFERENCES[name]) <= 1e-12


def apart(name, reference) -> float:
    """The largest difference of outputs and final states; counts of parameters have to agree."""
    cell = celldsl.compile(name)
    sizes = compare.sizes_of(cell.checked, 3)
    assert len(set(sizes.values())) == len(sizes)  # no width passes for another
    layer = cell.rnn(**compare.layer_sizes(cell.checked, sizes), dtype=torch.float64).eval()
    parameters = SimpleNamespace(**randomised(layer))
    x, before = given(cell, layer, sizes)

    output, after = layer(*map(torch.from_numpy, x), before)
    expected, states = run(reference.step, parameters, x, cell, before)

    assert sum(each.numel() for each in layer.parameters()) == reference.params(**sizes) == cell.count(**sizes)
    pairs = zip(carried(cell.checked), compare.parts(after), strict=True)
    return max(deviation(output, expected), *(deviation(found[0], states[state]) for state, found in pairs))


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_counts_as_formulas(name):
    cell, count = celldsl.compile(name), REFERENCES[name].params
    for start in (1, 10, 100):
        sizes = compare.sizes_of(cell.checked, start)
        assert cell.count(**sizes) == count(**sizes)


def test_starts_as_torch_does():
    ours = celldsl.compile("torch_lstm").rnn(3, 100)
    for parameter in ours.parameters():
        assert 0.08 < parameter.abs().max() <= 0.1


def test_irnn_starts_as_its_paper_says():
    step = celldsl.compile("irnn").step(50, 40)
    assert torch.equal(step.U, torch.eye(40))
    assert torch.equal(step.b, torch.zeros(40))
    assert 0.0008 < step.W.std() < 0.0012


def randomised(layer) -> dict[str, np.ndarray]:
    """The parameters of a layer, none of which is zero, by their names in the spec."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    values = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    return {name.removeprefix("layers.l0."): value.detach().numpy() for name, value in values.items()}


def given(cell, layer, sizes):
    """Inputs and a state to start from, at random; an input of one number, such as a time, is above zero, and so is a
    state that is claimed to be."""
    generator = np.random.default_rng(2)
    widths = [int(info.shape.width.at(sizes)) for info in cell.checked.inputs]
    x = [generator.standard_normal((STEPS, ROWS, width)) for width in widths]
    x = [each if info.shape.rank else np.abs(each) for each, info in zip(x, cell.checked.inputs, strict=True)]
    widths = compare.state_widths(cell.checked, compare.all_sizes(cell.checked, sizes))
    values = [0.5 * generator.standard_normal((1, ROWS, each)) for each in widths]
    positive = compare.positive_states(cell.checked)
    values = [0.5 + np.abs(value) if at in positive else value for at, value in enumerate(values)]
    parts = tuple(map(torch.from_numpy, values))
    return x, parts if len(parts) > 1 else parts[0]


def run(step, parameters, x, cell, before):
    """The reference, row by row and step by step: the output at each step, and the states after the last.

    A step is given its input, or the inputs by name where there are several.
    """
    start = dict(zip(carried(cell.checked), (part[0].numpy() for part in compare.parts(before)), strict=True))
    outputs, last = [], []
    for row in range(ROWS):
        found = {name: value[row] for name, value in start.items()}
        outputs.append([])
        for time in range(STEPS):
            entering = {name: each[time, row] for name, each in zip(cell.inputs, x, strict=True)}
            given = SimpleNamespace(**entering) if len(entering) > 1 else x[0][time, row]
            found = step(parameters, given, SimpleNamespace(**found))
            outputs[-1].append(found[cell.checked.output])
        last.append(found)
    return np.stack(outputs, axis=1), {name: np.stack([found[name] for found in last]) for name in start}


def deviation(found: torch.Tensor, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max())
