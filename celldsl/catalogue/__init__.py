"""The shipped specs as a catalogue: what each is, where it comes from, how large it is, what it can do.

`catalogue` gives all entries, `search` those that fit words; `page` makes a web page of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from celldsl import library
from celldsl.api import CompiledCell, compile, zoo
from celldsl.catalogue.features import features
from celldsl.formulas import plain
from celldsl.syntax import write

_YEAR = re.compile(r"\b(?:19|20)\d\d\b(?!\.)")


@dataclass(frozen=True)
class Entry:
    """One shipped cell; sizes are formulas in the widths, as text.

    family: the folder of its spec, "basic" for those at the top. paper: its first cite, or empty; year: of that paper,
    None where no cite says one. parent: the cell it is written as a change of. claims: what its spec claims, as text.
    """

    spec: str
    name: str
    about: str
    family: str
    paper: str
    year: int | None
    parent: str
    parameters: str
    flops: str
    state: str
    features: tuple[str, ...]
    claims: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @cached_property
    def _words(self) -> str:
        fields = (self.spec, self.name, self.about, self.family, self.paper, str(self.year), self.parent)
        return " ".join((*fields, *self.features)).casefold()

    def fits(self, words: Iterable[str]) -> bool:
        """Whether each of the words stands somewhere in what is said of the cell."""
        return all(word.casefold() in self._words for word in words)


def catalogue() -> list[Entry]:
    """All shipped cells, sorted by the name of their spec."""
    return [entry(name, compile(name)) for name in zoo()]


def entry(spec: str, cell: CompiledCell) -> Entry:
    """What is said of one cell."""
    return Entry(
        spec=spec,
        name=cell.name,
        about=cell.doc.split("\n")[0],
        family=library.family(spec) or "basic",
        paper=cell.cites[0] if cell.cites else "",
        year=next((int(found[0]) for cite in cell.cites if (found := _YEAR.search(cite))), None),
        parent=cell.checked.parent or "",
        parameters=plain(cell.params),
        flops=plain(cell.flops),
        state=plain(cell.state_size),
        features=features(cell),
        claims=tuple(write(claim).removeprefix("claim ") for claim in cell.claims),
    )


def families(entries: Iterable[Entry]) -> list[str]:
    """The families that occur, `basic` first."""
    return sorted({each.family for each in entries}, key=lambda family: (family != "basic", family))
