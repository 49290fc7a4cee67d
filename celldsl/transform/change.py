"""A cell with some equations put in the place of its own, and others added: checked anew, as any spec is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from celldsl.check import check_file
from celldsl.check.cell import Cell, Expr
from celldsl.source import Source
from celldsl.syntax import parse, tree, write
from celldsl.transform.respell import respell


def changed(
    cell: Cell,
    values: Mapping[str, Expr],
    new: Sequence[tree.Equation] = (),
    items: Sequence[tree.Item] = (),
) -> Cell:
    """The cell with these right sides for its equations, further equations, and further items (`init`, `output`).

    Docstring and citations stay; claims, which were made about the unchanged cell, do not. Raises SpecError where it
    does not fit.
    """
    assert cell.definition is not None, "every cell that was read from text has its definition"
    equations: list[tree.Item] = []
    for target, value in values.items():
        old = cell.equation[target]
        equations.append(tree.Equation(old.written.target, respell(value, old), old.label))
    kept = [item for item in cell.definition.items if isinstance(item, tree.Docstring | tree.Cite)]
    plain = f"{cell.name}_unchanged"
    claims = (tree.ClaimCount, tree.ClaimRange, tree.ClaimEquals)
    parent = replace(
        cell.definition,
        name=plain,
        items=tuple(item for item in cell.definition.items if not isinstance(item, claims)),
    )
    child = tree.CellDef(cell.name, plain, (*kept, *equations, *new, *items))
    source = Source(write(tree.File((parent, child))), f"{cell.name}, changed")
    result = check_file(parse(source))[-1]
    return replace(result, parent=cell.parent)


def fresh(cell: Cell, wanted: str) -> str:
    """A name like this one that nothing in the cell has."""
    taken = {*cell.signal, *cell.parameter, *cell.setting, *cell.equation, *(dim.name for dim in cell.dims)}
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name
