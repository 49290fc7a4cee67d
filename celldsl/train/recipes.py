"""Published settings by name: what `--recipe` starts from. Imports no torch.

A recipe holds what its source says; what it leaves open stands at the trainer's defaults. The cell is never part of
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celldsl.errors import near
from celldsl.train.errors import TrainError
from celldsl.train.settings import Settings

NO_NOISE = {
    "input_dropout": 0.0,
    "hidden_dropout": 0.0,
    "output_dropout": 0.0,
    "word_dropout": 0.0,
    "weight_drop": 0.0,
    "alpha": 0.0,
    "beta": 0.0,
}

RECIPES: dict[str, dict[str, Any]] = {
    # Lu & Salem 2017 (arXiv:1701.03441), Table III with the details of their script (Keras 1): dropout of what each
    # gate reads, hard gates, orthogonal recurrent matrices; epochs and patience are the paper's. For specs alone.
    "lu-salem-imdb": {
        "task": "imdb",
        "hidden": 128,
        "batch": 32,
        "epochs": 100,
        "patience": 26,
        "optimiser": "rmsprop",
        "lr": 1e-3,
        "schedule": "exp-loss",
        "recurrent_dropout": 0.2,
        "input_dropout": 0.2,
        "gates": "keras1_hard_sigmoid",
        "init": {"U_*": "orthogonal"},
    },
    # Gao & Oates 2018, from their code.
    "gao-oates-sick": {
        "task": "sick",
        "hidden": 150,
        "batch": 25,
        "epochs": 10,
        "optimiser": "adagrad",
        "lr": 0.03,
        "weight_decay": 1e-4,
        "reduction": "sum",
    },
    "gao-oates-sst": {
        "task": "sst",
        "hidden": 150,
        "batch": 25,
        "epochs": 50,
        "optimiser": "nt-asgd",
        "lr": 1.0,
        "clip": 0.25,
        "weight_decay": 1.2e-6,
    },
    # Merity, Keskar & Socher 2017 (arXiv:1708.02182), with the batch and dropouts Gao & Oates run it with.
    "gao-oates-ptb": {
        "task": "ptb",
        "hidden": 1150,
        "layers": 3,
        "batch": 20,
        "epochs": 500,
        "optimiser": "nt-asgd",
        "lr": 30.0,
        "clip": 0.25,
        "weight_decay": 1.2e-6,
    },
    # Zaremba, Sutskever & Vinyals 2014 (arXiv:1409.2329), the small model.
    "zaremba-small": {
        "task": "ptb",
        "hidden": 200,
        "layers": 2,
        "batch": 20,
        "epochs": 13,
        "optimiser": "sgd",
        "lr": 1.0,
        "clip": 5.0,
        "schedule": "decay",
        "decay_after": 4,
        "step_factor": 0.5,
        "task_options": {
            **NO_NOISE,
            "embedding": 200,
            "tied": False,
            "bptt": 20,
            "random_bptt": False,
            "sum_steps": True,
            "uniform": 0.1,
            "validation_rows": 20,
        },
    },
}


def recipe(name: str, **changes: Any) -> Settings:
    """The settings of a recipe with changes; entries of `task_options` and `cell_options` are changed one by one."""
    if name not in RECIPES:
        guess = near(name, RECIPES)
        raise TrainError(f"there is no recipe {name!r}: {f'did you mean {guess!r}?' if guess else ', '.join(RECIPES)}")
    fields = {**RECIPES[name], **changes}
    for options in ("task_options", "cell_options"):
        known: Mapping[str, Any] = RECIPES[name].get(options, {})
        fields[options] = {**known, **changes.get(options, {})}
    return Settings.from_json(fields)
