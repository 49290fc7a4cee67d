"""Where things were written: a source text and the spans of its parts.

Every node of every stage carries a `Span`, nodes that a pass derives too (they
take the span of what they were derived from), so that any message can point at
the author's own line. Rendering is left to `errors`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Source:
    """A text and the name it is shown by (`lstm1.cell`, `<string>`)."""

    text: str
    name: str = "<string>"

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for at, char in enumerate(self.text):
            if char == "\n":
                starts.append(at + 1)
        return starts

    def line_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column (in characters) of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (1-based), without its line end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        return Span(self, start, end)


@dataclass(frozen=True)
class Span:
    """The half-open range [start, end) of characters of a source.

    rounds: the indices of the `repeat`s around it and their values, where it stands for one round of them.
    """

    source: Source = field(repr=False)
    start: int
    end: int
    rounds: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    @property
    def line(self) -> int:
        return self.source.line_column(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.line_column(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end), self.rounds or other.rounds)

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


NOWHERE = Span(Source("", "<derived>"), 0, 0)
