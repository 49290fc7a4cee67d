"""Names: a word with its subscripts, superscripts, accents, primes and time, in any spelling, becomes one NAME.

Whether a superscript belongs to the name (`h^{(t-1)}`, `W^{(i)}`) or is a power or a transpose is decided here;
what of it nobody can decide (`W^f`) is an error that shows both readings.
"""

from __future__ import annotations

from celldsl.errors import Diagnostics
from celldsl.syntax.cursor import Cursor, PartialName, begins_index, command
from celldsl.syntax.grammar import FAR, Token
from celldsl.syntax.indices import counted_length, read_counted
from celldsl.syntax.letters import greek_parts, latin_parts
from celldsl.syntax.spelling import ACCENT_COMMANDS, GREEK_COMMANDS, STYLES, TRANSPOSES
from celldsl.syntax.times import (
    check_loose_delay,
    check_run_together,
    is_time,
    read_time,
    set_time,
    time_in_round_brackets,
)

NESTING = 8
"""How deep subscripts of subscripts may go."""


def read_name(cursor: Cursor) -> list[Token]:
    """The NAME (or PATTERN) at the cursor, and the powers and transposes that stood inside it."""
    name = PartialName(cursor.peek())
    _word(cursor, name, 0)
    _marks(cursor, name, 0)
    type = "PATTERN" if name.pattern else "NAME"
    return [Token(type, name.text, name.first.start, cursor.last.end, name.time), *name.behind]


# --- the word ------------------------------------------------------------------------------


def _word(cursor: Cursor, name: PartialName, nesting: int) -> int:
    """One word with its accents; returns how many parts it has added."""
    before = len(name.parts)
    token = cursor.take()
    word = command(token)
    if token.type == "WORD":
        name.parts += latin_parts(cursor, token)
    elif token.type == "GREEK":
        name.parts += greek_parts(cursor, token)
    elif token.type == "NUMBER":
        name.parts.append(token.text.replace(".", ""))
    elif word in ACCENT_COMMANDS:
        # The accent stands behind the word, in front of the subscripts that its braces may hold.
        length = _argument(cursor, name, nesting, token)
        name.parts.insert(before + length, ACCENT_COMMANDS[word])
        return length + 1
    elif word in STYLES:
        return _argument(cursor, name, nesting, token)
    else:
        name.parts.append(GREEK_COMMANDS.get(word, word))
    return len(name.parts) - before


def _argument(cursor: Cursor, name: PartialName, nesting: int, dress: Token) -> int:
    """The name that an accent or a style dresses, with braces or without; returns how many parts its word has."""
    inner = PartialName(cursor.peek())
    length = 0
    grouped = cursor.peek().type == "LBRACE"
    if grouped:
        cursor.take()
    if nesting < NESTING and begins_index(cursor.peek()):
        length = _word(cursor, inner, nesting + 1)
        while grouped and cursor.peek().type in ("WORD", "GREEK", "NUMBER") and cursor.adjoins():
            _join(cursor, inner, nesting)
        if grouped:
            _marks(cursor, inner, nesting + 1)
    if (grouped and cursor.peek().type != "RBRACE") or not inner.parts:
        if grouped:
            cursor.skip_group()
        cursor.error(
            "bad-name",
            f"`{dress.text}` stands over one name",
            dress,
            cursor.last,
            label="this is not one name",
            help="put it around each name by itself: `\\tilde{c}_t`, `\\mathbf{W}_i`",
        )
        inner.parts, length = inner.parts or ["X"], length or 1
    elif grouped:
        cursor.take()
    name.parts += inner.parts
    name.behind += inner.behind
    if inner.time is not None:
        set_time(cursor, name, inner.time, cursor.last)
    return length


def _join(cursor: Cursor, name: PartialName, nesting: int) -> None:
    """One more word that runs together with the part before it, the `i` of `W_{x i}`."""
    more = PartialName(cursor.peek())
    _word(cursor, more, nesting + 1)
    name.parts[-1] += more.parts[0]
    name.parts += more.parts[1:]


# --- its marks -----------------------------------------------------------------------------


