"""Back from what a run left on disk: its result, its cell, its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from celldsl.errors import CelldslError
from celldsl.train import checkpoint
from celldsl.train.cells import TrainedCell, find_cell
from celldsl.train.errors import CheckpointError
from celldsl.train.folder import RunFolder
from celldsl.train.result import Result
from celldsl.train.settings import Settings, differences
from celldsl.train.tasks import make_task


def finished_result(settings: Settings) -> Result | None:
    """The result of `settings.out` if that run is done and these settings ask for nothing more."""
    path = RunFolder(settings.out or ".").result
    if not path.is_file():
        return None
    try:
        result = Result.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is no result of a run ({error}); delete it to go on from the checkpoint"
        ) from error
    now = settings.to_json()
    same = all(result.settings.get(name) == now[name] for name in ("cell", "epochs", "patience"))
    if not same or differences(result.settings, now):
        return None
    return result if find_cell(settings).sha256 == result.spec_sha256 else None


def recompile(settings: Settings, facts: Mapping[str, Any], path: Path) -> TrainedCell:
    """The cell of a checkpoint, from its own text; CheckpointError if these settings are those of another run."""
    changed = differences(facts["settings"], settings.to_json())
    if changed:
        raise CheckpointError(
            f"{path} is a checkpoint of another run, whose settings differ:\n  " + "\n  ".join(changed)
        )
    saved = find_cell(settings, facts["cell"]["text"])
    try:
        now = find_cell(settings)
    except (CelldslError, OSError):
        if settings.cell != facts["settings"]["cell"]:
            raise
        return saved  # the spec is gone or being edited; its text is in the checkpoint
    if now.text != saved.text:
        raise CheckpointError(f"the cell {settings.cell} is not what {path} was trained with; give another out folder")
    return saved


def load_model(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a checkpoint, recompiled from the spec in it, in eval mode on the CPU, and what else it says.

    Raises CheckpointError if it is missing or damaged.
    """
    tensors, facts = checkpoint.load(Path(path))
    settings = Settings.from_json(facts["settings"])
    cell = find_cell(settings, facts["cell"]["text"])
    model = make_task(settings.task, settings.task_options).model(cell.layer, facts["data"])
    weights = checkpoint.under("model", tensors)
    model.to(next(iter(weights.values())).dtype).load_state_dict(weights)
    return model.eval(), facts
