"""Syntax tree → checked cell: one pass a file, in this order.

clock     `t` as a number
instance  steps of other cells written out, `h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})`
extend    the parent's equations, changed as the child says; `drop`; every `repeat` written out (repeat)
names     what is declared and defined, each name once
inline    calls of known functions with the right number of arguments; `def`s written out
roles     input, state, intermediate, parameter, output: from the times that names carry
shapes    ranks and widths of everything, by unification (terms, constraints, unify, explain, open)
order     an order of computation; no cycle within a step
usage     nothing declared in vain, no parameter that reaches nothing
inits     how parameters and states start
claims    names in claims, and the counts of parameters and state

Each pass reports to one `Diagnostics` and goes on with a placeholder, so that all errors of a file are shown at
once and one mistake gives one message. No SymPy, no torch: checking a spec stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from celldsl.check.cell import Cell
from celldsl.check.claims import check_claims
from celldsl.check.clock import place_time
from celldsl.check.extend import extend
from celldsl.check.finish import finish
from celldsl.check.instance import BrokenCell, CircleOfCells, place_cells
from celldsl.errors import Diagnostics, Label, SpecError, near
from celldsl.syntax import tree

__all__ = ["Cell", "check", "check_file"]

Find = Callable[[str], "Cell | None"]
Known = Callable[[], Iterable[str]]


def check(definition: tree.CellDef, find: Find = lambda name: None, known: Known = lambda: ()) -> Cell:
    """The checked cell of a definition.

    find: another cell by name, for `extends` and for claims, or None; known: the names it knows (for near names).
    Raises SpecError with every error of the definition; warnings are in `Cell.warnings`.
    """
    found = Diagnostics()
    cell = _check(definition, _parent(definition, find, known, found), found, find)
    if cell is not None:
        cell = check_claims(cell, find, known, found)
    found.raise_errors()
    assert cell is not None
    return cell


def _check(definition: tree.CellDef, parent: tree.CellDef | None, found: Diagnostics, find: Find) -> Cell | None:
    """All passes but the claims over one definition; None after an error."""
    if definition.parent is not None and parent is None:
        return None  # nearly every name would be unknown: the missing parent is the mistake
    try:
        whole = place_cells(place_time(definition, found), find, found)
        items = None if whole is None else extend(whole, parent, found)
        return None if whole is None or items is None else finish(whole, items, found)
    except RecursionError:
        found.error(
            "too-large",
            f"the cell `{definition.name}` nests its expressions too deeply",
            definition.name_span,
            help="give parts of the longest expression equations of their own",
        )
        return None


def check_file(file: tree.File, find: Find = lambda name: None, known: Known = lambda: ()) -> tuple[Cell, ...]:
    """The checked cells of a file, which may extend and claim about each other in any order.

    Raises SpecError with every error of the file, in the order of their places.
    """
    return _FileCheck(file, find, known).run()


def _parent(definition: tree.CellDef, find: Find, known: Known, found: Diagnostics) -> tree.CellDef | None:
    """The parent written out; None where there is none, or after an error."""
    name = definition.parent
    if name is None:
        return None
    if name == definition.name:
        found.error(
            "cyclic-parent",
            f"`{name}` extends itself",
            definition.parent_span,
            help="give the new cell another name than its parent's",
        )
        return None
    try:
        parent = find(name)
    except BrokenCell:
        return None  # the parent's errors are the child's
    if parent is None:
        _report_unknown_parent(definition, known(), found)
        return None
    return parent.definition


def _report_unknown_parent(definition: tree.CellDef, known: Iterable[str], found: Diagnostics) -> None:
    names = sorted(set(known))
    close = near(definition.parent or "", names)
    found.error(
        "unknown-parent",
        f"there is no cell `{definition.parent}` to extend",
        definition.parent_span,
        notes=() if close or not names else (f"there are {', '.join(names)}",),
        help=f"did you mean `{close}`?" if close else "extend a shipped cell, or one of this file",
    )


class _FileCheck:
    """Checks the cells of one file: parents before children, then what they claim about each other."""

    def __init__(self, file: tree.File, find: Find, known: Known):
        self.definitions: dict[str, tree.CellDef] = {}
        self.outer_find, self.outer_known = find, known
        self.found = Diagnostics()
        self.cells: dict[str, Cell | None] = {}
        self.open: list[str] = []
        """The cells that are being checked, the outermost first."""
        for definition in file.cells:
            first = self.definitions.get(definition.name)
            if first is None:
                self.definitions[definition.name] = definition
            else:
                self.found.error(
                    "defined-twice",
                    f"the cell `{definition.name}` is defined twice",
                    definition.name_span,
                    label="again here",
                    others=(Label(first.name_span, "first here"),),
                    help="give one of the two another name",
                )

    def run(self) -> tuple[Cell, ...]:
        cells = [cell for name in self.definitions if (cell := self._cell(name)) is not None]
        cells = [check_claims(cell, self._find, self._known, self.found) for cell in cells]
        self.found.raise_errors()
        return tuple(cells)

    def _cell(self, name: str) -> Cell | None:
        """A cell of this file before its claims are checked; None after an error."""
        if name in self.cells:
            return self.cells[name]
        self.cells[name] = None
        self.open.append(name)
        definition = self.definitions[name]
        found = Diagnostics()
        cell: Cell | None = None
        if self._report_cycle(definition, found):
            pass
        elif definition.parent in self.definitions:
            parent = self._cell(definition.parent)
            if parent is not None:  # else the parent's errors are the child's
                cell = _check(definition, parent.definition, found, self._inner)
        else:
            cell = _check(definition, _parent(definition, self._outer, self._known, found), found, self._inner)
        self.found.items += found.items
        self.cells[name] = None if found.errors else cell
        self.open.remove(name)
        return self.cells[name]

    def _report_cycle(self, definition: tree.CellDef, found: Diagnostics) -> bool:
        """Whether parents lead back to a cell; reported once, at the first cell of the cycle."""
        path = [definition.name]
        while (parent := self.definitions[path[-1]].parent) in self.definitions and parent not in path:
            path.append(parent)
        if parent is None or parent not in path:
            return False
        cycle = path[path.index(parent) :]
        if definition.name == next(name for name in self.definitions if name in cycle):
            way = "" if len(cycle) == 1 else f": {' → '.join([*path, parent])}"
            found.error(
                "cyclic-parent",
                f"`{definition.name}` extends itself{way}",
                definition.parent_span,
                help="one of these cells must be written without `extends`"
                if way
                else "give the new cell another name than its parent's",
            )
        return True

    def _inner(self, name: str) -> Cell | None:
        """A cell that stands within another; None where there is none of the name."""
        if name not in self.definitions:
            return self._outer(name)
        if name in self.open:
            raise CircleOfCells(*self.open[self.open.index(name) :], name)
        cell = self._cell(name)
        if cell is None:
            raise BrokenCell(name)
        return cell

    def _find(self, name: str) -> Cell | None:
        """What a cell of this file may claim something about: cells of the file, then the others."""
        if name not in self.definitions:
            return self._outer(name)
        cell = self.cells[name]
        if cell is None:
            raise BrokenCell(name)
        return cell

    def _outer(self, name: str) -> Cell | None:
        """A cell of another file. The errors of that file are told once, beside this one's own."""
        try:
            return self.outer_find(name)
        except SpecError as error:
            self.found.items += [each for each in error.diagnostics if each not in self.found.items]
            raise BrokenCell(name) from error

    def _known(self) -> Iterable[str]:
        return (*self.definitions, *self.outer_known())