def _marks(cursor: Cursor, name: PartialName, nesting: int) -> None:
    while True:
        token = cursor.peek()
        if token.type == "UNDERSCORE":
            _subscript(cursor, name, nesting)
        elif token.type == "CARET":
            if not _superscript(cursor, name, nesting):
                break
        elif token.type == "PRIME" and cursor.adjoins():
            name.parts += ["prime"] * len(cursor.take().text)
        elif token.type == "TILDE":
            accent = cursor.adjoins() and name.time is None and not _touches_operand(cursor)
            cursor.take()
            if accent:
                name.parts.append("tilde")
        elif token.type == "LSQUARE" and is_time(cursor, 1, "RSQUARE"):
            cursor.take()
            read_time(cursor, name, token)
            cursor.take()
        elif token.type == "LSQUARE" and name.time is None and cursor.adjoins() and _is_index(cursor):
            _index_in_brackets(cursor, name)
        elif token.type == "LPAR" and name.time is None and is_time(cursor, 1, "RPAR"):
            time_in_round_brackets(cursor, name)
        else:
            break
    if name.loose_time:
        check_loose_delay(cursor, name)


def _touches_operand(cursor: Cursor) -> bool:
    """Whether the token at the cursor (a `~`, LaTeX's hard blank) leads straight to a name, number or bracket."""
    after = cursor.peek(1)
    return cursor.peek().touches(after) and after.type in ("WORD", "GREEK", "NUMBER", "COMMAND", "LPAR", "LBRACE")


def _is_index(cursor: Cursor) -> bool:
    """`[0]`, `[i]`, `[i-1]`, `[:, t]`: what stands in square brackets in a programming language."""
    inside = [cursor.peek(ahead) for ahead in range(1, 6)]
    end = next((at for at, token in enumerate(inside) if token.type == "RSQUARE"), 0)
    return end > 0 and (
        [token.type for token in inside[:end]] in (["NUMBER"], ["WORD"], ["WORD", "MINUS", "NUMBER"])
        or any(token.type == "COLON" for token in inside[:end])
    )


def _index_in_brackets(cursor: Cursor, name: PartialName) -> None:
    opener = cursor.take()
    index = cursor.peek()
    while cursor.peek().type != "RSQUARE":
        cursor.take()
    closer = cursor.take()
    shown = index.text if index.type in ("WORD", "NUMBER") else "1"
    cursor.error(
        "bad-index",
        "square brackets behind a name hold a time",
        opener,
        closer,
        label="this is not a time",
        help=f"write `{name.text}_{shown}` for an index, `{name.text}[t-1]` for an earlier value; "
        "vectors are never cut into entries",
    )


# --- subscripts ----------------------------------------------------------------------------


def _subscript(cursor: Cursor, name: PartialName, nesting: int) -> None:
    sign = cursor.take()
    token = cursor.peek()
    if token.type == "LBRACE":
        cursor.take()
        _group(cursor, name, token, nesting)
    elif token.type == "WORD" and token.text == "t" and sign.touches(token):
        cursor.take()
        set_time(cursor, name, 0, token)
        name.loose_time = True
    elif begins_index(token) and sign.touches(token):
        check_run_together(cursor, name, token)
        _word(cursor, name, nesting)
        while token.type == "NUMBER" and cursor.peek().type == "WORD" and cursor.adjoins():
            name.parts[-1] += cursor.take().text
        if _is_star(cursor) and cursor.adjoins() and cursor.peek(1).type in ("EQ", "COMMA"):
            _star(cursor, name)  # `init W_x* = …`
    elif _is_star(cursor):
        name.parts.append("")
        _star(cursor, name)
    else:
        cursor.error(
            "bad-subscript",
            "a subscript is missing",
            sign,
            label="nothing to put below the line follows this `_`",
            help=f"put a subscript of several signs in braces: `{name.text}_{{t-1}}`"
            if token.type == "LPAR"
            else f"write the subscript, `{name.text}_t`, or take the `_` away",
        )
        if token.type == "LPAR" and is_time(cursor, 1, "RPAR"):
            cursor.take()
            read_time(cursor, name, sign)
            cursor.take()


def _is_star(cursor: Cursor) -> bool:
    return cursor.peek().type == "TIMES" and cursor.peek().text == "*"


