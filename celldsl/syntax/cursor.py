"""The cursor that reads a text's raw tokens, and the name that grows under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from celldsl.errors import Diagnostics
from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.source import Source
from celldsl.syntax.grammar import FAR, LINE_ENDS, Token
from celldsl.syntax.spelling import ACCENT_COMMANDS, GREEK_COMMANDS, STYLES


@dataclass
class Cursor:
    """The tokens of a text and how far they have been read."""

    tokens: list[Token]
    source: Source
    problems: Diagnostics
    at: int = 0

    def peek(self, ahead: int = 0) -> Token:
        index = self.at + ahead
        if index < len(self.tokens):
            return self.tokens[index]
        end = self.tokens[-1].end if self.tokens else 0
        return Token("END_OF_TEXT", "", end, end)

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    @property
    def last(self) -> Token:
        """The token that was taken last."""
        return self.tokens[self.at - 1]

    def adjoins(self) -> bool:
        """Whether the next token stands right behind the last one, without a blank."""
        return self.last.touches(self.peek())

    def ends_line(self, ahead: int = 0) -> bool:
        return self.peek(ahead).type in LINE_ENDS or self.peek(ahead).type == "END_OF_TEXT"

    def error(self, code: str, message: str, first: Token, last: Token | None = None, **rest: Any) -> None:
        """Report an error from one token to another."""
        self.problems.error(code, message, self.source.span(first.start, (last or first).end), **rest)

    def written(self, first: Token, last: Token) -> str:
        return self.source.text[first.start : last.end]

    def skip_group(self) -> None:
        """Past the brace that closes the group the cursor stands in, or to the end of the line."""
        depth = 1
        while depth and not self.ends_line():
            depth += {"LBRACE": 1, "RBRACE": -1}.get(self.take().type, 0)

    def group_is_closed(self) -> bool:
        """Whether the group that the cursor stands in is closed on its line."""
        depth, ahead = 1, 0
        while depth and ahead < FAR and not self.ends_line(ahead):
            depth += {"LBRACE": 1, "RBRACE": -1}.get(self.peek(ahead).type, 0)
            ahead += 1
        return depth == 0


def command(token: Token) -> str:
    """`tilde` of `\\tilde`; empty for what is no command."""
    return token.text[1:] if token.type == "COMMAND" else ""


def begins_name(token: Token) -> bool:
    """Whether a token is the word of a name, or an accent over one."""
    word = command(token)
    return (
        token.type in ("WORD", "GREEK")
        or word in GREEK_COMMANDS
        or word in ACCENT_COMMANDS
        or word in FUNCTIONS
        or word in ALIASES
        or word == "ell"
    )


def begins_index(token: Token) -> bool:
    """Whether a token may stand first in a subscript."""
    return begins_name(token) or token.type == "NUMBER" or command(token) in STYLES


@dataclass
class PartialName:
    """A name while it is read.

    parts: `W`, `c`, `tilde` of `W_{\\tilde c}`.
    loose_time: the time was written `_t`, without braces, so that a `-1` behind it could belong to it.
    pattern: it has a star, `U_*`.
    behind: powers and transposes that stood between its parts, the 2 of `c^2_t`.
    """

    first: Token
    parts: list[str] = field(default_factory=list)
    time: int | None = None
    loose_time: bool = False
    pattern: bool = False
    behind: list[Token] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "_".join(self.parts)
