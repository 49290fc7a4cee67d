"""A spec among others: the cells that it extends and that its claims refer to.

A name is looked for in the source itself, then beside its file, then among the shipped specs. Files in a circle are
refused, since neither could be checked before the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from celldsl import library
from celldsl.check import check_file
from celldsl.check.cell import Cell
from celldsl.errors import Diagnostic, SpecError
from celldsl.source import Source
from celldsl.syntax import parse, write
from celldsl.syntax.tree import Call, CellDef, ClaimCount, ClaimEquals, File, Name, Node

_shipped_cells: dict[Source, tuple[Cell, ...]] = {}


def check(source: Source, above: tuple[Source, ...] = ()) -> tuple[Cell, ...]:
    """The checked cells of a source, in its order. Raises SpecError with all errors of the source.

    above: the sources that are being checked and asked for this one, outermost first.
    """
    file = parse(source)
    neighbours = _Neighbours(source, above)
    return check_file(file, neighbours.find, neighbours.names)


def find(name: str, above: tuple[Source, ...] = ()) -> Cell | None:
    """The shipped cell of this name, in any case, or None."""
    source = library.shipped(name)
    if source is None:
        return None
    if source not in _shipped_cells:
        _shipped_cells[source] = _check_below(source, above)
    return _named(_shipped_cells[source], name)


def whole(source: Source, name: str) -> str:
    """Spec text of one cell that compiles by itself: the cells it refers to stand before it, but for shipped ones."""
    wanted: dict[str, CellDef] = {}
    _collect(source, name, wanted)
    wanted[name.lower()] = wanted.pop(name.lower())
    return write(File(tuple(wanted.values())))


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


def _collect(source: Source, name: str, wanted: dict[str, CellDef]) -> None:
    """Add the definition of a cell to `wanted`, and those of the cells it refers to; nothing for a shipped one."""
    if name.lower() in wanted:
        return
    for definition in parse(source).cells:
        if definition.name.lower() == name.lower():
            wanted[name.lower()] = definition
            for other in _referred(definition):
                _collect(source, other, wanted)
            return
    neighbour = _Neighbours(source).source(name)
    if neighbour is not None:
        _collect(neighbour, name, wanted)


def _referred(definition: CellDef) -> Iterator[str]:
    """The names of the cells that a definition mentions."""
    if definition.parent:
        yield definition.parent
    for item in definition.items:
        if isinstance(item, ClaimEquals):
            yield item.other
        elif isinstance(item, ClaimCount):
            for call in _calls(item.value):
                yield from (argument.text for argument in call.arguments if isinstance(argument, Name))


def _calls(node: Node) -> Iterator[Call]:
    """The calls within an expression: in a claim, those such as `params(LSTM)`."""
    if isinstance(node, Call):
        yield node
    for field in fields(node):
        value = getattr(node, field.name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Node):
                yield from _calls(child)
