"""What commands print: colours only where a person is looking, JSON where a program is."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click

_SEVERITY = {"error": "red", "warning": "yellow", "help": "green", "note": "cyan"}
_UNDERLINE = re.compile(r"^( +\| .*?)((?:\^+|-+)[ ^-]*)(.*)$")


def is_terminal(stream: IO[Any]) -> bool:
    """Whether a person is looking at this stream and has not asked for plain text (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(message: str, stream: IO[Any]) -> str:
    """A diagnostic with its severity, place and underlines in colour, if the stream is a terminal."""
    return "\n".join(map(_paint_line, message.split("\n"))) if is_terminal(stream) else message


def _paint_line(line: str) -> str:
    head, colon, rest = line.partition(":")
    if colon and head in _SEVERITY:
        return click.style(f"{head}:", fg=_SEVERITY[head], bold=True) + click.style(rest, bold=head == "error")
    if line.startswith(("  --> ", "  ::: ")):
        return click.style(line, fg="blue")
    mark = _UNDERLINE.match(line)
    if mark and "^" in mark[2]:
        return mark[1] + click.style(mark[2] + mark[3], fg="red")
    if mark and not mark[1].strip(" |"):
        return mark[1] + click.style(mark[2] + mark[3], fg="blue")
    return line


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_code(text: str, language: str) -> None:
    """A text, highlighted on a terminal and byte for byte elsewhere."""
    if not is_terminal(sys.stdout):
        click.echo(text, nl=not text.endswith("\n"))
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, language, background_color="default", theme="ansi_dark", word_wrap=True))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], stream: IO[str]) -> None:
    """A rich table on a terminal; elsewhere plain columns, never cut or folded. Empty titles make no title row."""
    if is_terminal(stream):
        from rich.console import Console
        from rich.table import Table

        table = Table(*titles, header_style="bold", box=None, pad_edge=False, show_header=any(titles))
        for row in rows:
            table.add_row(*map(str, row))
        Console(file=stream, highlight=False, markup=False).print(table)
        return
    widths = [max(len(str(line[at])) for line in (titles, *rows)) for at in range(len(titles))]
    for line in (titles, *rows) if any(titles) else rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), file=stream)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error where a person is looking, nothing elsewhere; it is gone when the work is done. What is
    given is told what is being done, and which share of all is done."""
    if not is_terminal(sys.stderr):
        yield lambda text, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda text, done: bar.update(task, description=text, completed=done)
