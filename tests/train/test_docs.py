"""docs/tasks.md names every task, every recipe, and no option that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from celldsl.train import RECIPES, TASKS
from celldsl.train.tasks import describe

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_the_page_names_what_there_is() -> None:
    for name in (*TASKS, *RECIPES):
        assert f"`{name}`" in TEXT, name
    options = {option.name for task in TASKS for option in describe.options(task)}
    given = set(re.findall(r"`(?:--task-option )?(\w+)=\w", TEXT)) - {"name"}
    assert given
    assert given <= options
