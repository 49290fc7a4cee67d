"""The grammar of `cell.lark` at work: it cuts a text into raw tokens and makes fresh parsers of statements.

Lark is built once, on first use. What the raw tokens mean is left to `tokens` and `layout`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark
from lark.parsers.lalr_interactive_parser import InteractiveParser

LINE_ENDS = frozenset({"NEWLINE", "BREAK", "DISPLAY"})
"""Raw tokens that end a line; a double backslash and `$$` do so too."""

FAR = 200
"""How many tokens are looked ahead at most, so that no text takes long to read, however odd."""


@dataclass(frozen=True)
class Token:
    """A piece of the text. `text` is its one spelling where it has several (`\\odot` and `⊙` are `*`).

    time: of a NAME, as in `tree.Name`.
    parts: the tokens that this one was merged from (the two numbers of a RATIO).
    """

    type: str
    text: str
    start: int
    end: int
    time: int | None = None
    parts: tuple[Token, ...] = ()

    def touches(self, other: Token) -> bool:
        """No blank stands between this token and the next one."""
        return self.end == other.start


class _Keep:
    """Tells Lark to keep every terminal, though the rules never see the raw ones (they see what `layout` makes)."""

    def __init__(self, terminals: tuple[str, ...]):
        self.always_accept = terminals

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        return stream


@cache
def _lark() -> Lark:
    text = files("celldsl.syntax").joinpath("cell.lark").read_text(encoding="utf-8")
    names = (line.split(":")[0].split(".")[0].strip() for line in text.splitlines() if line[:1].isupper())
    return Lark(text, parser="lalr", lexer="basic", start="file", keep_all_tokens=True, postlex=_Keep(tuple(names)))


def cut(text: str) -> list[Token]:
    """The raw tokens of a text, without blanks and comments. Never fails: the unknown is a STRAY."""
    return [Token(t.type, str(t), t.start_pos or 0, t.end_pos or 0) for t in _lark().lex(text)]


def statement_parser() -> InteractiveParser:
    """A parser at the beginning of a file."""
    return _lark().parse_interactive()
