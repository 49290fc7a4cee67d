"""Do two cells agree on numbers?

Runs of both in plain Python, from their own first states, with the same random inputs and with parameters that
correspond. What confirms a proof, or refutes that two cells are one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from celldsl.check.cell import Cell
from celldsl.symbolic import numeric
from celldsl.symbolic.match import Pair, Part

TOLERANCE = 1e-9
"""Largest deviation of two runs in double precision that counts as none."""


def deviation_of(a: Cell, b: Cell, pairs: tuple[Pair, ...], signals: Mapping[str, str]) -> float | None:
    """The largest difference of outputs over three random runs of four steps; a's parameters are made of b's by the
    pairs, others keep values of their own. None where the two take other inputs or give other widths."""
    inputs = {info.name: signals.get(info.name, info.name) for info in a.inputs}
    if any(
        name not in b.signal or b.signal[name].role != "input" or b.signal[name].shape != a.signal[own].shape
        for own, name in inputs.items()
    ):
        return None
    if len(a.inputs) != len(b.inputs) or a.signal[a.output].shape != b.signal[b.output].shape:
        return None
    sizes = numeric.small_sizes(a, b)
    worst = 0.0
    for seed in range(3):
        generator = random.Random(seed)
        every = numeric.all_sizes(b, sizes)
        theirs = numeric.random_parameters(b, sizes, generator)
        ours = numeric.random_parameters(a, sizes, generator)
        _transfer(a, pairs, theirs, ours, sizes)
        for info in a.states:  # learned first values go with their signals
            other = f"{signals.get(info.name, info.name)}_0"
            if f"{info.name}_0" in ours and other in theirs:
                ours[f"{info.name}_0"] = theirs[other]
        given = {info.name: [numeric.random_value(info.shape, every, generator) for _ in range(4)] for info in b.inputs}
        one = numeric.run(a, ours, {own: given[name] for own, name in inputs.items()}, sizes)[a.output]
        other_run = numeric.run(b, theirs, given, sizes)[b.output]
        worst = max(worst, _distance(one, other_run))
    return worst


def _transfer(
    a: Cell, pairs: tuple[Pair, ...], theirs: dict[str, Any], ours: dict[str, Any], sizes: Mapping[str, int]
) -> None:
    every = numeric.all_sizes(a, sizes)
    for pair in pairs:
        value = _sum_of([_part_value(theirs[part.name], part, every) for part in pair.names])
        if pair.negated:
            value = _scaled(value, -1.0)
        for name in pair.further:
            ours[name] = _scaled(ours[name], 0.0)
        if pair.part.columns is None:
            ours[pair.part.name] = value
        else:
            start = int(pair.part.columns[0].at(every))  # type: ignore[arg-type]
            for row, block in zip(ours[pair.part.name], value, strict=True):
                row[start : start + len(block)] = block


def _part_value(value: Any, part: Part, sizes: Mapping[str, Any]) -> Any:
    if part.transposed:
        return [list(column) for column in zip(*value, strict=True)]
    if part.columns is not None:
        start, stop = (int(bound.at(sizes)) for bound in part.columns)
        return [row[start:stop] for row in value]
    return value


def _sum_of(values: list[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], list):
        return [_sum_of(list(entries)) for entries in zip(*values, strict=True)]
    return sum(values)


def _scaled(value: Any, factor: float) -> Any:
    return [_scaled(entry, factor) for entry in value] if isinstance(value, list) else value * factor


def _distance(one: Any, other: Any) -> float:
    """The largest difference of entries, relative to the larger of 1 and the entry; undefined ones against each other
    count as equal."""
    if isinstance(one, list):
        return max((_distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    if one != one and other != other:
        return 0.0
    if one != one or other != other:
        return float("inf")
    return abs(one - other) / max(1.0, abs(other)) if one != other else 0.0
