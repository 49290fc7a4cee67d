"""write: a tree as text, in Unicode as papers print it, in ASCII, or in LaTeX.

Every style of a whole file, a cell or an item is a spec again: `parse(write(tree)) == tree`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

from celldsl.syntax import tree
from celldsl.syntax.labels import LABEL_TEXT
from celldsl.syntax.write_expressions import ROW, Expressions
from celldsl.syntax.write_names import Style, write_name


def write(node: tree.Node, style: Style = "unicode") -> str:
    """The text of a file, a cell, an item of a cell, or an expression, without a line end.

    An equation in LaTeX is a line of an `align`, with its label: `h_t &= o_t \\odot \\tanh\\left(c_t\\right) \\tag{5}`.
    """
    if isinstance(node, tree.File):
        return "\n\n".join(write(cell, style) for cell in node.cells) + "\n"
    if isinstance(node, tree.CellDef):
        return _cell(node, style)
    writer = _ITEMS.get(type(node))
    if writer:
        return writer(node, style)
    return Expressions(style).write(node)  # type: ignore[arg-type]


# --- cells ---------------------------------------------------------------------------------

_INDENT = "  "


def _cell(cell: tree.CellDef, style: Style) -> str:
    head = f"cell {cell.name} extends {cell.parent} {{" if cell.parent else f"cell {cell.name} {{"
    if style == "latex":
        return "\n".join([head, *_latex_items(cell.items), "}"])
    return "\n".join([head, *_items(cell.items, style), "}"])


def _items(items: tuple[tree.Item, ...], style: Style) -> list[str]:
    # Labels stand in a column behind the longest equation.
    column = max((len(_equation(i, style)) for i in items if isinstance(i, tree.Equation) and i.label), default=0)
    lines: list[str] = []
    kind = None
    for item in items:
        if kind is not None and _kind(item) is not kind:
            lines.append("")
        kind = _kind(item)
        text = write(item, style)
        if isinstance(item, tree.Equation) and item.label:
            text = f"{_equation(item, style):<{column}}    {_label(item.label)}"
        lines += _indented(text)
    return lines


def _kind(item: tree.Item) -> str:
    """Items of one kind stand together, blank lines between the kinds."""
    if isinstance(item, (tree.Docstring, tree.Cite)):
        return "text"
    if isinstance(item, (tree.Equation, tree.Instance, tree.Repeat)):
        return "equation"
    claims = (tree.ClaimCount, tree.ClaimRange, tree.ClaimEquals)
    return "claim" if isinstance(item, claims) else "declaration"


def _latex_items(items: tuple[tree.Item, ...]) -> list[str]:
    """The items, with each run of equations in an `align`."""
    lines: list[str] = []
    for equations, run in groupby(items, key=lambda item: isinstance(item, (tree.Equation, tree.Instance))):
        texts = [write(item, "latex") for item in run]
        if equations:
            lines += [_INDENT + r"\begin{align}"]
            lines += [f"{_INDENT * 2}{text} \\\\" for text in texts[:-1]] + [_INDENT * 2 + texts[-1]]
            lines += [_INDENT + r"\end{align}"]
        else:
            lines += [line for text in texts for line in _indented(text)]
    return lines


def _indented(text: str) -> list[str]:
    return [f"{_INDENT}{line}".rstrip() if line.strip() else line for line in text.split("\n")]


# --- items ---------------------------------------------------------------------------------


def _equation(item: tree.Equation, style: Style) -> str:
    sign = "&=" if style == "latex" else "="
    return f"{write_name(item.target, style)} {sign} {Expressions(style).write(item.value)}"


def _instance(item: tree.Instance, style: Style) -> str:
    targets = ", ".join(write_name(target, style) for target in item.targets)
    sign = "&=" if style == "latex" else "="
    text = f"{targets} {sign} {Expressions(style).write(item.call)}"
    if item.label is None:
        return text
    return f"{text} \\tag{{{item.label}}}" if style == "latex" else f"{text}  {_label(item.label)}"


def _labelled_equation(item: tree.Equation, style: Style) -> str:
    if item.label is None:
        return _equation(item, style)
    return (
        f"{_equation(item, style)} \\tag{{{item.label}}}"
        if style == "latex"
        else f"{_equation(item, style)}  {_label(item.label)}"
    )


def _label(label: str) -> str:
    return f"({label})" if LABEL_TEXT.fullmatch(label) else f"\\tag{{{label}}}"


def _docstring(item: tree.Docstring, style: Style) -> str:
    text = _escaped(item.text)
    if '"""' in text or text.endswith('"'):
        text = text.replace('"', r"\"")
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'


def _cite(item: tree.Cite, style: Style) -> str:
    quoted = _escaped(item.text).replace('"', r"\"")
    return f'cite "{quoted}"'


def _escaped(text: str) -> str:
    """With a backslash in front of those backslashes that would be read as escapes."""
    return re.sub(r'\\(?=[\\"]|$)', r"\\\\", text)


def _typed(keyword: str) -> Callable[[Any, Style], str]:
    def typed(item: tree.Input | tree.State, style: Style) -> str:
        plain = Expressions(style, signals=False)
        signals = (
            write_name(s.name, style) + (f": {plain.write(s.width)}" if s.width is not None else "")
            for s in item.signals
        )
        return f"{keyword} {', '.join(signals)}"

    return typed


def _output(item: tree.Output, style: Style) -> str:
    return f"output {write_name(item.name, style)}"


