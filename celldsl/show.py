"""Stages as text a person can read: the syntax tree, the checked cell, the equations as LaTeX.

The symbolic form and the schedule print themselves; specs are written back by `syntax.write`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from celldsl.check.cell import Cell, Equation, Expr, SignalInfo
from celldsl.check.width import Shape
from celldsl.syntax import write
from celldsl.syntax.tree import Name, Node


def tree(node: Node) -> str:
    """A syntax tree, one node a line, children indented; spans are left out."""
    return "\n".join(_tree_lines(node))


def _tree_lines(node: Node) -> Iterable[str]:
    facts: list[str] = []
    children: list[Node] = []
    for field in fields(node):
        value = getattr(node, field.name)
        if not field.compare or value is None or value == ():
            continue
        below = value if isinstance(value, tuple) else (value,)
        if isinstance(value, Name) and field.name in {"target", "name", "signal"}:
            facts.append(f"{field.name}={_timed(value)}")
        elif all(isinstance(child, Node) for child in below):
            children += below
        else:
            facts.append(f"{field.name}={_fact(value)}")
    if isinstance(node, Name):
        facts = [_timed(node)]
    yield " ".join([type(node).__name__, *facts])
    for child in children:
        yield from (f"  {line}" for line in _tree_lines(child))


def _timed(name: Name) -> str:
    time = "" if name.time is None else "_t" if name.time == 0 else f"_{{t-{name.time}}}"
    return f"{name.text}{time}"


def _fact(value: object) -> str:
    """A string, or the `(("m", 28), ("n", 50))` of a claim."""
    if isinstance(value, tuple):
        return ",".join(f"{key}:{number}" for key, number in value)
    return repr(value) if " " in str(value) else str(value)


def cell(checked: Cell) -> str:
    """What `check` found out: the role and the width of every name, the order, the typed equations."""
    carried = [f"{_sized(info.name, info.shape)}{_initial(info)}" for info in checked.states]
    rows = [
        ("inputs", [_sized(info.name, info.shape) for info in checked.inputs]),
        ("states", carried),
        ("intermediates", [_sized(info.name, info.shape) for info in checked.intermediates]),
        ("parameters", [_sized(info.name, info.shape) for info in checked.parameters]),
        ("derived", [_sized(equation.target, equation.value.shape) for equation in checked.derived]),
        ("settings", [f"{info.kind} {info.name} = {info.text}" for info in checked.settings]),
        ("dims", [dim.name if dim.value is None else f"{dim.name} = {dim.value}" for dim in checked.dims]),
        ("output", [checked.output]),
        ("order", list(checked.order)),
    ]
    lines = [f"cell {checked.name}" + (f" extends {checked.parent}" if checked.parent else "")]
    for title, entries in rows:
        if entries:
            lines += _wrapped(title, entries)
    for name in checked.order:
        lines += ["", _titled(checked.equation[name]), *_typed_lines(checked.equation[name].value, 1)]
    return "\n".join(lines)


def _sized(name: str, shape: Shape) -> str:
    return f"{name}: {shape}"


def _initial(info: SignalInfo) -> str:
    if info.initial is None:
        return ""
    return " (learned first value)" if info.initial == "learned" else " (given first value)"


def _wrapped(title: str, entries: Sequence[str], width: int = 100) -> Iterable[str]:
    line = f"  {title:<15}"
    for entry in entries:
        if len(line) + len(entry) > width:
            yield line.rstrip().rstrip(",") + ","
            line = " " * 17
        line += entry + ", "
    yield line.removesuffix(", ")


def _titled(equation: Equation) -> str:
    label = f"    ({equation.label})" if equation.label else ""
    return f"  {write(equation.written)}".removesuffix(label.strip()).rstrip() + label


def _typed_lines(node: Expr, depth: int) -> Iterable[str]:
    """A typed expression, one node a line, with the shape of each."""
    facts = [str(getattr(node, field.name)) for field in fields(node) if field.compare and field.name != "shape"]
    own = [] if node.children else facts
    if hasattr(node, "function"):
        own = [node.function]
    if hasattr(node, "kind"):
        own = [node.kind]
    if hasattr(node, "delay"):
        own = [f"{node.name}_t" if node.delay == 0 else f"{node.name}_{{t-{node.delay}}}"]  # type: ignore[attr-defined]
    yield f"{'  ' * (depth + 1)}{' '.join([type(node).__name__, *own])} : {node.shape}"
    for child in node.children:
        yield from _typed_lines(child, depth + 1)


def latex(checked: Cell) -> str:
    """All equations of a cell, inherited ones too, as one `align` environment, labels as tags."""
    rows = [f"  {write(equation.written, 'latex')}" for equation in checked.equations]
    return "\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"
