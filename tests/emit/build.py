"""Emitted modules of specs, imported as files."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from celldsl import library, relatives
from celldsl.check.cell import Cell
from celldsl.emit import emit
from celldsl.schedule import Schedule, plan
from celldsl.source import Source
from celldsl.symbolic import lower

FOLDER = tempfile.TemporaryDirectory(prefix="celldsl-emitted-")
SHIPPED = ("lstm", "lstm1", "lstm2", "lstm3", "ulstm", "gru", "gru_reset_after", "rnn")


@cache
def cell(spec: str) -> Cell:
    """A cell by its shipped name, or from the lines of its equations (as cell `C`)."""
    if spec in SHIPPED:
        return relatives.check(library.load(spec))[-1]
    return relatives.check(Source(f"cell C {{\n{spec}\n}}", "c.cell"))[-1]


def schedule(spec: str) -> Schedule:
    return plan(lower(cell(spec)))


def text(spec: str) -> str:
    return emit(schedule(spec))


@cache
def module(spec: str) -> ModuleType:
    """The emitted module, importable by its name (so that pickle finds its classes)."""
    number = sum(name.startswith("emitted_for_tests_") for name in sys.modules)
    name = f"emitted_for_tests_{number}"
    path = Path(FOLDER.name) / f"{name}.py"
    path.write_text(text(spec), encoding="utf-8")
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    result = importlib.util.module_from_spec(found)
    sys.modules[name] = result
    found.loader.exec_module(result)
    return result


def sizes(spec: str, *numbers: int) -> dict[str, int]:
    """Numbers for the free dimensions of a cell, and what follows from them."""
    result = dict(zip(cell(spec).free_dims, numbers or (5, 6, 4, 3, 8), strict=False))
    for info in cell(spec).settings:
        if info.is_width:
            result[info.name] = int(info.value)
    for dim in cell(spec).dims:
        if dim.value is not None:
            result[dim.name] = int(dim.value.at(result))
    return result


def layer(spec: str, *numbers: int, **options: Any) -> Any:
    """The layer at these sizes of the free dimensions."""
    checked, known = cell(spec), sizes(spec, *numbers)
    first, output = checked.inputs[0].shape.width, checked.signal[checked.output].shape.width
    further = {name: known[name] for name in checked.free_dims if name not in (first.name, output.name)}
    return getattr(module(spec), checked.name)(int(first.at(known)), int(output.at(known)), **further, **options)


def step(spec: str, *numbers: int, **options: Any) -> Any:
    """The single step at these sizes."""
    return layer(spec, *numbers, **options).layers["l0"]
