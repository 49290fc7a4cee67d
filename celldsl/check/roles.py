"""Roles: what each name is, from the times it carries.

read at t and never defined: an input; defined at t and read at an earlier time: a state; defined at t and read
only at t: an intermediate; without a time: a parameter, or derived from parameters by an equation. What papers'
readers trip over is reported here: a forgotten equation, a forgotten subscript, letters glued by LaTeX.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from celldsl.check import trees
from celldsl.check.inline import BROKEN
from celldsl.check.names import Names
from celldsl.errors import Diagnostics, Label, near
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


def find_roles(names: Names, values: dict[str, tree.Expr], found: Diagnostics) -> tuple[Roles, dict[str, tree.Expr]]:
    """Roles of all signals, and the right sides with glued names taken apart (each of which was reported)."""
    return _Finder(names, found).run(values)


class _Finder:
    def __init__(self, names: Names, found: Diagnostics):
        self.names = names
        self.found = found
        self.roles = Roles()
        self.defined = {key for key, equation in names.equations.items() if equation.target.time is not None}
        self.reads: dict[str, dict[int, tree.Name]] = {}
        self.timeless: dict[str, tree.Name] = {}

    def run(self, values: dict[str, tree.Expr]) -> tuple[Roles, dict[str, tree.Expr]]:
        self._check_targets()
        values = self._unglue(values)
        for value in values.values():
            for name in trees.names(value):
                if name.text == BROKEN:
                    continue
                self.roles.first.setdefault(name.text, name)
                if name.time is None:
                    self.timeless.setdefault(name.text, name)
                else:
                    self.reads.setdefault(name.text, {}).setdefault(name.time, name)
        self._check_signal_or_parameter(values)
        self._check_timeless_equations(values)
        self._assign()
        self._check_declared()
        self._find_output()
        return self.roles, values

    # --- what stands on the left -------------------------------------------------------------

    def _check_targets(self) -> None:
        for key, equation in self.names.equations.items():
            target = equation.target
            if target.time:
                self.found.error(
                    "past-on-left",
                    f"an equation gives a value at t, not at t-{target.time}",
                    target.span,
                    label="this is past",
                    help=f"write `{trees.shown(key, 0)} = …` for the new value; its first value is set by `init {key}_0 = …`",
                )

    # --- letters glued together --------------------------------------------------------------

    def _unglue(self, values: dict[str, tree.Expr]) -> dict[str, tree.Expr]:
        """`W_fx_t`, as LaTeX lets one write, is a signal `W_fx` to the reader of names: report and repair it."""
        known = {*self.defined, *self.names.inputs, "x"}
        reported: set[str] = set()

        def apart(node: tree.Expr) -> tree.Expr | None:
            if not isinstance(node, tree.Name) or node.time is None or node.text in known:
                return None
            split = _split_glued(node.text, known)
            if split is None:
                return None
            parameter, signal = split
            if node.text not in reported:
                reported.add(node.text)
                meant = f"{parameter} {trees.shown(signal, node.time)}"
                self.found.error(
                    "glued-names",
                    f"`{node.span.text or node.text}` reads as one signal named `{node.text}`",
                    node.span,
                    label="one name",
                    notes=(f"no equation gives `{trees.shown(node.text, 0)}`",),
                    help=f"put a blank between the two: `{meant}`",
                )
            pair = (tree.Name(parameter, span=node.span), tree.Name(signal, node.time, span=node.span))
            return tree.Juxtaposition(pair, span=node.span)

        return {key: trees.rewrite(value, apart) for key, value in values.items()}

    # --- signal or parameter -----------------------------------------------------------------

    def _check_signal_or_parameter(self, values: dict[str, tree.Expr]) -> None:
        for name, plain in self.timeless.items():
            kind = self.names.kind(name)
            if name not in self.reads and name not in self.defined and name not in self.names.inputs:
                continue
            if kind in ("dim", "identity"):
                continue
            timed = next(iter(self.reads.get(name, {}).values()), None)
            if timed is None:
                timed = self.names.equations[name].target if name in self.defined else self.names.inputs[name].name
            self.roles.broken.add(name)
            declared = self._declaration(name)
            if declared is not None:
                self.found.error(
                    "signal-and-parameter",
                    f"`{name}` is {declared[0]}, but here it carries a time",
                    timed.span,
                    others=(declared[1],),
                    help=f"write `{name}` without a time, or give the signal another name",
                )
                continue
            now = trees.shown(name, 0)
            before = trees.shown(name, 1)
            if name in self.defined:
                repair = f"write `{before}` for its value before the step, or `{now}` for the one after it"
            else:
                repair = f"write `{now}` for the input at this step"
            self.found.error(
                "signal-and-parameter",
                f"`{name}` is a signal, but here it carries no time",
                plain.span,
                label="no time",
                others=(Label(timed.span, "a signal: it carries a time"),),
                notes=("what carries a time is a signal; what carries none is a parameter",),
                help=f"{repair}; or give the parameter another name",
            )
        for name, item in (*self.names.params.items(), *self.names.settings.items()):
            timed = next(iter(self.reads.get(name, {}).values()), None)
            if timed is None and name in self.defined:
                timed = self.names.equations[name].target
            if timed is not None and name not in self.roles.broken and name not in self.timeless:
                declared = self._declaration(name)
                assert declared is not None
                self.roles.broken.add(name)
                self.found.error(
                    "signal-and-parameter",
                    f"`{name}` is {declared[0]}, but here it carries a time",
                    timed.span,
                    others=(declared[1],),
                    help=f"write `{name}` without a time, or give the signal another name than `{item.name.text}`",
                )

    def _declaration(self, name: str) -> tuple[str, Label] | None:
        if name in self.names.params:
            return "declared a parameter", Label(self.names.params[name].name.span, "declared here")
        if name in self.names.settings:
            return "declared a number", Label(self.names.settings[name].name.span, "declared here")
        if self.names.kind(name) == "derived":
            return "defined without a time", Label(self.names.equations[name].target.span, "defined here")
        return None

    def _check_timeless_equations(self, values: dict[str, tree.Expr]) -> None:
        for key, equation in self.names.timeless_equations.items():
            signal = next((name for name in trees.names(values[key]) if name.time is not None), None)
            if signal is not None:
                self.roles.broken.add(key)
                self.found.error(
                    "needs-a-time",
                    f"`{key}` carries no time, but its equation reads a signal",
                    equation.target.span,
                    label="no time",
                    others=(Label(signal.span, "a signal"),),
                    notes=("an equation without a time is computed once per sequence, from parameters alone",),
                    help=f"write `{trees.shown(key, 0)} = …`, and `{trees.shown(key, 0)}` where it is read",
                )

    # --- inputs, states, intermediates -------------------------------------------------------

    def _assign(self) -> None:
        names, roles = self.names, self.roles
        undeclared = [
            name
            for name in self.reads
            if name not in self.defined and name not in names.inputs and name not in roles.broken
        ]
        for name in [each for each in undeclared if 0 not in self.reads[each]]:
            undeclared.remove(name)
            self._report_missing(name, undeclared)
        if len(undeclared) > 1 or (undeclared and names.inputs and undeclared != ["x"]):
            clear = "x" if "x" in undeclared else None
            for name in undeclared:
                if name != clear:
                    self._report_missing(name, [clear] if clear else [])
        for name in ("x", *undeclared):
            if name in undeclared:
                roles.signals[name] = "input"
        for name in names.inputs:
            if name not in self.defined:
                roles.signals[name] = "input"
        for name in roles.broken:
            if name in self.reads and name not in self.defined and self._declaration(name) is None:
                roles.signals.setdefault(name, "input")
        for name, equation in names.equations.items():
            if equation.target.time is not None:
                past = max(self.reads.get(name, {}), default=0) > 0
                roles.signals[name] = "state" if past else "intermediate"
        for name in roles.signals:
            roles.depth[name] = max(self.reads.get(name, {}), default=0)
        if not any(role == "input" for role in roles.signals.values()) and not roles.broken:
            self._report_no_input()

    def _report_missing(self, name: str, inputs: list[str]) -> None:
        self.roles.broken.add(name)
        self.roles.signals[name] = "input"
        reads = self.reads[name]
        place = reads[min(reads)]
        candidates = [key for key in self.defined if key not in self.roles.broken]
        close = near(name, candidates)
        now = trees.shown(name, 0)
        help = f"add its equation: `{now} = …`" + f"\nor, if it is a further input: `input {name}: m_{name}`"
        if close and len(name) > 1:
            help = f"did you mean `{trees.shown(close, min(reads))}`?\n{help}"
        if 0 not in reads:
            self.found.error(
                "missing-equation",
                f"`{trees.shown(name, min(reads))}` is read, but no equation gives `{now}`",
                place.span,
                label="never defined",
                help=help,
            )
            return
        notes = ("a signal that is read and never defined is an input",)
        others: tuple[Label, ...] = ()
        rest = [each for each in (*inputs, *self.names.inputs) if each != name]
        if rest:
            other = rest[0]
            span = self.names.inputs[other].name.span if other in self.names.inputs else self.reads[other][0].span
            others = (Label(span, "the input"),)
            notes = (f"a signal that is read and never defined is an input, and the input is `{other}`",)
        self.found.error(
            "missing-equation",
            f"no equation gives `{now}`",
            place.span,
            label="never defined",
            others=others,
            notes=notes,
            help=help,
        )

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

    def _check_declared(self) -> None:
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
            elif name not in self.reads and name not in self.timeless:
                if self.names.is_own(typed):
                    close = near(name, [each for each in self.reads if each not in self.names.inputs])
                    self.found.error(
                        "unused-declaration",
                        f"the input `{name}` is declared, but no equation reads it",
                        typed.name.span,
                        help=f"did you mean `{close}`?" if close else "leave out the declaration",
                    )
                self.roles.signals.pop(name, None)
        for name, typed in self.names.states.items():
            role = self.roles.signals.get(name)
            if role == "state" or not self.names.is_own(typed):
                continue
            if role is None or role == "input":
                close = near(name, self.defined)
                self.roles.broken.add(name)
                self.found.items = [item for item in self.found.items if not self._is_missing(item, name)]
                self.found.error(
                    "undefined-state",
                    f"`{name}` is declared a state, but no equation gives `{trees.shown(name, 0)}`",
                    typed.name.span,
                    help=f"did you mean `{close}`?" if close else f"add its equation: `{trees.shown(name, 0)} = …`",
                )
            else:
                self.found.error(
                    "not-a-state",
                    f"`{name}` is declared a state, but no equation reads its value before the step",
                    typed.name.span,
                    others=(Label(self.names.equations[name].target.span, "defined here, read only at t"),),
                    help=f"read `{trees.shown(name, 1)}` somewhere, or leave out the declaration",
                )

    def _is_missing(self, item: object, name: str) -> bool:
        return getattr(item, "code", "") == "missing-equation" and f"`{trees.shown(name, 0)}`" in item.message  # type: ignore[attr-defined]

    def _find_output(self) -> None:
        declared = self.names.output
        if declared is not None:
            if declared.text in self.defined:
                self.roles.output = declared.text
                return
            close = near(declared.text, self.defined)
            self.found.error(
                "undefined-output",
                f"the output is `{declared.text}`, but no equation gives `{trees.shown(declared.text, 0)}`",
                declared.span,
                help=f"did you mean `{close}`?"
                if close
                else f"add its equation: `{trees.shown(declared.text, 0)} = …`",
            )
            return
        for name in ("y", "h"):
            if name in self.defined:
                self.roles.output = name
                return
        signals = [name for name in self.names.equations if name in self.defined]
        if not signals:
            return
        last = signals[-1]
        self.found.error(
            "no-output",
            "this cell has no output",
            self.names.equations[last].target.span,
            notes=("the output is `h`, or `y` if there is one, or the signal that an `output` line names",),
            help=f"add: `output {last}`",
        )


def _split_glued(text: str, known: set[str]) -> tuple[str, str] | None:
    """`W_fx` as (`W_f`, `x`), `Uh` as (`U`, `h`): a parameter's name with a known signal's name behind it."""
    for signal in sorted(known, key=len, reverse=True):
        if text.endswith(signal) and len(text) > len(signal):
            head = text.removesuffix(signal)
            if re.fullmatch(r"[A-Z]|[A-Za-z]\w*_\w+", head) and not head.endswith("_"):
                return head, signal
    return None
