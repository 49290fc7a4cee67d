"""What the words of one statement mean: keywords, functions, labels and fractions of numbers.

A word is a keyword only at the head of its statement, a function only in front of its bracket; numbers with a
slash between them are one RATIO; `(7)` behind an equation is its LABEL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from celldsl.errors import Diagnostics
from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.source import Source
from celldsl.syntax.grammar import Token

KEYWORDS = frozenset("input state output dim param const hyper def share init drop claim cite".split())
QUANTITIES = frozenset({"params", "flops", "state"})
STRUCTURES = frozenset({"blocks", "diagonal", "symmetric", "lowrank", "orthogonal"})
FUNCTION_NAMES: dict[str, str] = {
    **{name: name for name in FUNCTIONS},
    **{alias: name for alias, name in ALIASES.items() if alias.isascii()},
    "sigma": "sigmoid",
}
"""Every spelling of a function, as a name in its one spelling, and the function it means."""

LABEL_TEXT = re.compile(r"[0-9]+(?:\.[0-9]+)?[A-Za-z]?'*")
"""Labels that may stand in plain brackets."""

_LABEL = re.compile(rf"\(\s*({LABEL_TEXT.pattern})\s*\)")
_TAG = re.compile(r"[A-Za-z0-9][\w.*'-]*")


def mark_words(tokens: list[Token], source: Source, problems: Diagnostics) -> Iterator[list[Token]]:
    """The statement with its words marked; several where declarations stand in columns on one line."""
    for part in _columns(tokens, source):
        tokens = _keyword(part)
        labelled = tokens[0].type in ("NAME", "CLAIM")
        tokens = _label(tokens, source, problems) if labelled else [t for t in tokens if t.type != "TAG"]
        yield _ratios(_functions(tokens, tokens[0].type))


def _columns(tokens: list[Token], source: Source) -> Iterator[list[Token]]:
    """`input x: m      state h: n`: declarations side by side, two blanks or more between them."""
    start = 0
    for at in range(2, len(tokens) - 1):
        head, token, after = tokens[start], tokens[at], tokens[at + 1]
        gap = source.text[tokens[at - 1].end : token.start]
        if (
            _keyword_here(head, tokens[start + 1])
            and _keyword_here(token, after)
            and len(gap) > 1
            and gap.isspace()
            and after.type in ("NAME", "PATTERN")
        ):
            yield tokens[start:at]
            start = at
    yield tokens[start:]


def _keyword_here(token: Token, after: Token) -> bool:
    return token.type == "NAME" and token.time is None and token.text in KEYWORDS and after.type != "EQ"


def _keyword(tokens: list[Token]) -> list[Token]:
    if len(tokens) < 2 or not _keyword_here(tokens[0], tokens[1]):
        return tokens
    head, *rest = tokens
    head = replace(head, type=head.text.upper())
    if head.type == "CLAIM":
        rest = _claim(rest)
    elif head.type == "PARAM":
        rest = _shape(rest)
    return [head, *rest]


def _claim(rest: list[Token]) -> list[Token]:
    first = rest[0]
    if first.type == "NAME" and first.time is None:
        if first.text == "equals":
            words = {"when": "WHEN", "and": "COMMA"}
            return [
                replace(first, type="EQUALS"),
                *(
                    replace(t, type=words.get(t.text, t.type)) if t.type == "NAME" and t.time is None else t
                    for t in rest[1:]
                ),
            ]
        if first.text in QUANTITIES and len(rest) > 1 and rest[1].type in ("EQ", "LPAR"):
            rest = [replace(first, type="QUANTITY"), *rest[1:]]
            equals = [at for at, token in enumerate(rest) if token.type == "EQ" and _depth(rest, at) == 0]
            # `claim params = N = 4 (…)`, as a paper prints its count: the N is passed over.
            if len(equals) == 2 and equals[1] == equals[0] + 2 and rest[equals[0] + 1].type == "NAME":
                rest = rest[: equals[0]] + rest[equals[1] :]
            return rest
    return [replace(t, type="RELATION") if t.type == "RELATION_SIGN" else t for t in rest]


def _depth(tokens: list[Token], at: int) -> int:
    opened = sum(token.type in ("LPAR", "LSQUARE", "LBRACE") for token in tokens[:at])
    return opened - sum(token.type in ("RPAR", "RSQUARE", "RBRACE") for token in tokens[:at])


def _shape(rest: list[Token]) -> list[Token]:
    """In `param R: n×n blocks(heads)`: `×` (or `x`) crosses two widths, the words behind are the structure."""
    colon = next((at for at, token in enumerate(rest) if token.type == "COLON"), len(rest))
    marked = rest[: colon + 1]
    depth = 0
    for at in range(colon + 1, len(rest)):
        token, after = rest[at], rest[at + 1] if at + 1 < len(rest) else None
        depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
        if (
            depth == 0
            and at > colon + 1
            and after is not None
            and (token.text == "×" or (token.type == "NAME" and token.text == "x" and token.time is None))
        ):
            token = replace(token, type="CROSS")
        elif token.type == "NAME" and token.text == "scalar" and at == colon + 1:
            token = replace(token, type="SCALAR")
        elif token.type == "NAME" and token.text in STRUCTURES and at > colon + 1:
            token = replace(token, type="STRUCTURE")
        marked.append(token)
    return marked


# --- labels --------------------------------------------------------------------------------


def _label(tokens: list[Token], source: Source, problems: Diagnostics) -> list[Token]:
    """`… (7)`, `… (3a)` and `\\tag{7}` at the end as a LABEL; commas and stops of running text fall away."""
    tags = [token for token in tokens if token.type == "TAG"]
    tokens = _without_stops([token for token in tokens if token.type != "TAG"])
    if tags:
        text = tags[0].text[tags[0].text.index("{") + 1 : -1].strip().strip("$()")
        if not _TAG.fullmatch(text):
            problems.error(
                "bad-label",
                "this is not a label",
                source.span(tags[0].start, tags[0].end),
                label="letters, digits and dots were expected",
                help="a label is a number or a short word: `\\tag{7}`, `(3a)`",
            )
            text = "1"
        return [*tokens, replace(tags[0], type="LABEL", text=text)]
    if len(tokens) < 5 or tokens[-1].type != "RPAR":
        return tokens
    for opener in (len(tokens) - 3, len(tokens) - 4):
        first, last = tokens[opener], tokens[-1]
        if first.type != "LPAR" or tokens[opener + 1].type != "NUMBER":
            continue
        found = _LABEL.fullmatch(source.text[first.start : last.end])
        if found and not _ends_call(tokens[opener - 1], first):
            label = Token("LABEL", found[1], first.start, last.end)
            return [*_without_stops(tokens[:opener]), label]
    return tokens


def _ends_call(before: Token, opener: Token) -> bool:
    """`log(2)` at the end of an equation is a call, not a label."""
    known = before.type == "NAME" and before.time is None and before.text in {*FUNCTION_NAMES, *QUANTITIES}
    return known or before.type in ("PLUS", "MINUS", "TIMES", "SLASH", "AT", "CDOT", "CARET", "EQ", "COMMA")


def _without_stops(tokens: list[Token]) -> list[Token]:
    while len(tokens) > 1 and tokens[-1].type in ("COMMA", "DOT"):
        tokens = tokens[:-1]
    return tokens


# --- functions and fractions ---------------------------------------------------------------


def _functions(tokens: list[Token], head: str) -> list[Token]:
    """Names in front of their arguments as FUNCTION; a function without brackets as BARE_FUNCTION."""
    marked: list[Token] = []
    for at, token in enumerate(tokens):
        after = tokens[at + 1].type if at + 1 < len(tokens) else ""
        if token.type == "NAME" and token.time is None and not _is_declared_here(tokens, at):
            name = FUNCTION_NAMES.get(token.text)
            if after == "LPAR" and (
                name
                or (head == "INIT" and at > 1)
                or (head == "CLAIM" and token.text in QUANTITIES)
                or _has_commas(tokens, at + 1)
            ):
                token = replace(token, type="FUNCTION", text=name or token.text)
            elif name and after == "LBRACE":
                token = replace(token, type="FUNCTION", text=name)
        marked.append(token)
    return marked


def _is_declared_here(tokens: list[Token], at: int) -> bool:
    return at == 1 and tokens[0].type in {word.upper() for word in KEYWORDS - {"claim", "cite"}}


def _has_commas(tokens: list[Token], opener: int) -> bool:
    depth = 0
    for token in tokens[opener:]:
        depth += {"LPAR": 1, "LSQUARE": 1, "LBRACE": 1, "RPAR": -1, "RSQUARE": -1, "RBRACE": -1}.get(token.type, 0)
        if depth == 0:
            return False
        if depth == 1 and token.type == "COMMA":
            return True
    return False


def _ratios(tokens: list[Token]) -> list[Token]:
    """`1/2 h` is half of h: two whole numbers with a slash between bind before everything else."""
    merged: list[Token] = []
    at = 0
    while at < len(tokens):
        three = tokens[at : at + 3]
        before = merged[-1].type if merged else ""
        after = tokens[at + 3].type if at + 3 < len(tokens) else ""
        if (
            [t.type for t in three] == ["NUMBER", "SLASH", "NUMBER"]
            and before not in ("SLASH", "CARET")
            and after != "CARET"
        ):
            merged.append(Token("RATIO", "", three[0].start, three[2].end, parts=(three[0], three[2])))
            at += 3
        else:
            merged.append(tokens[at])
            at += 1
    return merged
