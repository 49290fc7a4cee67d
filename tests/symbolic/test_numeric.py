"""The plain-Python runs that confirm comparisons, against the torch oracle."""

from __future__ import annotations

import random

import pytest
import torch

from celldsl.runtime import oracle
from celldsl.symbolic import numeric
from tests.symbolic import cells
from tests.symbolic.specs import body

torch.set_num_threads(1)


@pytest.mark.parametrize("cell", [*cells.all_shipped(), *cells.odd()], ids=lambda cell: cell.name)
def test_runs_equal_the_oracle(cell):
    sizes = numeric.small_sizes(cell)
    every = numeric.all_sizes(cell, sizes)
    generator = random.Random(5)
    parameters = numeric.random_parameters(cell, sizes, generator)
    inputs = {i.name: [numeric.random_value(i.shape, every, generator) for _ in range(3)] for i in cell.inputs}
    found = numeric.run(cell, parameters, inputs, sizes)
    run = oracle.run(
        cell,
        {name: torch.tensor(value, dtype=torch.float64) for name, value in parameters.items()},
        {name: torch.tensor(rows, dtype=torch.float64).unsqueeze(1) for name, rows in inputs.items()},
        sizes,
    )
    for name in cell.equation:
        if name in run.signals:
            expected = torch.tensor(found[name], dtype=torch.float64).reshape(3, -1)
            torch.testing.assert_close(run.signals[name][:, 0], expected, rtol=1e-12, atol=1e-12)


def test_sizes_fit_computed_widths():
    cell = body("dim r = n / 4; h_t = tanh(W x_t + A (B h_{t-1}))\nparam A: n×r")
    sizes = numeric.small_sizes(cell)
    assert sizes["n"] % 4 == 0
    assert numeric.all_sizes(cell, sizes)["r"] == sizes["n"] // 4
