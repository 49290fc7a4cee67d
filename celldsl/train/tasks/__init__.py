"""The tasks by name. A task is one small file here and one row below; nothing else knows of it.

The table names modules as text, so that listing the tasks imports no torch.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celldsl.errors import near
from celldsl.train.errors import TrainError

if TYPE_CHECKING:
    from celldsl.train.tasks.task import Task

TASKS = {
    "digits": ("celldsl.train.tasks.digits", "Digits"),
    "adding": ("celldsl.train.tasks.adding", "Adding"),
    "copy": ("celldsl.train.tasks.copy", "Copy"),
    "mnist-rows": ("celldsl.train.tasks.mnist", "MnistRows"),
    "mnist-pixels": ("celldsl.train.tasks.mnist", "MnistPixels"),
    "mnist-permuted": ("celldsl.train.tasks.mnist", "MnistPermuted"),
    "imdb": ("celldsl.train.tasks.imdb", "Imdb"),
    "ptb": ("celldsl.train.tasks.ptb", "Ptb"),
    "sick": ("celldsl.train.tasks.sick", "Sick"),
    "sst": ("celldsl.train.tasks.sst", "Sst"),
}


def find_task(name: str) -> type[Task]:
    """The class of a task; an unknown name is an error with the nearest known one."""
    if name not in TASKS:
        guess = near(name, TASKS)
        hint = f"did you mean {guess!r}?" if guess else f"there are {', '.join(TASKS)}"
        raise TrainError(f"there is no task {name!r}: {hint}")
    module, attribute = TASKS[name]
    found: type[Task] = getattr(importlib.import_module(module), attribute)
    return found


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """A task with its options set; an option it does not have, or of the wrong type, is an error."""
    kind = find_task(name)
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    for option, value in options.items():
        if option not in defaults:
            known = ", ".join(defaults) or "none"
            raise TrainError(f"task {name} has no option {option!r}; its options: {known}")
        default = defaults[option]
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            continue
        if type(value) is not type(default):
            raise TrainError(f"task {name}: {option} must be like {default!r}, not {value!r}")
    return kind(**options)
