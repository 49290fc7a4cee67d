"""The shipped specs as a catalogue: what each is, where it comes from, how large it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from celldsl.api import compile, zoo
from celldsl.formulas import plain


@dataclass(frozen=True)
class Entry:
    """One shipped cell; sizes are formulas in the widths, as text. `paper` is its first cite, or empty."""

    spec: str
    name: str
    about: str
    paper: str
    parameters: str
    flops: str
    state: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def catalogue() -> list[Entry]:
    """All shipped cells, sorted by the name of their spec."""
    return [_entry(name) for name in zoo()]


def _entry(spec: str) -> Entry:
    cell = compile(spec)
    return Entry(
        spec=spec,
        name=cell.name,
        about=cell.doc.split("\n")[0],
        paper=cell.cites[0] if cell.cites else "",
        parameters=plain(cell.params),
        flops=plain(cell.flops),
        state=plain(cell.state_size),
    )
