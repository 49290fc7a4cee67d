"""From an experiment file (TOML) to an `Experiment`; every unknown or ill-formed entry is an error with its repair.

A file has these entries, of which `settings`, `grid` and `report` are needed:

    title, paper, about          text
    decisions                    how contradictions of the paper were decided, a list of texts, told in every report
    examples                     {train = 60000, test = 10000}, what `--scale 0.01` multiplies
    [settings]                   fields of celldsl.train.Settings
    [grid] or [[grid]] …         axis = [values]; the first axis changes last
    [scale.NAME.settings/.grid]  what replaces settings and axes at this scale
    [report]                     metric, also = [metrics], columns = axis
    [published]                  source, values = [{cell = "lstm", lr = 1e-3, value = 0.9816}]
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from celldsl.errors import near
from celldsl.experiment.errors import ExperimentError
from celldsl.experiment.experiment import MACHINE, OPTIONS, Experiment, Published, Scale
from celldsl.train.settings import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIX = ".toml"
WORDS = ("title", "paper", "about", "decisions", "examples")
ENTRIES = (*WORDS, "settings", "grid", "scale", "report", "published")
FIELDS = tuple(each.name for each in dataclasses.fields(Settings) if each.name not in MACHINE)


def shipped() -> list[str]:
    """The names of the shipped experiments, sorted."""
    return sorted(entry.name.removesuffix(SUFFIX) for entry in _folder().iterdir() if entry.name.endswith(SUFFIX))


def find(name: str) -> Experiment:
    """The experiment of a path or a shipped name. Raises ExperimentError."""
    if name.endswith(SUFFIX) or "/" in name or "\\" in name:
        path = Path(name).expanduser()
        try:
            return parse(path.read_text(encoding="utf-8-sig"), path.stem, name)
        except FileNotFoundError:
            hint = f"; {path.stem} is shipped: give the name alone" if path.stem in shipped() else ""
            raise ExperimentError(f"there is no file {name}{hint}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ExperimentError(f"{name} cannot be read: {error}") from None
    if name not in shipped():
        guess = near(name, shipped())
        meant = f"did you mean {guess}?" if guess else f"there are {', '.join(shipped())}; a path ends in {SUFFIX}"
        raise ExperimentError(f"no experiment is named {name!r}: {meant}")
    return parse((_folder() / f"{name}{SUFFIX}").read_text(encoding="utf-8"), name, name)


def parse(text: str, name: str, file: str) -> Experiment:
    """The experiment that a text says. name: what it is called; file: what errors and commands name it by."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{file}: {error}") from None
    reader = _Reader(file)
    reader.known("the file", told, ENTRIES)
    for entry in ("settings", "grid", "report"):
        if entry not in told:
            reader.fail(f"there is no [{entry}]")
    report = reader.table("[report]", told["report"], ("metric", "also", "columns"))
    if "metric" not in report:
        reader.fail('[report] needs metric = "NAME"')
    grids = reader.grids(told["grid"])
    published = reader.table("[published]", told.get("published", {}), ("source", "values"))
    settings = reader.settings("[settings]", told["settings"], grids[0])
    experiment = Experiment(
        name=name,
        file=file,
        title=reader.text("title", told.get("title", name)),
        paper=reader.text("paper", told.get("paper", "")),
        about=reader.text("about", told.get("about", "")),
        decisions=reader.texts("decisions", told.get("decisions", [])),
        settings=settings,
        origin=settings,
        origin_axes={axis: [value for grid in grids for value in grid[axis]] for axis in grids[0]},
        grids=grids,
        metric=reader.text("metric of [report]", report["metric"]),
        also=reader.texts("also of [report]", report.get("also", [])),
        columns=report.get("columns"),
        examples=reader.table("examples", told.get("examples", {}), ("train", "test")),
        scales=reader.scales(told.get("scale", {}), grids[0]),
        published=reader.published(published.get("values", []), grids[0]),
        source=reader.text("source of [published]", published.get("source", "")),
    )
    if experiment.columns is not None and experiment.columns not in experiment.axes:
        reader.fail(f"columns of [report] must be an axis of the grid ({', '.join(experiment.axes)})")
    experiment.check()
    return experiment


