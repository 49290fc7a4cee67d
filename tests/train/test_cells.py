"""The trainer and the compiler together: the papers' five cells, from their specs to a resumed run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import celldsl
from celldsl.train import CheckpointError, TrainError, checkpoint, load_model, train
from tests.train.helpers import plain, quick

FIVE = ["lstm", "lstm1", "lstm2", "lstm3", "ulstm"]

LEAKY = """
cell Leaky {
  hyper alpha = 0.5
  h_t = alpha h_{t-1} + (1 - alpha) tanh(W x_t + U h_{t-1} + b)
}
"""


@pytest.mark.parametrize("name", FIVE)
def test_each_cell_learns(name: str) -> None:
    result = train(quick(cell=name, epochs=3, optimiser="adam", lr=1e-2))
    cell = celldsl.compile(name)
    assert result.cell == cell.name
    assert result.parameters["layer"] == cell.count(m=8, n=12)
    losses = result.curve("train", "loss")
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 2.1 < losses[0], "chance is ln 10 = 2.3"


def test_an_lstm_learns_digits_as_well_as_torchs() -> None:
    settings = {"hidden": 32, "epochs": 6, "optimiser": "adam", "lr": 1e-2, "train_limit": None, "test_limit": None}
    assert train(quick(cell="lstm", **settings)).best > 0.9


def test_a_spec_is_recompiled_from_the_checkpoint(tmp_path: Path) -> None:
    """The file may be gone; the run goes on, and to the same bits, since its text went along."""
    spec, out = tmp_path / "leaky.cell", tmp_path / "run"
    spec.write_text(LEAKY)
    settings = {"cell": str(spec), "cell_options": {"alpha": 0.25}, "layers": 2, "bidirectional": True}
    straight = train(quick(**settings, epochs=2))
    train(quick(**settings, epochs=1, out=str(out)))
    spec.unlink()
    resumed = train(quick(**settings, epochs=2, out=str(out)), resume=True)
    assert plain(resumed.rows) == plain(straight.rows)

    model, facts = load_model(out / "best.safetensors")
    assert celldsl.compile(facts["cell"]["text"]).name == "Leaky"
    assert model(torch.zeros(3, 8, 8)).shape == (3, 10)
    assert any(name.endswith(".U") for name in checkpoint.load(out / "last.safetensors")[0])


def test_a_changed_spec_is_not_resumed(tmp_path: Path) -> None:
    spec, out = tmp_path / "leaky.cell", tmp_path / "run"
    spec.write_text(LEAKY)
    train(quick(cell=str(spec), epochs=1, out=str(out)))
    spec.write_text(LEAKY.replace("tanh", "sigmoid"))
    with pytest.raises(CheckpointError, match=r"is not what .* was trained with"):
        train(quick(cell=str(spec), epochs=2, out=str(out)), resume=True)
    spec.write_text("# the same cell, in other words\n" + LEAKY.replace("h_{t-1}", "h[t-1]"))
    assert len(train(quick(cell=str(spec), epochs=2, out=str(out)), resume=True).rows) == 2


def test_mistakes_in_the_cell_are_shown_as_such(tmp_path: Path) -> None:
    with pytest.raises(celldsl.SpecError):
        train(quick(cell="cell Broken {\n  h_t = tanh(W x_t\n}\n"))
    with pytest.raises(celldsl.SpecError, match="lstm"):
        train(quick(cell="lsmt"))
    with pytest.raises(TrainError, match="beta"):
        train(quick(cell=LEAKY, cell_options={"beta": 1.0}))


def test_a_cell_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(LEAKY))
    result = train(quick(cell="-", epochs=1))
    assert result.cell == "Leaky"
    assert result.settings["cell"] == LEAKY
