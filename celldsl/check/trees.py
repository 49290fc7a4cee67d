"""Walking and rewriting syntax trees: the few helpers the passes of `check` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from celldsl.syntax import tree


def children(expr: tree.Expr) -> tuple[tree.Expr, ...]:
    """The direct parts of an expression, left to right."""
    match expr:
        case tree.Juxtaposition(factors=parts) | tree.Stack(parts=parts) | tree.Call(arguments=parts):
            return parts
        case tree.Binary(left=left, right=right):
            return (left, right)
        case tree.Negative(operand=operand) | tree.Transposed(operand=operand) | tree.Slice(operand=operand):
            return (operand,)
    return ()


def rebuild(expr: tree.Expr, parts: tuple[tree.Expr, ...]) -> tree.Expr:
    """The same node over other parts."""
    match expr:
        case tree.Juxtaposition():
            return replace(expr, factors=parts)
        case tree.Stack():
            return replace(expr, parts=parts)
        case tree.Call():
            return replace(expr, arguments=parts)
        case tree.Binary():
            return replace(expr, left=parts[0], right=parts[1])
        case tree.Negative() | tree.Transposed() | tree.Slice():
            return replace(expr, operand=parts[0])
    return expr


def walk(expr: tree.Expr) -> Iterator[tree.Expr]:
    """This node and all below it, parents first, left to right."""
    yield expr
    for part in children(expr):
        yield from walk(part)


def names(expr: tree.Expr) -> Iterator[tree.Name]:
    """Every name that is read, left to right."""
    return (node for node in walk(expr) if isinstance(node, tree.Name))


def rewrite(expr: tree.Expr, change: Callable[[tree.Expr], tree.Expr | None]) -> tree.Expr:
    """A copy in which every node for which `change` gives another is replaced by it (not descended into)."""
    changed = change(expr)
    if changed is not None:
        return changed
    parts = children(expr)
    return rebuild(expr, tuple(rewrite(part, change) for part in parts)) if parts else expr


def shown(name: str, time: int | None) -> str:
    """A name as its reader writes it: `h_{t-1}`, `x_t`, `U_i`."""
    if time is None:
        return name
    index = "t" if time == 0 else f"t-{time}"
    if "_" in name:
        stem, rest = name.split("_", 1)
        return (
            f"{stem}_{{{rest},{index}}}"
            if rest not in ACCENTS
            else f"{name}_{index}"
            if time == 0
            else f"{name}_{{{index}}}"
        )
    return f"{name}_{index}" if time == 0 else f"{name}_{{{index}}}"


ACCENTS = frozenset({"tilde", "hat", "bar", "prime"})
"""Suffixes that an accent over a name becomes; they are part of the name, not an index."""


def text(expr: tree.Expr) -> str:
    """An expression as its author wrote it, on one line."""
    return " ".join(expr.span.text.split())
