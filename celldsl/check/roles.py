"""Roles: what each signal is, from the times at which it is read.

read at t and never defined: an input; defined at t and read at an earlier time: a state; defined at t and read
only at t: an intermediate. Names without a time are left to `Names.kind`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.check.slips import signal_or_parameter, unglue
from celldsl.errors import Diagnostics, Label, near
from celldsl.source import Span
from celldsl.syntax import tree

Role = Literal["input", "state", "intermediate"]


@dataclass
class Roles:
    """The signals of a cell: inputs, then what the equations define, each in the author's order."""

    signals: dict[str, Role] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)
    first: dict[str, tree.Name] = field(default_factory=dict)
    """Where each name was read first."""
    output: str | None = None
    broken: set[str] = field(default_factory=set)
    """Names about which an error was reported already."""

    @property
    def inputs(self) -> list[str]:
        return [name for name, role in self.signals.items() if role == "input"]


def find_roles(names: Names, values: dict[str, tree.Expr], found: Diagnostics) -> tuple[Roles, dict[str, tree.Expr]]:
    """Roles of all signals, and the right sides with glued names taken apart (each of which was reported)."""
    values = unglue(names, values, found)
    return _Finder(names, found).run(values), values


class _Finder:
    def __init__(self, names: Names, found: Diagnostics):
        self.names = names
        self.found = found
        self.roles = Roles()
        self.defined = {key for key, equation in names.equations.items() if equation.target.time is not None}
        self.reads: dict[str, dict[int, tree.Name]] = {}
        """Where each signal is read, by its delay."""

    def run(self, values: dict[str, tree.Expr]) -> Roles:
        timeless: dict[str, tree.Name] = {}
        for value in values.values():
            for name in trees.names(value):
                self.roles.first.setdefault(name.text, name)
                if name.time is None:
                    timeless.setdefault(name.text, name)
                else:
                    self.reads.setdefault(name.text, {}).setdefault(name.time, name)
        if self._has_no_time():
            return self.roles
        timed = {name: next(iter(places.values())) for name, places in self.reads.items()}
        for key in self.defined:
            timed.setdefault(key, self.names.equations[key].target)
        for key, typed in self.names.inputs.items():
            timed.setdefault(key, typed.name)
        self.roles.broken = signal_or_parameter(self.names, values, timed, timeless, self.found)
        self._assign()
        self._check_declared_inputs()
        self._check_declared_states()
        self._find_output()
        return self.roles

    def _has_no_time(self) -> bool:
        """A cell without any time: its author left out all subscripts."""
        if self.defined or self.reads or not self.names.equations:
            return False
        first = next(iter(self.names.equations.values()))
        self.roles.broken.update(self.names.equations)
        self.found.error(
            "no-time",
            "nothing here carries a time, so there is no signal",
            first.target.span,
            label="no time",
            notes=("what carries a time is a signal, what carries none a parameter",),
            help=f"write `{trees.shown(first.target.text, 0)} = …`, and `x_t`, `h_{{t-1}}` for the signals it reads",
        )
        return True

    # --- inputs, states, intermediates -------------------------------------------------------

    def _assign(self) -> None:
        names, roles = self.names, self.roles
        undeclared = [
            name
            for name in self.reads
            if name not in self.defined and name not in names.inputs and name not in roles.broken
        ]
        inputs = self._undeclared_inputs(undeclared)
        declared = [name for name in names.inputs if name not in self.defined]
        broken = [name for name in self.reads if name in roles.broken and name not in self.defined]
        missing = [name for name in undeclared if name not in inputs]
        for name in dict.fromkeys((*inputs, *declared, *broken, *missing)):
            roles.signals[name] = "input"
        for name in names.equations:
            if name in self.defined:
                roles.signals[name] = "state" if max(self.reads.get(name, {}), default=0) > 0 else "intermediate"
        for name in roles.signals:
            roles.depth[name] = max(self.reads.get(name, {}), default=0)
        if not roles.inputs and not roles.broken:
            self._report_no_input()

    def _undeclared_inputs(self, undeclared: list[str]) -> list[str]:
        """Of the signals that are read and neither defined nor declared, those that are inputs: the only one, or x.

        The others miss their equations, which is reported.
        """
        now = [name for name in undeclared if 0 in self.reads[name]]
        if "x" in now:
            inputs = ["x"]
        elif len(now) == 1 and not self.names.inputs:
            inputs = now
        else:
            inputs = []
        if len(now) > 1 and not inputs and not self.names.inputs:
            self._report_several(now)
            inputs = now
        for name in undeclared:
            if name not in inputs:
                self._report_missing(name, inputs)
        return inputs

    def _report_several(self, inputs: list[str]) -> None:
        """Several signals are read and none of them is defined or called x: which is the input?"""
        self.roles.broken.update(inputs)
        first, *rest = inputs
        shown = " and ".join(f"`{trees.shown(name, 0)}`" for name in inputs)
        self.found.error(
            "several-inputs",
            f"{shown} are read and never defined",
            self.reads[first][0].span,
            others=tuple(Label(self.reads[name][0].span, "never defined") for name in rest),
            label="never defined",
            notes=("one such signal is the input; of several, the further ones need a declaration",),
            help=f"if all are inputs, add: `input {', '.join(inputs)}`\nelse add the equations that are missing: "
            f"`{trees.shown(rest[-1], 0)} = …`",
        )

    def _report_missing(self, name: str, inputs: list[str]) -> None:
        self.roles.broken.add(name)
        reads = self.reads[name]
        place = reads[min(reads)]
        now = trees.shown(name, 0)
        close = near(name, self.defined - self.roles.broken)
        repair = f"add its equation: `{now} = …`\nor, if it is a further input: `input {name}`"
        if close and len(name) > 1:
            repair = f"did you mean `{trees.shown(close, min(reads))}`?\n{repair}"
        notes: tuple[str, ...] = ()
        others: tuple[Label, ...] = ()
        rest = [*inputs, *self.names.inputs]
        if 0 in reads and rest:
            others = (Label(self._input_place(rest[0]), "the input"),)
            notes = (f"a signal that is read and never defined is an input, but that is `{rest[0]}`",)
        self.found.error(
            "missing-equation",
            f"no equation gives `{now}`" + ("" if 0 in reads else f", but `{trees.shown(name, min(reads))}` is read"),
            place.span,
            label="never defined",
            others=others,
            notes=notes,
            help=repair,
        )

    def _input_place(self, name: str) -> Span:
        return self.names.inputs[name].name.span if name in self.names.inputs else self.reads[name][0].span

    def _report_no_input(self) -> None:
        if not self.names.equations:
            return
        first = next(iter(self.names.equations.values()))
        self.found.error(
            "no-input",
            "this cell has no input",
            first.span,
            notes=("a signal that is read at t and never defined is the input; every signal here is defined",),
            help="read the input in an equation: `W x_t`",
        )

    # --- declarations against equations ------------------------------------------------------

    def _check_declared_inputs(self) -> None:
        for name, typed in self.names.inputs.items():
            if name in self.defined:
                self.roles.broken.add(name)
                self.found.error(
                    "defined-input",
                    f"`{name}` is declared an input, but an equation gives it",
                    self.names.equations[name].target.span,
                    label="defined here",
                    others=(Label(typed.name.span, "declared an input here"),),
                    help="leave out one of the two",
                )
            elif name not in self.reads and name not in self.roles.broken:
                if self.names.is_own(typed):
                    close = near(name, [each for each in self.reads if each not in self.names.inputs])
                    self.found.error(
                        "unused-declaration",
                        f"the input `{name}` is declared, but no equation reads it",
                        typed.name.span,
                        help=f"did you mean `{close}`?" if close else "leave out the declaration",
                    )
                self.roles.signals.pop(name, None)

    def _check_declared_states(self) -> None:
        for name, typed in self.names.states.items():
            role = self.roles.signals.get(name)
            if role == "state" or not self.names.is_own(typed):
                continue
            if role == "intermediate":
                self.found.error(
                    "not-a-state",
                    f"`{name}` is declared a state, but no equation reads its value before the step",
                    typed.name.span,
                    others=(Label(self.names.equations[name].target.span, "read only at t"),),
                    help=f"read `{trees.shown(name, 1)}` somewhere, or leave out the declaration",
                )
                continue
            close = near(name, self.defined)
            if name not in self.roles.broken:
                self.found.error(
                    "undefined-state",
                    f"`{name}` is declared a state, but no equation gives `{trees.shown(name, 0)}`",
                    typed.name.span,
                    help=f"did you mean `{close}`?" if close else f"add its equation: `{trees.shown(name, 0)} = …`",
                )
                self.roles.broken.add(name)

    # --- the output --------------------------------------------------------------------------

    def _find_output(self) -> None:
        declared = self.names.output
        if declared is not None:
            if declared.text in self.defined:
                self.roles.output = declared.text
                return
            close = near(declared.text, self.defined)
            now = trees.shown(declared.text, 0)
            self.found.error(
                "undefined-output",
                f"the output is `{declared.text}`, but no equation gives `{now}`",
                declared.span,
                help=f"did you mean `{close}`?" if close else f"add its equation: `{now} = …`",
            )
            return
        for name in ("y", "h"):
            if name in self.defined:
                self.roles.output = name
                return
        signals = [name for name in self.names.equations if name in self.defined]
        if signals:
            last = signals[-1]
            self.found.error(
                "no-output",
                "this cell has no output",
                self.names.equations[last].target.span,
                notes=("the output is `h`, or `y` if there is one, or the signal that an `output` line names",),
                help=f"add: `output {last}`",
            )
