"""Are a cell's claims true?

Counts are compared as polynomials in the widths, and at numbers; ranges by interval arithmetic, and by runs with
random numbers; equality with another cell by normal forms, and by runs. A claim that cannot be proved does not hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import sympy

from celldsl.check import check
from celldsl.check.cell import Cell
from celldsl.errors import CelldslError, SpecError
from celldsl.source import NOWHERE
from celldsl.symbolic import counts, numeric
from celldsl.symbolic.algebra import dim_symbol, width_value
from celldsl.symbolic.equality import Comparison, compare
from celldsl.symbolic.interval import INFINITE, Interval
from celldsl.symbolic.intervals import intervals
from celldsl.symbolic.lower import number_value
from celldsl.symbolic.text import written
from celldsl.syntax import tree, write

_COUNTS: dict[str, Callable[[Cell], sympy.Expr]] = {
    "params": counts.parameter_count,
    "flops": counts.flops,
    "state": counts.state_size,
}


@dataclass(frozen=True)
class ClaimResult:
    """What came of one claim.

    text: the claim as written; expected: what it says; found: what is so.
    difference: expected and found apart, where that is a number or a formula.
    responsible: the parameters or equations that make the difference, or that the proof rests on.
    how: the means of the check.
    """

    text: str
    ok: bool
    expected: str
    found: str
    difference: str = ""
    responsible: tuple[str, ...] = ()
    how: str = "symbolic"

    @property
    def detail(self) -> str:
        """One line for a table: how it was checked; of a false claim, what differs and why."""
        parts = [f"difference {self.difference}"] if self.difference else []
        parts += ["; ".join(self.responsible)] if self.responsible and not self.ok else []
        return ", ".join([*parts, self.how])


def verify_claims(cell: Cell) -> list[ClaimResult]:
    """The result of every claim, in the author's order."""
    return _Claims(cell).results()


