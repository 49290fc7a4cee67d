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
    head, value = _head(code)
    for operators in ((" + ", " - "), (" * ", " / ")):
        operands = _split(value, operators)
        if len(operands) > 1:
            return [f"{head}(", *(f"    {operand}" for operand in operands), ")"]
    choice = _split(value, (" if ", " else "))
    if len(choice) == 3:
        if len(value) + 4 <= room:
            return [f"{head}(", f"    {value}", ")"]
        return [f"{head}(", *(f"    {line}" for part in choice for line in _fitted(part, room - 4)), ")"]
    if head == "return " and len(_split(value, (", ",))) > 1:
        value = f"({value})"
    opening = _outer_bracket(value)
    if opening is None:
        return [code]
    start, end = opening
    inner = value[start + 1 : end]
    items = _split(inner, (", ",))
    if len(items) == 1 and inner.startswith("[") and inner.endswith("]"):
        items = _split(inner[1:-1], (", ",))
        start, end = start + 1, end - 1
    joined = ", ".join(items)
    body = (
        [f"    {joined}"]
        if len(joined) + 4 <= room
        else [f"    {line}" for item in items for line in _fitted(f"{item},", room - 4)]
    )
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
