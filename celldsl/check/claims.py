"""Claims: every name in them exists, and counts of parameters and of state are true.

These two are polynomials in the widths and are compared here, without SymPy; operations, ranges and equality with
another cell are proved by later stages, and only their names are looked up here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from celldsl.check import trees
from celldsl.check.cell import Cell
from celldsl.check.instance import BrokenCell
from celldsl.check.polynomial import NotAWidth, polynomial
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, near
from celldsl.source import Span
from celldsl.syntax import tree

QUANTITIES = ("params", "flops", "state")


def check_claims(
    cell: Cell, find: Callable[[str], Cell | None], known: Callable[[], Iterable[str]], found: Diagnostics
) -> Cell:
    """The cell with the relatives its claims refer to; what is wrong with the claims goes to `found`."""
    return replace(cell, relatives=tuple(_Claims(cell, find, known, found).relatives.values()))


class _Claims:
    """Checks the claims of one cell against it."""

    def __init__(
        self,
        cell: Cell,
        find: Callable[[str], Cell | None],
        known: Callable[[], Iterable[str]],
        found: Diagnostics,
    ):
        self.cell, self.find, self.known, self.found = cell, find, known, found
        self.relatives: dict[str, Cell] = {}
        self._missing: set[str] = set()
        self._widths = [*cell.free_dims, *(info.name for info in cell.settings if info.is_width)]
        for claim in cell.claims:
            match claim:
                case tree.ClaimCount():
                    self._count(claim)
                case tree.ClaimRange():
                    self._range(claim)
                case tree.ClaimEquals():
                    self._equals(claim)

    def _relative(self, name: str, place: Span) -> Cell | None:
        """Another cell by name; None after an error."""
        if name == self.cell.name:
            return self.cell
        if name not in self.relatives and name not in self._missing:
            try:
                other = self.find(name)
            except BrokenCell:
                self._missing.add(name)
                return None
            if other is not None:
                self.relatives[name] = other
            else:
                self._missing.add(name)
                close = near(name, self.known())
                self.found.error(
                    "unknown-cell",
                    f"there is no cell `{name}`",
                    place,
                    help=f"did you mean `{close}`?" if close else "name a shipped cell, or one of this file",
                )
        return self.relatives.get(name)

    # --- counts ------------------------------------------------------------------------------

    def _count(self, claim: tree.ClaimCount) -> None:
        sizes = self._sizes(claim)
        if sizes is None:
            return
        try:
            said = polynomial(claim.value, self._width, self._other_count)
        except NotAWidth as problem:
            if problem.reason:
                self.found.error(
                    "claim-value",
                    "this claim cannot be compared",
                    problem.span,
                    label=problem.reason,
                    help=problem.help
                    or "write numbers, widths and other cells' counts: `4 (m n + n^2 + n)`, `params(LSTM) - 3 m n`",
                )
            return
        if claim.quantity == "flops":
            return
        counted = self.cell.parameter_count if claim.quantity == "params" else self.cell.state_size
        at = {name: Width.of(size) for name, size in sizes.items()}
        if counted.substitute(at) != said.substitute(at):
            self._report_false(claim, counted, said.substitute(at), at)

    def _sizes(self, claim: tree.ClaimCount) -> dict[str, int] | None:
        """The sizes a claim is made at, None after an error; hyper settings that are not given have their defaults."""
        sizes: dict[str, int] = {}
        for name, size in claim.at:
            place = _part(claim.span, rf"\b{re.escape(name)}\s*=")
            if name not in self._widths:
                self._report_width(name, place)
                return None
            if size < 1:
                self.found.error("claim-value", f"a width is at least 1, not {size}", place)
                return None
            sizes[name] = size
        if claim.at:
            for info in self.cell.settings:
                if info.is_width:
                    sizes.setdefault(info.name, int(info.value))
        return sizes

    def _report_width(self, name: str, place: Span) -> None:
        note = f"the widths of `{self.cell.name}` are {', '.join(self._widths)}"
        if name == "m" and self.cell.inputs and self.cell.free_dims[:1] == ("n",):
            note = f"the input `{self.cell.inputs[0].name}` has the width of the output, n"
        close = near(name, self._widths) if len(name) > 1 else None
        if len(name) > 1 and all(letter in self._widths for letter in name):
            note, close = f"`{name}` is one name here, not a product", " ".join(name)
        self.found.error(
            "unknown-dim",
            f"there is no width `{name}`",
            place,
            notes=(note,),
            help=f"did you mean `{close}`?" if close else "",
        )

    def _width(self, name: tree.Name) -> Width:
        text = name.text
        for dim in self.cell.dims:
            if dim.name == text:
                return Width.of(text) if dim.value is None else dim.value
        setting = self.cell.setting.get(text)
        if setting is not None:
            if setting.is_width and setting.kind == "hyper":
                return Width.of(text)
            if setting.kind == "const":
                return Width.of(setting.value)
        self._report_width(text, name.span)
        raise NotAWidth(name.span, "")

    def _other_count(self, call: tree.Call) -> Width:
        if call.function not in QUANTITIES:
            raise NotAWidth(call.span, f"the function `{call.function}` has no place here")
        if len(call.arguments) != 1 or not isinstance(call.arguments[0], tree.Name):
            raise NotAWidth(call.span, "this names one cell", help=f"write `{call.function}(LSTM)`")
        other = self._relative(call.arguments[0].text, call.arguments[0].span)
        if other is None:
            raise NotAWidth(call.span, "")
        if call.function == "flops":
            return Width.of(1)  # counted on the symbolic form; only names matter here
        return other.parameter_count if call.function == "params" else other.state_size

    def _report_false(self, claim: tree.ClaimCount, counted: Width, said: Width, at: dict[str, Width]) -> None:
        here = f" at {', '.join(f'{name}={size}' for name, size in claim.at)}" if claim.at else ""
        true = counted.substitute(at)
        difference = true - said
        formula = f" = {counted}{here}" if claim.at else ""
        notes = [f"counted:    {true}{formula}", f"claimed:    {said}"]
        if claim.quantity == "params":
            what = "parameters"
            notes.append(f"difference: {difference}{self._responsible(difference, at)}")
            notes.append("parameters: " + ", ".join(f"{info.name} {info.shape}" for info in self.cell.parameters))
        else:
            what = "numbers carried from step to step"
            notes.append(f"difference: {difference}")
            notes.append("states:     " + ", ".join(f"{info.name} {info.shape}" for info in self.cell.states))
        self.found.error(
            "false-claim",
            f"the claim is false: `{self.cell.name}` has {true} {what}{here}, not {said}",
            claim.value.span if claim.value.span.end else claim.span,
            label="" if _same(claim.value.span.text, said) else f"= {said}",
            notes=tuple(notes),
            help="mend the claim, or the equation that differs from what it counts",
        )

    def _responsible(self, difference: Width, at: dict[str, Width]) -> str:
        """Which parameters the difference between count and claim is made of, where some parameters' sizes do."""
        groups: dict[Width, list[str]] = {}
        for info in self.cell.parameters:
            groups.setdefault(info.shape.size.substitute(at), []).append(info.name)
        for size, names in groups.items():
            for many in range(1, len(names) + 1):
                if size * many == difference:
                    which = " and ".join(names) if many == len(names) < 3 else ", ".join(names)
                    return f", which is {which}" if many == len(names) else f", which is {many} of {which}"
                if size * many == -difference:
                    return f", as if there were {many} more like {names[0]}"
        return ""

    # --- ranges and equality -----------------------------------------------------------------

    def _range(self, claim: tree.ClaimRange) -> None:
        self._check_ranged(claim.signal)
        low, high = self._bound(claim.low), self._bound(claim.high)
        if low is not None and high is not None and low >= high:
            self.found.error(
                "claim-value",
                f"nothing lies between {low} and {high}",
                claim.span,
                help="write the smaller bound first",
            )

    def _check_ranged(self, signal: tree.Name) -> None:
        info = self.cell.signal.get(signal.text)
        shown = trees.shown(signal.text, signal.time)
        if info is None:
            close = near(signal.text, self.cell.signal)
            self.found.error(
                "claim-name",
                f"there is no signal `{shown}` to claim something about",
                signal.span,
                notes=(f"the signals are {', '.join(trees.shown(name, 0) for name in self.cell.signal)}",),
                help=f"did you mean `{trees.shown(close, 0)}`?" if close else "",
            )
        elif signal.time is None:
            self.found.error(
                "claim-name",
                f"`{signal.text}` is a signal, but here it carries no time",
                signal.span,
                help=f"write `{trees.shown(signal.text, 0)}`",
            )

    def _bound(self, bound: tree.Expr | None) -> Fraction | None:
        """A bound's value; None where there is none or it depends on a setting, and after an error."""
        if bound is None:
            return None

        def named(name: tree.Name) -> Width:
            setting = self.cell.setting.get(name.text)
            if setting is not None:
                return Width.of(setting.value) if setting.kind == "const" else Width.of(name.text)
            raise NotAWidth(name.span, f"`{name.text}` is none of these")

        try:
            return polynomial(bound, named).number
        except NotAWidth as problem:
            self.found.error(
                "claim-value",
                "a bound is a number, a constant or a setting",
                problem.span,
                label=problem.reason,
                help="write the bound as a number: `claim 0 < i_t < 1`",
            )
            return None

    def _equals(self, claim: tree.ClaimEquals) -> None:
        other = self._relative(claim.other, _part(claim.span, rf"\b{re.escape(claim.other)}\b"))
        if other is None:
            return
        mine = [*self.cell.signal, *self.cell.parameter, *self.cell.equation, *self.cell.setting]
        known = [*mine, *self.cell.free_dims, "I", *other.signal, *other.parameter, *other.setting]
        for equation in claim.when:
            self._check_known(equation.target, mine)
            for name in trees.names(equation.value):
                self._check_known(name, known)

    def _check_known(self, name: tree.Name, known: list[str]) -> None:
        if name.text in known:
            return
        close = near(name.text, known)
        names = ", ".join(dict.fromkeys(known))
        self.found.error(
            "claim-name",
            f"there is no `{trees.shown(name.text, name.time)}` in `{self.cell.name}`",
            name.span,
            notes=() if close else (f"there are {names}",),
            help=f"did you mean `{trees.shown(close, name.time)}`?" if close else "",
        )


def _part(span: Span, pattern: str) -> Span:
    """The place of a word inside a longer one."""
    found = re.search(pattern, span.text)
    if found is None:
        return span
    return Span(span.source, span.start + found.start(), span.start + len(found.group().rstrip(" =")) + found.start())


def _same(written: str, value: Width) -> bool:
    return written.replace(" ", "") == str(value).replace(" ", "")
