"""SymPy expressions as C++ over the vectors of `support.hpp`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

SUM, PRODUCT, ATOM = 1, 2, 3  # how tightly the outermost operation binds


class Printer:
    """Prints expressions whose symbols have C++ names. Everything is a vector; numbers alone are scalars."""

    def __init__(self, names: Mapping[sympy.Symbol, str], literals: Mapping[sympy.Rational, str]):
        self.names, self.literals = names, literals

    def value(self, expr: sympy.Expr) -> str:
        """The expression as a vector."""
        return f"broadcast({self._text(expr)[0]})" if _is_number(expr) else self._text(expr)[0]

    def _at_least(self, expr: sympy.Expr, binding: int) -> str:
        text, found = self._text(expr)
        return text if found >= binding else f"({text})"

    def _text(self, expr: sympy.Expr) -> tuple[str, int]:
        if isinstance(expr, sympy.Symbol):
            return self.names[expr], ATOM
        if expr is sympy.pi:
            return "real(3.14159265358979323846)", ATOM
        if isinstance(expr, sympy.Rational):
            return self._number(expr), ATOM
        if isinstance(expr, sympy.Add):
            return self._sum(expr), SUM
        if isinstance(expr, sympy.Mul):
            return self._product(expr), PRODUCT
        if isinstance(expr, sympy.Pow):
            return self._power(expr)
        if isinstance(expr, sympy.Function):
            return f"{expr.func.__name__}({', '.join(self.value(a) for a in expr.args)})", ATOM
        raise TypeError(f"no C++ for {type(expr).__name__}")

    def _number(self, value: sympy.Rational) -> str:
        text = self.literals.get(abs(value)) or _decimal(abs(value))
        return f"real({'-' if value < 0 else ''}{text})"

    def _sum(self, expr: sympy.Expr) -> str:
        # Numbers first, as in `1 - y`; what is subtracted last, so that no sum begins with a sign.
        terms = sorted(expr.args, key=lambda a: (_is_negative(a), not a.is_Number))
        text = self._at_least(terms[0], SUM)
        for term in terms[1:]:
            if _is_negative(term):
                text += f" - {self._at_least(-term, PRODUCT)}"
            else:
                text += f" + {self._at_least(term, SUM)}"
        return text

    def _product(self, expr: sympy.Expr) -> str:
        if _is_negative(expr):
            return f"-{self._at_least(-expr, ATOM)}"
        above, below = [], []
        for factor in expr.args:
            base, exponent = factor.as_base_exp() if isinstance(factor, sympy.Pow) else (factor, sympy.Integer(1))
            if exponent.is_Integer and exponent < 0:
                below.append(sympy.Pow(base, -exponent))
            elif isinstance(factor, sympy.Rational) and factor.q != 1 and factor not in self.literals:
                if factor.p != 1:
                    above.append(sympy.Integer(factor.p))
                below.append(sympy.Integer(factor.q))
            else:
                above.append(factor)
        text = " * ".join(self._at_least(f, ATOM if at else PRODUCT) for at, f in enumerate(above)) or "real(1)"
        if below:
            under = " * ".join(self._at_least(f, ATOM) for f in below)
            text += f" / {under}" if len(below) == 1 else f" / ({under})"
        return text

    def _power(self, expr: sympy.Expr) -> tuple[str, int]:
        base, exponent = expr.args
        if exponent.is_Integer and exponent > 0:
            inner = self._at_least(base, ATOM)
            if exponent == 2 and base.is_Symbol:
                return f"{inner} * {inner}", PRODUCT
            return f"raised<{exponent}>({self.value(base)})", ATOM
        if exponent.is_Integer:
            return f"real(1) / {self._at_least(sympy.Pow(base, -exponent), ATOM)}", PRODUCT
        if exponent == sympy.Rational(1, 2):
            return f"sqrt({self.value(base)})", ATOM
        return f"power({self.value(base)}, {self.value(exponent)})", ATOM


def _is_number(expr: sympy.Expr) -> bool:
    return not expr.free_symbols and not expr.has(sympy.Function)


def _is_negative(expr: sympy.Expr) -> bool:
    return bool(expr.could_extract_minus_sign()) if expr.is_Number else bool(expr.as_coeff_Mul()[0] < 0)


def _decimal(value: sympy.Rational) -> str:
    if value.q == 1:
        return str(value.p) if value.p < 10**9 else f"{value.p}.0"
    return repr(float(Fraction(int(value.p), int(value.q))))