def _star(cursor: Cursor, name: PartialName) -> None:
    cursor.take()
    name.parts[-1] += "*"
    name.pattern = True


def _group(cursor: Cursor, name: PartialName, opener: Token, nesting: int) -> None:
    """The subscript between braces: indices and a time, separated by commas."""
    if nesting > NESTING:
        cursor.error("too-much", "subscripts of subscripts go too deep", opener, help="use a shorter name")
        cursor.skip_group()
        return
    if not cursor.group_is_closed():
        _unclosed_group(cursor, name, opener, nesting)
        return
    count = len(name.parts)
    while cursor.peek().type != "RBRACE":
        token = cursor.peek()
        if is_time(cursor, 0, "RBRACE") or is_time(cursor, 0, "COMMA"):
            read_time(cursor, name, token)
        elif token.type == "LPAR" and is_time(cursor, 1, "RPAR"):
            cursor.take()
            read_time(cursor, name, token)
            cursor.take()
        elif counted_length(cursor):
            read_counted(cursor, name)
        elif begins_index(token):
            _index(cursor, name, nesting)
        elif _is_star(cursor):
            name.parts.append("")
            _star(cursor, name)
        else:
            break
        if cursor.peek().type in ("COMMA", "SEMICOLON"):
            cursor.take()
        elif cursor.peek().type != "RBRACE":
            break
    if cursor.peek().type != "RBRACE":
        cursor.skip_group()
        cursor.error(
            "bad-subscript",
            "this is not a subscript",
            opener,
            cursor.last,
            label="indices and a time were expected",
            help="a subscript is made of names, numbers and a time: `W_{xi}`, `W_1`, `h_{t-1}`, `c_{i,t-1}`",
        )
        return
    cursor.take()
    if len(name.parts) == count and name.time is None:
        cursor.error(
            "bad-subscript",
            "this subscript is empty",
            opener,
            cursor.last,
            help=f"write what belongs below the line, or `{name.text}` alone",
        )


def _index(cursor: Cursor, name: PartialName, nesting: int) -> None:
    """One index of a subscript, `xi` or `x i` or `c_1` or `\\tilde c`; words side by side run together."""
    inner = PartialName(cursor.peek())
    _word(cursor, inner, nesting + 1)
    while begins_index(cursor.peek()) and not is_time(cursor, 0, "RBRACE"):
        _join(cursor, inner, nesting)
    if cursor.peek().type in ("UNDERSCORE", "PRIME", "TILDE"):
        _marks(cursor, inner, nesting + 1)
    if _is_star(cursor):
        _star(cursor, inner)
    name.parts += inner.parts
    name.pattern |= inner.pattern
    if inner.time is not None:
        set_time(cursor, name, inner.time, cursor.last)


def _unclosed_group(cursor: Cursor, name: PartialName, opener: Token, nesting: int) -> None:
    """`h_{t-1 + x_t`: what can only be the subscript is read, and the brace reported."""
    token = cursor.peek()
    if token.type == "WORD" and token.text == "t":
        cursor.take()
        name.time = 0
        if [cursor.peek().type, cursor.peek(1).type] == ["MINUS", "NUMBER"] and cursor.peek().touches(cursor.peek(1)):
            cursor.at += 2
            name.time = 1
    elif begins_index(token):
        _word(cursor, name, nesting)
    cursor.error(
        "unclosed-bracket",
        "this `{` is never closed",
        opener,
        label="no `}` follows on this line",
        help=f"close the subscript: `{cursor.written(name.first, cursor.last)}}}`",
    )


# --- superscripts --------------------------------------------------------------------------


def transpose_length(cursor: Cursor) -> int:
    """How many tokens `^T` takes in its spellings (`^{\\top}`, `^{\\mathsf{T}}`); 0 if this is something else."""
    ahead, opened = 1, 0
    while ahead < FAR and (cursor.peek(ahead).type == "LBRACE" or command(cursor.peek(ahead)) in STYLES):
        opened += cursor.peek(ahead).type == "LBRACE"
        ahead += 1
    token = cursor.peek(ahead)
    if token.text not in ("T", "⊤") and command(token) not in TRANSPOSES:
        return 0
    closers = [cursor.peek(ahead + 1 + i).type for i in range(opened)]
    return ahead + 1 + opened if all(closer == "RBRACE" for closer in closers) else 0


