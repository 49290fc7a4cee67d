"""Masks for a kernel, drawn as the portable module draws them: a seed gives both the same noise.

Order, shapes and formulas are those of the emitted method `noise`, but that a mask which a sequence keeps is not
repeated for its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from celldsl.check.cell import Mask, Num, Setting


class Draw(NamedTuple):
    """One mask. entries: its shape without rows, a scalar's [1] where it has some."""

    name: str
    per: str
    keeps: bool  # zoneout's mask: 1 where the old value stays
    entries: tuple[int, ...]
    rate: float


def draws(masks: Mapping[str, Mask], sizes: Mapping[str, int], rates: Mapping[str, float]) -> tuple[Draw, ...]:
    """The masks of a cell in the order in which they are drawn. rates: of settings, by name."""
    return tuple(
        Draw(
            name,
            mask.per,
            mask.kind == "zoneout",
            tuple(int(dim.at(sizes)) for dim in mask.shape.dims) or (() if mask.per == "batch" else (1,)),
            rate_of(mask, rates),
        )
        for name, mask in masks.items()
    )


def rate_of(mask: Mask, rates: Mapping[str, float]) -> float:
    """The probability of a mask. rates: of settings, by name."""
    if isinstance(mask.rate, Setting):
        return float(rates[mask.rate.name])
    assert isinstance(mask.rate, Num)
    return float(mask.rate.value)


def draw(masks: Sequence[Draw], like: Tensor, batch: int) -> dict[str, Tensor]:
    """The masks by name: (…, width) of those drawn each step, with the leading dimensions of `like`, an input;
    (B, width) of those that a sequence keeps; in the shape of the parameter that one is for."""
    found: dict[str, Tensor] = {}
    for mask in masks:
        shape = mask.entries
        if mask.per == "step":
            shape = (*like.shape[:-1], *shape)
        elif mask.per == "sequence":
            shape = (batch, *shape)
        value = like.new_empty(shape)
        kept = 1 - mask.rate
        found[mask.name] = value.bernoulli_(mask.rate) if mask.keeps else value.bernoulli_(kept).div_(kept)
    return found
