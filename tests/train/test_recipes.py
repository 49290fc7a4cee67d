"""Recipes and the help of `celldsl train`."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch

from celldsl.train import RECIPES, Settings, TrainError, recipe
from celldsl.train.cells import find_cell
from celldsl.train.rate import rate
from celldsl.train.tasks import TASKS, describe, find_task, make_task


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_of_known_settings_and_options(name: str) -> None:
    settings = recipe(name, seed=3, task_options={"word_dropout": 0.5} if RECIPES[name]["task"] != "sick" else {})
    settings.check()
    task = make_task(settings.task, settings.task_options)
    assert settings.seed == 3
    for option, value in RECIPES[name].get("task_options", {}).items():
        assert getattr(task, option) == (0.5 if option == "word_dropout" else value)


def test_the_imdb_recipe_gives_the_cell_keras_details() -> None:
    cell = find_cell(recipe("lu-salem-imdb", cell="lstm2"))
    parameters = dict(cell.layer.make(6).named_parameters())
    recurrent = parameters["layers.l0.U_f"].detach()
    torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(128))
    with pytest.raises(TrainError, match="these change the equations of a spec"):
        find_cell(recipe("lu-salem-imdb", cell="torch.nn.LSTM"))


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(TrainError, match="did you mean 'zaremba-small'"):
        recipe("zaremba-smal")


def test_zarembas_rate_halves_after_the_fourth_epoch() -> None:
    settings = recipe("zaremba-small")
    assert [rate(settings, epoch, None) for epoch in range(7)] == [1, 1, 1, 1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("name", TASKS)
def test_the_help_tells_what_the_task_has(name: str) -> None:
    shown = [(option.name, option.default) for option in describe.options(name)]
    fields = dataclasses.fields(find_task(name))
    assert [option for option, _ in shown] == [field.name for field in fields]
    for (_, text), field in zip(shown, fields, strict=True):
        assert text == (str(field.default).lower() if isinstance(field.default, bool) else str(field.default))
    assert len(describe.summary(name)) > 20


def test_the_command_takes_recipes_and_vectors(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    import celldsl.train
    from celldsl.cli.train import command

    asked: list[Settings] = []

    def refuse(settings: Settings, **_: object) -> None:
        asked.append(settings)
        raise TrainError("enough")

    monkeypatch.setattr(celldsl.train, "train", refuse, raising=False)
    file = f"{tmp_path}/v.txt"
    with open(file, "w") as stream:
        stream.write("a 1\n")
    flags = ["ulstm", "--recipe", "gao-oates-sick", "--lr", "0.1", "--vectors", file, "--task-option", "kl=sum"]
    CliRunner().invoke(command, flags)
    (settings,) = asked
    assert (settings.cell, settings.task, settings.hidden, settings.lr) == ("ulstm", "sick", 150, 0.1)
    assert settings.task_options == {"kl": "sum", "vectors": file}


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; from celldsl.cli.train import command\n"
        "from click.testing import CliRunner\n"
        "shown = CliRunner().invoke(command, ['--help']).output\n"
        "assert 'words=20000' in shown and 'zaremba-small' in shown, shown\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
