"""Reduced experiments: by a number, or by a name that the file defines. What was reduced is always said."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from celldsl.errors import near
from celldsl.experiment.errors import ExperimentError
from celldsl.experiment.experiment import INSTEAD, Experiment, flat, label, with_settings
from celldsl.train.settings import Settings


def scaled(experiment: Experiment, scale: str | None) -> Experiment:
    """The experiment at a scale: None or `1` (full), a number below 1, or a name of its file. Raises ExperimentError.

    A number multiplies examples and epochs alike: 0.1 trains a tenth of the epochs on a tenth of the examples.
    """
    if scale is None:
        return experiment
    if scale in experiment.scales:
        named = experiment.scales[scale]
        smaller = replace(experiment, settings=with_settings(experiment.settings, named.settings))
        smaller = smaller.with_axes(named.grid)
        shown = [f"{axis}: {', '.join(map(str, values))}" for axis, values in named.grid.items()]
        return replace(smaller, reduced=[*_differences(experiment, smaller), *shown])
    try:
        share = float(scale)
    except ValueError:
        names = list(experiment.scales)
        guess = near(scale, names)
        known = f"it has {', '.join(names)}, and any number up to 1" if names else "give a number up to 1"
        meant = f"did you mean {guess}?" if guess else known
        raise ExperimentError(f"{experiment.file} has no scale {scale!r}: {meant}") from None
    if not 0 < share <= 1:
        raise ExperimentError(f"a scale is a number above 0 and up to 1, not {scale}")
    if share == 1:
        return experiment
    smaller = replace(experiment, settings={**experiment.settings, **_shrunk(experiment, share)})
    return replace(smaller, reduced=_differences(experiment, smaller))


def _shrunk(experiment: Experiment, share: float) -> dict[str, Any]:
    for part in ("train", "test"):
        if part not in experiment.examples:
            raise ExperimentError(
                f"{experiment.file} does not say how many examples there are, so {share:g} of them is no number: "
                f"add examples = {{train = …, test = …}}, or choose a named scale"
            )
    batch = experiment.settings.get("batch", Settings.batch)
    epochs = experiment.settings.get("epochs", Settings.epochs)
    return {
        "train_limit": max(batch, math.ceil(share * experiment.examples["train"])),
        "test_limit": max(1, math.ceil(share * experiment.examples["test"])),
        "epochs": max(1, math.ceil(share * epochs)),
    }


def _differences(full: Experiment, smaller: Experiment) -> list[str]:
    """`epochs: 2 of 200`, `train_limit: 600 of 60000`."""
    of = {"train_limit": full.examples.get("train"), "test_limit": full.examples.get("test")}
    before, after = flat(full.settings), flat(smaller.settings)
    told = []
    for name, value in after.items():
        was = before.get(name, of.get(name))
        if was != value:
            told.append(f"{label(name)}: {value}" + (f"{INSTEAD}{was}" if was is not None else ""))
    return told
