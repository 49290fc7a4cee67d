"""Names: a word with its subscripts, superscripts, accents, primes and time, in any spelling, becomes one NAME.

Whether a superscript belongs to the name (`h^{(t-1)}`, `W^{(i)}`) or is a power or a transpose is decided here,
and so is what of it nobody can decide (`W^f`, `h_t-1`): these are errors that show both readings.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace

from celldsl.errors import Diagnostics
from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.source import Source, Span
from celldsl.syntax.grammar import LINE_ENDS, Token
from celldsl.syntax.spelling import (
    ACCENT_COMMANDS,
    ACCENT_MARKS,
    ACCENTS,
    GREEK_COMMANDS,
    GREEK_NAMES,
    STYLES,
    TRANSPOSES,
)

NESTING = 8
"""How deep subscripts of subscripts may go."""


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

    def types(self, count: int, ahead: int = 0) -> tuple[str, ...]:
        return tuple(self.peek(ahead + i).type for i in range(count))

    def span(self, first: Token, last: Token | None = None) -> Span:
        return self.source.span(first.start, (last or first).end)


def command(token: Token) -> str:
    """`tilde` of `\\tilde`; empty for what is no command."""
    return token.text[1:] if token.type == "COMMAND" else ""


def begins_name(token: Token) -> bool:
    word = command(token)
    return (
        token.type in ("WORD", "GREEK")
        or word in GREEK_COMMANDS
        or word in ACCENT_COMMANDS
        or word in FUNCTIONS
        or word in ALIASES
        or word == "ell"
    )


@dataclass
class _Name:
    """A name while it is read."""

    first: Token
    parts: list[str] = field(default_factory=list)
    base: int = 0
    """How many of the parts are the word itself with its accents; an accent over a whole name goes behind them."""
    time: int | None = None
    loose_time: bool = False
    """The time was written `_t`, without braces, so that a `-1` behind it could be meant to belong to it."""
    pattern: bool = False
    behind: list[Token] = field(default_factory=list)
    """Powers and transposes that stood between the parts of the name: the 2 of `c^2_t`."""


def read_name(cursor: Cursor, nesting: int = 0) -> list[Token]:
    """The NAME (or PATTERN) at the cursor, and the powers and transposes that stood inside it."""
    name = _Name(cursor.peek())
    _word(cursor, name, nesting)
    name.base = len(name.parts)
    _marks(cursor, name, nesting)
    last = cursor.tokens[cursor.at - 1]
    type = "PATTERN" if name.pattern else "NAME"
    return [Token(type, "_".join(name.parts), name.first.start, last.end, name.time), *name.behind]


# --- the word ------------------------------------------------------------------------------


def _word(cursor: Cursor, name: _Name, nesting: int) -> None:
    token = cursor.take()
    word = command(token)
    if token.type == "WORD":
        name.parts += _latin(cursor, token)
    elif token.type == "GREEK":
        name.parts += _greek(cursor, token)
    elif token.type == "NUMBER" and token.text.isdigit():
        name.parts.append(token.text)
    elif word in ACCENT_COMMANDS:
        before = len(name.parts)
        inner = _argument(cursor, name, nesting)
        name.parts.insert(before + inner, ACCENT_COMMANDS[word])
    elif word in STYLES:
        _argument(cursor, name, nesting)
    else:
        name.parts.append(GREEK_COMMANDS.get(word) or word or token.text)


def _argument(cursor: Cursor, name: _Name, nesting: int) -> int:
    """The name that an accent or a style dresses, with braces or without; returns the parts of its word."""
    if nesting > NESTING:
        return 0
    if cursor.peek().type != "LBRACE":
        before = len(name.parts)
        if begins_name(cursor.peek()) or command(cursor.peek()) in STYLES or cursor.peek().type == "NUMBER":
            _word(cursor, name, nesting + 1)
        return len(name.parts) - before
    opener = cursor.take()
    inner = _Name(cursor.peek())
    if cursor.peek().type not in ("RBRACE", "NEWLINE", "END_OF_TEXT"):
        _word(cursor, inner, nesting + 1)
        while cursor.peek().type in ("WORD", "GREEK", "NUMBER") and cursor.tokens[cursor.at - 1].touches(cursor.peek()):
            more = _Name(cursor.peek())
            _word(cursor, more, nesting + 1)
            inner.parts[-1] += "_".join(more.parts)
    inner.base = len(inner.parts)
    _marks(cursor, inner, nesting + 1)
    if cursor.peek().type == "RBRACE":
        cursor.take()
    else:
        cursor.problems.error(
            "bad-name",
            "this is not one name",
            cursor.span(opener, cursor.peek()),
            label="one name was expected in these braces",
            help="put the accent or the style around each name by itself: `\\tilde{c}_t`, `\\mathbf{W}_i`",
        )
        _skip_group(cursor)
    name.parts += inner.parts
    if inner.time is not None:
        _set_time(cursor, name, inner.time, inner.first, cursor.tokens[cursor.at - 1])
    name.behind += inner.behind
    return inner.base


def _skip_group(cursor: Cursor) -> None:
    """Past the brace that closes the group the cursor stands in, or to the end of the line."""
    depth = 1
    while cursor.peek().type not in ("NEWLINE", "END_OF_TEXT"):
        depth += {"LBRACE": 1, "RBRACE": -1}.get(cursor.take().type, 0)
        if depth == 0:
            return


def _latin(cursor: Cursor, token: Token) -> list[str]:
    letters = "".join("ell" if char == "ℓ" else unicodedata.normalize("NFKD", char) for char in token.text)
    return _accented(cursor, token, letters)


def _greek(cursor: Cursor, token: Token) -> list[str]:
    letters = unicodedata.normalize("NFKD", token.text)
    spelled = GREEK_NAMES.get(letters[0])
    if spelled is None:
        cursor.problems.error(
            "stray-character",
            f"`{token.text[0]}` is not a letter of this language",
            cursor.span(token),
            label=_described(token.text[0]),
            help="write the name in Latin letters or in the Greek letters of LaTeX (`α`, `\\alpha`)",
        )
        spelled = "X"
    return _accented(cursor, token, spelled + letters[1:])


def _accented(cursor: Cursor, token: Token, letters: str) -> list[str]:
    """`c` and U+0303 as the parts `c`, `tilde`."""
    parts = [""]
    for char in letters:
        if char in ACCENT_MARKS:
            parts.append(ACCENT_MARKS[char])
        elif char.isascii() and char.isalnum() and len(parts) == 1:
            parts[0] += char
        else:
            wrong = "an accent stands on the last letter only" if char.isascii() else _described(char)
            cursor.problems.error(
                "stray-character",
                f"`{token.text}` is not a name",
                cursor.span(token),
                label=wrong,
                help="a name is Latin or Greek letters and digits; accents are tilde, hat, bar and dot: `c̃_t`, `c~_t`",
            )
            break
    return [parts[0] or "X", *parts[1:]]


def _described(char: str) -> str:
    return f"{unicodedata.name(char, 'a nameless character').lower()} (U+{ord(char):04X})"


# --- its marks -----------------------------------------------------------------------------


def _marks(cursor: Cursor, name: _Name, nesting: int) -> None:
    while True:
        token, before = cursor.peek(), cursor.tokens[cursor.at - 1]
        if token.type == "UNDERSCORE":
            _subscript(cursor, name, nesting)
        elif token.type == "CARET":
            if not _superscript(cursor, name, nesting):
                break
        elif token.type == "PRIME" and before.touches(token):
            name.parts += ["prime"] * len(cursor.take().text)
        elif token.type == "TILDE":
            accent = before.touches(token) and name.time is None and not _touches_operand(cursor)
            cursor.take()
            if accent:
                name.parts.append("tilde")
        elif token.type == "LSQUARE" and before.touches(token) and _is_time(cursor, 1, "RSQUARE"):
            cursor.take()
            _read_time(cursor, name, token)
            cursor.take()
        elif token.type == "LPAR" and name.time is None and _is_time(cursor, 1, "RPAR"):
            _time_in_brackets(cursor, name)
        else:
            break
    if name.loose_time and _is_loose_delay(cursor):
        _loose_delay(cursor, name)


def _touches_operand(cursor: Cursor) -> bool:
    """Whether the token at the cursor (a `~`, LaTeX's hard blank) leads straight to a name, number or bracket."""
    after = cursor.peek(1)
    return cursor.peek().touches(after) and after.type in ("WORD", "GREEK", "NUMBER", "COMMAND", "LPAR", "LBRACE")


def _subscript(cursor: Cursor, name: _Name, nesting: int) -> None:
    sign = cursor.take()
    token = cursor.peek()
    if token.type == "LBRACE":
        cursor.take()
        _group(cursor, name, token, nesting)
    elif token.type == "WORD" and token.text == "t":
        cursor.take()
        _set_time(cursor, name, 0, sign, token)
        name.loose_time = True
    elif begins_name(token) or token.type == "NUMBER" or command(token) in STYLES:
        _check_run_together(cursor, name, token)
        _word(cursor, name, nesting)
        while (
            cursor.peek().type == "WORD"
            and token.type == "NUMBER"
            and cursor.tokens[cursor.at - 1].touches(cursor.peek())
        ):
            name.parts[-1] += cursor.take().text
        if cursor.peek().type == "TIMES" and cursor.peek().text == "*" and _ends_pattern(cursor):
            cursor.take()
            name.parts[-1] += "*"
            name.pattern = True
    elif token.type == "TIMES" and token.text == "*":
        cursor.take()
        name.parts.append("*")
        name.pattern = True
    else:
        inside = cursor.peek(1)
        cursor.problems.error(
            "bad-subscript",
            "a subscript is missing",
            cursor.span(sign),
            label="nothing to put below the line follows this `_`",
            help="put a subscript of several signs in braces: `h_{t-1}`"
            if token.type == "LPAR"
            else f"write the subscript, `{'_'.join(name.parts)}_t`, or take the `_` away",
        )
        if token.type == "LPAR" and inside.text == "t" and _is_time(cursor, 1, "RPAR"):
            cursor.take()
            _read_time(cursor, name, sign)
            cursor.take()


def _ends_pattern(cursor: Cursor) -> bool:
    """`W_x* =`: the star belongs to the pattern, for an equals sign or a comma follows it."""
    star, before = cursor.peek(), cursor.tokens[cursor.at - 1]
    return before.touches(star) and cursor.peek(1).type in ("EQ", "COMMA")


def _check_run_together(cursor: Cursor, name: _Name, token: Token) -> None:
    """`U_ih_{t-1}`: is that U_i h_{t-1}, as LaTeX sets it, or the signal U_{ih} at t-1?"""
    base = name.parts[0]
    after = cursor.peek(1)
    if not (
        len(name.parts) == 1
        and len(base) == 1
        and base.isupper()
        and token.type == "WORD"
        and len(token.text) == 2
        and token.text.isascii()
        and token.text.islower()
        and token.touches(after)
        and after.type in ("UNDERSCORE",)
        and _leads_to_time(cursor, 2)
    ):
        return
    last, time = _time_text(cursor, 2)
    first, second = token.text[0], token.text[1]
    cursor.problems.error(
        "ambiguous-name",
        f"`{cursor.source.text[name.first.start : last.end]}` can be read in two ways",
        cursor.span(name.first, last),
        label="a product, or one signal?",
        notes=(
            f"the product of `{base}_{first}` and `{second}_{_braced(time)}`, as LaTeX sets it",
            f"the signal `{base}_{{{token.text}}}` at {time}",
        ),
        help=f"write `{base}_{first} {second}_{_braced(time)}` or `{base}_{{{token.text},{time}}}`",
    )


def _leads_to_time(cursor: Cursor, ahead: int) -> bool:
    if cursor.peek(ahead).type == "LBRACE":
        ahead += 1
    return cursor.peek(ahead).type == "WORD" and cursor.peek(ahead).text == "t"


def _time_text(cursor: Cursor, ahead: int) -> tuple[Token, str]:
    """The last token and the text of the time (`t`, `t-1`) that stands `ahead`."""
    if cursor.peek(ahead).type != "LBRACE":
        return cursor.peek(ahead), "t"
    text, ahead = "", ahead + 1
    while cursor.peek(ahead).type in ("WORD", "MINUS", "PLUS", "NUMBER"):
        text += cursor.peek(ahead).text
        ahead += 1
    return cursor.peek(ahead), text


def _braced(time: str) -> str:
    return time if len(time) == 1 else f"{{{time}}}"


def _group(cursor: Cursor, name: _Name, opener: Token, nesting: int) -> None:
    """The subscript between braces: indices and a time, separated by commas."""
    if nesting > NESTING:
        cursor.problems.error(
            "too-deep", "subscripts of subscripts go too deep", cursor.span(opener), help="use a shorter name"
        )
        _skip_group(cursor)
        return
    if not _is_closed(cursor):
        _unclosed(cursor, name, opener, nesting)
        return
    count = len(name.parts)
    while cursor.peek().type != "RBRACE":
        token = cursor.peek()
        if _is_time(cursor, 0, "RBRACE") or _is_time(cursor, 0, "COMMA"):
            _read_time(cursor, name, token)
        elif token.type == "LPAR" and _is_time(cursor, 1, "RPAR"):
            cursor.take()
            _read_time(cursor, name, token)
            cursor.take()
        elif begins_name(token) or token.type == "NUMBER" or command(token) in STYLES:
            _index(cursor, name, nesting)
        elif token.type == "TIMES" and token.text == "*":
            cursor.take()
            name.parts.append("*")
            name.pattern = True
        else:
            _bad_subscript(cursor, opener)
            return
        if cursor.peek().type in ("COMMA", "SEMICOLON"):
            cursor.take()
        elif cursor.peek().type != "RBRACE":
            _bad_subscript(cursor, opener)
            return
    cursor.take()
    if len(name.parts) == count and name.time is None:
        cursor.problems.error(
            "bad-subscript",
            "this subscript is empty",
            cursor.span(opener, cursor.tokens[cursor.at - 1]),
            help=f"write what belongs below the line, `{'_'.join(name.parts)}_{{t}}`, or take the braces away",
        )


def _is_closed(cursor: Cursor) -> bool:
    """Whether the group that the cursor stands in is closed on its line."""
    depth, ahead = 1, 0
    while cursor.peek(ahead).type not in (*LINE_ENDS, "END_OF_TEXT"):
        depth += {"LBRACE": 1, "RBRACE": -1}.get(cursor.peek(ahead).type, 0)
        if depth == 0:
            return True
        ahead += 1
    return False


def _index(cursor: Cursor, name: _Name, nesting: int) -> None:
    """One index of a subscript, `xi` or `x i` or `c_1` or `\\tilde c`; words side by side run together."""
    inner = _Name(cursor.peek())
    _word(cursor, inner, nesting + 1)
    while (
        cursor.peek().type in ("WORD", "GREEK", "NUMBER")
        or begins_name(cursor.peek())
        or command(cursor.peek()) in STYLES
    ):
        if _is_time(cursor, 0, "RBRACE"):
            break
        more = _Name(cursor.peek())
        _word(cursor, more, nesting + 1)
        inner.parts[-1] += "_".join(more.parts)
    if cursor.peek().type in ("UNDERSCORE", "PRIME"):
        _marks(cursor, inner, nesting + 1)
    if cursor.peek().type == "TIMES" and cursor.peek().text == "*":
        cursor.take()
        inner.parts[-1] += "*"
        name.pattern = True
    name.parts += inner.parts
    if inner.time is not None:
        _set_time(cursor, name, inner.time, inner.first, cursor.tokens[cursor.at - 1])


def _unclosed(cursor: Cursor, name: _Name, opener: Token, nesting: int) -> None:
    """`h_{t-1 + x_t`: what can only be the subscript is read, and the brace reported."""
    token = cursor.peek()
    if token.type == "WORD" and token.text == "t":
        cursor.take()
        name.time = 0
        if cursor.types(2) == ("MINUS", "NUMBER") and cursor.peek().touches(cursor.peek(1)):
            cursor.at += 2
            name.time = 1
    elif begins_name(token) or token.type == "NUMBER":
        _word(cursor, name, nesting)
    cursor.problems.error(
        "unclosed-bracket",
        "this `{` is never closed",
        cursor.span(opener),
        label="no `}` follows on this line",
        help=f"close the subscript: `{cursor.source.text[name.first.start : cursor.tokens[cursor.at - 1].end]}}}`",
    )


def _bad_subscript(cursor: Cursor, opener: Token) -> None:
    _skip_group(cursor)
    cursor.problems.error(
        "bad-subscript",
        "this is not a subscript",
        cursor.span(opener, cursor.tokens[cursor.at - 1]),
        label="indices and a time were expected",
        help="a subscript is made of names, numbers and a time: `W_{xi}`, `W_1`, `h_{t-1}`, `c_{i,t-1}`",
    )


# --- times ---------------------------------------------------------------------------------


def _is_time(cursor: Cursor, ahead: int, closer: str) -> bool:
    """`t`, `t-1`, `t+1` or `t-k`, then the closer."""
    if cursor.peek(ahead).type != "WORD" or cursor.peek(ahead).text != "t":
        return False
    if cursor.peek(ahead + 1).type == closer:
        return True
    sign, by, end = (cursor.peek(ahead + i) for i in (1, 2, 3))
    return sign.type in ("MINUS", "PLUS") and by.type in ("NUMBER", "WORD") and end.type == closer


def _read_time(cursor: Cursor, name: _Name, first: Token) -> None:
    """The time at the cursor, up to its closer."""
    token = cursor.take()
    time = 0
    if cursor.peek().type in ("MINUS", "PLUS"):
        sign, by = cursor.take(), cursor.take()
        span = cursor.span(token, by)
        written = "_".join(name.parts)
        if not by.text.isdigit() or len(by.text) > 4:
            cursor.problems.error(
                "bad-delay",
                f"a delay must be a whole number, found `{by.text}`",
                span,
                label="how many steps back?",
                help=f"write `{written}_{{t-1}}` for the value one step back, `{written}_{{t-2}}` for two",
            )
        elif sign.type == "PLUS" and int(by.text):
            cursor.problems.error(
                "future",
                f"`{written}` at t+{by.text} lies in the future",
                span,
                label="a cell reads the present and the past only",
                help=f"write `{written}_t` or `{written}_{{t-1}}`; if the paper defines the value at t+1, "
                "write every equation one step earlier",
            )
        else:
            time = int(by.text)
    _set_time(cursor, name, time, first, cursor.tokens[cursor.at - 1])


def _set_time(cursor: Cursor, name: _Name, time: int, first: Token, last: Token) -> None:
    if name.time is not None:
        cursor.problems.error(
            "two-times",
            f"`{'_'.join(name.parts)}` carries two times",
            cursor.span(name.first, last),
            label="which of them is meant?",
            help=f"leave one of them: `{'_'.join(name.parts)}_t`",
        )
    name.time = time


def _time_in_brackets(cursor: Cursor, name: _Name) -> None:
    """`h(t-1)`: the time of h, or h times (t-1)?"""
    opener = cursor.take()
    before = len(cursor.problems.items)
    _read_time(cursor, name, opener)
    closer = cursor.take()
    if len(cursor.problems.items) > before:
        return
    written = "_".join(name.parts)
    time = "t" if name.time == 0 else f"t-{name.time}"
    cursor.problems.error(
        "ambiguous-time",
        f"`{cursor.source.text[name.first.start : closer.end]}` can be read in two ways",
        cursor.span(name.first, closer),
        label="the value at a time, or a product?",
        notes=(f"the signal `{written}` at {time}", f"`{written}` times the bracket `({time})`"),
        help=f"write `{written}_{_braced(time)}` or `{written}[{time}]` for the signal",
    )


def _is_loose_delay(cursor: Cursor) -> bool:
    before, sign, by = cursor.tokens[cursor.at - 1], cursor.peek(), cursor.peek(1)
    return (
        before.type == "WORD"
        and before.text == "t"
        and before.touches(sign)
        and sign.type == "MINUS"
        and sign.touches(by)
        and by.type == "NUMBER"
        and by.text.isdigit()
    )


def _loose_delay(cursor: Cursor, name: _Name) -> None:
    """`h_t-1` without blanks: h_{t-1}, or h_t minus 1?"""
    cursor.take()
    by = cursor.take()
    written = "_".join(name.parts)
    name.time = int(by.text) if len(by.text) < 5 else 1
    cursor.problems.error(
        "ambiguous-time",
        f"`{cursor.source.text[name.first.start : by.end]}` can be read in two ways",
        cursor.span(name.first, by),
        label="an earlier value, or a difference?",
        notes=(f"the value of `{written}` at t-{by.text}", f"`{written}_t` minus {by.text}"),
        help=f"write `{written}_{{t-{by.text}}}` or `{written}_t - {by.text}`",
    )


# --- superscripts --------------------------------------------------------------------------


def transpose_length(cursor: Cursor) -> int:
    """How many tokens `^T` takes in its spellings (`^{\\top}`, `^{\\mathsf{T}}`); 0 if this is something else."""
    ahead, open = 1, 0
    while cursor.peek(ahead).type == "LBRACE" or command(cursor.peek(ahead)) in STYLES:
        open += cursor.peek(ahead).type == "LBRACE"
        ahead += 1
    token = cursor.peek(ahead)
    if not (token.text == "T" or command(token) in TRANSPOSES or token.text == "⊤"):
        return 0
    ahead += 1
    for _ in range(open):
        if cursor.peek(ahead).type != "RBRACE":
            return 0
        ahead += 1
    return ahead


def _superscript(cursor: Cursor, name: _Name, nesting: int) -> bool:
    """Read the superscript if it belongs to the name; False leaves the `^` to be read as a power."""
    caret = cursor.peek()
    length = transpose_length(cursor)
    if length:
        last = cursor.peek(length - 1)
        cursor.at += length
        name.behind.append(Token("TRANSPOSE", "^T", caret.start, last.end))
        return True
    ahead = 1
    closers: list[str] = []
    while cursor.peek(ahead).type in ("LBRACE", "LPAR") and len(closers) < 2:
        closers.append("RBRACE" if cursor.peek(ahead).type == "LBRACE" else "RPAR")
        ahead += 1
    inside = cursor.peek(ahead)
    if closers and _is_time(cursor, ahead, closers[-1]):
        cursor.at += ahead
        _read_time(cursor, name, caret)
        _take_closers(cursor, closers)
        return True
    if not closers and inside.type == "WORD" and inside.text == "t":
        cursor.at += 2
        _set_time(cursor, name, 0, caret, inside)
        return True
    if closers == ["RBRACE"] and inside.type == "PRIME":
        cursor.at += ahead + 1
        name.parts += ["prime"] * len(inside.text)
        _take_closers(cursor, closers)
        return True
    if inside.type == "NUMBER" and closers in ([], ["RBRACE"]):
        after = ahead + 1 + len(closers)
        if cursor.peek(after).type == "UNDERSCORE" and cursor.peek(ahead + 1).type in (*closers, "UNDERSCORE"):
            name.behind += [replace(caret), inside]
            cursor.at += after
            return True
        return False
    return _index_above(cursor, name, nesting, ahead, closers)


def _take_closers(cursor: Cursor, closers: list[str]) -> None:
    for closer in reversed(closers):
        if cursor.peek().type == closer:
            cursor.take()


def _index_above(cursor: Cursor, name: _Name, nesting: int, ahead: int, closers: list[str]) -> bool:
    """`W^{(i)}` is an index; `W^i`, `W^{i}` and `W^(i)` could be a power as well."""
    caret, start = cursor.peek(), cursor.at
    inside = cursor.peek(ahead)
    if nesting > NESTING or not (begins_name(inside) or inside.type == "NUMBER" or command(inside) in STYLES):
        return False
    spaced = not (cursor.tokens[cursor.at - 1].touches(caret) and caret.touches(cursor.peek(1)))
    if caret.text != "^" or (spaced and closers != ["RBRACE", "RPAR"]):
        return False
    cursor.at += ahead
    index = _Name(inside)
    if closers:
        _index(cursor, index, nesting)
        while cursor.peek().type == "COMMA":
            cursor.take()
            if begins_name(cursor.peek()) or cursor.peek().type == "NUMBER":
                _index(cursor, index, nesting)
    else:
        _word(cursor, index, nesting)
    last = cursor.tokens[cursor.at - 1]
    for closer in reversed(closers):
        if cursor.peek().type != closer:  # an expression stands above: a power
            cursor.at = start
            return False
        last = cursor.take()
    written = "_".join(index.parts)
    if closers != ["RBRACE", "RPAR"]:
        base = "_".join(name.parts)
        if name.time is not None or inside.type == "NUMBER":
            cursor.at = start
            return False
        cursor.problems.error(
            "ambiguous-superscript",
            f"`{cursor.source.text[name.first.start : last.end]}` can be read in two ways",
            cursor.span(name.first, last),
            label="an index, or a power?",
            notes=(f"the name `{base}` with the index `{written}`", f"`{base}` to the power of `{written}`"),
            help=f"write `{base}_{written if len(written) == 1 else '{' + written + '}'}` or `{base}^{{({written})}}` "
            f"for the index, `{base} ^ {written}` with blanks for the power",
        )
    name.parts += index.parts
    return True


ACCENT_WORDS = frozenset({*ACCENTS, "prime"})
"""Parts of a name that are marks on the part before them."""
