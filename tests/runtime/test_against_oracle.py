"""Every shipped cell's module against the oracle: results, first and second derivatives.

Parametrised over the folder of specs, so that a new spec is covered by being there.
"""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl.runtime import compare, verify

torch.set_num_threads(1)
ZOO = celldsl.zoo()


@pytest.fixture(scope="module", params=ZOO)
def cell(request):
    return celldsl.compile(request.param)


@pytest.mark.parametrize("dtype", verify.TOLERANCE, ids=str)
@pytest.mark.parametrize("case", verify.CASES, ids=str)
def test_results_and_gradients(cell, case, dtype):
    for row in verify.against_oracle(cell, case, dtype):
        assert row.ok, row


def test_every_signal_and_its_gradients(cell):
    layer, inputs, state, leaves = verify.setting(cell, verify.Case(5, 3, state=True), torch.float64)
    found = compare.trace(layer.signals(*inputs, state), leaves)
    parts = compare.parts(state)
    known = compare.run_layer(cell.checked, layer, inputs, parts, compare.sizes_of(cell.checked)).signals
    names = {info.name for info in cell.checked.signals if info.role != "input"}
    assert {name for name in found if not name.startswith("d ")} == {f"{name}_l0" for name in names}
    expected = compare.trace({name: known[name] for name in known if name in found}, leaves)
    deviation, where = compare.difference(found, expected)
    assert deviation <= 1e-12, where


def test_scripted(cell):
    for row in verify.script_rows(cell):
        assert row.ok, row


def small(cell, case):
    """A layer of small sizes as a function of all its leaves, for the numerical derivatives."""
    layer, inputs, state, leaves = verify.setting(cell, case, torch.float64, start=2)
    names = [name for name in leaves if name in dict(layer.named_parameters())]
    others = [*inputs, *compare.parts(state)]

    def function(*values):
        own = dict(zip(names, values[len(others) :], strict=True))
        given = values[len(inputs) : len(others)]
        taken = given[0] if len(given) == 1 else tuple(given)
        output, after = torch.func.functional_call(layer, own, (*values[: len(inputs)], taken if given else None))
        return (output, *compare.parts(after))

    return function, (*others, *(leaves[name] for name in names))


def test_first_derivatives_are_those_of_finite_differences(cell):
    function, leaves = small(cell, verify.Case(3, 2, state=True))
    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)


def test_second_derivatives_too(cell):
    function, leaves = small(cell, verify.Case(2, 1, state=True))
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)
