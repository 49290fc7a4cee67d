"""Other functions and other first values in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from celldsl.check.cell import Add, Call, Cell, Expr, Mul, Num
from celldsl.check.width import SCALAR
from celldsl.functions import FUNCTIONS
from celldsl.source import Source
from celldsl.syntax import parse, tree
from celldsl.transform.change import changed

KERAS1 = "keras1_hard_sigmoid"
"""clip(0.2 a + 0.5, 0, 1), the hard sigmoid of Theano and of Keras before version 3; the language's own is that of
Keras 3 and torch, clip(a / 6 + 0.5, 0, 1)."""

_MATRIX_ONLY = ("glorot", "xavier", "kaiming", "lecun", "orthogonal", "identity")


def gates(cell: Cell, function: str) -> Cell:
    """The cell with another function in the place of every `sigmoid`: `hard_sigmoid`, `keras1_hard_sigmoid`, or any
    function of one entry. Raises ValueError for another name."""
    known = [row.name for row in FUNCTIONS.values() if row.rule == "elementwise" and row.arity == (1, 1)]
    if function not in (*known, KERAS1):
        raise ValueError(
            f"gates: there is no function {function!r} of one entry; there are {KERAS1}, {', '.join(known)}"
        )

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, Call) or node.function != "sigmoid":
            return None
        (inner,) = (argument.transform(change) for argument in node.arguments)
        if function != KERAS1:
            return Call(node.shape, function, (inner,))
        slope = Mul(inner.shape, Num(SCALAR, "0.2"), inner)
        line = Add(inner.shape, (slope, Num(SCALAR, "0.5")))
        return Call(node.shape, "clamp", (line, Num(SCALAR, "0"), Num(SCALAR, "1")))

    values = {e.target: e.value.transform(change) for e in cell.equations}
    values = {target: value for target, value in values.items() if value != cell.equation[target].value}
    return changed(cell, values) if values else cell


def inits(cell: Cell, starts: Mapping[str, float | str]) -> Cell:
    """The cell with these ways to start: `{"b_f": 1.5, "U_*": "orthogonal", "h_0": "learned"}`, each as in an `init`
    line. They win over the spec's own; among themselves, the later one.

    Raises ValueError for a name that is neither a parameter nor a state's first value, SpecError for a value that is
    no way to start.
    """
    first = [f"{info.name}_0" for info in cell.states]
    found: dict[str, tree.Expr] = {}
    for pattern, start in starts.items():
        value = _value(start)
        names = [info.name for info in cell.parameters if fnmatchcase(info.name, pattern)]
        names = names or [name for name in first if fnmatchcase(name, pattern)]
        if not names:
            known = ", ".join([*(info.name for info in cell.parameters), *first])
            raise ValueError(f"init: {cell.name} has no {pattern!r} to start; it has {known}")
        scheme = value.text if isinstance(value, tree.Name) else ""
        if "*" in pattern and scheme.startswith(_MATRIX_ONLY):
            names = [name for name in names if cell.parameter[name].shape.rank == 2]
        found.update(dict.fromkeys(names, value))
    return changed(cell, {}, (), [tree.Init(name, value) for name, value in found.items()]) if found else cell


def _value(start: float | str) -> tree.Expr:
    """The tree of a first value."""
    text = start if isinstance(start, str) else repr(start)
    (cell,) = parse(Source(f"cell A {{\n  init a = {text}\n}}\n", "init")).cells
    (item,) = cell.items
    assert isinstance(item, tree.Init)
    return item.value
