"""Indices that are counted: the `l-1` of `s_{l-1,t}`, the `2j-1` of `Q_{2j-1}`, the `-1` of `x_{-1,t}`.

Within its name such an index is a part of its own, written without blanks; `check` puts the numbers in. A number below
zero is spelled `minus1`, so that every name is a name in Python too.
"""

from __future__ import annotations

import re

from celldsl.syntax.cursor import Cursor, PartialName, command
from celldsl.syntax.grammar import FAR
from celldsl.syntax.spelling import GREEK_COMMANDS

_SIGNS = ("PLUS", "MINUS")


def counted_length(cursor: Cursor) -> int:
    """How many tokens the counted index at the cursor takes, up to its comma or bracket; 0 if none stands there."""
    types: list[str] = []
    while len(types) < FAR and cursor.peek(len(types)).type in (*_SIGNS, "NUMBER", "WORD", "GREEK", "COMMAND"):
        token = cursor.peek(len(types))
        if token.type == "COMMAND" and command(token) != "ell" and command(token) not in GREEK_COMMANDS:
            return 0
        types.append("NUMBER" if token.type == "NUMBER" else "SIGN" if token.type in _SIGNS else "WORD")
    if "SIGN" not in types or cursor.peek(len(types)).type not in ("COMMA", "SEMICOLON", "RBRACE", "RPAR"):
        return 0
    pattern = "".join(each[0] for each in types)
    return len(types) if re.fullmatch(r"S?(N|N?W)(S(N|N?W))*", pattern) else 0


def read_counted(cursor: Cursor, name: PartialName) -> None:
    """The counted index at the cursor, as one part of the name."""
    text = ""
    for _ in range(counted_length(cursor)):
        token = cursor.take()
        word = command(token)
        plain = GREEK_COMMANDS.get(word, word) if word else token.text
        text += {"PLUS": "+", "MINUS": "-"}.get(token.type, plain)
    name.parts.append(number_part(int(text)) if re.fullmatch(r"-?[0-9]{1,4}", text) else text)


def number_part(number: int) -> str:
    """A number as a part of a name: `2`, `minus1`."""
    return str(number) if number >= 0 else f"minus{-number}"


def shown_part(part: str) -> str:
    """A part of a name as it is written below the line."""
    return re.sub(r"^minus(?=[0-9]+$)", "-", part)


def is_counted(part: str) -> bool:
    """Whether a part of a name is a counted index that still waits for its numbers."""
    return "+" in part or "-" in part
