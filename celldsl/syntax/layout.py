"""Layout: where statements begin and end, and what a word means by the place it stands in.

Line ends, `;` and `\\\\` end a statement unless a bracket is open or the next line goes on with an operator. At the
beginning of a statement a keyword is a keyword; everywhere else it is a name, so that a parameter may be called
`dim`. A bracket that is never closed is reported where it opens, and ends with its statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from celldsl.errors import Diagnostics, Label
from celldsl.source import Source
from celldsl.syntax.grammar import LINE_ENDS, Token
from celldsl.syntax.keywords import KEYWORDS, collect_words, mark_words

DEPTH = 60
"""How deep brackets may be nested; no equation of a paper comes near it."""

OPENERS = {"LPAR": "RPAR", "LSQUARE": "RSQUARE", "LBRACE": "RBRACE"}
CLOSERS = {"RPAR": ")", "RSQUARE": "]", "RBRACE": "}"}
LEADS_ON = {"PLUS", "MINUS", "TIMES", "SLASH", "AT", "CDOT", "CARET", "EQ", "RELATION_SIGN", "TRANSPOSE"}
LEFT_OPEN = LEADS_ON - {"TRANSPOSE"} | {"COMMA", "COLON"}


@dataclass
class Statement:
    """The tokens of one statement as the grammar's rules see them, END included.

    kind: `head` (up to the cell's opening brace), `item`, or `close`.
    spoilt: an error inside it has been reported already.
    """

    kind: str
    tokens: list[Token] = field(default_factory=list)
    spoilt: bool = False


def lay_out(tokens: list[Token], source: Source, problems: Diagnostics) -> list[Statement]:
    """The statements of a file."""
    return list(_Layout(tokens, source, problems).statements())


class _Layout:
    def __init__(self, tokens: list[Token], source: Source, problems: Diagnostics):
        self.tokens = tokens
        self.source = source
        self.problems = problems
        self.at = 0
        self.cell: Token | None = None  # the opening brace of the cell whose body is read
        self.display = False
        self.vocabulary = collect_words(tokens)

    # --- the cells of a file ---------------------------------------------------------------

    def statements(self) -> Iterator[Statement]:
        while True:
            self._skip_blank_lines()
            token = self._peek()
            if token.type == "END_OF_TEXT":
                break
            if self._is_head():
                if self.cell:
                    self._unclosed_cell(token)
                    yield self._close(token)
                yield from self._head()
            elif self.cell is None:
                self._skip_outside()
            elif token.type == "RBRACE":
                self.at += 1
                yield self._close(token)
            else:
                yield from self._item()
        if self.cell:
            if not any(item.code == "unterminated-string" for item in self.problems.items):
                self._unclosed_cell(None)
            yield self._close(token)

    def _peek(self, ahead: int = 0) -> Token:
        index = self.at + ahead
        if index < len(self.tokens):
            return self.tokens[index]
        end = len(self.source.text)
        return Token("END_OF_TEXT", "", end, end)

    def _skip_blank_lines(self) -> None:
        while self._peek().type in LINE_ENDS | {"SEMICOLON", "DROPPED", "COLUMN"}:
            self._pass_line_end()

    def _pass_line_end(self) -> None:
        if self._peek().type == "DISPLAY":
            self.display = not self.display
        self.at += 1

    def _is_head(self) -> bool:
        """`cell NAME {` or `cell NAME extends`; inside a cell, a name `cell` may begin an equation."""
        if not _is_word(self._peek(), "cell"):
            return False
        if self.cell is None:
            return self._peek(1).type != "EQ"
        ahead = 2
        while self._peek(ahead).type == "NEWLINE":
            ahead += 1
        return self._peek(1).type == "NAME" and (
            self._peek(ahead).type == "LBRACE" or _is_word(self._peek(2), "extends")
        )

    def _head(self) -> Iterator[Statement]:
        tokens: list[Token] = []
        while self._peek().type not in LINE_ENDS | {"END_OF_TEXT", "LBRACE"}:
            tokens.append(self._peek())
            self.at += 1
        ahead = 0
        while self._peek(ahead).type == "NEWLINE":
            ahead += 1
        last = tokens[-1]
        opener = self._peek(ahead)
        if opener.type == "LBRACE":
            self.at += ahead + 1
            opener = replace(opener, type="OPEN")
        else:
            self.problems.error(
                "missing-brace",
                "the body of this cell does not begin",
                self.source.span(last.end, last.end + 1),
                label="`{` was expected here",
                help=f"write `{self.source.text[tokens[0].start : last.end]} {{` and a `}}` behind the last equation",
            )
            opener = Token("OPEN", "{", last.end, last.end)
        self.cell = opener
        tokens[0] = replace(tokens[0], type="CELL")
        if len(tokens) > 2 and _is_word(tokens[2], "extends"):
            tokens[2] = replace(tokens[2], type="EXTENDS")
        yield Statement("head", [*tokens, opener])

    def _close(self, token: Token) -> Statement:
        self.cell = None
        return Statement("close", [Token("CLOSE", "}", token.start, token.end)])

    def _unclosed_cell(self, found: Token | None) -> None:
        assert self.cell is not None
        line_start = self.source.text.rfind("\n", 0, self.cell.start) + 1
        span = self.source.span(self.cell.start, max(self.cell.end, self.cell.start + 1))
        rest = {"label": "the body begins here", "help": "write `}` behind the cell's last line"}
        name = self.source.text[line_start : self.cell.start].strip()
        if found is None:
            self.problems.error("missing-brace", f"`{name}` is never closed", span, **rest)
        else:
            here = self.source.span(found.start, found.end)
            other = "before this cell" if self.source.line_column(found.start)[0] else ""
            self.problems.error(
                "missing-brace",
                f"`{name}` is never closed",
                span,
                others=(Label(here, f"a `}}` was expected {other}"),),
                **rest,
            )

    def _skip_outside(self) -> None:
        """Past everything that stands in no cell, reported once."""
        first = self._peek()
        stray_closer = first.type == "RBRACE"
        while self._peek().type != "END_OF_TEXT":
            if self._peek().type in LINE_ENDS:
                self._skip_blank_lines()
                if self._is_head():
                    break
                continue
            self.at += 1
            if stray_closer:
                break
        if first.type in ("DROPPED", "END_OF_TEXT"):
            return
        line = self.source.line_column(first.start)[0]
        end = first.end
        while end < len(self.source.text) and self.source.text[end] not in "\r\n":
            end += 1
        if stray_closer:
            self.problems.error(
                "unmatched-bracket",
                "this `}` closes nothing",
                self.source.span(first.start, first.end),
                label="no cell is open here",
                help="take it away, or look for a `}` above that closes the cell too early",
            )
            return
        del line
        self.problems.error(
            "outside-cell",
            "this stands outside a cell",
            self.source.span(first.start, first.start + len(self.source.text[first.start : end].rstrip())),
            label="only cells and comments stand at the top of a file",
            help="put it between the braces of `cell NAME { … }`; a comment begins with `#`",
        )

    # --- the statements of a cell ----------------------------------------------------------

    def _item(self) -> Iterator[Statement]:
        before = len(self.problems.items)
        start = self._peek().start
        tokens = self._gather()
        last = self.tokens[self.at - 1]
        end = Token("END", "", last.end, last.end)
        spoilt = len(self.problems.items) > before or any(
            start <= item.span.start < max(last.end, start + 1) for item in self.problems.items
        )
        tokens = [token for token in tokens if token.type != "DROPPED"]
        if tokens:
            for part in mark_words(tokens, self.vocabulary, self.source, self.problems):
                yield Statement("item", [*part, replace(end, start=part[-1].end, end=part[-1].end)], spoilt)

    def _gather(self) -> list[Token]:
        """The tokens up to the end of the statement, its brackets balanced."""
        tokens: list[Token] = []
        opened: list[Token] = []
        while True:
            token = self._peek()
            if token.type in OPENERS:
                opened.append(token)
                if len(opened) > DEPTH:
                    return self._too_deep(token)
            elif token.type in CLOSERS:
                if not opened and token.type == "RBRACE":
                    break
                if self._closes_the_cell(opened, tokens):
                    tokens += self._unclosed(opened)
                    break
                if not self._closes(token, opened):
                    self.at += 1
                    continue
            elif token.type == "END_OF_TEXT":
                tokens += self._unclosed(opened)
                break
            elif token.type in LINE_ENDS:
                if opened and self._in_stack(opened) and token.type == "BREAK":
                    self.at += 1
                    if self._next_line().type != "RSQUARE":
                        tokens.append(replace(token, type="SEMICOLON", text=";"))
                    continue
                if self._ends(tokens, opened):
                    tokens += self._unclosed(opened)
                    break
                self._pass_line_end()
                continue
            elif token.type == "SEMICOLON" and not self._in_stack(opened):
                if opened:
                    tokens += self._unclosed(opened)
                self.at += 1
                break
            elif token.type == "COLUMN":
                if self._in_stack(opened):
                    self._column(token)
                self.at += 1
                continue
            tokens.append(token)
            self.at += 1
        return tokens

    def _in_stack(self, opened: list[Token]) -> bool:
        return bool(opened) and opened[-1].type == "LSQUARE"

    def _next_line(self) -> Token:
        ahead = 0
        while self._peek(ahead).type in LINE_ENDS | {"COLUMN", "DROPPED"}:
            ahead += 1
        return self._peek(ahead)

    def _ends(self, tokens: list[Token], opened: list[Token]) -> bool:
        """Whether the line end at the cursor ends the statement."""
        token = self._peek()
        if token.type == "DISPLAY":
            following = self._peek(1).type
            return (
                self.display
                and not opened
                and (following == "DISPLAY" or following in LINE_ENDS)
                and self._stops(tokens)
            )
        if opened:
            return self._begins_anew(tokens, opened)
        return self._stops(tokens)

    def _stops(self, tokens: list[Token]) -> bool:
        following = self._next_line()
        if following.type in LEADS_ON:
            return False
        if tokens and tokens[-1].type in LEFT_OPEN:
            return self._begins_anew(tokens, []) or following.type in ("RBRACE", "END_OF_TEXT")
        return True

    def _begins_anew(self, tokens: list[Token], opened: list[Token]) -> bool:
        """Whether the next line looks like a statement of its own."""
        ahead = 0
        while self._peek(ahead).type in LINE_ENDS | {"COLUMN", "DROPPED"}:
            ahead += 1
        first, second = self._peek(ahead), self._peek(ahead + 1)
        if second.type == "COLUMN":
            second = self._peek(ahead + 2)
        if first.type in ("DOC", "STRING"):
            return True
        if first.type == "NAME" and second.type == "EQ":
            in_call = bool(opened) and first.time is None and tokens[-1].type in ("COMMA", "LPAR")
            return not in_call
        if first.type == "NAME" and first.time is None and first.text in KEYWORDS:
            return second.type in ("NAME", "PATTERN", "STRING", "DOC", "NUMBER")
        return False

    # --- brackets --------------------------------------------------------------------------

    def _closes(self, token: Token, opened: list[Token]) -> bool:
        """Take the bracket that `token` closes off the open ones; report what does not fit together."""
        span = self.source.span(token.start, token.end)
        if not opened:
            self.problems.error(
                "unmatched-bracket",
                f"this `{token.text}` closes nothing",
                span,
                label=f"no `{_opener_of(token)}` is open here",
                help="take it away, or open the bracket where it should begin",
            )
            return False
        opener = opened[-1]
        if OPENERS[opener.type] != token.type:
            self.problems.error(
                "unmatched-bracket",
                f"`{opener.text if len(opener.text) == 1 else '['}` is closed by `{token.text}`",
                span,
                label=f"`{CLOSERS[OPENERS[opener.type]]}` was expected",
                others=(Label(self.source.span(opener.start, opener.end), "opened here"),),
                help="close every bracket by its own kind",
            )
        opened.pop()
        return True

    def _closes_the_cell(self, opened: list[Token], tokens: list[Token]) -> bool:
        """A `}` while round or square brackets are open, or at the head of a line: it is the cell's own."""
        token = self._peek()
        if token.type != "RBRACE" or not opened:
            return False
        if all(opener.type != "LBRACE" for opener in opened):
            return True
        return self.tokens[self.at - 1].type == "NEWLINE" and opened[-1].type == "LBRACE"

    def _unclosed(self, opened: list[Token]) -> list[Token]:
        """Report the brackets that are still open; the closers that stand in for the missing ones."""
        closers = []
        for opener in reversed(opened):
            last = self.tokens[self.at - 1]
            closer = CLOSERS[OPENERS[opener.type]]
            self.problems.error(
                "unclosed-bracket",
                f"this `{self.source.text[opener.start : opener.end]}` is never closed",
                self.source.span(opener.start, opener.end),
                label=f"no `{closer}` follows",
                help=f"write `{closer}` where the bracket should end",
            )
            closers.append(Token(OPENERS[opener.type], closer, last.end, last.end))
        opened.clear()
        return closers

    def _too_deep(self, token: Token) -> list[Token]:
        """Give a statement up whose brackets no reader could follow."""
        self.problems.error(
            "too-deep",
            f"brackets are nested more than {DEPTH} deep",
            self.source.span(token.start, token.end),
            label=f"bracket number {DEPTH + 1}",
            help="give a part of the equation a name of its own",
        )
        while self._peek().type not in LINE_ENDS | {"END_OF_TEXT"}:
            self.at += 1
        return []

    def _column(self, token: Token) -> None:
        self.problems.error(
            "bad-sign",
            "a stack has one column",
            self.source.span(token.start, token.end),
            label="`&` begins another",
            help="stack vectors one above the other: `[a; b]`, `\\begin{bmatrix} a \\\\ b \\end{bmatrix}`",
        )


def _opener_of(token: Token) -> str:
    return {"RPAR": "(", "RSQUARE": "[", "RBRACE": "{"}[token.type]


def _is_word(token: Token, word: str) -> bool:
    return token.type == "NAME" and token.time is None and token.text == word
