"""From raw tokens to the tokens of statements: what is only layout falls away, names become one token each.

LaTeX's signs become plain ones, `\\frac` a FRACTION, Unicode's small letters the sub- and superscripts they stand
for. Strange characters and unknown commands are reported here. Where statements begin and end is left to `layout`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from celldsl.errors import Diagnostics, near
from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.source import Source
from celldsl.syntax.cursor import Cursor, begins_name, command
from celldsl.syntax.grammar import FAR, Token, cut
from celldsl.syntax.letters import describe
from celldsl.syntax.names import read_name, transpose_length
from celldsl.syntax.spelling import (
    ACCENT_COMMANDS,
    GREEK_COMMANDS,
    LAYOUTS,
    LOOK_ALIKES,
    MATRICES,
    NOISE,
    SIGNS,
    STYLES,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    TRANSPOSES,
    UNSUPPORTED_COMMANDS,
    UPRIGHT,
)

_RELATIONS = {"≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">="}


def read_tokens(source: Source, problems: Diagnostics) -> list[Token]:
    """The tokens of a text, in the types that `layout` knows; what is wrong with them goes to `problems`."""
    cursor = Cursor(_plain(cut(source.text), source, problems), source, problems)
    tokens: list[Token] = []
    while cursor.at < len(cursor.tokens):
        token = cursor.peek()
        if begins_name(token) or (command(token) in STYLES and _dresses_a_name(cursor)):
            tokens += read_name(cursor)
        elif token.type == "CARET" and (length := transpose_length(cursor)):
            tokens.append(Token("TRANSPOSE", "^T", token.start, cursor.peek(length - 1).end))
            cursor.at += length
        elif token.type == "TIMES" and cursor.peek(1).type == "UNDERSCORE" and token.touches(cursor.peek(1)):
            tokens += _pattern(cursor)
        elif token.type == "COMMAND" and command(token) in STYLES:
            _group_in_style(cursor)
        elif token.type in ("TILDE", "DOLLAR"):
            cursor.take()
        else:
            tokens.append(_checked(cursor))
    return tokens


def _dresses_a_name(cursor: Cursor) -> bool:
    """Whether the braces behind a style hold a single name, as `\\mathbf{W_i}` and not as `\\mathbf{W x}`."""
    ahead = 1
    while ahead < FAR and command(cursor.peek(ahead)) in STYLES:
        ahead += 1
    if cursor.peek(ahead).type != "LBRACE":
        return begins_name(cursor.peek(ahead))
    ahead += 1
    while ahead < FAR and (command(cursor.peek(ahead)) in STYLES or cursor.peek(ahead).type == "LBRACE"):
        ahead += 1
    if not begins_name(cursor.peek(ahead)):
        return False
    trial = Cursor(cursor.tokens, cursor.source, Diagnostics(), cursor.at + ahead)
    read_name(trial)
    previous, found = trial.tokens[trial.at - 1], trial.peek()
    while found.type in ("WORD", "NUMBER", "UNDERSCORE") and previous.touches(found):
        trial.take()
        previous, found = found, trial.peek()
    return found.type == "RBRACE"


def _group_in_style(cursor: Cursor) -> None:
    """`\\mathbf{W x}`: the braces group, and the style is passed over. Text of several words is no formula."""
    style = cursor.take()
    if command(style) in UPRIGHT and cursor.peek().type == "LBRACE":
        cursor.take()
        cursor.skip_group()
        cursor.error(
            "bad-name",
            f"`{style.text}` holds more than one name",
            style,
            cursor.last,
            label="words in a formula were expected to be one name",
            help="write names of several words with `_`, `forget_gate`; a comment begins with `#`",
        )
        cursor.tokens.insert(cursor.at, Token("WORD", "X", style.start, cursor.last.end))


def _pattern(cursor: Cursor) -> list[Token]:
    """`*_f`: a pattern that begins with its star."""
    star = cursor.take()
    word = Token("WORD", "X", star.start, star.end)
    cursor.tokens[cursor.at - 1] = word
    cursor.at -= 1
    first, *behind = read_name(cursor)
    return [replace(first, type="PATTERN", text="*" + first.text[1:], time=None), *behind]


# --- what is only layout -------------------------------------------------------------------


def _plain(raw: list[Token], source: Source, problems: Diagnostics) -> list[Token]:
    """The raw tokens without layout, with plain signs for LaTeX's and Unicode's."""
    plain: list[Token] = []
    for at, token in enumerate(raw):
        word = command(token)
        if word in SIGNS:
            type, text = SIGNS[word]
            plain.append(replace(token, type=type, text=text))
        elif (
            word in NOISE
            or (token.type == "DOT" and at and command(raw[at - 1]) in ("left", "right"))
            or token.type == "SPACE"
        ):
            continue
        elif token.type == "COMMAND":
            plain.append(_known(token, source, problems))
        elif token.type in ("SUBSCRIPT", "SUPERSCRIPT"):
            plain += _raised(token)
        elif token.type in ("BEGIN", "FINISH"):
            plain += _environment(token, source, problems)
        elif token.type == "TIMES":
            plain.append(replace(token, text="×" if token.text == "×" else "*"))
        elif token.type == "RELATION_SIGN":
            text = _RELATIONS.get(token.text, token.text)
            plain.append(replace(token, text=text))
        elif token.type == "STRAY":
            plain += _stray(token, source, problems)
        else:
            plain.append(token)
    return plain


def _raised(token: Token) -> list[Token]:
    """`ₜ₋₁` as `_{t-1}` and `²` as `^{2}`, all in the one place where the small letters stand."""
    below = token.type == "SUBSCRIPT"
    text = token.text.translate(SUBSCRIPTS if below else SUPERSCRIPTS)
    inside = [replace(t, start=token.start, end=token.end) for t in cut(text)]
    sign = "UNDERSCORE" if below else "CARET"
    return [
        Token(sign, "_" if below else "^", token.start, token.start),
        Token("LBRACE", "{", token.start, token.start),
        *inside,
        Token("RBRACE", "}", token.end, token.end),
    ]


def _environment(token: Token, source: Source, problems: Diagnostics) -> list[Token]:
    """`\\begin{align}` is layout; `\\begin{bmatrix}` is a stack."""
    name = token.text[token.text.index("{") + 1 : token.text.index("}")].strip()
    if name in LAYOUTS:
        return [replace(token, type="NEWLINE")]
    if name in MATRICES:
        return [replace(token, type="LSQUARE" if token.type == "BEGIN" else "RSQUARE")]
    if token.type == "BEGIN":
        guess = near(name, sorted(LAYOUTS | MATRICES))
        problems.error(
            "unknown-command",
            f"unknown environment `{name}`",
            source.span(token.start, token.end),
            label="not an environment of equations",
            help=f"did you mean `\\begin{{{guess}}}`?"
            if guess
            else "leave it out: equations stand by themselves, one a line",
        )
    return []


def _known(token: Token, source: Source, problems: Diagnostics) -> Token:
    """The command itself if it means something here; else it is reported and becomes a name."""
    word = command(token)
    span = source.span(token.start, token.end)
    if word in UNSUPPORTED_COMMANDS:
        problems.error(
            "unknown-command", f"`{token.text}` has no meaning in a cell", span, help=UNSUPPORTED_COMMANDS[word]
        )
    elif begins_name(token) or word in STYLES or word in TRANSPOSES:
        return token
    elif not word.isalpha():
        problems.error(
            "unknown-command",
            f"unknown LaTeX command `{token.text}`",
            span,
            help="a backslash begins a LaTeX command such as `\\sigma`; if a plain sign is meant, write it without one",
        )
        return replace(token, type="DROPPED")
    else:
        guess = _near_command(word)
        problems.error(
            "unknown-command",
            f"unknown LaTeX command `{token.text}`",
            span,
            help=f"did you mean `\\{guess}`?" if guess else f"for a name of your own write `\\mathrm{{{word}}}`",
        )
    return replace(token, type="WORD", text=word.rstrip("*"))


@cache
def _near_command(word: str) -> str | None:
    known = [*GREEK_COMMANDS, *ACCENT_COMMANDS, *SIGNS, *STYLES, *FUNCTIONS, *ALIASES, *NOISE]
    return near(word, (name for name in known if name.isalpha()))


def _stray(token: Token, source: Source, problems: Diagnostics) -> list[Token]:
    """A character of no meaning: reported by its name, and read as what it looks like."""
    char = token.text
    if char == "⊤":
        return [token]
    type, instead, note = LOOK_ALIKES.get(char, ("", "", ""))
    line = source.line_column(token.start)[0]
    if char in "|‖" and problems.items:
        last = problems.items[-1].span
        if last.text == char and last.line == line:
            return []  # the other half of a pair
    shown = f"`{char}`" if char.isprintable() else "this character"
    if note:
        repair = note
    elif instead:
        repair = f"write `{instead}`"
    elif char.isalpha():
        repair = "write the name in Latin or Greek letters"
    else:
        repair = "take it away, or write what it stands for in ASCII"
    problems.error(
        "stray-character",
        f"{shown} does not belong to the language",
        source.span(token.start, token.end),
        label=describe(char),
        help=repair,
    )
    if type:
        return [replace(token, type=type, text=instead)]
    return [replace(token, type="WORD", text="X")] if char.isalpha() else [replace(token, type="DROPPED")]


# --- single tokens -------------------------------------------------------------------------


def _checked(cursor: Cursor) -> Token:
    """The token at the cursor, with what is wrong with it by itself reported."""
    token = cursor.take()
    if token.type in ("OPEN_STRING", "OPEN_DOC"):
        quote = '"""' if token.type == "OPEN_DOC" else '"'
        first = replace(token, end=min(token.end, token.start + len(quote)))
        cursor.error(
            "unterminated-string",
            "this text is never closed",
            first,
            label=f"no {quote} closes it" + ("" if token.type == "OPEN_DOC" else " on this line"),
            help='write `"` behind the text; texts of several lines stand between `"""` and `"""`'
            if token.type == "OPEN_STRING"
            else 'write `"""` behind the text',
        )
        return replace(token, type="DOC" if token.type == "OPEN_DOC" else "STRING", text='""')
    if token.type == "CURLY_STRING":
        cursor.error("stray-character", "texts stand between straight quotes", token, help='write `"` around the text')
        return replace(token, type="STRING", text='""')
    if token.type == "BAD_NUMBER":
        _bad_number(cursor, token, "not a number", "numbers look like `4`, `0.5` and `1e-5`")
        return replace(token, type="NUMBER", text="1")
    if token.type == "NUMBER":
        return _number(cursor, token)
    if token.type == "UNDERSCORE":
        cursor.error(
            "bad-subscript",
            "this `_` belongs to no name",
            token,
            label="a name was expected in front of it",
            help="a subscript stands behind a name: `h_t`, `W_{xi}`",
        )
        _skip_orphan(cursor)
        return replace(token, type="DROPPED")
    if token.type == "BAD_EQ":
        return _bad_sign(cursor, token)
    if token.type == "POWER":
        return replace(token, type="CARET", text="**")
    return token


