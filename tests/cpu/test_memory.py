"""Memory of large temporary tensors is used again, and never while somebody still reads it."""

from __future__ import annotations

import pytest
import torch

from celldsl.runtime.kernel import memory
from tests.cpu import parity


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch):
    monkeypatch.setattr(memory, "LEAST", 1)
    monkeypatch.setattr(memory, "REUSED", memory.Reused())


def test_memory_is_lent_again_once_it_is_free():
    pool, like = memory.Reused(), torch.zeros(1)
    first = pool.empty(like, (3, 4))
    place = first.data_ptr()
    part = first[1]
    del first
    assert pool.empty(like, (3, 4)).data_ptr() != place  # a view still stands on it
    del part
    places = {pool.empty(like, (4, 3)).data_ptr() for _ in range(3)}
    assert len(places) == 1
    held = [pool.empty(like, (12,)) for _ in range(7)]
    assert len({tensor.data_ptr() for tensor in held}) == 7
    assert len(pool._kept) == memory.MOST
    assert pool.empty(like.double(), (2, 2)).dtype == torch.float64


def test_products_and_their_gradients():
    x = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(memory.product(x, matrix), torch.nn.functional.linear(x, matrix))
    assert torch.autograd.gradcheck(memory.product, (x, matrix))
    assert torch.autograd.gradgradcheck(memory.product, (x, matrix))
    with torch.no_grad():
        torch.testing.assert_close(memory.product(x, matrix), torch.nn.functional.linear(x, matrix))


def test_graphs_that_are_kept_keep_their_memory(monkeypatch):
    from celldsl.runtime.kernel import layout

    monkeypatch.setattr(layout, "REUSED", memory.REUSED)
    parity.variant(monkeypatch, "hoisted")
    portable, kernel = parity.layers("lstm", 3, 5)
    given = [torch.randn(6, 4, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    results = []
    for layer in (portable, kernel):
        totals = [layer(x)[0].sin().sum() for x in given]  # three graphs at once
        leaves = list(layer.parameters())
        found = [torch.autograd.grad(t, [x, *leaves], retain_graph=True) for t, x in zip(totals, given, strict=True)]
        again = [torch.autograd.grad(t, [x, *leaves]) for t, x in zip(totals, given, strict=True)]
        results.append([*found, *again])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    found = parity.differences(portable, kernel, parity.inputs("lstm", 3, 7, 2))
    assert max(found.values()) <= 1e-12
