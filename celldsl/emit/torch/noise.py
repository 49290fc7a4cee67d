"""Noise in an emitted module: where masks are drawn, and how the loop reads them.

A method of the step draws every mask of a sequence before the loop, from torch's generator and in the order of the
equations, so that a seed repeats a run; in evaluation it gives their means, which take no memory.
"""

from __future__ import annotations

from collections.abc import Callable

from celldsl.check.cell import Expr, Mask
from celldsl.check.width import Width

METHOD = "noise"
HELPERS = {"step": "{kind}_mask", "sequence": "locked_mask", "batch": "{kind}_mask"}
"""The functions of the module that make a mask."""


def helper(mask: Mask) -> str:
    return HELPERS[mask.per].format(kind=mask.kind)


def drawn(masks: tuple[Mask, ...], width: Callable[[Width], str], rate: Callable[[Expr], str]) -> list[tuple[str, str]]:
    """(name, expression) of each mask, over `like`, of the masks' dtype, and `batch_sizes`, the rows of each step."""
    found = []
    for mask in masks:
        entries = [width(dim) for dim in mask.shape.dims]
        if mask.per == "sequence":
            arguments = f"batch_sizes, {', '.join(entries) or '1'}"
        elif mask.per == "step":
            arguments = f"[sum(batch_sizes), {', '.join(entries) or '1'}]"
        else:
            arguments = f"[{', '.join(entries)}]"
        found.append((mask.name, f"{helper(mask)}(like, {arguments}, {rate(mask.rate)}, self.training)"))
    return found