def _dim(item: tree.Dim, style: Style) -> str:
    value = "" if item.value is None else f" = {Expressions(style, signals=False).write(item.value)}"
    return f"dim {write_name(item.name, style)}{value}"


def _param(item: tree.Param, style: Style) -> str:
    cross = {"unicode": "×", "ascii": " x ", "latex": r" \times "}[style]
    shape = cross.join(_width(width, style) for width in item.shape) or "scalar"
    structure = f" {_structure(item.structure, style)}" if item.structure else ""
    return f"param {write_name(item.name, style)}: {shape}{structure}{' frozen' if item.frozen else ''}"


def _width(width: tree.Expr, style: Style) -> str:
    """One width of a shape. A bare `x` or `*` would cross two widths, so both stand in brackets."""
    plain = Expressions(style, signals=False)
    quotient = isinstance(width, tree.Binary) and width.op == "/" and "*" not in plain.write(width)
    text = plain.write(width, 0 if quotient else ROW)
    return f"({text})" if re.search(r"(?<![\w\\])x(?!\w)", text) and not text.startswith("(") else text


def _structure(item: tree.Structure, style: Style) -> str:
    plain = Expressions(style, signals=False)
    arguments = ", ".join(plain.write(argument) for argument in item.arguments)
    return f"{item.kind}({arguments})" if arguments else item.kind


def _setting(keyword: str) -> Callable[[Any, Style], str]:
    def setting(item: tree.Const | tree.Hyper, style: Style) -> str:
        return f"{keyword} {write_name(item.name, style)} = {Expressions(style, signals=False).write(item.value)}"

    return setting


def _def(item: tree.Def, style: Style) -> str:
    arguments = ", ".join(write_name(name, style) for name in item.arguments)
    return f"def {write_name(item.name, style)}({arguments}) = {Expressions(style).write(item.value)}"


def _share(item: tree.Share, style: Style) -> str:
    return f"share {write_name(item.name, style)} = {write_name(item.original, style)}"


def _init(item: tree.Init, style: Style) -> str:
    return f"init {item.pattern} = {Expressions(style, signals=False).write(item.value)}"


def _constrain(item: tree.Constrain, style: Style) -> str:
    plain = Expressions(style, signals=False)
    name = write_name(item.name, style)
    if item.high is None and item.low is not None:  # the parameter first: of two names that one is it
        return f"constrain {name} >= {plain.write(item.low)}"
    low = "" if item.low is None else f"{plain.write(item.low)} <= "
    return f"constrain {low}{name}" + ("" if item.high is None else f" <= {plain.write(item.high)}")


def _repeat(item: tree.Repeat, style: Style) -> str:
    plain = Expressions(style, signals=False)
    first = [plain.write(each) for each in (item.first, item.second) if each is not None]
    dots = r" \ldots " if style == "latex" else ".." if len(first) == 1 and _is_short(item) else " .. "
    head = f"repeat {write_name(item.index, style)} = {', '.join(first)}{dots}{plain.write(item.last)} {{"
    body = _latex_items(item.items) if style == "latex" else _items(item.items, style)
    return "\n".join([head, *body, "}"])


_SHORT = (tree.Name, tree.Number)


def _is_short(item: tree.Repeat) -> bool:
    """Whether `1..L` reads as it should without blanks: `0.5..L` and `1e5..L` would not."""
    ends = item.first, item.last
    numbers = [each.text for each in ends if isinstance(each, tree.Number)]
    return isinstance(item.first, tree.Number) and all(map(str.isdigit, numbers)) and isinstance(item.last, _SHORT)


def _drop(item: tree.Drop, style: Style) -> str:
    return f"drop {', '.join(write_name(name, style) for name in item.names)}"


def _claim_count(item: tree.ClaimCount, style: Style) -> str:
    at = ", ".join(f"{write_name(tree.Name(name), style)}={size}" for name, size in item.at)
    label = f"  {_label(item.label)}" if item.label is not None else ""
    value = Expressions(style, signals=False).write(item.value)
    return f"claim {item.quantity}{f'({at})' if at else ''} = {value}{label}"


def _claim_range(item: tree.ClaimRange, style: Style) -> str:
    plain = Expressions(style, signals=False)
    low = "" if item.low is None else f"{plain.write(item.low)} {item.low_relation} "
    high = "" if item.high is None else f" {item.high_relation} {plain.write(item.high)}"
    return f"claim {low}{write_name(item.signal, style)}{high}"


def _claim_equals(item: tree.ClaimEquals, style: Style) -> str:
    when = ", ".join(f"{write_name(e.target, style)} = {Expressions(style).write(e.value)}" for e in item.when)
    return f"claim equals {item.other}{f' when {when}' if when else ''}"


_ITEMS: dict[type, Callable[[Any, Style], str]] = {
    tree.Equation: _labelled_equation,
    tree.Instance: _instance,
    tree.Docstring: _docstring,
    tree.Cite: _cite,
    tree.Input: _typed("input"),
    tree.State: _typed("state"),
    tree.Output: _output,
    tree.Dim: _dim,
    tree.Param: _param,
    tree.Structure: _structure,
    tree.Const: _setting("const"),
    tree.Hyper: _setting("hyper"),
    tree.Def: _def,
    tree.Share: _share,
    tree.Constrain: _constrain,
    tree.Init: _init,
    tree.Drop: _drop,
    tree.Repeat: _repeat,
    tree.ClaimCount: _claim_count,
    tree.ClaimRange: _claim_range,
    tree.ClaimEquals: _claim_equals,
}
