"""Claims are checked against the cell: as identities, at sizes, against other cells."""

from __future__ import annotations

import pytest

from celldsl.errors import SpecError
from tests.check.specs import cell_of, codes_of

RNN = "h_t = tanh(W x_t + U h_{t-1} + b)\n"


@pytest.mark.parametrize(
    "claim",
    [
        "params = m n + n^2 + n",
        "params = n (m + n + 1)",
        "params = (2 m n + 2 n^2 + 2 n) / 2",
        "params = params(RNN)",
        "params = params(LSTM) / 4",
        "params(m=3, n=5) = 45",
        "params(m=3) = 3 n + n^2 + n",
        "params(m=3, n=5) = params(RNN)",
        "state = n",
        "state = state(LSTM) - n",
        "flops = 2 m n + anything",
    ],
)
def test_true_and_false(claim: str):
    if "anything" in claim:
        assert codes_of(RNN + f"claim {claim}") == ["unknown-dim"]
        return
    assert cell_of(RNN + f"claim {claim}").claims
    assert codes_of(RNN + f"claim {claim} + 1") == ["false-claim"]


def test_the_parameter_responsible_is_named():
    with pytest.raises(SpecError) as caught:
        cell_of(RNN + "claim params(m=7, n=5) = 70")
    (found,) = caught.value.diagnostics
    assert any("difference: -5, as if there were 1 more like b" in note for note in found.notes)
    with pytest.raises(SpecError) as caught:
        cell_of(RNN + "claim params = m n + n")
    (found,) = caught.value.diagnostics
    assert any("which is U" in note for note in found.notes)


def test_a_width_from_a_setting_has_its_default():
    cell = "cell A { hyper k = 2\n state c: k\n c_t = V x_t + c_{t-1}\n h_t = R c_t\n claim params(m=3, n=5) = 16 }"
    assert cell_of(cell).claims
    assert cell_of(cell.replace("n=5) = 16", "n=5, k=4) = 32")).claims


def test_relatives():
    cell = cell_of("cell A extends LSTM { claim equals GRU\n claim params = params(LSTM)\n claim state = state(A) }")
    assert [other.name for other in cell.relatives] == ["GRU", "LSTM"]


def test_ranges_and_equalities_are_left_to_later_stages():
    assert len(cell_of(RNN + "claim -2 < h_t < -1\n claim equals GRU").claims) == 2
