"""What the runs of a folder were really given: several commands may have made them, under different settings.

The settings of a run stand in its metrics' header. Only some may differ among the runs of one folder (when a run ends,
threads, checkpoints), and a report tells them as they are instead of as the last command had them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from celldsl.experiment.experiment import ENDS, HARMLESS, INSTEAD, MACHINE, Experiment, flat, label
from celldsl.experiment.folder import State
from celldsl.train.settings import Settings

DEFAULTS = flat(Settings().to_json())


@dataclass(frozen=True)
class Given:
    """settings: those that are not the trainer's own, by flat name, with every value that a run was given.

    origin: the file's. Settings of the machine are in neither, nor are axes.
    """

    settings: dict[str, list[Any]]
    origin: dict[str, Any]

    @classmethod
    def of(cls, experiment: Experiment, states: Sequence[State]) -> Given:
        """What these points were given; one that nobody began counts with what the last command would give it."""
        runs = [_settings(state) for state in states]
        asked = flat(experiment.settings)
        found = {}
        for name in dict.fromkeys([*asked, *(name for run in runs for name in run)]):
            values = _distinct([run.get(name, DEFAULTS.get(name)) for run in runs])
            axis = {name, name.partition(".")[0]} & {*experiment.axes}
            if name not in MACHINE and not axis and (name in asked or values != [DEFAULTS.get(name)]):
                found[name] = values
        return cls(found, flat(experiment.origin))

    @staticmethod
    def axes(experiment: Experiment, states: Sequence[State]) -> list[str]:
        """Lines for axes with values that the file's grids do not have, `hidden: 168, 200 instead of 1150, 1011`. Those
        that a scale names stand there; more seeds or cells change nothing for the others."""
        scaled = {line.partition(": ")[0] for line in experiment.reduced}
        told = []
        for axis, before in experiment.origin_axes.items():
            values = _distinct([state.point.axes[axis] for state in states])
            if axis not in {"seed", "cell", *scaled} and any(value not in before for value in values):
                told.append(f"{axis}: {', '.join(map(str, values))}{INSTEAD}{', '.join(map(str, _distinct(before)))}")
        return told

    def before(self, name: str) -> Any:
        """The file's value of a setting, or the trainer's own where the file is silent."""
        return self.origin.get(name, DEFAULTS.get(name))

    def own(self, state: State) -> dict[str, Any]:
        """One run's value of every setting in which the runs differ, and of those that say when it ends."""
        run = _settings(state)
        differ = [name for name, values in self.settings.items() if len(values) > 1]
        return {name: run.get(name, DEFAULTS.get(name)) for name in (*sorted(ENDS), *differ)}

    def lines(self, asked: Sequence[str]) -> list[str]:
        """Lines made for the last command, `epochs: 10 instead of 100`, with what the runs were given."""
        names = {label(name): name for name in self.settings}
        told = []
        for line in asked:
            head, _, rest = line.partition(": ")
            _, instead, before = rest.partition(INSTEAD)
            values = self.settings.get(names.get(head, ""))
            if values is None:  # an axis, or a table
                told.append(line)
            elif several(values) != before:
                told.append(f"{head}: {several(values)}{instead}{before}")
        return told

    def further(self, asked: Sequence[str]) -> list[str]:
        """Such lines for what earlier commands changed and these lines do not name."""
        named = {line.partition(": ")[0] for line in asked}
        told = []
        for name, values in self.settings.items():
            before = self.before(name)
            if name not in HARMLESS and label(name) not in named and values != [before]:
                told.append(f"{label(name)}: {several(values)}" + (f"{INSTEAD}{before}" if before is not None else ""))
        return told


def several(values: Sequence[Any], text: Callable[[Any], str] = str) -> str:
    """`10`, `6 to 10`, `5 or none`. text: how one value is written."""
    if len(values) > 1 and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return f"{text(min(values))} to {text(max(values))}"
    return " or ".join("none" if value is None else text(value) for value in values)


def _settings(state: State) -> dict[str, Any]:
    return flat({**state.point.settings, **state.header.get("settings", {})})


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Each once, in order: lists among them have no hash."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
