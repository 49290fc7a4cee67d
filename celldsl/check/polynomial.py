"""Expressions of widths, counts and bounds as polynomials: what `dim`, `claim` and `repeat` lines may say."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from celldsl.check.width import Width
from celldsl.source import Span
from celldsl.syntax import tree

_MOST_TERMS = 500
_LARGEST_POWER = 12


class NotAWidth(Exception):
    """What cannot be read as a polynomial in widths, with the place and the reason; none where it was reported."""

    def __init__(self, span: Span, reason: str, help: str = ""):
        super().__init__(reason)
        self.span, self.reason, self.help = span, reason, help


def polynomial(
    expr: tree.Expr,
    lookup: Callable[[tree.Name], Width],
    call: Callable[[tree.Call], Width] | None = None,
) -> Width:
    """The polynomial an expression writes. `lookup` gives names, `call` what stands with brackets (`params(LSTM)`).

    Raises NotAWidth for anything but numbers, names and `+ - * / ^`.
    """

    def of(node: tree.Expr) -> Width:
        match node:
            case tree.Number():
                return Width.of(Fraction(node.text))
            case tree.Name(time=None):
                return lookup(node)
            case tree.Name():
                raise NotAWidth(node.span, "a signal has no place here")
            case tree.Negative(operand=operand):
                return -of(operand)
            case tree.Juxtaposition(factors=factors):
                result = of(factors[0])
                for factor in factors[1:]:
                    result = bounded(result, of(factor), node)
                return result
            case tree.Binary(op="+", left=left, right=right):
                return of(left) + of(right)
            case tree.Binary(op="-", left=left, right=right):
                return of(left) - of(right)
            case tree.Binary(op="*" | "@", left=left, right=right):
                return bounded(of(left), of(right), node)
            case tree.Binary(op="/", left=left, right=right):
                try:
                    return of(left) / of(right)
                except (ValueError, ZeroDivisionError):
                    raise NotAWidth(right.span, "only a number or a single product can divide here") from None
            case tree.Binary(op="^", left=left, right=right):
                exponent = of(right).number
                if exponent is None or exponent.denominator != 1 or not 0 <= exponent <= _LARGEST_POWER:
                    raise NotAWidth(right.span, f"an exponent is a whole number up to {_LARGEST_POWER} here")
                base = of(left)
                result = Width.of(1)
                for _ in range(int(exponent)):
                    result = bounded(result, base, node)
                return result
            case tree.Call():
                if call is not None:
                    return call(node)
                raise NotAWidth(node.span, f"the function `{node.function}` has no place here")
        raise NotAWidth(node.span, "this has no place here")

    def bounded(left: Width, right: Width, node: tree.Expr) -> Width:
        if len(left.terms) * len(right.terms) > _MOST_TERMS or _digits(left) + _digits(right) > 5000:
            raise NotAWidth(node.span, "this is too large to be worked out")
        return left * right

    return of(expr)


def _digits(width: Width) -> int:
    return sum(c.numerator.bit_length() + c.denominator.bit_length() for _, c in width.terms)
