"""The commands of `celldsl experiment`, and what docs/experiments.md says of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from celldsl.cli.main import main
from celldsl.experiment import find, shipped
from tests.experiment.helpers import TRIAL

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.toml").write_text(TRIAL)
    return tmp_path


def test_run_status_report(folder, capsys):
    run = ["experiment", "run", "trial.toml", "--only", "lr=1e-2", "--set", "epochs=1", "--device", "cpu"]
    assert main([*run, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == ["torch.nn.lstm-lr0.01-seed0", "torch.nn.gru-lr0.01-seed0"]
    assert not (folder / "runs").exists()
    assert main(run) == 0
    told = capsys.readouterr()
    assert "torch.nn.gru-lr0.01-seed0: finished: 1 epochs, test accuracy" in told.err
    assert "runs/trial/report.html" in told.out
    markdown = (folder / "runs" / "trial" / "report.md").read_text()
    figures = re.findall(r"!\[.+\]\((.+)\)", markdown)
    assert figures == ["results.svg", "curves-1e-2.svg"]
    assert all("<svg" in (folder / "runs" / "trial" / name).read_text() for name in figures)
    assert main([*run, "--dry-run"]) == 0
    assert capsys.readouterr().out.count("(done)") == 2
    assert main(["experiment", "status", "runs/trial"]) == 0
    assert capsys.readouterr().out.count("finished") == 2
    assert main(["experiment", "report", "runs/trial", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["points"] == {"finished": 2}
    (command,) = report["commands"]
    assert "--only lr=0.01 --set epochs=1" in command, "a report remade keeps the command"


def test_mistakes_are_errors(folder, capsys):
    assert main(["experiment", "run", "tiral.toml"]) == 1
    assert "there is no file tiral.toml" in capsys.readouterr().err
    assert main(["experiment", "run", "trial.toml", "--only", "lr"]) == 2
    assert "axis=value,value" in capsys.readouterr().err
    assert main(["experiment", "run", "trial.toml", "--set", "hiden=3", "--dry-run"]) == 1
    assert "did you mean 'hidden'" in capsys.readouterr().err
    assert main(["experiment", "status", str(folder)]) == 1
    assert "holds no experiment" in capsys.readouterr().err


def test_the_page_names_every_shipped_experiment(capsys):
    assert main(["experiment", "list"]) == 0
    listed = capsys.readouterr().out
    for name in shipped():
        assert f"[`{name}`](../experiments/{name}.toml)" in DOCS
        assert name in listed


def test_the_page_knows_the_commands(folder, capsys):
    assert main(["experiment", "run", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    flags = set(re.findall(r"`(--[a-z-]+)", DOCS)) - {"--nproc-per-node"}
    assert flags
    assert flags <= known


def test_the_pages_file_runs(folder):
    (text,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    (folder / "wide.toml").write_text(text)
    assert len(find("wide.toml").points()) == 12
    assert main(["experiment", "run", "wide.toml", "--scale", "smoke", "--only", "cell=lstm1"]) == 0
    assert "| LSTM1 | 50 |" in (folder / "runs" / "wide-smoke" / "report.md").read_text()