def _superscript(cursor: Cursor, name: PartialName, nesting: int) -> bool:
    """Read the superscript if it belongs to the name; False leaves the `^` to be read as a power."""
    caret = cursor.peek()
    length = transpose_length(cursor)
    if length:
        cursor.at += length
        name.behind.append(Token("TRANSPOSE", "^T", caret.start, cursor.last.end))
        return True
    ahead = 1
    closers: list[str] = []
    while cursor.peek(ahead).type in ("LBRACE", "LPAR") and len(closers) < 2:
        closers.append("RBRACE" if cursor.peek(ahead).type == "LBRACE" else "RPAR")
        ahead += 1
    inside = cursor.peek(ahead)
    if closers and is_time(cursor, ahead, closers[-1]):
        cursor.at += ahead
        read_time(cursor, name, caret)
        _take_closers(cursor, closers)
        return True
    if not closers and inside.type == "WORD" and inside.text == "t":
        cursor.at += 2
        set_time(cursor, name, 0, inside)
        return True
    if closers == ["RBRACE"] and inside.type == "PRIME":
        cursor.at += ahead + 1
        name.parts += ["prime"] * len(inside.text)
        _take_closers(cursor, closers)
        return True
    if inside.type == "NUMBER" and closers in ([], ["RBRACE"]):
        after = ahead + 1 + len(closers)
        if cursor.peek(after).type == "UNDERSCORE" and cursor.peek(ahead + 1).type in (*closers, "UNDERSCORE"):
            name.behind += [caret, inside]  # `c^2_t` is the square of c_t
            cursor.at += after
            return True
        return False
    return _index_above(cursor, name, nesting, closers)


def _take_closers(cursor: Cursor, closers: list[str]) -> None:
    for closer in reversed(closers):
        if cursor.peek().type == closer:
            cursor.take()


def _index_above(cursor: Cursor, name: PartialName, nesting: int, closers: list[str]) -> bool:
    """`W^{(i)}` is an index; `W^i`, `W^{i}` and `W^(i)` could be a power as well."""
    caret, inside = cursor.peek(), cursor.peek(1 + len(closers))
    sure = closers == ["RBRACE", "RPAR"]
    spaced = not (cursor.adjoins() and caret.touches(cursor.peek(1)))
    if nesting > NESTING or not begins_index(inside) or (not sure and (spaced or inside.type == "NUMBER")):
        return False
    trial = Cursor(cursor.tokens, cursor.source, Diagnostics(), cursor.at + 1 + len(closers))
    index = PartialName(inside)
    if sure and counted_length(trial):
        read_counted(trial, index)
    elif closers:
        _index(trial, index, nesting)
        while trial.peek().type == "COMMA" and begins_index(trial.peek(1)):
            trial.take()
            _index(trial, index, nesting)
    else:
        _word(trial, index, nesting)
    for closer in reversed(closers):
        if trial.take().type != closer:  # an expression stands above: a power
            return False
    cursor.at = trial.at
    cursor.problems.items += trial.problems.items
    if not sure:
        _index_or_power(cursor, name, index)
    name.parts += index.parts
    return True


def _index_or_power(cursor: Cursor, name: PartialName, index: PartialName) -> None:
    base, time = name.text, "" if name.time is None else "t" if name.time == 0 else f"t-{name.time}"
    below = f"{index.text},{time}" if time else index.text
    power = f"{base}_{time if len(time) == 1 else f'{{{time}}}'}" if time else base
    cursor.error(
        "ambiguous-superscript",
        f"`{cursor.written(name.first, cursor.last)}` can be read in two ways",
        name.first,
        cursor.last,
        label="an index, or a power?",
        notes=(f"the name `{base}` with the index `{index.text}`", f"`{power}` to the power of `{index.text}`"),
        help=f"write `{base}_{below if len(below) == 1 else f'{{{below}}}'}` for the index, "
        f"`{power} ^ {index.text}` with blanks for the power",
    )
