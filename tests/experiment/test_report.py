"""The report: our numbers, the paper's, the difference; what is unfinished, reduced or diverged is said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from celldsl.experiment.experiment import Experiment
from celldsl.experiment.folder import State
from celldsl.experiment.live import Live
from celldsl.experiment.page import render
from celldsl.experiment.plots import against_paper, curves, figures
from celldsl.experiment.report import Report, build, difference
from celldsl.experiment.scale import scaled
from celldsl.experiment.tables import facts, failures, full, markdown, notes, paper_layout, shown
from tests.experiment.helpers import trial

HEADER = {
    "cell": "LSTM",
    "metric": "accuracy",
    "monitor": "test",
    "parameters": {"layer": 1234, "model": 1334},
    "settings": {},
    "versions": {"celldsl": "0", "torch": "2"},
    "hardware": {"processor": "abacus", "device": "cpu", "processes": 1, "threads": 1},
}


def row(epoch: int, accuracy: float) -> dict:
    scores = {"loss": 1 - accuracy, "accuracy": accuracy}
    times = {"seconds": 2.0, "model_seconds": 1.5, "update_seconds": 0.3, "eval_seconds": 0.1}
    return {"epoch": epoch, "lr": 0.1, "steps": 3, "train": scores, "test": scores, **times}


def made(
    experiment: Experiment, given: dict[int, dict] | None = None, stopped: str = "epochs", **status: tuple
) -> Report:
    """The report of runs with these curves: finished ones, except for seeds whose `seedN=` says otherwise.

    given: by seed, the settings of its runs that are not the experiment's.
    """
    states = []
    for point in experiment.points():
        seed, lr = point.axes["seed"], point.axes["lr"]
        kind, curve = status.get(f"seed{seed}", ("finished", [0.4, 0.6 + 0.01 * seed + lr, 0.5]))
        rows = [row(at, value) for at, value in enumerate(curve, 1)]
        result = {"best_epoch": 2, "stopped": stopped, "higher_is_better": True} if kind == "finished" else None
        told = {**point.settings, **(given or {}).get(seed, {})}
        header = {**HEADER, "cell": point.axes["cell"].rpartition(".")[2], "settings": told} if rows else {}
        reason = "it blew up" if kind in ("diverged", "failed") else ""
        states.append(State(point, Path("nowhere"), kind, header, rows, result, reason))
    return build(experiment, states)


@pytest.fixture(scope="module")
def report() -> Report:
    return made(trial(seed=[0, 1, 2]))


def test_ours_stands_beside_the_papers(report):
    lstm = report.groups[0]
    assert lstm.spread("accuracy").mean == pytest.approx(0.62)
    assert lstm.spread("accuracy").deviation == pytest.approx(0.01)
    assert difference(lstm, "accuracy") == pytest.approx(0.12)
    titles, *rows = full(report)
    shown_rows = [dict(zip(titles, each, strict=True)) for each in rows]
    assert shown_rows[0] == {
        "cell": "LSTM",
        "η₀": "1e-2",
        "parameters": "1,234",
        "test accuracy": "0.6200 ± 0.0100",
        "paper": "0.5000",
        "difference": "+0.1200",
        "loss": "0.3800 ± 0.0100",
        "seeds": "3",
        "epochs": "3",
        "best epoch": "2",
        "s/epoch": "2.00",
        "in model": "90%",
    }
    assert [each["paper"] for each in shown_rows] == ["0.5000", "", "", ""]
    assert paper_layout(report) == [
        ["", "", "η₀ = 1e-2", "η₀ = 1e-3"],
        ["LSTM", "ours", "0.6200 ± 0.0100", "0.6110 ± 0.0100"],
        ["", "paper", "0.5000", ""],
        ["GRU", "ours", "0.6200 ± 0.0100", "0.6110 ± 0.0100"],
    ]
    assert any("flatters" in note for note in notes(report))


def test_numbers_are_printed_as_in_papers():
    assert [shown(value) for value in (1e-5, 0.01, 0.25, 150, "lstm", 1.0)] == [
        "1e-5",
        "1e-2",
        "0.25",
        "150",
        "lstm",
        "1",
    ]


def test_what_is_not_finished_is_said():
    report = made(trial(seed=[0, 1, 2]), seed1=("diverged", [0.3, 0.2]), seed2=("running", [0.1]))
    assert not report.ok
    assert not report.finished
    assert full(report)[1][3].endswith("† ‡")
    assert {mark for note in notes(report) for mark in "†‡" if note.startswith(mark)} == {"†", "‡"}
    assert failures(report)[0] == ("torch.nn.lstm-lr0.01-seed1", "diverged: it blew up")
    assert "4 finished, 4 diverged, 4 running" in render(report)
    failed = made(trial(seed=[0, 1]), seed1=("failed", [0.9]))
    assert failed.groups[0].spread("accuracy").mean == pytest.approx(0.61), "a failure has no number"
    assert full(failed)[1][7] == "1 of 2"


def test_nothing_has_run_yet():
    report = made(trial(), seed0=("waiting", []))
    assert report.groups[0].spread("accuracy") is None
    assert against_paper(report) is None
    assert curves(report) == []
    assert "4 waiting" in render(report)


def test_reductions_stand_on_the_page():
    experiment = scaled(trial().with_settings({"threads": 1}), None)
    small = Experiment(**{**experiment.__dict__, "examples": {"train": 1000, "test": 100}})
    report = made(scaled(small, "0.5"))
    assert "training examples: 500 instead of 320" in markdown(report)
    assert "At reduced scale" in render(report)
    assert "At reduced scale" not in render(made(trial()))
    assert "Not as in the file: hidden: 13." in markdown(made(trial(hidden=13)))


def test_settings_are_what_runs_were_given_and_not_what_was_asked_for_last():
    def lines(report: Report) -> list[str]:
        assert f"<b>Not as in the file</b>: {'; '.join(report.changed)}." in render(report, []) or not report.changed
        return report.changed

    seeds = [0, 1, 2]
    given = {0: {"epochs": 1}, 1: {"epochs": 2, "patience": 5, "threads": 4}}
    report = made(trial(seed=seeds), given)  # the last command changed nothing
    assert lines(report) == ["epochs: 1 to 3 instead of 3", "patience: none or 5"]
    table = dict(facts(report))
    assert [table[name] for name in ("epochs", "patience", "threads")] == ["1 to 3", "none or 5", "1 to 4"]
    assert report.groups[0].runs[1].given == {"epochs": 2, "patience": 5, "threads": 4}
    assert lines(made(trial(seed=seeds, epochs=7), given)) == ["epochs: 1 to 7 instead of 3", "patience: none or 5"]
    asked = trial(seed=seeds, epochs=7)
    assert lines(made(asked, {seed: {"epochs": 3} for seed in seeds})) == [], "asked for, and given to no run"
    assert lines(made(asked, seed1=("waiting", []), seed2=("waiting", []))) == ["epochs: 7 instead of 3"]
    small = replace(trial(seed=seeds), examples={"train": 1000, "test": 100})
    report = made(scaled(small, "0.3"), {0: {"epochs": 2}})
    assert "epochs: 1 to 2 instead of 3" in report.reduced
    assert report.changed == []
    report = made(scaled(small, "0.3").with_settings({"epochs": 2}))
    assert report.changed == ["epochs: 2 instead of 3"], "the file's, not the scale's"


def test_fewer_epochs_than_the_papers_are_said():
    """In the table, and in a line that names them if they are not all of those beside a number of the paper."""

    def told(report: Report) -> tuple[list[str], str]:
        place = full(report)[0].index("epochs")
        said = [note for note in notes(report) if note.startswith("The paper's numbers are of up to")]
        return [row[place] for row in full(report)[1:]], "".join(said)

    assert told(made(trial())) == (["3"] * 4, "")
    said = "The paper's numbers are of up to 3 epochs, ours beside them of 2."
    assert told(made(trial(epochs=2), seed0=("finished", [0.4, 0.6]))) == (["2 of 3"] * 4, said)
    # Two seeds: one did all, one only two. GRU, and the other rate, have no number of the paper.
    part = made(trial(seed=[0, 1]), {1: {"epochs": 2}}, seed1=("finished", [0.4, 0.6]))
    assert told(part) == (["2–3 of 3"] * 4, f"{said[:-1]}, for LSTM, η₀ = 1e-2.")
    assert said in markdown(made(trial(epochs=2), seed0=("finished", [0.4, 0.6])))
    assert "ours beside them of 2, for LSTM" in render(part, [])
    # Stopped by the file's own patience a run is as long as the paper's; by less, it is not.
    patient = replace(trial(epochs=2), origin={**trial().origin, "patience": 5})
    curve = {"seed0": ("finished", [0.4, 0.6]), "stopped": "patience"}
    assert told(made(patient, {0: {"patience": 5}}, **curve)) == (["2"] * 4, "")
    assert told(made(patient, {0: {"patience": 1}}, **curve)) == (["2 of 3"] * 4, said)
    # Without a number of the paper beside them nothing is said of it.
    assert told(made(replace(trial(epochs=2), published=()), seed0=("finished", [0.4, 0.6])))[1] == ""


def test_an_axis_with_other_values_than_the_files_is_said():
    assert made(trial(seed=[0, 1], cell=["torch.nn.RNN"])).changed == []
    assert made(trial(lr=[1e-2])).changed == []
    assert made(trial(lr=[1e-2, 5.0])).changed == ["lr: 0.01, 5.0 instead of 0.01, 0.001"]
    assert made(replace(trial(lr=[5.0]), reduced=["lr: 5.0"])).changed == []


def test_whose_word_vectors_is_said(report):
    words = {"words": 7, "vectors": {"file": "glove.txt", "known": 5, "unknown": 2}}
    told = dict(facts(replace(report, data=words)))
    assert told["data: vectors"] == "glove.txt, known 5, unknown 2"
    assert dict(facts(replace(report, data={"vectors": None})))["data: vectors"] == "none"


def test_the_report_survives_json(report):
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_the_page_is_self_contained(report):
    page = render(report)
    assert page.count("data:image/svg+xml;base64,") == 3  # the dots, and a figure for each of two rates
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", page)
    assert "Nobody, Nothing (1900)" in page
    assert "All of them." in page


def test_figures_are_the_same_every_time(report):
    assert curves(report) == curves(report)
    assert [title for title, _ in curves(report, "png")] == ["η₀ = 1e-2", "η₀ = 1e-3"]
    assert against_paper(report, "png")[:4] == b"\x89PNG"


def test_figures_are_titled_by_what_they_show(report):
    first, *rest = (figure.title for figure in figures(report))
    assert first == "test accuracy, ours and the paper's"
    assert rest[0] == "accuracy against epochs on training and test data, η₀ = 1e-2"
    alone = replace(report, groups=[replace(group, published=None) for group in report.groups])
    assert figures(alone)[0].title == "test accuracy of every run"


def test_the_live_table_reads_the_runs_own_files(tmp_path, monkeypatch):
    import io

    from rich.console import Console

    from celldsl.experiment.folder import ExperimentFolder
    from celldsl.experiment.work import Job, Outcome

    live = Live()
    live.experiment, live.folder, live.left = trial(), ExperimentFolder(tmp_path), 2
    live.under_way, live.over = {}, []
    live.console = Console(file=io.StringIO())
    jobs = [Job(name, {"out": str(tmp_path / name), "epochs": 4, "task": "digits"}) for name in ("one", "two")]
    for job in jobs:
        live.started(job)
    jobs[0].folder.path.mkdir()
    jobs[0].folder.run.write_metrics(HEADER, [row(1, 0.7), row(2, 0.6)])
    live.ended(jobs[1], Outcome("failed", "it blew up"))
    screen = Console(file=io.StringIO(), width=120)
    screen.print(live.table())
    text = screen.file.getvalue()
    assert re.search(r"one +2/4 +0.6000 +0.7000 +2.1 +00:00:04", text)
    assert re.search(r"✗ +two +0/4", text)
    assert "it blew up" in live.console.file.getvalue()
