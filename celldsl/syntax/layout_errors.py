"""What can be wrong with the layout of a file: braces, brackets, and what stands outside of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celldsl.errors import Diagnostics, Label
from celldsl.source import Source
from celldsl.syntax.grammar import Token

CLOSER_OF = {"LPAR": ")", "LSQUARE": "]", "LBRACE": "}"}
OPENER_OF = {"RPAR": "(", "RSQUARE": "[", "RBRACE": "{"}


@dataclass
class LayoutErrors:
    """Reports what `layout` finds."""

    source: Source
    problems: Diagnostics

    def _error(self, code: str, message: str, token: Token, **rest: Any) -> None:
        self.problems.error(code, message, self.source.span(token.start, max(token.end, token.start + 1)), **rest)

    def _label(self, token: Token, text: str) -> Label:
        return Label(self.source.span(token.start, token.end), text)

    def _written(self, first: Token, last: Token | None = None) -> str:
        return self.source.text[first.start : (last or first).end]

    # --- cells -----------------------------------------------------------------------------

    def body_does_not_begin(self, head: list[Token]) -> None:
        last = head[-1]
        self._error(
            "missing-brace",
            "the body of this cell does not begin",
            Token("", "", last.end, last.end),
            label="`{` was expected here",
            help=f"write `{self._written(head[0], last)} {{` and a `}}` behind the last equation",
        )

    def cell_is_not_closed(self, opener: Token, found: Token | None) -> None:
        """The body that begins with `opener` ends without its `}`: `found` begins another cell, or the file ends."""
        line_start = self.source.text.rfind("\n", 0, opener.start) + 1
        self._error(
            "missing-brace",
            f"`{self.source.text[line_start : opener.start].strip()}` is never closed",
            opener,
            label="the body begins here",
            others=(self._label(found, "a `}` was expected before this cell"),) if found else (),
            help="write `}` behind the cell's last line",
        )

    def outside_of_cells(self, first: Token) -> None:
        if first.type == "RBRACE":
            self._error(
                "unmatched-bracket",
                "this `}` closes nothing",
                first,
                label="no cell is open here",
                help="take it away, or look for a `}` above that closes the cell too early",
            )
            return
        written = self.source.text[first.start :].splitlines()[0].rstrip()
        self._error(
            "outside-cell",
            "this stands outside a cell",
            Token("", "", first.start, first.start + len(written)),
            label="only cells and comments stand at the top of a file",
            help="put it between the braces of the cell that uses it"
            if first.type == "NAME" and first.text == "def"
            else "put it between the braces of `cell NAME { … }`; a comment begins with `#`",
        )

    def block(self, first: Token) -> None:
        self._error(
            "unknown-block",
            f"`{self._written(first)}` opens a block of an unknown kind",
            first,
            label="a keyword or an equation was expected",
            help="write the equations out one by one, or repeat them: `repeat l = 1..L { … }`",
        )

    def repeat_does_not_begin(self, head: list[Token]) -> None:
        last = head[-1]
        self._error(
            "missing-brace",
            "the body of this `repeat` does not begin",
            Token("", "", last.end, last.end),
            label="`{` was expected here",
            help=f"write `{self._written(head[0], last)} {{` and a `}}` behind the last equation that is repeated",
        )

    # --- brackets --------------------------------------------------------------------------

    def unmatched(self, token: Token, opener: Token | None) -> None:
        """A closing bracket with no bracket open, or with one of another kind."""
        if opener is None:
            self._error(
                "unmatched-bracket",
                f"this `{token.text}` closes nothing",
                token,
                label=f"no `{OPENER_OF[token.type]}` is open here",
                help="take it away, or open the bracket where it should begin",
            )
            return
        self._error(
            "unmatched-bracket",
            f"`{self._written(opener)}` is closed by `{self._written(token)}`",
            token,
            label=f"`{CLOSER_OF[opener.type]}` was expected",
            others=(self._label(opener, "opened here"),),
            help="close every bracket by its own kind",
        )

    def unclosed(self, opener: Token, following: Token) -> None:
        """`following` is the first token behind the statement that the bracket stands in."""
        closer = CLOSER_OF[opener.type]
        next_one = (self._label(following, "the next statement begins here"),) if following.type == "NAME" else ()
        self._error(
            "unclosed-bracket",
            f"this `{self._written(opener)}` is never closed",
            opener,
            label=f"no `{closer}` follows",
            others=next_one,
            help=f"write `{closer}` where the bracket should end",
        )

    def too_deep(self, token: Token, depth: int) -> None:
        self._error(
            "too-much",
            f"brackets are nested more than {depth} deep",
            token,
            label=f"bracket number {depth + 1}",
            help="give a part of the equation a name of its own",
        )

    def column(self, token: Token) -> None:
        self._error(
            "bad-stack",
            "a stack has one column",
            token,
            label="`&` begins another",
            help="stack vectors one above the other: `[a; b]`, `\\begin{bmatrix} a \\\\ b \\end{bmatrix}`",
        )
