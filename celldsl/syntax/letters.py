"""Letters: a word of the text, Latin or Greek, bold or accented, as the parts of a name in plain ASCII."""

from __future__ import annotations

import unicodedata

from celldsl.syntax.cursor import Cursor
from celldsl.syntax.grammar import Token
from celldsl.syntax.spelling import ACCENT_MARKS, GREEK_NAMES


def latin_parts(cursor: Cursor, token: Token) -> list[str]:
    """`𝐖` as `W`; `c̃` as `c`, `tilde`."""
    letters = "".join("ell" if char == "ℓ" else unicodedata.normalize("NFKD", char) for char in token.text)
    return _parts(cursor, token, letters)


def greek_parts(cursor: Cursor, token: Token) -> list[str]:
    """`α1` as `alpha1`."""
    letters = unicodedata.normalize("NFKD", token.text)
    spelled = GREEK_NAMES.get(letters[0])
    if spelled is None:
        cursor.error(
            "stray-character",
            f"`{token.text[0]}` is not a letter of this language",
            token,
            label=describe(token.text[0]),
            help="write the name in Latin letters or in the Greek letters of LaTeX (`α`, `\\alpha`)",
        )
        spelled = "X"
    return _parts(cursor, token, spelled + letters[1:])


def _parts(cursor: Cursor, token: Token, letters: str) -> list[str]:
    parts = [""]
    for char in letters:
        if char in ACCENT_MARKS:
            parts.append(ACCENT_MARKS[char])
        elif char.isascii() and char.isalnum() and len(parts) == 1:
            parts[0] += char
        else:
            cursor.error(
                "stray-character",
                f"`{token.text}` is not a name",
                token,
                label="an accent stands on the last letter only" if char.isascii() else describe(char),
                help="a name is Latin or Greek letters and digits; accents are tilde, hat, bar and dot: `c̃_t`, `c~_t`",
            )
            break
    return [parts[0] or "X", *parts[1:]]


def describe(char: str) -> str:
    """A character by the name that Unicode gives it."""
    return f"{unicodedata.name(char, 'a control character').lower()} (U+{ord(char):04X})"
