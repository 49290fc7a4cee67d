"""Equations as MathML, which browsers typeset by themselves."""

from __future__ import annotations

import unicodedata
from html import escape

from celldsl.functions import FUNCTIONS, NOISES
from celldsl.syntax import tree
from celldsl.syntax.write_expressions import Expressions
from celldsl.syntax.write_names import name_parts

# How tightly a node holds together.
SUM, PRODUCT, ROW, POWER, ATOM = range(5)

_ABOVE = {"\u0303": "~", "\u0302": "^", "\u0304": "¯", "\u0305": "¯", "\u0307": "˙", "\u0308": "¨"}
_SIGNS = {"+": "+", "-": "−", "*": "⊙", "@": "&#8290;"}


def equation(written: tree.Equation) -> str:
    """An equation as a `<math>` of its own, without its label."""
    return f"<math displaystyle='true'>{_name(written.target)}<mo>=</mo>{_write(written.value, SUM)}</math>"


def function(written: tree.Def) -> str:
    """A cell's own function as a `<math>` of its own."""
    call = tree.Call(written.name.text, written.arguments)
    return f"<math>{_call(call)}<mo>=</mo>{_write(written.value, SUM)}</math>"


def math(expr: tree.Expr) -> str:
    """An expression as a `<math>` of its own."""
    return f"<math>{_write(expr, SUM)}</math>"


def name(text: str, time: int | None = None) -> str:
    """A name of a cell as a `<math>`."""
    return f"<math>{_name(tree.Name(text, time))}</math>"


def _write(node: tree.Expr, level: int) -> str:
    """The node, in brackets if it holds together less tightly than `level`."""
    own, text = _bare(node)
    return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>" if own < level else text


def _bare(node: tree.Expr) -> tuple[int, str]:
    """How tightly the node holds together, and what it is."""
    if isinstance(node, tree.Number):
        return ATOM, f"<mn>{escape(node.text)}</mn>"
    if isinstance(node, tree.Name):
        return ATOM, _name(node)
    if isinstance(node, tree.Juxtaposition):
        # A product side by side: a thin space keeps W x from being read as one name.
        return ROW, "<mspace width='0.17em'/>".join(_write(factor, POWER) for factor in node.factors)
    if isinstance(node, tree.Negative):
        return SUM, f"<mo>−</mo>{_write(node.operand, PRODUCT)}"
    if isinstance(node, tree.Transposed):
        return POWER, f"<msup>{_held(node.operand)}<mo>⊤</mo></msup>"
    if isinstance(node, tree.Call):
        return ATOM, _call(node)
    if isinstance(node, tree.Stack):
        parts = "<mo>;</mo>".join(_write(part, SUM) for part in node.parts)
        return ATOM, f"<mrow><mo>[</mo>{parts}<mo>]</mo></mrow>"
    if not isinstance(node, tree.Binary):  # slices, and whatever else is written rarely
        return ATOM, f"<mtext>{escape(Expressions('unicode').write(node))}</mtext>"
    if node.op == "/":
        return ATOM, f"<mfrac><mrow>{_write(node.left, SUM)}</mrow><mrow>{_write(node.right, SUM)}</mrow></mfrac>"
    if node.op == "^":
        return POWER, f"<msup>{_held(node.left)}<mrow>{_write(node.right, SUM)}</mrow></msup>"
    own = SUM if node.op in "+-" else PRODUCT
    sign = "×" if node.op == "*" and _is_number(node) else _SIGNS[node.op]
    return own, f"{_write(node.left, own)}<mo>{sign}</mo>{_write(node.right, own + 1)}"


def _held(node: tree.Expr) -> str:
    return f"<mrow>{_write(node, ATOM)}</mrow>"


def _is_number(node: tree.Binary) -> bool:
    return isinstance(node.left, tree.Number) or isinstance(node.right, tree.Number)


def _call(node: tree.Call) -> str:
    arguments = "<mo>,</mo>".join(_write(argument, SUM) for argument in node.arguments)
    if node.function == "sqrt":
        return f"<msqrt>{arguments}</msqrt>"
    row = FUNCTIONS.get(node.function) or NOISES.get(node.function)
    shown = row.spelling if row else node.function
    style = "" if len(shown) == 1 else " mathvariant='normal'"
    return f"<mi{style}>{escape(shown)}</mi><mo>&#8289;</mo><mrow><mo>(</mo>{arguments}<mo>)</mo></mrow>"


def _name(node: tree.Name) -> str:
    word, below = name_parts(tree.Name(node.text), "unicode")
    indices = [f"<mi mathvariant='normal'>{escape(part)}</mi>" for part in below]
    if node.time is not None:
        indices.append("<mi>t</mi>" if node.time == 0 else f"<mi>t</mi><mo>−</mo><mn>{node.time}</mn>")
    accents = [mark for mark in unicodedata.normalize("NFD", word) if mark in _ABOVE]
    word = "".join(mark for mark in unicodedata.normalize("NFD", word) if mark not in _ABOVE)
    letters = word.rstrip("'")
    upright = " mathvariant='normal'" if len(letters) > 1 and letters.isascii() else ""
    letter = f"<mi{upright}>{escape(word)}</mi>"
    for mark in accents:  # a letter with its accent in one `mi` would stand upright
        letter = f"<mover accent='true'>{letter}<mo>{_ABOVE[mark]}</mo></mover>"
    if not indices:
        return letter
    return f"<msub>{letter}<mrow>{'<mo>,</mo>'.join(indices)}</mrow></msub>"
