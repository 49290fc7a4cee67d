"""The benchmark itself, small: what it writes, what it does not do twice, what it refuses."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from celldsl.bench import BenchError, Options, bench, run, timing
from celldsl.bench.listener import Listener
from celldsl.bench.report import Report
from celldsl.runtime.verify import Report as Verified
from celldsl.runtime.verify import Row
from celldsl.train import TrainError, TrainInterrupted

SMALL = Options(cells=("rnn",), epochs=2, hidden=4, seeds=2, threads=1)
TRUE = Row("claim", "params = m n + n^2 + n", "m n + n^2 + n", "m n + n^2 + n", True)
FALSE = Row("claim", "params = n", "n", "m n + n^2 + n", False)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Verification has its own tests, and timing needs no care here."""
    monkeypatch.setattr(run, "verify", lambda cell: Verified(cell.name, (TRUE, TRUE)))
    monkeypatch.setattr(timing, "ROUNDS", 5)
    monkeypatch.setattr(timing, "BLOCK_SECONDS", 0.001)


class Heard(Listener):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.closed = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """The folders in which something was trained, whether or not a run was finished there."""
    seen: list[str] = []
    there = run.train

    def train(settings, **rest):
        before = Path(settings.out, "result.json").is_file()
        result = there(settings, **rest)
        if not before:
            seen.append(Path(settings.out).name)
        return result

    monkeypatch.setattr(run, "train", train)
    return seen


def test_a_small_benchmark(tmp_path, trained):
    heard = Heard()
    report = bench(SMALL, tmp_path / "out", heard)
    assert trained == ["rnn-seed0", "rnn-seed1"]
    (cell,) = report.cells
    assert (cell.name, cell.formula, cell.parameters) == ("RNN", "m n + n² + n", 8 * 4 + 16 + 4)
    assert [run.seed for run in cell.runs] == [0, 1]
    assert all(len(run.test) == len(run.train) == 2 for run in cell.runs)
    assert cell.runs[0].test != cell.runs[1].test
    assert cell.last.mean == pytest.approx(sum(run.test[-1] for run in cell.runs) / 2)
    assert cell.timing.ratio > 0
    assert report.shape == {"T": 8, "B": 32, "m": 8, "n": 4}
    assert report.ok
    assert heard.closed == 1
    assert len(heard.lines) == 3
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert Report.from_json(written) == report
    assert report.command in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert report.command in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in json.dumps(written)


def test_finished_runs_are_not_run_twice_and_more_may_be_added(tmp_path, trained):
    from dataclasses import replace

    first = bench(SMALL, tmp_path)
    trained.clear()
    again = bench(replace(SMALL, seeds=3, cells=("rnn", "gru")), tmp_path)
    assert trained == ["rnn-seed2", "gru-seed0", "gru-seed1", "gru-seed2"]
    assert [run.test for run in again.cells[0].runs[:2]] == [run.test for run in first.cells[0].runs]


def test_a_folder_of_other_settings_is_refused(tmp_path):
    from dataclasses import replace

    bench(SMALL, tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(BenchError, match="other settings") as caught:
        bench(replace(SMALL, lr=0.5), tmp_path)
    assert "lr: 0.001 -> 0.5" in str(caught.value)
    assert (tmp_path / "report.json").read_bytes() == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BenchError, match="holds no benchmark"):
        bench(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_false_claim_stops_that_cell_alone(tmp_path, monkeypatch, trained):
    monkeypatch.setattr(
        run, "verify", lambda cell: Verified(cell.name, (TRUE, FALSE) if cell.name == "GRU" else (TRUE,))
    )
    from dataclasses import replace

    report = bench(replace(SMALL, cells=("gru", "rnn"), seeds=1), tmp_path)
    assert not report.ok
    gru, rnn = report.cells
    assert gru.false == ["params = n: expected n, found m n + n^2 + n"]
    assert (gru.runs, gru.timing) == ([], None)
    assert rnn.runs
    assert trained == ["rnn-seed0"]


def test_torch_layers_are_cells_too(tmp_path):
    from dataclasses import replace

    report = bench(replace(SMALL, cells=("torch.nn.LSTM",), seeds=1), tmp_path)
    (cell,) = report.cells
    assert cell.parameters == 4 * (8 * 4 + 16 + 8)
    assert cell.checks == 0


@pytest.mark.parametrize(
    ("cells", "told"),
    [(("rnn", "-"), "write it to a file"), (("rnn", "RNN"), "called rnn")],
)
def test_cells_that_cannot_be_benchmarked(cells, told, tmp_path):
    with pytest.raises(BenchError, match=told):
        bench(Options(cells=cells), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_data_that_are_missing_are_heard_of_before_anything_runs(tmp_path):
    with pytest.raises(TrainError, match="is no folder"):
        bench(Options(cells=("rnn",), task="mnist-rows", data_dir=str(tmp_path / "nowhere")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_the_last_cell_is_heard_before_the_first_runs(tmp_path, trained):
    from celldsl import SpecError

    with pytest.raises(SpecError, match="did you mean gru"):
        bench(Options(cells=("rnn", "grru")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_interrupted(tmp_path, monkeypatch):
    def train(*_, **__):
        raise TrainInterrupted(signal.SIGTERM, None, "epoch 1")

    monkeypatch.setattr(run, "train", train)
    heard = Heard()
    with pytest.raises(BenchError, match="the same command with -o") as caught:
        bench(SMALL, tmp_path, heard)
    assert caught.value.exit_status == 143
    assert heard.closed == 1


def test_default_folder_is_always_fresh(tmp_path, monkeypatch):
    from celldsl.bench import fresh

    monkeypatch.chdir(tmp_path)
    first = fresh("digits")
    first.mkdir(parents=True)
    second = fresh("digits")
    assert first.parent == second.parent == Path("runs")
    assert not second.exists()


def test_command_line(tmp_path, capsys, monkeypatch):
    from celldsl.cli.main import main

    monkeypatch.chdir(tmp_path)
    words = ["bench", "--cells", "rnn", "--epochs", "1", "--hidden", "3", "--seeds", "1", "-o", "out"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "celldsl bench --cells rnn --epochs 1 --hidden 3 --seeds 1"
    assert main(words) == 0
    captured = capsys.readouterr()
    assert "RNN" in captured.out
    assert "report.html" in captured.out
    assert "RNN, seed 0" in captured.err
    monkeypatch.setattr(run, "verify", lambda cell: Verified(cell.name, (FALSE,)))
    assert main(words) == 1
    assert "1 of 1 checks FAIL" in capsys.readouterr().out
