"""A checked expression as one line of text, for tables and messages.

`written` prefers the author's own words; `show` spells a node anew, with only the brackets it needs.
"""

from __future__ import annotations

from celldsl.check.cell import (
    Add,
    Call,
    Concat,
    Dim,
    Div,
    Equation,
    Expr,
    Identity,
    Infinity,
    Mask,
    Mul,
    Neg,
    Num,
    Parameter,
    Pow,
    Product,
    Repeat,
    Setting,
    Signal,
    Slice,
    Structured,
    Transpose,
)
from celldsl.source import NOWHERE
from celldsl.syntax import tree, write
from celldsl.transform.respell import respell

_SUM, _TERM, _PRODUCT, _UNARY, _POWER, _ATOM = range(6)


def written(expr: Expr | Equation) -> str:
    """The text its author wrote, blanks joined; spelled anew, as papers print it, where there is none."""
    if expr.span != NOWHERE and expr.span.text.strip():
        return " ".join(expr.span.text.split())
    if isinstance(expr, Equation):
        target = tree.Name(expr.target, None if expr.timeless else 0)
        return f"{write(target)} = {written(expr.value)}"
    return write(respell(expr.transform(_stored)))


def _stored(node: Expr) -> Expr | None:
    """A structured matrix by the name of its numbers."""
    return node.operand if isinstance(node, Structured) else None


def show(expr: Expr) -> str:
    """`f_t * c_{t-1} + i_t * tanh(U_c h_{t-1} + b_c)`."""
    return _show(expr)[0]


def _within(expr: Expr, level: int) -> str:
    text, own = _show(expr)
    return text if own >= level else f"({text})"


def _show(expr: Expr) -> tuple[str, int]:
    """The text and how tightly it binds."""
    match expr:
        case Num(text=text):
            return text, _ATOM
        case Dim(width=width):
            text = str(width)
            return (text, _ATOM) if " " not in text and "/" not in text else (f"({text})", _ATOM)
        case Setting(name=name) | Parameter(name=name) | Mask(name=name):
            return name, _ATOM
        case Signal(name=name, delay=delay):
            return (f"{name}_t" if delay == 0 else f"{name}_{{t-{delay}}}"), _ATOM
        case Infinity():
            return "inf", _ATOM
        case Identity():
            return "I", _ATOM
        case Add(terms=terms):
            text = _within(terms[0], _TERM)
            for term in terms[1:]:
                if isinstance(term, Neg):
                    text += f" - {_within(term.operand, _TERM)}"
                else:
                    text += f" + {_within(term, _TERM)}"
            return text, _SUM
        case Neg(operand=operand):
            return f"-{_within(operand, _TERM)}", _SUM
        case Mul(left=left, right=right):
            return f"{_within(left, _TERM)} * {_within(right, _PRODUCT)}", _TERM
        case Div(left=left, right=right):
            return f"{_within(left, _TERM)} / {_within(right, _UNARY)}", _TERM
        case Pow(left=left, right=right):
            return f"{_within(left, _ATOM)}^{_within(right, _ATOM)}", _POWER
        case Product(left=left, right=right):
            return f"{_within(left, _UNARY)} {_within(right, _PRODUCT)}", _PRODUCT
        case Transpose(operand=operand):
            return f"{_within(operand, _ATOM)}^T", _POWER
        case Structured(operand=operand):
            return _show(operand)
        case Concat(parts=parts):
            return "[" + "; ".join(show(part) for part in parts) + "]", _ATOM
        case Slice(operand=operand, start=start, shape=shape):
            return f"{_within(operand, _ATOM)}[{start + 1}..{start + shape.width}]", _ATOM
        case Repeat(operand=operand, times=times):
            return f"repeat({show(operand)}, {times})", _ATOM
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(show(a) for a in arguments)})", _ATOM
    raise TypeError(f"not a checked expression: {type(expr).__name__}")