def _skip_orphan(cursor: Cursor) -> None:
    if cursor.peek().type in ("WORD", "NUMBER", "GREEK"):
        cursor.take()


def _number(cursor: Cursor, token: Token) -> Token:
    after = cursor.peek()
    if after.type in ("DOT", "UNDERSCORE") and token.touches(after):
        if cursor.peek(1).type == "NUMBER":
            cursor.take()
            token = replace(token, end=cursor.take().end)
            _bad_number(cursor, token, "not a number", "write it without gaps: `1000`, `0.5`")
            return token
        if after.type == "DOT" and (begins_name(cursor.peek(1)) or cursor.peek(1).type in ("TIMES", "SLASH", "PLUS")):
            cursor.take()
            _bad_number(
                cursor,
                replace(token, end=after.end),
                "digits were expected behind the point",
                f"write `{token.text}.0`",
            )
            return token
    mantissa, _, exponent = token.text.lower().partition("e")
    if len(mantissa) > 40 or len(exponent) > 4 or abs(int(exponent or 0)) > 300:
        _bad_number(cursor, token, "no floating-point number", "numbers have at most 40 digits and lie below 1e300")
        return replace(token, text="1")
    return replace(token, text="0" + token.text) if token.text.startswith(".") else token


def _bad_number(cursor: Cursor, token: Token, label: str, repair: str) -> None:
    text = cursor.source.text[token.start : token.end]
    shown = text if len(text) < 30 else text[:24] + "…"
    cursor.error("bad-number", f"`{shown}` is not a number", token, label=label, help=repair)


def _bad_sign(cursor: Cursor, token: Token) -> Token:
    sign = token.text
    if sign.startswith("=="):
        help = "an equation is written with one `=`"
    elif sign in ("!=", "≠", "~="):
        help = "only equations and, in claims, `<` and `<=` are known"
    elif sign in ("=>", "->", "→"):
        help = "an equation is written with `=`, what it defines on the left"
    elif len(sign) == 2 and sign[0] in "+-*/":
        help = f"an equation gives the whole value: write `h_t = h_{{t-1}} {sign[0]} …` in place of `h {sign} …`"
    else:
        help = "an equation is written with `=`"
    cursor.error("bad-sign", f"`{sign}` is not a sign of this language", token, label="`=` was expected", help=help)
    return replace(token, type="EQ", text="=")
