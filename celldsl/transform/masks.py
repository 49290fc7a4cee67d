"""Dropout put into a cell: on what its matrices multiply, on its input, on its output."""

from __future__ import annotations

from dataclasses import replace

from celldsl.check.cell import Cell, Concat, Expr, Mask, Mul, Num, Product, Signal
from celldsl.check.width import SCALAR
from celldsl.syntax import tree
from celldsl.transform.change import changed, fresh


def probability(option: str, p: float) -> float:
    """p, if it is one below 1. Raises ValueError."""
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p < 1:
        raise ValueError(f"{option} must be a probability below 1, not {p!r}")
    return float(p)


def number(p: float) -> str:
    return repr(float(p))


def locked(value: Expr, p: float) -> Expr:
    """`locked_dropout(value, p)`; the name of the mask is given when the cell is checked."""
    return Mul(value.shape, value, Mask(value.shape, kind="dropout", rate=Num(SCALAR, number(p)), per="sequence"))


def dropout_of_operands(cell: Cell, recurrent: float = 0.0, entering: float = 0.0) -> Cell:
    """Masks on the vectors that matrices multiply: one for each product and sequence, the same at all steps.

    recurrent: the probability for operands that depend on a state; entering: for those that depend on inputs alone.
    In an LSTM these are Keras' `recurrent_dropout` and `dropout`: four masks of h_{t-1} and four of x_t (Gal &
    Ghahramani 2016, the untied form). The parts of a stacked operand, `W [h_{t-1}; x_t]`, are masked one by one.
    """
    recurrent, entering = probability("recurrent_dropout", recurrent), probability("input_dropout", entering)
    if not recurrent and not entering:
        return cell
    stateful = _stateful(cell)

    def masked(operand: Expr) -> Expr:
        if isinstance(operand, Concat):
            return operand.rebuild(tuple(map(masked, operand.parts)))
        signals = [node for node in operand.walk() if isinstance(node, Signal)]
        if not any(node.delay or node.name in cell.varying for node in signals):
            return operand
        carries = any(node.name in stateful or (node.delay and not _is_entering(cell, node)) for node in signals)
        p = recurrent if carries else entering
        return locked(operand, p) if p else operand

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, Product) or node.right.shape.rank != 1:
            return None
        inner = node.right.transform(change)
        return node.rebuild((node.left, inner if isinstance(node.right, Product) else masked(inner)))

    return with_values(cell, {e.target: e.value.transform(change) for e in cell.steps})


def locked_input(cell: Cell, p: float) -> Cell:
    """One mask a sequence on the first input, seen by all that reads it: variational dropout between layers."""
    if not probability("locked_input", p):
        return cell
    source = cell.inputs[0]
    name = fresh(cell, f"{source.name}_in")

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Signal) and node.name == source.name:
            return Signal(node.shape, name, node.delay)
        return None

    values = {e.target: e.value.transform(change) for e in cell.steps}
    call = tree.Call("locked_dropout", (tree.Name(source.name, 0), tree.Number(number(p))))
    return with_values(cell, values, tree.Equation(tree.Name(name, 0), call))


def locked_output(cell: Cell, p: float) -> Cell:
    """One mask a sequence on the output; what the cell itself carries on stays whole."""
    if not probability("locked_output", p):
        return cell
    name = fresh(cell, f"{cell.output}_out")
    call = tree.Call("locked_dropout", (tree.Name(cell.output, 0), tree.Number(number(p))))
    if cell.states and cell.states[0].name == cell.output:
        cell = _first(cell, cell.output)
    return changed(cell, {}, [tree.Equation(tree.Name(name, 0), call)], [tree.Output(tree.Name(name))])


def _first(cell: Cell, name: str) -> Cell:
    """The cell with this equation in front, so that its state stays the first of the state tuple when it is no longer
    the output."""
    assert cell.definition is not None
    own = [item for item in cell.definition.items if isinstance(item, tree.Equation) and item.target.text == name]
    if not own and len(cell.states) > 1:
        raise ValueError(f"locked_output: the output {name} of {cell.name} is defined in a `repeat`")
    items = (*own, *(item for item in cell.definition.items if item not in own))
    return replace(cell, definition=replace(cell.definition, items=items))


def with_values(cell: Cell, values: dict[str, Expr], *new: tree.Equation) -> Cell:
    """The cell with those of the values that differ from its own, and further equations."""
    values = {target: value for target, value in values.items() if value != cell.equation[target].value}
    return changed(cell, values, new) if values else cell


def _is_entering(cell: Cell, node: Signal) -> bool:
    return cell.signal[node.name].role == "input"


def _stateful(cell: Cell) -> set[str]:
    """The signals whose value at t depends on a state."""
    found: set[str] = set()
    for equation in cell.steps:
        for node in equation.value.walk():
            if isinstance(node, Signal) and (node.name in found or (node.delay and not _is_entering(cell, node))):
                found.add(equation.target)
    return found
