"""The cell that kernels run while training with noise: every mask is given from outside.

A mask of a signal becomes a further input, without a gradient; one that a sequence keeps has a row for each row of the
batch and none for each step. A mask of a parameter becomes a frozen parameter, part of what is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from celldsl.check.cell import Cell, Expr, Mask, Parameter, ParameterInfo, Signal, SignalInfo


@dataclass(frozen=True)
class Masked:
    """`cell` draws nothing. masks: those of the cell it was made from, in the order in which they are drawn, by the
    names of their inputs and parameters in `cell`."""

    cell: Cell
    masks: dict[str, Mask]


def masked(cell: Cell) -> Masked:
    """A cell with its noise as inputs and parameters, the inputs behind its own."""
    taken = {*cell.signal, *cell.parameter, *cell.setting, *cell.equation, *(dim.name for dim in cell.dims)}
    names: dict[Mask, str] = {}
    for mask in cell.masks:
        name = mask.name
        while name in taken:
            name += "_"
        taken.add(name)
        names[mask] = name

    def given(expr: Expr) -> Expr | None:
        if not isinstance(expr, Mask):
            return None
        if expr.per == "batch":
            return Parameter(expr.shape, name=names[expr], span=expr.span)
        return Signal(expr.shape, name=names[expr], delay=0, span=expr.span)

    inputs = [
        SignalInfo(name, mask.shape, "input", noise=mask.per, span=mask.span)
        for mask, name in names.items()
        if mask.per != "batch"
    ]
    parameters = [
        ParameterInfo(name, mask.shape, frozen=True, span=mask.span)
        for mask, name in names.items()
        if mask.per == "batch"
    ]
    changed = replace(
        cell,
        signals=(*cell.signals, *inputs),
        parameters=(*cell.parameters, *parameters),
        equations=tuple(replace(e, value=e.value.transform(given)) for e in cell.equations),
    )
    return Masked(changed, {name: mask for mask, name in names.items()})
