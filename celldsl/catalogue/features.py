"""What sets a cell apart from a plain one, as short phrases that can be searched for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from celldsl import library
from celldsl.check.cell import (
    Call,
    Cell,
    Expr,
    Mask,
    Mul,
    Parameter,
    Product,
    Repeat,
    Signal,
    Slice,
    Structured,
    Transpose,
)
from celldsl.symbolic.dependence import constant_signals
from celldsl.symbolic.linearity import SCANNED, recurrences

if TYPE_CHECKING:
    from celldsl.api import CompiledCell

TIERS = {
    "input delays": 2,
    "state delays": 2,
    "given first value": 2,
    "learned first value": 2,
    "matrix algebra": 2,
    "structured weights": 2,
    "layer norm": 2,
    "softmax or cumsum": 2,
    "noise in training": 2,
    "several inputs": 2,
    "frozen parameters": 2,
    "repeated equations": 2,
    "cells inside": 2,
    "parts of vectors": 2,
}
"""Features that need more of the language than equations, widths and settings; all others are tier 1."""

_CALLS = {
    "layernorm": "layer norm",
    "rmsnorm": "layer norm",
    "softmax": "softmax or cumsum",
    "cumsum": "softmax or cumsum",
    "cumax": "softmax or cumsum",
}


def features(cell: CompiledCell) -> tuple[str, ...]:
    """The phrases that fit a cell, each once."""
    return tuple(dict.fromkeys((*_declared(cell.checked), *_said(cell.checked), *_recurrent(cell))))


def tier(found: tuple[str, ...]) -> int:
    """1 for what equations, widths and settings say, 2 for what needs more of the language."""
    return max((TIERS.get(feature, 1) for feature in found), default=1)


_REPEAT = re.compile(r"^\s*repeat\b", re.MULTILINE)
_INSIDE = re.compile(r"=\s*([A-Z]\w*)\(")


def _declared(cell: Cell) -> Iterator[str]:
    text = cell.source.text if cell.source else ""
    if _REPEAT.search(text):
        yield "repeated equations"
    if any(library.shipped(name) is not None for name in _INSIDE.findall(text)):
        yield "cells inside"
    if len(cell.inputs) > 1:
        yield "several inputs"
    states = [info for info in cell.states if info.role == "state"]
    if len(states) > 1:
        yield "several states"
    if any(info.role == "input" for info in cell.states):
        yield "input delays"
    if any(info.depth > 1 for info in states):
        yield "state delays"
    if cell.output not in {info.name for info in states}:
        yield "output is no state"
    if any(info.initial == "learned" for info in states):
        yield "learned first value"
    if any(isinstance(info.initial, Expr) for info in states):
        yield "given first value"
    if any(setting.kind == "hyper" for setting in cell.settings):
        yield "settings"
    if len([dim for dim in cell.dims if dim.value is None]) > 2:
        yield "further widths"
    if any(not info.shape.rank for info in cell.parameters):
        yield "scalar parameters"
    if any(getattr(info, "frozen", False) for info in cell.parameters):
        yield "frozen parameters"
    if any(getattr(info, "structure", None) for info in cell.parameters):
        yield "structured weights"


def _said(cell: Cell) -> Iterator[str]:
    states = {info.name for info in cell.states if info.role == "state"}
    inputs = {info.name for info in cell.inputs}
    for equation in cell.equations:
        for node in equation.value.walk():
            if isinstance(node, Call) and node.function in _CALLS:
                yield _CALLS[node.function]
            elif isinstance(node, Mask):
                yield "noise in training"
            elif isinstance(node, Slice | Repeat):
                yield "parts of vectors"
            elif isinstance(node, Structured):
                yield "structured weights"
            elif isinstance(node, Transpose) or (isinstance(node, Product) and node.shape.rank == 2):
                yield "matrix algebra"
            elif isinstance(node, Mul):
                sides = (node.left, node.right)
                if any(isinstance(s, Parameter) and s.shape.rank == 1 for s in sides) and any(
                    isinstance(s, Signal) and s.name in states for s in sides
                ):
                    yield "peepholes"
                if any(isinstance(s, Signal) and s.name in inputs and s.shape.rank for s in sides):
                    yield "input entry by entry"


def _recurrent(cell: CompiledCell) -> Iterator[str]:
    constant = constant_signals(cell.checked)
    if constant:
        yield "constant gates"
    kinds = {found.kind for found in recurrences(cell.form) if found.lag == 1}
    if kinds and all(found.lag == 1 and found.kind in (*SCANNED, "map") for found in recurrences(cell.form)):
        yield "scannable"
    if kinds & {"diagonal", "block", "dense"}:
        yield "linear in a state"
    if kinds <= {"elementwise", *SCANNED, "map"} and "elementwise" in kinds:
        yield "elementwise recurrence"
