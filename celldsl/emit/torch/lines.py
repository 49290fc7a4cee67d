"""Statements as lines of at most 120 characters, shapes as comments behind them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

LIMIT = 120


def lines(code: str, comment: str = "", indent: int = 8) -> list[str]:
    """A statement, without its indentation, and the comment behind it (or above it, where there is no room)."""
    room = LIMIT - indent
    remark = f"  # {comment}" if comment else ""
    if len(code) + len(remark) <= room:
        return [code + remark]
    broken = [code] if len(code) <= room else _broken(code, room)
    return [f"# {comment}", *broken] if comment else broken


def remark(text: str, indent: int = 8) -> list[str]:
    """A comment of one line or more above a statement."""
    return textwrap.wrap(text, LIMIT - indent, initial_indent="# ", subsequent_indent="#     ", break_long_words=False)


def _broken(code: str, room: int) -> list[str]:
    """A long statement over several lines, as ruff breaks it: the items of a tuple, the parts of a choice, the operands
    of its operators, or the arguments in its brackets."""
    head, value = _head(code)
    names = head.removesuffix(" = ")
    if ", " in names and len(head) > room - 20:
        return [
            "(",
            *textwrap.wrap(f"{names},", room, initial_indent="    ", subsequent_indent="    "),
            *lines(f") = {value}"),
        ]
    is_tuple = len(_split(value, (", ",))) > 1
    if is_tuple:
        value = f"({value})"
    else:
        choice = _split(value, (" if ", " else "))
        if len(choice) == 3:
            if len(value) + 4 <= room:
                return [f"{head}(", f"    {value}", ")"]
            return [f"{head}(", *(f"    {line}" for part in choice for line in _fitted(part, room - 4)), ")"]
        for operators in ((" + ", " - "), (" * ", " / ")):
            operands = _split(value, operators)
            if len(operands) > 1:
                return [f"{head}(", *(f"    {operand}" for operand in operands), ")"]
    bracket = _outer_bracket(value)
    if bracket is None:
        return [code]
    start, end = bracket
    inner = value[start + 1 : end]
    items = _split(inner, (", ",))
    if len(items) == 1 and inner.startswith("[") and inner.endswith("]"):
        items = _split(inner[1:-1], (", ",))
        start, end = start + 1, end - 1
    joined = ", ".join(items)
    if len(joined) + 4 <= room and not is_tuple:
        body = [f"    {joined}"]
    else:
        body = [f"    {line}" for item in items for line in _fitted(f"{item},", room - 4)]
    return [f"{head}{value[: start + 1]}", *body, value[end:]]


def _fitted(code: str, room: int) -> list[str]:
    return [code] if len(code) <= room else _broken(code, room)


def _head(code: str) -> tuple[str, str]:
    """What stands in front of a statement's value, and the value."""
    if code.startswith("return "):
        return "return ", code.removeprefix("return ")
    target, equals, value = code.partition(" = ")
    return (f"{target} = ", value) if equals and "(" not in target else ("", code)


def _outer_bracket(value: str) -> tuple[int, int] | None:
    """Where the first pair of brackets with something in it opens and closes."""
    start = 0
    for at, depth in _depths(value):
        if value[at] in "([{" and depth == 1:
            start = at
        elif value[at] in ")]}" and depth == 0 and at > start + 1:
            return start, at
    return None


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """The parts between separators outside all brackets; an operator stays with the part behind it."""
    parts, begin = [], 0
    for at, depth in _depths(text):
        found = next((s for s in separators if depth == 0 and text.startswith(s, at)), None)
        if found and at >= begin:
            parts.append(text[begin:at])
            begin = at + (len(found) if found == ", " else 1)
    return [*parts, text[begin:]]


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Every place outside string literals, and how many brackets are open behind it."""
    depth, quoted = 0, False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        if quoted:
            continue
        depth += (char in "([{") - (char in ")]}")
        yield at, depth
