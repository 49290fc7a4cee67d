"""Cells that are large in some way: nothing limits the number of parameters or products."""

from __future__ import annotations

import pytest

import celldsl
from celldsl.runtime.kernel.layer import KernelLayer
from tests.cpu import parity


@pytest.mark.slow
def test_a_cell_of_more_parameters_than_an_operator_of_torch_has_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLDSL_BACKEND", "")
    cell = celldsl.compile("enas_rnn")
    assert len(cell.checked.parameters) > 20
    assert isinstance(cell.rnn(5, 7), KernelLayer)
    portable, kernel = parity.layers("enas_rnn", 5, 7)
    given = parity.inputs("enas_rnn", 5, 6, 3)
    found = parity.differences(portable, kernel, given, portable(*given)[1])
    assert max(found.values()) <= 1e-12, found
