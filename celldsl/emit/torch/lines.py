"""Statements as lines of at most 120 characters, shapes as comments behind them."""

from __future__ import annotations

LIMIT = 120


def lines(code: str, comment: str = "", indent: int = 8) -> list[str]:
    """A statement, without its indentation, and the comment behind it (or above it, where there is no room)."""
    room = LIMIT - indent
    remark = f"  # {comment}" if comment else ""
    if len(code) + len(remark) <= room:
        return [code + remark]
    broken = [code] if len(code) <= room else _broken(code, room)
    return [f"# {comment}", *broken] if comment else broken


def _broken(code: str, room: int) -> list[str]:
    """A long statement over several lines: the items of its outermost brackets, or the terms of its sum."""
    head, _, value = code.partition(" = ")
    terms = _split(value, (" + ", " - "))
    if len(terms) > 1:
        return [f"{head} = (", *(f"    {term}" for term in terms), ")"]
    factors = _split(value, (" * ", " / "))
    if len(factors) > 1:
        return [f"{head} = (", *(f"    {factor}" for factor in factors), ")"]
    opening = _outer_bracket(value)
    if opening is None:
        return [code]
    start, end = opening
    inner = value[start + 1 : end]
    items = _split(inner, (", ",))
    if len(items) == 1 and inner.startswith("[") and inner.endswith("]"):
        items = _split(inner[1:-1], (", ",))
        start, end = start + 1, end - 1
    body = [f"    {item}," for item in items]
    return [f"{head} = {value[: start + 1]}", *body, value[end:]]


def _outer_bracket(value: str) -> tuple[int, int] | None:
    depth, start = 0, 0
    for at, char in enumerate(value):
        if char in "([{":
            if depth == 0:
                start = at
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0 and at > start + 1:
                return start, at
    return None


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """The parts between separators outside all brackets; an operator stays with the part behind it."""
    parts, depth, begin, at = [], 0, 0, 0
    while at < len(text):
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
        found = next((s for s in separators if depth == 0 and text.startswith(s, at)), None)
        if found:
            parts.append(text[begin:at])
            begin = at + (len(found) if found == ", " else 1)
            at += len(found)
        else:
            at += 1
    parts.append(text[begin:])
    return parts
