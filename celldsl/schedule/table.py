"""A schedule as a table that a person can argue with: what is stacked, and what is computed when."""

from __future__ import annotations

from celldsl.check.cell import Expr, Parameter, Signal, Structured
from celldsl.schedule.schedule import (
    Columns,
    Compute,
    Delay,
    Derive,
    Multiply,
    Reference,
    Schedule,
    Stack,
    Statement,
)
from celldsl.symbolic import text


def show(expr: Expr) -> str:
    """An expression of a schedule as one line of text."""

    def name(node: Expr) -> Expr | None:
        if isinstance(node, Reference):
            return Parameter(node.shape, name=node.name)
        if isinstance(node, Columns):
            end = node.start + node.shape.dims[1]
            return Parameter(node.shape, name=f"{show(node.operand)}[:, {node.start}:{end}]".replace(" ", ""))
        if isinstance(node, Structured):
            return Parameter(node.shape, name=f"{node.kind}({show(node.operand)})")
        return None

    return text.show(expr.transform(name))


def table(schedule: Schedule) -> str:
    """One row a statement: the part it belongs to, what it computes, and the shape."""
    rows: list[tuple[str, str, str]] = [
        ("noise", f"{mask.name} = {mask.kind}({show(mask.rate)})", f"{mask.shape}, one a {mask.per}")
        for mask in schedule.cell.masks
    ]
    for statement in schedule.once:
        if isinstance(statement, Stack):
            rows.append(("stack", *_row(statement)))
    rows += [("once", *_row(s)) for s in schedule.once if not isinstance(s, Stack)]
    for part, statements in (("before", schedule.before), ("step", schedule.step), ("after", schedule.after)):
        rows += [(part, *_row(statement, part)) for statement in statements]
    left = max((len(row) for _, row, _ in rows), default=0)
    left = min(left, 72)
    lines, last = [], ""
    for part, row, remark in rows:
        lines.append(f"{part if part != last else '':<8} {row:<{left}}  {remark}".rstrip())
        last = part
    return "\n".join(lines)


def _row(statement: Statement, part: str = "once") -> tuple[str, str]:
    if isinstance(statement, Stack):
        parts = "; ".join("0" if part is None else show(part) for part in statement.parts)
        return f"{statement.target.name} = [{parts}]", str(statement.target.shape)
    if isinstance(statement, Multiply):
        product = f"{show(statement.matrix)} {_factor(statement.operand)}"
        if statement.addend is not None:
            product += f" + {show(statement.addend)}"
        return (
            f"{', '.join(r.name for r in statement.into)} = {product}",
            _how(statement, part),
        )
    if isinstance(statement, Delay):
        name, delay = statement.signal.name, statement.delay
        return f"{show(Signal(statement.signal.shape, name, delay))} = {name}_t, {delay} late", ""
    if isinstance(statement, Derive):
        return f"{statement.equation.target} = {show(statement.equation.value)}", "derived"
    assert isinstance(statement, Compute)
    label = f"({statement.equation.label})" if statement.equation and statement.equation.label else ""
    return f"{show(statement.target)} = {show(statement.value)}", label


def _how(statement: Multiply, part: str) -> str:
    kind = "product" if statement.matrix.shape.rank == 2 else "product of blocks"
    return f"one {kind}" if part == "step" else f"all steps in one {kind}"


def _factor(operand: Expr) -> str:
    shown = show(operand)
    return f"({shown})" if " " in shown else shown
