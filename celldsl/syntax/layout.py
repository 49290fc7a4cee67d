"""Layout: where statements begin and end, and what a word means by the place it stands in.

Line ends, `;` and `\\\\` end a statement unless a bracket is open or the next line goes on with an operator. At the
beginning of a statement a keyword is a keyword; everywhere else it is a name, so that a parameter may be called
`dim`. A bracket that is never closed is reported where it opens, and ends with its statement.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from celldsl.errors import Diagnostics
from celldsl.source import Source
from celldsl.syntax.grammar import FAR, LINE_ENDS, Token
from celldsl.syntax.keywords import KEYWORDS, collect_words, mark_bounds, mark_words
from celldsl.syntax.layout_errors import CLOSER_OF, LayoutErrors

DEPTH = 60
"""How deep brackets may be nested; no equation of a paper comes near it."""

OPENERS = {"LPAR": "RPAR", "LSQUARE": "RSQUARE", "LBRACE": "RBRACE"}
CLOSERS = frozenset(OPENERS.values())
LEADS_ON = {"PLUS", "MINUS", "TIMES", "SLASH", "AT", "CDOT", "CARET", "EQ", "RELATION_SIGN", "TRANSPOSE"}
LEFT_OPEN = LEADS_ON - {"TRANSPOSE"} | {"COMMA", "COLON"}


@dataclass
class Statement:
    """The tokens of one statement as the grammar's rules see them, END included.

    kind: `head` (up to the cell's opening brace), `rounds` (a `repeat` up to its opening brace), `item`, or `close`.
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
        self.errors = LayoutErrors(source, problems)
        self.faults = sorted(item.span.start for item in problems.items)  # where errors are known already
        self.at = 0
        self.cell: Token | None = None  # the opening brace of the cell whose body is read
        self.blocks: list[Token] = []  # the opening braces of the `repeat`s around the cursor
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
                    self.errors.cell_is_not_closed(self.cell, token)
                    yield self._close(token)
                yield from self._head()
            elif self.cell is None:
                self._skip_outside()
            elif token.type == "RBRACE":
                self.at += 1
                yield self._close_block(token) if self.blocks else self._close(token)
            elif self._is_repeat():
                yield from self._rounds()
            else:
                yield from self._item()
        if self.cell:
            told = self.cell.start == self.cell.end or self._is_unterminated()
            if not told:
                self.errors.cell_is_not_closed(self.cell, None)
            yield self._close(token)

    def _is_unterminated(self) -> bool:
        """Whether a text without its end has swallowed the rest of the file, its braces included."""
        return any(item.code == "unterminated-string" for item in self.problems.items)

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
            self.errors.body_does_not_begin(tokens)
            opener = Token("OPEN", "{", last.end, last.end)
        self.cell = opener
        tokens[0] = replace(tokens[0], type="CELL")
        if len(tokens) > 2 and _is_word(tokens[2], "extends"):
            tokens[2] = replace(tokens[2], type="EXTENDS")
        yield Statement("head", [*tokens, opener])

    def _close(self, token: Token) -> Statement:
        blocks = [each for _ in self.blocks for each in self._close_block(token).tokens]
        self.cell = None
        return Statement("close", [*blocks, Token("CLOSE", "}", token.start, token.end)])

    # --- repetition ------------------------------------------------------------------------

    def _is_repeat(self) -> bool:
        return _is_word(self._peek(), "repeat") and self._peek(1).type == "NAME"

    def _rounds(self) -> Iterator[Statement]:
        """`repeat l = 1..L {`; what stands between the braces are statements as those of a cell."""
        tokens = [replace(self._peek(), type="REPEAT")]
        self.at += 1
        groups = 0  # how many a fraction still takes
        while self._peek().type not in LINE_ENDS | {"END_OF_TEXT", "RBRACE"}:
            token = self._peek()
            if token.type == "LBRACE":
                if not groups and tokens[-1].type != "CARET":
                    break
                groups = max(groups - 1, 0)
                tokens += self._group()
                continue
            groups = 2 if token.type == "FRACTION" else 0
            tokens.append(token)
            self.at += 1
        ahead = 0
        while self._peek(ahead).type == "NEWLINE":
            ahead += 1
        opener = self._peek(ahead)
        if opener.type != "LBRACE":
            self.errors.repeat_does_not_begin(tokens)
            return
        self.at += ahead + 1
        opener = replace(opener, type="OPEN")
        self.blocks.append(opener)
        yield Statement("rounds", [*mark_bounds(tokens, self.vocabulary), opener])

    def _group(self) -> list[Token]:
        """The tokens of a group in braces, up to the end of its line."""
        begin, depth = self.at, 0
        while self._peek().type not in LINE_ENDS | {"END_OF_TEXT"}:
            depth += {"LBRACE": 1, "RBRACE": -1}.get(self._peek().type, 0)
            self.at += 1
            if depth == 0:
                break
        return self.tokens[begin : self.at]

    def _close_block(self, token: Token) -> Statement:
        self.blocks.pop()
        closer = Token("CLOSE", "}", token.start, token.end)
        return Statement("item", [closer, Token("END", "", token.end, token.end)])

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
        self.errors.outside_of_cells(first)

    # --- the statements of a cell ----------------------------------------------------------

    def _item(self) -> Iterator[Statement]:
        if self._is_block():
            self._skip_block()
            return
        before = len(self.problems.items)
        start = self._peek().start
        tokens = self._gather()
        last = self.tokens[self.at - 1]
        end = Token("END", "", last.end, last.end)
        first_fault = bisect_left(self.faults, start)
        faulty = first_fault < len(self.faults) and self.faults[first_fault] < max(last.end, start + 1)
        spoilt = faulty or len(self.problems.items) > before
        tokens = [token for token in tokens if token.type != "DROPPED"]
        if tokens:
            for part in mark_words(tokens, self.vocabulary, self.source, self.problems):
                yield Statement("item", [*part, replace(end, start=part[-1].end, end=part[-1].end)], spoilt)

    def _is_block(self) -> bool:
        """`if … {`, `for … {`: a word, no equation, and a brace that ends the line."""
        first, second = self._peek(), self._peek(1)
        if first.type != "NAME" or first.time is not None or second.type == "EQ":
            return False
        ahead = 1
        while ahead < FAR and self._peek(ahead).type not in LINE_ENDS | {"SEMICOLON", "END_OF_TEXT"}:
            ahead += 1
        return self._peek(ahead).type == "NEWLINE" and self._peek(ahead - 1).type == "LBRACE"

    def _skip_block(self) -> None:
        depth = 0
        self.errors.block(self._peek())
        while self._peek().type != "END_OF_TEXT":
            depth += {"LBRACE": 1, "RBRACE": -1}.get(self._peek().type, 0)
            self.at += 1
            if depth == 0 and self.tokens[self.at - 1].type == "RBRACE":
                return

    def _gather(self) -> list[Token]:
        """The tokens up to the end of the statement, its brackets balanced."""
        tokens: list[Token] = []
        opened: list[Token] = []
        columns = 0
        while True:
            token = self._peek()
            if token.type in OPENERS:
                opened.append(token)
                if len(opened) > DEPTH:
                    return self._too_deep(token)
            elif token.type in CLOSERS:
                if not opened and token.type == "RBRACE":
                    break
                if self._closes_the_cell(opened):
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
            elif token.type == "SEMICOLON" and not self._in_stack(opened) and not self._is_closed_soon(opened):
                if opened:
                    tokens += self._unclosed(opened)
                self.at += 1
                break
            elif token.type == "COLUMN":
                if self._in_stack(opened) and columns == 0:
                    self.errors.column(token)
                    columns += 1
                self.at += 1
                continue
            tokens.append(token)
            self.at += 1
        return tokens

    def _in_stack(self, opened: list[Token]) -> bool:
        return bool(opened) and opened[-1].type == "LSQUARE"

    def _is_closed_soon(self, opened: list[Token]) -> bool:
        """Whether the innermost bracket is closed on this line, so that a `;` in it is only out of place.
        Without one open, the brace that closes on this line is the cell's own."""
        if not opened:
            return False
        depth, ahead = len(opened), 1
        while ahead < FAR and self._peek(ahead).type not in LINE_ENDS | {"END_OF_TEXT"}:
            depth += (self._peek(ahead).type in OPENERS) - (self._peek(ahead).type in CLOSERS)
            if depth < len(opened):
                return True
            ahead += 1
        return False

    def _next_line(self) -> Token:
        return self._peek(self._to_next_line())

    def _to_next_line(self) -> int:
        """How many tokens ahead the next line begins that is not empty."""
        ahead = 0
        while self._peek(ahead).type in LINE_ENDS | {"COLUMN", "DROPPED"}:
            ahead += 1
        return ahead

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
        ahead = self._to_next_line()
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
        """Take the bracket that `token` closes off the open ones; False if none is open."""
        if not opened or OPENERS[opened[-1].type] != token.type:
            self.errors.unmatched(token, opened[-1] if opened else None)
        if opened:
            opened.pop()
            return True
        return False

    def _closes_the_cell(self, opened: list[Token]) -> bool:
        """A `}` while only round or square brackets are open, or at the head of a line: it is the cell's own."""
        if self._peek().type != "RBRACE" or not opened:
            return False
        if all(opener.type != "LBRACE" for opener in opened):
            return True
        return self.tokens[self.at - 1].type == "NEWLINE" and opened[-1].type == "LBRACE"

    def _unclosed(self, opened: list[Token]) -> list[Token]:
        """Report the brackets that are still open; the closers that stand in for the missing ones."""
        end = self.tokens[self.at - 1].end
        closers = []
        for opener in reversed(opened):
            self.errors.unclosed(opener, self._next_line())
            closers.append(Token(OPENERS[opener.type], CLOSER_OF[opener.type], end, end))
        opened.clear()
        return closers

    def _too_deep(self, token: Token) -> list[Token]:
        """Give a statement up whose brackets no reader could follow."""
        self.errors.too_deep(token, DEPTH)
        while self._peek().type not in LINE_ENDS | {"END_OF_TEXT"}:
            self.at += 1
        return []


def _is_word(token: Token, word: str) -> bool:
    return token.type == "NAME" and token.time is None and token.text == word
