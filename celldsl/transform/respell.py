"""Typed expression → syntax tree: how a changed equation is written.

What was not changed keeps its author's words, found by its place in the text; the rest is spelled anew. A mask, which
only the checked cell has, becomes the call that draws it again.
"""

from __future__ import annotations

from functools import reduce

from celldsl.check import cell, trees
from celldsl.check.width import Width
from celldsl.functions import ALIASES
from celldsl.syntax import tree


def respell(value: cell.Expr, before: cell.Equation | None = None) -> tree.Expr:
    """The tree of an expression. before: the equation it is a change of, from which what is the same is taken."""
    return _Speller(before).expression(value)


class _Speller:
    def __init__(self, before: cell.Equation | None):
        self.kept: set[int] = set()
        self.places: dict[tuple[int, int], tree.Expr] = {}
        if before is not None:
            self.kept = {id(node) for node in before.value.walk()}
            for node in trees.walk(before.written.value):
                self.places.setdefault((node.span.start, node.span.end), node)

    def expression(self, expr: cell.Expr) -> tree.Expr:
        return self._as_written(expr) or self._noise(expr) or self._anew(expr)

    def _as_written(self, expr: cell.Expr) -> tree.Expr | None:
        """The author's own tree of an expression that is as it was."""
        found = self.places.get((expr.span.start, expr.span.end)) if id(expr) in self.kept else None
        return found if found is not None and _is_of(expr, found) else None

    def _noise(self, expr: cell.Expr) -> tree.Expr | None:
        match expr:
            case cell.Mul(left=value, right=cell.Mask(kind="dropout") as mask):
                name = "locked_dropout" if mask.per == "sequence" else "dropout"
                return tree.Call(name, (self.expression(value), self.expression(mask.rate)))
            case cell.Add(terms=(cell.Mul(left=cell.Mask(kind="zoneout") as mask, right=old), cell.Mul(right=new))):
                return tree.Call("zoneout", tuple(self.expression(part) for part in (new, old, mask.rate)))
        return None

    def _anew(self, expr: cell.Expr) -> tree.Expr:
        spelled = self.expression
        match expr:
            case cell.Num(text=text):
                above, _, below = text.partition("/")
                return tree.Binary("/", tree.Number(above), tree.Number(below)) if below else tree.Number(text)
            case cell.Dim(width=width):
                return width_tree(width)
            case cell.Setting(name=name) | cell.Parameter(name=name):
                return tree.Name(name)
            case cell.Signal(name=name, delay=delay):
                return tree.Name(name, delay)
            case cell.Identity():
                return tree.Name("I")
            case cell.Add(terms=terms):
                return self._sum(terms)
            case cell.Neg(operand=operand):
                return tree.Negative(spelled(operand))
            case cell.Mul(left=left, right=right):
                return tree.Binary("*", spelled(left), spelled(right))
            case cell.Div(left=left, right=right):
                return tree.Binary("/", spelled(left), spelled(right))
            case cell.Pow(left=left, right=right):
                return tree.Binary("^", spelled(left), spelled(right))
            case cell.Product(left=cell.Parameter() as left, right=right):
                return tree.Juxtaposition((spelled(left), spelled(right)))
            case cell.Product(left=left, right=right):
                return tree.Binary("@", spelled(left), spelled(right))
            case cell.Transpose(operand=operand):
                return tree.Transposed(spelled(operand))
            case cell.Concat(parts=parts):
                return tree.Stack(tuple(map(spelled, parts)))
            case cell.Call(function=function, arguments=arguments):
                return tree.Call(function, tuple(map(spelled, arguments)))
            case cell.Slice(operand=operand, start=start):
                first, last = width_tree(start + Width.of(1)), width_tree(start + expr.shape.width)
                return tree.Slice(spelled(operand), first, last)
            case cell.Repeat(operand=operand, times=times):
                return tree.Call("repeat", (spelled(operand), width_tree(times)))
        found = self.places.get((expr.span.start, expr.span.end))
        if found is None:
            raise TypeError(f"no spelling for {type(expr).__name__}")
        return trees.rebuild(found, tuple(map(spelled, expr.children))) if expr.children else found

    def _sum(self, terms: tuple[cell.Expr, ...]) -> tree.Expr:
        result = self.expression(terms[0])
        for term in terms[1:]:
            if isinstance(term, cell.Neg) and not isinstance(term.operand, cell.Neg):
                result = tree.Binary("-", result, self.expression(term.operand))
            else:
                result = tree.Binary("+", result, self.expression(term))
        return result


def _is_of(expr: cell.Expr, found: tree.Expr) -> bool:
    """Whether a tree at an expression's place is the expression's: a sum's last term, what a `def` stands for and the
    parts of noise have the places of others."""
    match expr:
        case cell.Add():
            return isinstance(found, tree.Binary) and found.op in "+-"
        case cell.Mul():
            return isinstance(found, tree.Juxtaposition) or (isinstance(found, tree.Binary) and found.op == "*")
        case cell.Div():
            return isinstance(found, tree.Binary) and found.op == "/"
        case cell.Pow():
            return isinstance(found, tree.Binary) and found.op == "^"
        case cell.Product():
            return isinstance(found, tree.Juxtaposition) or (isinstance(found, tree.Binary) and found.op == "@")
        case cell.Neg():
            return isinstance(found, tree.Negative)
        case cell.Repeat():
            return isinstance(found, tree.Call) and found.function == "repeat"
        case cell.Call(function=function):
            return isinstance(found, tree.Call) and ALIASES.get(found.function, found.function) == function
        case cell.Parameter() | cell.Signal() | cell.Setting() | cell.Identity():
            return isinstance(found, tree.Name)
        case cell.Num():
            return isinstance(found, tree.Number)
        case cell.Transpose():
            return isinstance(found, tree.Transposed)
        case cell.Concat():
            return isinstance(found, tree.Stack)
        case cell.Slice():
            return isinstance(found, tree.Slice)
    return False


def width_tree(width: Width) -> tree.Expr:
    """A width, `n/2 + 1`, as an expression."""
    terms = []
    for monomial, coefficient in width.terms:
        factors: list[tree.Expr] = [tree.Name(name) for name, power in monomial for _ in range(power)]
        below: list[tree.Expr] = [tree.Name(name) for name, power in monomial for _ in range(-power)]
        if abs(coefficient.numerator) != 1 or not factors:
            factors.insert(0, tree.Number(str(abs(coefficient.numerator))))
        if coefficient.denominator != 1:
            below.insert(0, tree.Number(str(coefficient.denominator)))
        term = reduce(lambda a, b: tree.Binary("*", a, b), factors)
        term = reduce(lambda a, b: tree.Binary("/", a, b), below, term)
        terms.append((coefficient < 0, term))
    if not terms:
        return tree.Number("0")
    negative, result = terms[0]
    result = tree.Negative(result) if negative else result
    for negative, term in terms[1:]:
        result = tree.Binary("-" if negative else "+", result, term)
    return result
