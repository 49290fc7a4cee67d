"""Formulas in the widths as people write them: `4 m n + 4 n² + 4 n`."""

from __future__ import annotations

from typing import Any

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(formula: Any) -> str:
    """A SymPy polynomial (or a number) as one line of Unicode text."""
    text = str(formula)
    head, *powers = text.split("**")
    for power in powers:
        digits = len(power) - len(power.lstrip("0123456789"))
        head += power[:digits].translate(_RAISED) + power[digits:] if digits else "^" + power
    return head.replace("*", " ")
