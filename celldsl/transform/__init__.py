"""Cell → cell: the regularisers and details that papers add to any cell.

Each transformation gives another checked cell, whose equations say what was added (`show.cell` prints them), so that
emission, the oracle, verification and kernels need to know nothing of it. Parameters keep their names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celldsl.check.cell import Cell
from celldsl.transform.masks import dropout_of_operands, locked_input, locked_output
from celldsl.transform.spelling import gates, inits
from celldsl.transform.states import zoneout
from celldsl.transform.weights import weight_drop

__all__ = [
    "OPTIONS",
    "dropout_of_operands",
    "gates",
    "inits",
    "locked_input",
    "locked_output",
    "variant",
    "weight_drop",
    "zoneout",
]

OPTIONS = (
    "recurrent_dropout",
    "input_dropout",
    "locked_input",
    "locked_output",
    "weight_drop",
    "zoneout",
    "init",
    "gates",
)
"""What `variant` takes."""


def variant(cell: Cell, **options: Any) -> Cell:
    """The cell with these `OPTIONS`; those that are None, 0 or empty change nothing.

    recurrent_dropout, input_dropout: one mask a product and sequence (`dropout_of_operands`).
    locked_input, locked_output: one mask a sequence on the whole input or output.
    weight_drop: `{"U_*": 0.5}`. zoneout: a number, or `{"c": 0.5, "h": 0.05}`.
    init: `{"b_f": 1.5}`. gates: a function in the place of sigmoid.
    Raises TypeError for another option, ValueError and SpecError for values that do not suit the cell.
    """
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        raise TypeError(f"there is no option {', '.join(unknown)}; there are {', '.join(OPTIONS)}")
    for name in ("weight_drop", "init"):
        if options.get(name) and not isinstance(options[name], Mapping):
            raise TypeError(f"{name} maps names to values, {{'U_*': 0.5}}, and is no {type(options[name]).__name__}")
    given = {name: value for name, value in options.items() if value}
    if "gates" in given:
        cell = gates(cell, given["gates"])
    if "weight_drop" in given:
        cell = weight_drop(cell, given["weight_drop"])
    cell = dropout_of_operands(cell, given.get("recurrent_dropout", 0.0), given.get("input_dropout", 0.0))
    cell = locked_input(cell, given.get("locked_input", 0.0))
    if "zoneout" in given:
        cell = zoneout(cell, given["zoneout"])
    cell = locked_output(cell, given.get("locked_output", 0.0))
    return inits(cell, given["init"]) if "init" in given else cell