@dataclass(frozen=True)
class _Claims:
    cell: Cell

    def results(self) -> list[ClaimResult]:
        found = []
        for claim in self.cell.claims:
            match claim:
                case tree.ClaimCount():
                    found.append(self.count(claim))
                case tree.ClaimRange():
                    found.append(self.range(claim))
                case tree.ClaimEquals():
                    found.append(self.equals(claim))
        return found

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        return intervals(self.cell)

    def other(self, name: str) -> Cell:
        for cell in (self.cell, *self.cell.relatives):
            if cell.name.lower() == name.lower():
                return cell
        raise CelldslError(f"no cell {name} beside {self.cell.name}")

    # --- counts ----------------------------------------------------------------------------

    def count(self, claim: tree.ClaimCount) -> ClaimResult:
        counted, said = _COUNTS[claim.quantity](self.cell), sympy.expand(self.formula(claim.value))
        sizes = {dim_symbol(name): size for name, size in claim.at}
        if sizes:
            for info in self.cell.settings:
                if info.is_width:
                    sizes.setdefault(dim_symbol(info.name), int(info.value))
        found, expected = counted.xreplace(sizes), sympy.expand(said.xreplace(sizes))
        difference = sympy.expand(found - expected)
        how = "at these sizes" if sizes else "as polynomials"
        if difference == 0:
            return ClaimResult(_text(claim), True, str(expected), str(found), how=how)
        responsible = self.responsible(difference, sizes) if claim.quantity == "params" else ()
        return ClaimResult(_text(claim), False, str(expected), str(found), str(difference), responsible, how)

    def formula(self, expr: tree.Expr) -> sympy.Expr:
        """A count as written, over the symbols of widths."""
        match expr:
            case tree.Number(text=text):
                return number_value(Fraction(text))
            case tree.Name(text=text):
                return self.width(text)
            case tree.Juxtaposition(factors=factors):
                return sympy.Mul(*(self.formula(factor) for factor in factors))
            case tree.Negative(operand=operand):
                return -self.formula(operand)
            case tree.Call(function=function, arguments=(tree.Name(text=name),)) if function in _COUNTS:
                return _COUNTS[function](self.other(name))
            case tree.Binary(op=op, left=left, right=right):
                one, other = self.formula(left), self.formula(right)
                match op:
                    case "+":
                        return one + other
                    case "-":
                        return one - other
                    case "*" | "@":
                        return one * other
                    case "/":
                        return one / other
                    case "^" if other.is_Integer and 0 <= int(other) <= 8:
                        return one ** int(other)
        raise CelldslError(f"no count: {write(expr)}")

    def width(self, name: str) -> sympy.Expr:
        setting = self.cell.setting.get(name)
        if setting is not None and not setting.is_width:
            return number_value(setting.value)
        for dim in self.cell.dims:
            if dim.name == name and dim.value is not None:
                return width_value(dim.value, self.cell)
        return dim_symbol(name)

    def responsible(self, difference: sympy.Expr, sizes: dict[sympy.Symbol, int]) -> tuple[str, ...]:
        """The parameters whose entries are the difference; where none are, what each one counts."""
        groups: dict[sympy.Expr, list[str]] = {}
        for row in counts.parameter_table(self.cell):
            groups.setdefault(sympy.expand(row.count.xreplace(sizes)), []).append(row.name)
        for size, names in groups.items():
            ratio = difference / size
            if ratio.is_Integer and 1 <= abs(int(ratio)) <= len(names):
                many = "" if abs(int(ratio)) == len(names) else f"{abs(int(ratio))} of "
                return (f"{many}{', '.join(names)}, {size} each",)
        return tuple(f"{', '.join(names)}: {size} each" for size, names in groups.items())

    # --- ranges ----------------------------------------------------------------------------

    def range(self, claim: tree.ClaimRange) -> ClaimResult:
        name = claim.signal.text
        bounds = [None if bound is None else self.formula(bound) for bound in (claim.low, claim.high)]
        if not all(bound is None or bound.is_Rational for bound in bounds):
            shown = f"{bounds[0]} to {bounds[1]}"
            return ClaimResult(_text(claim), False, shown, str(self.intervals[name]), "", (), "a bound is no number")
        ends = [None if bound is None else Fraction(int(bound.p), int(bound.q)) for bound in bounds]
        low = -INFINITE if ends[0] is None else ends[0]
        high = INFINITE if ends[1] is None else ends[1]
        wanted = Interval(low, high, claim.low_relation == "<", claim.high_relation == "<")
        proved = self.intervals[name]
        equation = self.cell.equation.get(name)
        responsible = (written(equation),) if equation is not None else ()
        seen = self.outside(name, wanted)
        if seen is not None:
            return ClaimResult(_text(claim), False, str(wanted), f"{seen:.6g} in a run", "", responsible, "by a run")
        if proved.within(wanted):
            how = "by interval arithmetic, and in runs"
            if self.cell.settings:
                how += ", settings at their defaults"
            return ClaimResult(_text(claim), True, str(wanted), str(proved), "", responsible, how)
        how = "neither proved nor refuted: interval arithmetic is too coarse here"
        return ClaimResult(_text(claim), False, str(wanted), str(proved), "", responsible, how)

    def outside(self, name: str, wanted: Interval) -> float | None:
        """A value of a signal beyond what is claimed, found by running; None where none was found."""
        low, high = float(wanted.low), float(wanted.high)
        for run in self.runs:
            for value in _entries(run[name]):
                if value < low - 1e-9 or value > high + 1e-9:
                    return value
        return None

    @cached_property
    def runs(self) -> list[dict[str, list[numeric.Value]]]:
        """Six runs of ten steps, with parameters and inputs at random."""
        sizes = numeric.small_sizes(self.cell)
        every = numeric.all_sizes(self.cell, sizes)
        runs = []
        for seed in range(6):
            generator = random.Random(seed)
            parameters = numeric.random_parameters(self.cell, sizes, generator)
            inputs = {
                info.name: [numeric.random_value(info.shape, every, generator) for _ in range(10)]
                for info in self.cell.inputs
            }
            runs.append(numeric.run(self.cell, parameters, inputs, sizes))
        return runs

    # --- equality --------------------------------------------------------------------------

    def equals(self, claim: tree.ClaimEquals) -> ClaimResult:
        other = self.other(claim.other)
        try:
            found = compare(substituted(self.cell, claim.when), other, rename=True)
        except SpecError as error:
            messages = tuple(diagnostic.message for diagnostic in error.diagnostics)
            return ClaimResult(_text(claim), False, other.name, "no cell", "", messages, "the equations do not fit")
        if not found.equal:
            differences = tuple(str(difference) for difference in found.differences)
            return ClaimResult(_text(claim), False, other.name, found.verdict, "", differences, found.how)
        how = f"{found.how}; runs agree to {found.deviation:.1e}" if found.deviation is not None else found.how
        return ClaimResult(_text(claim), True, other.name, _equal_to(found), "", (), how)


def substituted(cell: Cell, equations: tuple[tree.Equation, ...]) -> Cell:
    """The cell with these equations in the place of its own, checked anew. Raises SpecError where they do not fit.

    An equation for a setting, `alpha = 1`, fixes it.
    """
    if not equations:
        return cell
    items = tuple(
        tree.Const(each.target, each.value, span=each.span) if each.target.text in cell.setting else each
        for each in equations
    )
    definition = tree.CellDef(f"{cell.name}_when", cell.name, items)
    return check(definition, lambda name: cell)


def _equal_to(found: Comparison) -> str:
    other = {**found.signals, **found.renaming}
    names = [f"{one} is {name}" for one, name in other.items() if one != name]
    return f"{found.b.name}, where {', '.join(names)}" if names else found.b.name


def _text(claim: tree.Claim) -> str:
    """The claim as its author wrote it, without the word `claim`."""
    text = claim.span.text if claim.span != NOWHERE else write(claim)
    return " ".join(text.split()).removeprefix("claim ")


def _entries(value: object) -> list[float]:
    if isinstance(value, list):
        return [entry for part in value for entry in _entries(part)]
    assert isinstance(value, float | int)
    return [float(value)]
