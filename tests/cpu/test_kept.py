"""Packed weights are kept between calls for inference, and never served stale."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tests.cpu import parity

CHANGES = {
    "in place": lambda w: w.mul_(1.5),
    "behind autograd's back": lambda w: w.data.add_(0.1),
    "all signs": lambda w: w.data.neg_(),
    "two signs": lambda w: w.data.view(-1)[3:20:16].neg_(),
    "one bit": lambda w: w.data.view(torch.int32).view(-1)[7:8].bitwise_xor_(1 << 20),
    "two entries change places": lambda w: w.data.copy_(w.data.flip(0)),
    "through NumPy": lambda w: w.detach().numpy().__imul__(2.0),
}


@pytest.fixture(scope="module")
def lstm() -> Iterator[tuple[nn.Module, nn.Module]]:
    with torch.no_grad():
        yield parity.layers("lstm", 11, 37, dtype=torch.float32)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("matrix", ["U_i", "W_c"])
@torch.no_grad()
def test_every_change_of_a_weight_is_seen(lstm, change, matrix):
    portable, kernel = lstm
    x = torch.randn(4, 3, 11)
    for _ in range(2):
        torch.testing.assert_close(kernel(x)[0], portable(x)[0], rtol=1e-4, atol=1e-5)
    for layer in (portable, kernel):
        CHANGES[change](dict(layer.named_parameters())[f"layers.l0.{matrix}"])
    before = kernel(x)[0]
    torch.testing.assert_close(before, portable(x)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(kernel(x)[0], before, rtol=0, atol=0)


@torch.no_grad()
def test_weights_are_packed_once_for_inference_and_always_for_training(lstm, monkeypatch):
    from celldsl.runtime.kernel import kernel as module

    packed = []
    run = module._run
    monkeypatch.setattr(
        module, "_run", lambda plan, table, numbers: (packed.append(numbers is plan.numbers), run(plan, table, numbers))
    )
    _, kernel = lstm
    x = torch.randn(5, 2, 11)
    kernel(x + 1)
    packed.clear()
    for _ in range(3):
        kernel(x)
    assert packed == [False] * 3  # other batches of no more rows at a time share them
    with torch.enable_grad():
        kernel(x)[0].sum().backward()
    assert packed[3:] == [True, True]
    kernel.zero_grad()


@torch.no_grad()
def test_what_is_kept_is_bounded(lstm, monkeypatch):
    from celldsl.runtime.kernel import kernel as module

    _, kernel = lstm
    own = kernel.kernels.folded.kernel
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    for batch in (1, 2, 3):
        kernel(torch.randn(2, batch, 11))
    assert len(own._kept) == 1
