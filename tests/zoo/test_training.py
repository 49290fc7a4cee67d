"""The module of every shipped cell, scripted, trains for five steps under a readout. Those in folders are slow."""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl import library
from celldsl.runtime import compare

torch.set_num_threads(1)
ZOO = [pytest.param(name, marks=pytest.mark.slow) if library.family(name) else name for name in celldsl.zoo()]


@pytest.mark.parametrize("name", ZOO)
def test_a_scripted_module_trains(name):
    """The loss falls, and every parameter moves and stays finite; of a reservoir, that of the readout alone."""
    cell = celldsl.compile(name).checked
    sizes = compare.sizes_of(cell, 4)
    known = compare.all_sizes(cell, sizes)
    torch.manual_seed(5)
    layer = celldsl.compile(name).rnn(**compare.layer_sizes(cell, sizes), dtype=torch.float64, backend="torch")
    inputs = [torch.randn(6, 8, compare.entries(info, known), dtype=torch.float64) for info in cell.inputs]
    inputs = [x if info.shape.rank else x.abs() for x, info in zip(inputs, cell.inputs, strict=True)]
    scripted = torch.jit.script(layer)
    readout = torch.nn.Linear(scripted(*inputs)[0].shape[-1], 3, dtype=torch.float64)
    target = torch.rand(6, 8, 3, dtype=torch.float64)
    parameters = [*scripted.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    before = [parameter.detach().clone() for parameter in parameters]
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (readout(scripted(*inputs)[0]) - target).square().mean()
        loss.backward()
        optimizer.step()
        if hasattr(layer, "constrain_"):
            layer.constrain_()
        losses.append(loss.item())
    torch.testing.assert_close(scripted.eval()(*inputs)[0], layer.eval()(*inputs)[0], rtol=1e-12, atol=1e-12)
    assert all(parameter.isfinite().all() for parameter in parameters)
    assert all(not torch.equal(old, new) for old, new in zip(before, parameters, strict=True))
    assert losses[-1] < losses[0]
