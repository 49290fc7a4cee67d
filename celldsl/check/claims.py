"""Claims: every name in them exists, and counts of parameters and of state are true.

These two are polynomials in the widths and are compared here, without SymPy; operations, ranges and equality with
another cell are proved by later stages, and only their names are looked up here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from celldsl.check import trees
from celldsl.check.cell import Cell
from celldsl.check.dims import NotAWidth, polynomial
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, near
from celldsl.syntax import tree

QUANTITIES = ("params", "flops", "state")


class BrokenCell(Exception):
    """Raised by `find` for a cell that exists and has errors of its own: claims about it are passed over."""


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
        for claim in cell.claims:
            match claim:
                case tree.ClaimCount():
                    self._count(claim)
                case tree.ClaimRange():
                    self._range(claim)
                case tree.ClaimEquals():
                    self._equals(claim)

    def _relative(self, name: str, place: tree.Node) -> Cell | None:
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
                    place.span,
                    help=f"did you mean `{close}`?" if close else "name a shipped cell, or one of this file",
                )
        return self.relatives.get(name)

    # --- counts ------------------------------------------------------------------------------

    def _count(self, claim: tree.ClaimCount) -> None:
        if claim.quantity not in QUANTITIES:
            close = near(claim.quantity, QUANTITIES)
            self.found.error(
                "unknown-quantity",
                f"nothing called `{claim.quantity}` is counted",
                claim.span,
                notes=("a claim is about params, flops or state",),
                help=f"did you mean `{close}`?" if close else "",
            )
            return
        sizes = self._sizes(claim)
        if sizes is None:
            return
        exact = claim.quantity != "flops"
        try:
            said = polynomial(claim.value, self._width, lambda call: self._other_count(call))
        except NotAWidth as problem:
            if problem.reason and (exact or problem.code != "not-a-width"):
                self.found.error(
                    "claim-value",
                    "this claim cannot be compared",
                    problem.span,
                    label=problem.reason,
                    help=problem.help
                    or "write numbers, widths and other cells' counts: `4 (m n + n^2 + n)`, `params(LSTM) - 3 m n`",
                )
            return
        if not exact:
            return
        counted = self.cell.parameter_count if claim.quantity == "params" else self.cell.state_size
        at = {name: Width.of(size) for name, size in sizes.items()}
        left, right = counted.substitute(at), said.substitute(at)
        if left != right:
            self._report_false(claim, left, right, counted, said)

    def _sizes(self, claim: tree.ClaimCount) -> dict[str, int] | None:
        """The sizes a claim is made at; hyper settings that are not given have their defaults."""
        dims = [*self.cell.free_dims, *(info.name for info in self.cell.settings if info.is_width)]
        sizes: dict[str, int] = {}
        for name, size in claim.at:
            if name not in dims:
                self._unknown_width(name, claim)
                return None
            if size < 1:
                self.found.error("claim-value", f"a width is at least 1, not {size}", claim.span)
                return None
            sizes[name] = size
        if claim.at:
            for info in self.cell.settings:
                if info.is_width:
                    sizes.setdefault(info.name, int(info.value))
        return sizes

    def _unknown_width(self, name: str, place: tree.Node) -> None:
        dims = [*self.cell.free_dims, *(info.name for info in self.cell.settings if info.is_width)]
        notes = (f"the widths of `{self.cell.name}` are {', '.join(dims)}",)
        if name == "m" and self.cell.inputs and self.cell.free_dims[:1] == ("n",):
            notes = (f"the input `{self.cell.inputs[0].name}` has the width of the output, {self.cell.free_dims[0]}",)
        close = near(name, dims) if len(name) > 1 else None
        self.found.error(
            "unknown-dim",
            f"there is no width `{name}`",
            place.span,
            notes=notes,
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
        self._unknown_width(text, name)
        raise NotAWidth(name.span, "")

    def _other_count(self, call: tree.Call) -> Width:
        if call.function not in QUANTITIES:
            raise NotAWidth(call.span, f"the function `{call.function}` has no place here")
        if len(call.arguments) != 1 or not isinstance(call.arguments[0], tree.Name):
            raise NotAWidth(call.span, f"`{call.function}(…)` names one cell", help=f"write `{call.function}(LSTM)`")
        other = self._relative(call.arguments[0].text, call.arguments[0])
        if other is None:
            raise NotAWidth(call.span, "")
        if call.function == "flops":
            raise NotAWidth(call.span, "flops are counted later", "later")
        return other.parameter_count if call.function == "params" else other.state_size

    def _report_false(self, claim: tree.ClaimCount, left: Width, right: Width, counted: Width, said: Width) -> None:
        at = f" at {', '.join(f'{name}={size}' for name, size in claim.at)}" if claim.at else ""
        what = "parameters" if claim.quantity == "params" else "numbers carried from step to step"
        difference = left - right
        notes = [
            f"claimed:    {right}",
            f"counted:    {left}" + (f" = {counted}{at}" if claim.at else ""),
            f"difference: {difference}" + (" too many claimed" if _negative(difference) else " not claimed"),
        ]
        notes[2] = (
            f"difference: {-difference if _negative(difference) else difference} {'claimed too much' if _negative(difference) else 'not claimed'}"
        )
        if claim.quantity == "params":
            notes += self._responsible(claim, difference)
            notes.append("each parameter: " + ", ".join(f"{p.name} {p.shape}" for p in self.cell.parameters))
        else:
            notes.append("states: " + ", ".join(f"{s.name} {s.shape}" for s in self.cell.states))
        self.found.error(
            "false-claim",
            f"the claim is false: `{self.cell.name}` has {left} {what}{at}, not {right}",
            claim.value.span if claim.value.span.end else claim.span,
            label=f"= {right}",
            notes=tuple(notes),
            help="mend the claim, or the equation that differs from what it counts",
        )

    def _responsible(self, claim: tree.ClaimCount, difference: Width) -> list[str]:
        """The parameters whose sizes make the difference, where some do."""
        sizes = {name: Width.of(size) for name, size in claim.at}
        missing = _negative(difference)
        wanted = -difference if missing else difference
        groups: dict[Width, list[str]] = {}
        for info in self.cell.parameters:
            groups.setdefault(info.shape.size.substitute(sizes), []).append(info.name)
        for size, members in groups.items():
            for many in range(1, len(members) + 1):
                if size * many != wanted:
                    continue
                if missing:
                    return [f"as if there were {many} more like {', '.join(members)}"]
                if many == len(members):
                    return [f"that is {' and '.join(members) if many < 3 else ', '.join(members)}"]
                return [f"that is {many} of {', '.join(members)}"]
        return []

    # --- ranges and equality -----------------------------------------------------------------

    def _range(self, claim: tree.ClaimRange) -> None:
        signal = claim.signal
        info = self.cell.signal.get(signal.text)
        if signal.time is None or info is None:
            known = list(self.cell.signal)
            close = near(signal.text, known)
            if info is not None:
                self.found.error(
                    "claim-name",
                    f"`{signal.text}` is a signal, but here it carries no time",
                    signal.span,
                    help=f"write `{trees.shown(signal.text, 0)}`",
                )
            else:
                self.found.error(
                    "claim-name",
                    f"there is no signal `{trees.shown(signal.text, signal.time)}` to claim something about",
                    signal.span,
                    notes=(f"the signals are {', '.join(known)}",),
                    help=f"did you mean `{trees.shown(close, 0)}`?" if close else "",
                )
        bounds: list[Fraction | None] = []
        for bound in (claim.low, claim.high):
            try:
                bounds.append(polynomial(bound, self._bound).number)
            except NotAWidth as problem:
                if problem.reason:
                    self.found.error(
                        "claim-value",
                        "a bound is a number, a constant or a setting",
                        problem.span,
                        label=problem.reason,
                    )
                bounds.append(None)
        low, high = bounds
        if low is not None and high is not None and low >= high and not claim.signal.text == "":
            self.found.error(
                "claim-value",
                f"nothing lies between {low} and {high}",
                claim.span,
                help="write the smaller bound first",
            )

    def _bound(self, name: tree.Name) -> Width:
        setting = self.cell.setting.get(name.text)
        if setting is not None:
            return Width.of(setting.value) if setting.kind == "const" else Width.of(name.text)
        return self._width(name)

    def _equals(self, claim: tree.ClaimEquals) -> None:
        other = self._relative(claim.other, claim)
        mine = {*self.cell.signal, *self.cell.parameter, *self.cell.equation}
        if other is None:
            return
        settings = {*self.cell.setting, *self.cell.free_dims, "I"}
        for equation in claim.when:
            target = equation.target
            if target.text not in mine:
                self._unknown_in_when(target, mine)
            known = {*mine, *settings, *other.signal, *other.parameter, *other.setting}
            for name in trees.names(equation.value):
                if name.text not in known:
                    self._unknown_in_when(name, known)

    def _unknown_in_when(self, name: tree.Name, known: Iterable[str]) -> None:
        close = near(name.text, known)
        self.found.error(
            "claim-name",
            f"there is no `{trees.shown(name.text, name.time)}` in `{self.cell.name}`",
            name.span,
            help=f"did you mean `{trees.shown(close, name.time)}`?" if close else "",
        )


def _negative(width: Width) -> bool:
    return all(coefficient < 0 for _, coefficient in width.terms)
