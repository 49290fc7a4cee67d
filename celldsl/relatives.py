"""A spec among others: the cells that it extends and that its claims refer to.

A name is looked for in the source itself, then beside its file, then among the shipped specs. Files in a circle are
refused, since neither could be checked before the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from celldsl import library
from celldsl.check import check_file
from celldsl.check.cell import Cell
from celldsl.errors import Diagnostic, Diagnostics, SpecError
from celldsl.source import Source
from celldsl.syntax import read, write
from celldsl.syntax.tree import CellDef, ClaimCount, ClaimEquals, ClaimRange, File

_CLAIMS = (ClaimCount, ClaimEquals, ClaimRange)

_shipped_cells: dict[Source, tuple[Cell, ...]] = {}


def check(source: Source, above: tuple[Source, ...] = ()) -> tuple[Cell, ...]:
    """The checked cells of a source, in its order. Raises SpecError with all errors of the source.

    above: the sources that are being checked and asked for this one, outermost first.
    """
    file, problems = read(source)
    neighbours = _Neighbours(source, above)
    if problems.errors:
        problems.items += _sure_too(file, problems, neighbours)
        problems.raise_errors()
    return check_file(file, neighbours.find, neighbours.names)


_SURE = frozenset(
    (
        "ambiguous-power",
        "clamp-bounds",
        "cyclic-dim",
        "cyclic-parent",
        "declared-twice",
        "defined-twice",
        "function-arity",
        "function-redefined",
        "glued-names",
        "init-arity",
        "init-value",
        "recursive-def",
        "signal-and-parameter",
        "transposed-vector",
        "unknown-function",
        "unknown-init",
        "unknown-parent",
        "width-mismatch",
    )
)
"""What is wrong whatever the statements say that could not be read."""


def _sure_too(file: File, problems: Diagnostics, neighbours: _Neighbours) -> list[Diagnostic]:
    """What check says about the statements that could be read, as far as the others cannot be to blame for it."""
    if any(problem.code == "too-much" for problem in problems.errors):
        return []
    unread = {problem.span.line for problem in problems.errors}
    doubtful = {word for line in unread for word in _names(problems.errors[0].span.source.line(line).partition("=")[0])}
    try:
        check_file(
            replace(file, cells=tuple(cell for cell in file.cells if cell.name_span.text != "{")),
            neighbours.find,
            neighbours.names,
        )
    except SpecError as error:
        return [
            each
            for each in error.diagnostics
            if each.code in _SURE and each.span.line not in unread and not doubtful & _names(each.span.text)
        ]
    return []


def _names(text: str) -> set[str]:
    """The names in a piece of a spec, without their times."""
    return {re.sub(r"_t$", "", word) for word in re.findall(r"[^\W\d]\w*", text)}


def find(name: str, above: tuple[Source, ...] = ()) -> Cell | None:
    """The shipped cell of this name, in any case, or None."""
    source = library.shipped(name)
    if source is None:
        return None
    if source not in _shipped_cells:
        _shipped_cells[source] = _check_below(source, above)
    return _named(_shipped_cells[source], name)


def whole(cell: Cell) -> str:
    """Spec text that compiles to the cell by itself: written out, behind those it is claimed to equal or outgrow."""
    definitions = [_definition(other) for other in cell.relatives if find(other.name) != other]
    definitions = [
        replace(each, items=tuple(i for i in each.items if not isinstance(i, _CLAIMS))) for each in definitions
    ]
    return write(File((*definitions, _definition(cell))))


class _Neighbours:
    """What a source may refer to beyond itself. Shipped specs see each other alone, whatever lies in the folder."""

    def __init__(self, source: Source, above: tuple[Source, ...] = ()):
        self.chain = (*above, source)
        path = Path(source.name)
        self.path = path if path.is_file() and library.shipped(path.stem) != source else None

    def source(self, name: str) -> Source | None:
        """The file of this name beside the source; None if there is none, or it is the source itself."""
        path = library.beside(self.path, name) if self.path else None
        return None if path is None or path.name == Path(self.chain[-1].name).name else library.load(path)

    def find(self, name: str) -> Cell | None:
        source = self.source(name)
        return find(name, self.chain) if source is None else _named(_check_below(source, self.chain), name)

    def names(self) -> Iterable[str]:
        """All names that could be referred to, for messages."""
        sources = [source for name in library.zoo() if (source := library.shipped(name))]
        if self.path:
            sources += [library.load(path) for path in library.specs_in(self.path.parent)]
        return [name for source in sources for name in library.cell_names(source)]


def _check_below(source: Source, above: tuple[Source, ...]) -> tuple[Cell, ...]:
    if source in above:
        names = [each.name for each in above[above.index(source) :]]
        message = f"{names[0]} refers to itself" if len(names) == 1 else f"{' and '.join(names)} refer to each other"
        help = "put their cells into one file, or take one of the references out"
        raise SpecError([Diagnostic("circle-of-files", message, source.span(0, len(source.line(1))), help=help)])
    return check(source, above)


def _named(cells: Iterable[Cell], name: str) -> Cell | None:
    return next((cell for cell in cells if cell.name.lower() == name.lower()), None)


def _definition(cell: Cell) -> CellDef:
    assert cell.definition is not None, "every cell that was read from text has its definition"
    return cell.definition
