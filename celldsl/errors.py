"""What went wrong, as a page for its reader.

A `Diagnostic` names the rule that was broken, the place, the other places that
take part, what was expected and found, and the repair. `render` draws it with
the author's own line and a caret; `to_json` gives it to editors. Stages collect
diagnostics in `Diagnostics` and raise one `SpecError` for all of them.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from celldsl.source import Span


class CelldslError(Exception):
    """Root of every error that celldsl raises on purpose."""


@dataclass(frozen=True)
class Label:
    """A second place that takes part in an error, with what it shows there."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning.

    code: the rule, in kebab case (`width-mismatch`); one file in tests/cases/bad each.
    message: one line, lower case, no full stop.
    span: the place the caret marks; `label` is the text behind the caret.
    others: other places involved; on the caret's own line they are underlined with dashes.
    notes: lines behind `=`: what was expected, what was found, and why.
    help: the repair, in the author's notation.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    others: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    severity: Literal["error", "warning"] = "error"

    def render(self) -> str:
        return render(self)

    def to_json(self) -> dict[str, Any]:
        def place(span: Span) -> dict[str, Any]:
            end_line, end_column = span.source.line_column(span.end)
            return {
                "file": span.source.name,
                "line": span.line,
                "column": span.column,
                "end_line": end_line,
                "end_column": end_column,
            }

        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            **place(self.span),
            "label": self.label,
            "others": [{**place(other.span), "text": other.text} for other in self.others],
            "notes": list(self.notes),
            "help": self.help,
        }


class SpecError(CelldslError):
    """A spec that cannot be compiled; `.diagnostics` holds every error found in it."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(d.render() for d in self.diagnostics))


@dataclass
class Diagnostics:
    """Collects diagnostics, so that all errors of a file are reported at once."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, message: str, span: Span, **rest: Any) -> None:
        self.items.append(Diagnostic(code, message, span, **rest))

    def warning(self, code: str, message: str, span: Span, **rest: Any) -> None:
        self.items.append(Diagnostic(code, message, span, severity="warning", **rest))

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for item in self.items if item.severity == "error"]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [item for item in self.items if item.severity == "warning"]

    def raise_errors(self) -> None:
        """Raise `SpecError` with every error so far, in the order of the file; nothing if there is none."""
        if self.errors:
            raise SpecError(sorted(once_a_place(self.errors), key=lambda d: (d.span.source.name, d.span.start)))


def once_a_place(items: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What is said about several rounds of a `repeat` is said once, with the rounds it is true of."""
    groups: dict[object, list[Diagnostic]] = {}
    for item in items:
        place = (item.code, item.span.source.name, item.span.start, item.span.end)
        groups.setdefault(place if item.span.rounds else id(item), []).append(item)
    return [_with_rounds(group) for group in groups.values()]


def _with_rounds(group: list[Diagnostic]) -> Diagnostic:
    first = group[0]
    if not first.span.rounds:
        return first
    rounds = [", ".join(f"{index} = {value}" for index, value in item.span.rounds) for item in group]
    rounds = list(dict.fromkeys(rounds))
    more = f"; the same where {' or '.join(rounds[1:3])}{' …' if len(rounds) > 3 else ''}" if len(rounds) > 1 else ""
    return replace(first, notes=(*first.notes, f"in the round of `repeat` where {rounds[0]}{more}"))


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to a misspelt one, or None."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as text: place, the author's line with the caret, notes, help."""
    span = diagnostic.span
    lines = [f"{diagnostic.severity}: {diagnostic.message}", f"  --> {span}"]
    here = [other for other in diagnostic.others if _same_line(other.span, span)]
    elsewhere = [other for other in diagnostic.others if not _same_line(other.span, span)]
    numbers = [span.line, *(other.span.line for other in elsewhere)]
    gutter = len(str(max(numbers)))

    def margin(number: int | None = None) -> str:
        return f" {'' if number is None else number:>{gutter}} |"

    lines.append(margin())
    lines.append(f"{margin(span.line)} {_shown(_part(span, span))}".rstrip())
    marks = [(span, "^", diagnostic.label), *((other.span, "-", other.text) for other in here)]
    lines += [f"{margin()} {row}" for row in _underlines(marks)]
    for other in elsewhere:
        if other.span.source.name != span.source.name:
            lines.append(f"  ::: {other.span}")
        lines.append(f"{margin(other.span.line)} {_shown(_part(other.span, other.span))}".rstrip())
        lines += [f"{margin()} {row}" for row in _underlines([(other.span, "-", other.text)])]
    lines += [f" {'':>{gutter}} = {note}" for note in diagnostic.notes]
    if diagnostic.help:
        first, *rest = diagnostic.help.splitlines()
        lines.append(f"help: {first}")
        lines += [f"      {line}" for line in rest]
    return "\n".join(lines)


def _same_line(one: Span, other: Span) -> bool:
    return one.source.name == other.source.name and one.line == other.line


WIDE = 160
"""How many characters of a line are shown at most."""


def _cut(span: Span) -> int:
    """How many characters are left out at the head of a long line, so that the place of the span is seen."""
    return max(0, span.column - WIDE // 3) if len(span.source.line(span.line)) > WIDE else 0


def _part(span: Span, first: Span) -> str:
    """The part of the span's line that is shown when `first` is the place in question."""
    line, cut = span.source.line(span.line), _cut(first)
    return ("…" if cut else "") + line[cut : cut + WIDE] + ("…" if len(line) > cut + WIDE else "")


def _shown(line: str) -> str:
    """The line as a terminal may show it: no tabs, and nothing that moves the cursor or turns the text around."""
    hidden = ("Cc", "Cf")
    return "".join(" " if c == "\t" else "�" if unicodedata.category(c) in hidden else c for c in line)


def _display_width(text: str) -> int:
    """Terminal columns of a text: combining marks take none, wide characters two."""
    columns = 0
    for char in text:
        if unicodedata.combining(char):
            continue
        columns += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return columns


def _underlines(marks: list[tuple[Span, str, str]]) -> list[str]:
    """The rows under a source line: underlines first, then the texts, rightmost beside its mark."""
    placed = []
    first = marks[0][0]
    for span, mark, text in marks:
        line, cut = _part(span, first), _cut(first)
        column = span.column - 1 - cut + (1 if cut else 0)
        if not 0 <= column <= len(line):
            continue  # it lies in what is left out of a long line
        start = _display_width(line[:column])
        inside = line[column : column + (span.end - span.start)]
        placed.append((start, max(1, _display_width(inside)), mark, text))
    placed.sort()
    row = ""
    for start, width, mark, _ in placed:
        row = row[:start].ljust(start) + mark * width
    last = placed[-1]
    rows = [f"{row} {last[3]}".rstrip()]
    for start, _, _, text in reversed(placed[:-1]):
        if text:
            rows.append(" " * start + text)
    return rows
