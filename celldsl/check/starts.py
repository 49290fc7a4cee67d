"""Starting values as expressions: `init b_f = log(uniform(1, T_max - 1))`, `init b_i = -b_f`, `init A = 2 i + 1`.

An expression gives every entry of a parameter at once. It is made of numbers, settings and widths; of random draws, a
number for each entry; of other parameters' starting values; and of the entry's own place, `i` (its row) and `j` (its
column), which count from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from celldsl.check import cell, trees
from celldsl.check.width import SCALAR, Shape
from celldsl.functions import FUNCTIONS
from celldsl.syntax import tree

DRAWS = {"uniform": (1, 2), "normal": (1, 2), "bernoulli": (1, 1)}
"""What draws a number for each entry, and how many numbers it takes."""
SCHEMES = frozenset({"glorot", "glorot_normal", "kaiming", "lecun", "orthogonal", "identity"})
INDICES = {"i": 0, "j": 1}


class NotAStart(Exception):
    """What cannot stand in a starting value: the place, and why."""

    def __init__(self, node: tree.Expr, reason: str, code: str = "init-value"):
        super().__init__(reason)
        self.span, self.reason, self.code = node.span, reason, code


def is_start(value: tree.Expr, parameters: Mapping[str, Shape]) -> bool:
    """Whether an expression has more in it than numbers, settings and widths."""
    for node in trees.walk(value):
        if isinstance(node, tree.Call) and node.function in (*DRAWS, *SCHEMES, "spectral"):
            return True
        if isinstance(node, tree.Name) and (node.text in parameters or node.text in (*INDICES, *SCHEMES)):
            return True
    return False


class Starts:
    """Types the starting values of one cell. `scalar` reads what is made of numbers, settings and widths."""

    def __init__(self, parameters: Mapping[str, Shape], scalar: Callable[[tree.Expr], cell.Expr | None]):
        self.parameters = parameters
        self.scalar = scalar

    def of(self, name: str, value: tree.Expr) -> cell.Expr:
        """The starting value of a parameter. Raises NotAStart."""
        self.name, self.shape = name, self.parameters[name]
        return self._expr(value)

    def _expr(self, node: tree.Expr) -> cell.Expr:
        known = self.scalar(node)
        if known is not None:
            return known
        match node:
            case tree.Name(text=text, time=None):
                return self._named(node, text)
            case tree.Negative(operand=operand):
                inner = self._expr(operand)
                return cell.Neg(inner.shape, inner, span=node.span)
            case tree.Juxtaposition(factors=(first, *rest)):
                result = self._expr(first)
                for factor in rest:
                    result = self._pair(cell.Mul, node, result, self._expr(factor))
                return result
            case tree.Binary(op="+" | "-" as op, left=left, right=right):
                one, other = self._expr(left), self._expr(right)
                if op == "-":
                    other = cell.Neg(other.shape, other)
                return cell.Add(self._joint(one, other), (one, other), span=node.span)
            case tree.Binary(op="*" | "/" | "^" as op, left=left, right=right):
                kind = {"*": cell.Mul, "/": cell.Div, "^": cell.Pow}[op]
                return self._pair(kind, node, self._expr(left), self._expr(right))
            case tree.Call(function=function, arguments=arguments):
                return self._call(node, function, arguments)
        raise NotAStart(node, "this has no place in a starting value")

    def _pair(self, kind: type, node: tree.Expr, left: cell.Expr, right: cell.Expr) -> cell.Expr:
        return kind(self._joint(left, right), left, right, span=node.span)  # type: ignore[no-any-return]

    def _joint(self, *parts: cell.Expr) -> Shape:
        return next((part.shape for part in parts if part.shape.rank), SCALAR)

    def _named(self, node: tree.Expr, text: str) -> cell.Expr:
        if text in INDICES and text not in self.parameters:
            axis = INDICES[text]
            if not axis < self.shape.rank < 3:
                what = {0: "a scalar", 1: "a vector"}.get(self.shape.rank, "stored as blocks")
                raise NotAStart(node, f"`{self.name}` is {what}, and has no index `{text}`")
            return cell.Index(self.shape, axis, span=node.span)
        if text in SCHEMES:
            return self._draw(node, text, ())
        if text not in self.parameters:
            raise NotAStart(node, f"`{text}` is no number, setting, width or parameter")
        shape = self.parameters[text]
        if shape.rank and shape != self.shape:
            raise NotAStart(node, f"`{text}` is {_word(shape)}, and `{self.name}` is {_word(self.shape)}")
        return cell.Parameter(shape, text, span=node.span)

    def _call(self, node: tree.Call, function: str, arguments: tuple[tree.Expr, ...]) -> cell.Expr:
        if function in DRAWS or function in SCHEMES:
            low, high = DRAWS.get(function, (0, 0))
            if not low <= len(arguments) <= high:
                wanted = "no arguments" if not high else "one number" if high == 1 else "one or two numbers"
                raise NotAStart(node, f"`{function}` takes {wanted}", "init-arity")
            return self._draw(node, function, arguments)
        if function == "spectral":
            return self._spectral(node, arguments)
        row = FUNCTIONS.get(function)
        if row is None or row.rule != "elementwise":
            raise NotAStart(node, f"`{function}` works on no starting value")
        if not row.arity[0] <= len(arguments) <= row.arity[1]:
            raise NotAStart(node, f"`{function}` takes {row.arity[0]} arguments, not {len(arguments)}", "init-arity")
        parts = tuple(self._expr(argument) for argument in arguments)
        return cell.Call(self._joint(*parts), function, parts, span=node.span)

    def _draw(self, node: tree.Expr, kind: str, arguments: tuple[tree.Expr, ...]) -> cell.Expr:
        if kind in SCHEMES and self.shape.rank != 2:
            raise NotAStart(node, f"`{kind}` starts matrices, and `{self.name}` is {_word(self.shape)}", "init-shape")
        numbers = [self.scalar(argument) for argument in arguments]
        for argument, number in zip(arguments, numbers, strict=True):
            if number is None:
                raise NotAStart(argument, "numbers, settings and widths alone can stand here")
        known = [number for number in numbers if number is not None]
        if kind == "uniform" and len(known) == 1:
            known = [cell.Neg(SCALAR, known[0]), *known]
        if kind == "normal" and len(known) == 1:
            known = [cell.Num(SCALAR, "0"), *known]
        return cell.Draw(self.shape, kind, tuple(known), span=node.span)

    def _spectral(self, node: tree.Call, arguments: tuple[tree.Expr, ...]) -> cell.Expr:
        if len(arguments) != 2:
            raise NotAStart(node, "`spectral(radius, matrix)` takes two arguments", "init-arity")
        if self.shape.rank != 2 or self.shape.dims[0] != self.shape.dims[1]:
            raise NotAStart(
                node, f"only a square matrix has a spectral radius, and `{self.name}` is {_word(self.shape)}"
            )
        radius = self.scalar(arguments[0])
        if radius is None:
            raise NotAStart(arguments[0], "the radius is a number, a setting or a width")
        return cell.Draw(self.shape, "spectral", (radius, self._expr(arguments[1])), span=node.span)


def _word(shape: Shape) -> str:
    article = "an" if str(shape)[0] in "aefhilmnorsx8" else "a"
    return f"{article} {shape}" if shape.rank < 2 else str(shape)