class _Reader:
    """What the parts of a file must look like; every complaint names the file and the part."""

    def __init__(self, file: str):
        self.file = file

    def fail(self, message: str) -> None:
        raise ExperimentError(f"{self.file}: {message}")

    def known(self, where: str, names: Iterable[str], allowed: Sequence[str]) -> None:
        for name in names:
            if name not in allowed:
                guess = near(name, allowed)
                meant = f"did you mean {guess!r}?" if guess else f"it may have {', '.join(allowed)}"
                self.fail(f"{where} has no entry {name!r}: {meant}")

    def table(self, where: str, value: Any, allowed: Sequence[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(f"{where} must be a table, not {value!r}")
        self.known(where, value, allowed)
        return dict(value)

    def text(self, where: str, value: Any) -> str:
        if not isinstance(value, str):
            self.fail(f"{where} must be text, not {value!r}")
        return " ".join(str(value).split())

    def texts(self, where: str, value: Any) -> list[str]:
        if not isinstance(value, list):
            self.fail(f"{where} must be a list of texts, not {value!r}")
        return [self.text(where, each) for each in value]

    def settings(self, where: str, value: Any, axes: Iterable[str]) -> dict[str, Any]:
        told = self.table(where, value, FIELDS)
        for axis in axes:
            table, _, entry = axis.partition(".")
            if (entry in told.get(table, {})) if entry else (axis in told):
                self.fail(f"{axis} is an axis of the grid: it has no place in {where}")
        return told

    def grids(self, value: Any) -> list[dict[str, list[Any]]]:
        """One grid or several, whose points are put together; all over the same axes."""
        grids = [self.grid("[grid]", each) for each in (value if isinstance(value, list) else [value])]
        if not grids or not grids[0]:
            self.fail("[grid] needs an axis, such as seed = [0, 1, 2]")
        for grid in grids[1:]:
            if list(grid) != list(grids[0]):
                self.fail(f"every [[grid]] must have the same axes in the same order: {', '.join(grids[0])}")
        return grids

    def grid(self, where: str, value: Any) -> dict[str, list[Any]]:
        axes = {}
        for name, values in self.table(where, value, FIELDS).items():
            nested = values.items() if name in OPTIONS and isinstance(values, dict) else None
            for axis, choices in [(f"{name}.{entry}", each) for entry, each in nested] if nested else [(name, values)]:
                if not isinstance(choices, list) or not choices:
                    self.fail(f"{axis} of {where} must be a list of values, not {choices!r}")
                axes[axis] = list(choices)
        return axes

    def scales(self, value: Any, axes: Mapping[str, Any]) -> dict[str, Scale]:
        scales = {}
        for name, told in value.items():
            where = f"[scale.{name}]"
            table = self.table(where, told, ("settings", "grid"))
            grid = self.grid(f"{where} grid", table.get("grid", {}))
            self.known(f"{where} grid", grid, list(axes))
            scales[name] = Scale(self.settings(f"{where} settings", table.get("settings", {}), axes), grid)
        return scales

    def published(self, values: Any, axes: Mapping[str, Any]) -> list[Published]:
        found = []
        for row in values:
            self.known("a value of [published]", row, [*axes, "value"])
            number = row.get("value")
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                self.fail(f"a value of [published] needs value = NUMBER: {row!r}")
            found.append(Published({axis: each for axis, each in row.items() if axis != "value"}, float(number)))
        return found


def _folder():  # type: ignore[no-untyped-def]  # importlib's Traversable moved between Python 3.10 and 3.11
    """The folder of the shipped files: the installed package `celldsl.experiments`, or `experiments/` of a checkout."""
    try:
        return resources.files("celldsl.experiments")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parent.parent.parent / "experiments"
