"""Experiment files: what they say, and what is said of those that are wrong."""

from __future__ import annotations

import pytest

from celldsl.experiment import ExperimentError, find, shipped
from celldsl.experiment.experiment import Experiment
from celldsl.experiment.files import parse
from celldsl.experiment.scale import scaled

FILE = """
title = "A trial"
examples = { train = 1000, test = 100 }

[settings]
task = "digits"
hidden = 12
batch = 16
epochs = 50

[grid]
seed = [0, 1]
lr = [1e-2, 1e-3]
cell = ["lstm", "lstm1", "ulstm"]

[scale.tiny.settings]
epochs = 1

[scale.tiny.grid]
seed = [0]

[report]
metric = "accuracy"
columns = "lr"

[published]
source = "nowhere"
values = [{ cell = "lstm", lr = 0.001, value = 0.5 }]
"""


def trial(text: str = FILE) -> Experiment:
    return parse(text, "trial", "trial.toml")


def test_points_come_in_the_order_of_the_file():
    points = trial().points()
    assert len(points) == 12
    assert [point.name for point in points[:4]] == [
        "lstm-lr0.01-seed0",
        "lstm1-lr0.01-seed0",
        "ulstm-lr0.01-seed0",
        "lstm-lr0.001-seed0",
    ]
    settings = points[3].ready({"data_dir": "data"})
    assert (settings.cell, settings.lr, settings.seed, settings.hidden, settings.data_dir) == (
        "lstm",
        1e-3,
        0,
        12,
        "data",
    )


def test_published_numbers_belong_to_their_axes():
    experiment = trial()
    assert experiment.paper_value({"cell": "lstm", "lr": 1e-3}) == 0.5
    assert experiment.paper_value({"cell": "lstm", "lr": 1e-2}) is None
    assert experiment.paper_value({"cell": "ulstm", "lr": 1e-3}) is None
    assert trial().with_settings({"hidden": 13}).paper_value({"cell": "lstm", "lr": 1e-3}) is None
    assert trial().with_settings({"epochs": 7}).paper_value({"cell": "lstm", "lr": 1e-3}) == 0.5  # fewer, told
    changed = scaled(trial(), "0.1").with_settings({"epochs": 7, "threads": 2, "train_limit": 30})
    assert changed.changed == ["epochs: 7 instead of 50", "training examples: 30"]
    assert changed.reduced == ["test examples: 10 instead of 100"]
    assert trial().with_settings({"threads": 2}).paper_value({"cell": "lstm", "lr": 1e-3}) == 0.5


def test_axes_can_be_options_of_the_task():
    text = FILE.replace("lr = [1e-2, 1e-3]", "task_options.length = [3, 5]").replace('columns = "lr"', "")
    text = text.replace("lr = 0.001, ", "").replace('"digits"', '"adding"').replace('"accuracy"', '"mse"')
    points = trial(text).points()
    assert points[0].settings["task_options"] == {"length": 3}
    assert points[0].name == "lstm-length3-seed0"


def test_several_grids_are_put_together():
    text = FILE.replace("[grid]", "[[grid]]").replace(
        "[scale.tiny.settings]", '[[grid]]\nseed = [0]\nlr = [1e-3]\ncell = ["gru", "lstm"]\n\n[scale.tiny.settings]'
    )
    names = [point.name for point in trial(text).points()]
    assert names[-1] == "gru-lr0.001-seed0"
    assert len(names) == len(set(names)) == 13


def test_a_grid_is_narrowed_and_widened():
    experiment = trial().with_axes({"seed": [5]}).only({"cell": ["ulstm"], "lr": [0.01]})
    assert [point.name for point in experiment.points()] == ["ulstm-lr0.01-seed5"]
    with pytest.raises(ExperimentError, match="cell 'gru' is not in the grid, which has lstm, lstm1, ulstm"):
        trial().only({"cell": ["gru"]})
    with pytest.raises(ExperimentError, match="no axis 'sed': did you mean seed"):
        trial().with_axes({"sed": [1]})
    with pytest.raises(ExperimentError, match="lr is an axis of the grid"):
        trial().with_settings({"lr": 1.0})


