"""`verify` passes what is true and finds what is false."""

from __future__ import annotations

import json
import subprocess
import sys

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


@pytest.mark.parametrize("claim", ["flops = 8 m n", "0 < c_t < 1", "equals LSTM when f_t = i_t"])
def test_a_false_claim_is_found(claim):
    rows = list(verify.claim_rows(celldsl.compile(f"cell A extends LSTM {{ claim {claim} }}")))
    assert [row.ok for row in rows] == [False]
    assert rows[0].detail
    assert not verify.Report("A", tuple(rows)).ok


def test_a_count_claimed_wrongly_is_refused_at_once():
    with pytest.raises(celldsl.SpecError, match="the claim is false"):
        celldsl.compile("cell A extends LSTM { claim params = 4 (m n + n^2) + 3 n }")


def test_the_report_is_data():
    report = verify.verify(celldsl.compile("rnn"))
    data = json.loads(json.dumps(report.to_json()))
    assert data["cell"] == "RNN"
    assert data["ok"] is True
    assert {"check", "subject", "expected", "found", "ok", "detail"} == data["rows"][0].keys()


def tampered(monkeypatch, old, new):
    """The LSTM with its emitted text changed."""
    cell = celldsl.compile("lstm")
    right = cell.source()
    assert old in right
    monkeypatch.setattr(type(cell), "source", lambda self, target="torch": right.replace(old, new))
    return cell


def test_a_module_that_computes_something_else_is_found(monkeypatch):
    report = verify.verify(tampered(monkeypatch, "torch.tanh(c_t)", "torch.sigmoid(c_t)"))
    assert {row.check for row in report.rows if not row.ok} == {"oracle", "nn.LSTM()"}


def test_a_parameter_too_many_is_found_and_named(monkeypatch):
    cell = tampered(monkeypatch, "self.b_i = parameter(n)", "self.b_i = parameter(n)\n        self.q = parameter(n)")
    rows = list(verify.size_rows(cell))
    assert len(rows) == 12
    assert not any(row.ok for row in rows)
    assert rows[0].detail == "q: 1 for none"


def test_a_module_that_does_not_run_is_a_row(monkeypatch):
    cell = tampered(monkeypatch, "torch.tanh(c_t)", "torch.tangent(c_t)")
    rows = list(verify.guarded("script", verify.script_rows(cell)))
    assert [row.ok for row in rows] == [False]
    assert "tangent" in rows[0].detail


def test_equations_that_magnify_rounding_are_given_room_and_wrong_ones_none(monkeypatch):
    """Layer normalisation divides by a spread that may be small: in double precision too, not all digits stay."""
    body = "h_t = tanh(U h_{t-1} + layernorm(1000 (1 + 0.000001 (W x_t))))"
    cell = celldsl.compile(f"cell Close {{ {body} }}")
    right = cell.source()
    rows = list(verify.against_oracle(cell, verify.CASES[0], torch.float64))
    assert [row.ok for row in rows] == [True], rows
    monkeypatch.setattr(
        type(cell), "source", lambda self, target="torch": right.replace("torch.tanh(", "1.001 * torch.tanh(")
    )
    wrong = celldsl.compile(f"cell Close {{ {body} }}")
    assert [row.ok for row in verify.against_oracle(wrong, verify.CASES[0], torch.float64)] == [False]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of a process from /proc")
def test_memory_does_not_grow_with_the_number_of_cells():
    """A whole zoo is verified in one process; what TorchScript keeps of a cell is some 40 MB."""
    code = """
import celldsl, torch
from celldsl.runtime import verify
torch.set_num_threads(1)
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024
def grown(*names):
    before = resident()
    for name in names:
        assert verify.verify(celldsl.compile(name)).ok
    return resident() - before
grown("lstm", "gru")
print(grown("janet", "brc", "lem", "peephole_lstm"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60
