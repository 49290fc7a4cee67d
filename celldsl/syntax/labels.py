"""Labels: the number of an equation, `(7)`, `(3a)` or `\\tag{7}`, where it ends.

A number to multiply by is written in front, so `(7)` behind an equation can be nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from celldsl.errors import Diagnostics
from celldsl.source import Source
from celldsl.syntax.grammar import Token

LABEL_TEXT = re.compile(r"[0-9]+(?:\.[0-9]+)?[A-Za-z]?'*")
"""Labels that may stand in plain brackets."""

_LABEL = re.compile(rf"\(\s*({LABEL_TEXT.pattern})\s*\)")
_TAG = re.compile(r"[A-Za-z0-9][\w.*'-]*")


def read_label(
    tokens: list[Token], function: Callable[[str], str | None], source: Source, problems: Diagnostics
) -> list[Token]:
    """`… (7)`, `… (3a)` and `\\tag{7}` at the end as a LABEL; commas and stops of running text fall away."""
    if all(token.type == "TAG" for token in tokens):
        problems.error(
            "bad-label",
            "this label stands on a line of its own",
            source.span(tokens[0].start, tokens[-1].end),
            label="a label ends the line of its equation",
            help="put it behind its equation",
        )
        return []
    if tokens[0].type != "NAME" and [t.type for t in tokens[:2]] != ["CLAIM", "QUANTITY"]:
        return [token for token in tokens if token.type != "TAG"]
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
        if found and not _ends_call(tokens[opener - 1], function):
            label = Token("LABEL", found[1], first.start, last.end)
            return [*_without_stops(tokens[:opener]), label]
    return tokens


def _ends_call(before: Token, function: Callable[[str], str | None]) -> bool:
    """`log(2)` at the end of an equation is a call, and `2 * (3)` a product: neither ends in a label."""
    if before.type == "NAME":
        return before.time is None and bool(function(before.text))
    return before.type in ("PLUS", "MINUS", "TIMES", "SLASH", "AT", "CDOT", "CARET", "EQ")


def _without_stops(tokens: list[Token]) -> list[Token]:
    end = len(tokens)
    while end > 1 and tokens[end - 1].type in ("COMMA", "DOT"):
        end -= 1
    return tokens[:end]