def test_scales_say_what_they_take_away():
    small = scaled(trial(), "0.1")
    assert (small.settings["epochs"], small.settings["train_limit"], small.settings["test_limit"]) == (5, 100, 10)
    assert small.reduced == [
        "epochs: 5 instead of 50",
        "training examples: 100 instead of 1000",
        "test examples: 10 instead of 100",
    ]
    assert small.published
    tiny = scaled(trial(), "tiny")
    assert len(tiny.points()) == 6
    assert tiny.reduced == ["epochs: 1 instead of 50", "seed: 0"]
    assert scaled(trial(), "1") == scaled(trial(), None) == trial()
    for scale, message in [("tinny", "did you mean tiny"), ("2", "up to 1"), ("0", "above 0")]:
        with pytest.raises(ExperimentError, match=message):
            scaled(trial(), scale)
    with pytest.raises(ExperimentError, match="how many examples"):
        scaled(trial(FILE.replace("examples =", "about = ''\n#")), "0.1")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "titel", "the file has no entry 'titel': did you mean 'title'?"),
        ("hidden = 12", "hiden = 12", "[settings] has no entry 'hiden': did you mean 'hidden'?"),
        ("hidden = 12", "hidden = 0", "hidden must be a whole number"),
        ("hidden = 12", 'data_dir = "x"', "[settings] has no entry 'data_dir'"),
        ("hidden = 12", "seed = 1", "seed is an axis of the grid"),
        ("seed = [0, 1]", "seeds = [0, 1]", "[grid] has no entry 'seeds': did you mean 'seed'?"),
        ("seed = [0, 1]", "seed = 1", "seed of [grid] must be a list"),
        ("seed = [0, 1]", "seed = [-1]", "seed must be a whole number"),
        ("[scale.tiny.grid]\nseed", "[scale.tiny.grid]\nhidden", "[scale.tiny] grid has no entry 'hidden'"),
        ('columns = "lr"', 'columns = "rate"', "columns of [report] must be an axis"),
        ("metric =", "metrik =", "[report] has no entry 'metrik': did you mean 'metric'?"),
        ("value = 0.5", 'value = "0.5"', "needs value = NUMBER"),
        ("lr = 0.001, value", "rate = 0.001, value", "a value of [published] has no entry 'rate'"),
        ("[report]", "[report", "line"),
        ("[settings]", "[setings]", "did you mean 'settings'"),
        ('"lstm", "lstm1", "ulstm"]', '"lstm", "a/lstm.cell"]', "would share the folder"),
    ],
)
def test_mistakes_are_told_with_their_repair(old, new, message):
    assert old in FILE
    with pytest.raises(ExperimentError) as raised:
        trial(FILE.replace(old, new))
    assert str(raised.value).startswith("trial.toml: ")
    assert message in str(raised.value)


def test_files_are_found(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    assert find(str(path)).title == "A trial"
    with pytest.raises(ExperimentError, match="did you mean lu-salem-table-2"):
        find("lu-salem-tabel-2")
    with pytest.raises(ExperimentError, match="give the name alone"):
        find(str(tmp_path / "lu-salem-table-2.toml"))


def test_an_experiment_survives_json():
    assert Experiment.from_json(trial().to_json()) == trial()


@pytest.mark.parametrize("name", shipped())
def test_shipped_experiments(name):
    experiment = find(name)
    assert all((experiment.title, experiment.paper, experiment.about, experiment.decisions))
    for value in experiment.published:
        assert value.axes["cell"] != "ulstm", "no number of the ULSTM paper is known"
        assert any(experiment.paper_value(point.axes) == value.value for point in experiment.points())
    assert experiment.source or not experiment.published
    scaled(experiment, "smoke").check()
    assert scaled(experiment, "smoke").reduced
