"""What a benchmark says while it runs. It says nothing by itself; where and how is the caller's choice."""

from __future__ import annotations

import sys
from typing import TextIO


class Listener:
    """Says nothing."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def status(self, text: str) -> None:
        """What is being done right now, replaced by the next."""

    def close(self) -> None:
        """The benchmark is over, finished or not: leave the terminal as it was."""


class Lines(Listener):
    """The lines that stay: for logs."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr

    def say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class Live(Listener):
    """A spinner with what is being done, under the lines that stay: for terminals."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, markup=False)
        self.spinner = self.console.status("starting")
        self.spinner.start()

    def say(self, line: str) -> None:
        self.console.print(line)

    def status(self, text: str) -> None:
        from rich.text import Text

        self.spinner.update(Text(text))

    def close(self) -> None:
        self.spinner.stop()


def terminal_listener() -> Listener:
    """A spinner where standard error is a terminal, lines where it is not."""
    return Live() if sys.stderr.isatty() else Lines()
