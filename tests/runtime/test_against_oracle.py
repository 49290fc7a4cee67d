"""Every shipped cell's module against the oracle: results, first and second derivatives.

Parametrised over the shipped specs, so that a new spec is covered by being there; those in folders are slow tests.
"""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl import library
from celldsl.runtime import compare, verify
from celldsl.runtime.trial import CASES, Case, Trial

torch.set_num_threads(1)
ZOO = [
    pytest.param(name, marks=pytest.mark.slow) if library.family(name) else name  # the first cells stand for all
    for name in celldsl.zoo()
]


@pytest.fixture(scope="module", params=ZOO)
def cell(request):
    return celldsl.compile(request.param)


@pytest.mark.parametrize("dtype", verify.TOLERANCE, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_and_gradients(cell, case, dtype):
    for row in verify.against_oracle(cell, case, dtype):
        assert row.ok, row


def test_every_signal_and_its_gradients(cell):
    trial = Trial.of(cell, Case(5, 3, state=True), torch.float64)
    found = trial.layer.signals(*trial.inputs, trial.state)
    assert found.keys() == {f"{info.name}_l0" for info in cell.checked.signals if info.role != "input"}
    slow = compare.run_layer(cell.checked, trial.layer, trial.inputs, trial.state, trial.sizes).signals
    expected = {name: slow[name] for name in found}
    deviation, where = compare.difference(compare.trace(found, trial.leaves), compare.trace(expected, trial.leaves))
    assert deviation <= 1e-12, where


def test_scripted(cell):
    for row in verify.script_rows(cell):
        assert row.ok, row


def as_function(trial):
    """A trial's layer as a function of its leaves, for numerical derivatives."""
    parameters = dict(trial.layer.named_parameters())
    states = len(compare.parts(trial.state))

    def function(*values):
        inputs, given = values[: len(trial.inputs)], values[len(trial.inputs) :][:states]
        state = None if not given else given[0] if len(given) == 1 else given
        own = dict(zip(parameters, values[len(inputs) + states :], strict=True))
        output, after = torch.func.functional_call(trial.layer, own, (*inputs, state))
        return (output, *compare.parts(after))

    return function, (*trial.inputs, *compare.parts(trial.state), *parameters.values())


def test_first_derivatives_are_those_of_finite_differences(cell):
    function, leaves = as_function(Trial.of(cell, Case(3, 2, state=True), torch.float64, start=2))
    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)


def test_second_derivatives_too(cell):
    function, leaves = as_function(Trial.of(cell, Case(2, 1, state=True), torch.float64, start=2))
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)
