"""Cells that no kernel serves: the portable module does, and asking for the kernel is an error that says why."""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl.runtime.kernel.layer import KernelLayer


def test_too_many_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLDSL_BACKEND", "")
    cell = celldsl.compile("enas_rnn")
    layer = cell.rnn(5, 7)
    assert not isinstance(layer, KernelLayer)
    assert layer(torch.randn(3, 2, 5))[0].shape == (3, 2, 7)
    with pytest.raises(RuntimeError, match="67 arguments, more than torch's 64"):
        cell.rnn(5, 7, backend="cpu")
    assert isinstance(celldsl.compile("nested_lstm").rnn(5, 7), KernelLayer)
