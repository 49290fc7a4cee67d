"""`verify` passes what is true and finds what is false."""

from __future__ import annotations

import json

import pytest
import torch

import celldsl
from celldsl.runtime import verify

torch.set_num_threads(1)


@pytest.mark.parametrize("name", ["lstm", "lstm3", "gru_reset_after"])
def test_shipped_cells_verify(name):
    report = verify.verify(celldsl.compile(name))
    assert report.ok, [row for row in report.rows if not row.ok]
    checks = {row.check for row in report.rows}
    assert {"claim", "size", "oracle", "script"} <= checks
    assert len([row for row in report.rows if row.check == "claim"]) == len(celldsl.compile(name).claims)
    assert any(check.startswith("nn.") for check in checks) == (name != "lstm3")


def test_a_false_claim_is_found():
    report = verify.verify(celldsl.compile("cell A extends LSTM { claim params = 4 (m n + n^2) + 3 n }"))
    assert not report.ok
    wrong = [row for row in report.rows if not row.ok]
    assert {row.check for row in wrong} == {"claim"}
    assert "n" in wrong[0].detail


def test_the_report_is_data():
    report = verify.verify(celldsl.compile("rnn"))
    data = json.loads(json.dumps(report.to_json()))
    assert data["cell"] == "RNN"
    assert data["ok"] is True
    assert {"check", "subject", "expected", "found", "ok", "detail"} == data["rows"][0].keys()


def test_a_module_that_computes_something_else_is_found(monkeypatch):
    cell = celldsl.compile("lstm")
    wrong = cell.source().replace("torch.tanh(c)", "torch.sigmoid(c)")
    assert wrong != cell.source()
    monkeypatch.setattr(type(cell), "source", lambda self, target="torch": wrong)
    report = verify.verify(celldsl.compile("lstm"))
    assert not report.ok
    assert {row.check for row in report.rows if not row.ok} == {"oracle", "nn.LSTM()"}
