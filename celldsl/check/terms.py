"""Terms: the expressions of a cell with their shapes unknown, and the constraints between these.

Each `Term` has a `ShapeVar`. What a product side by side means depends on the rank of its left factor, which may
be known only later; such a choice is a constraint as well (`Join`). `constraints` solves them, `typed` reads the
typed expressions off afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Union

from celldsl.check.inline import BROKEN
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.check.unify import ShapeVar, Solver
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, Label
from celldsl.functions import FUNCTIONS
from celldsl.source import Span
from celldsl.syntax import tree


@dataclass(eq=False)
class Term:
    """An expression with its unknown shape.

    kind: number, dim, setting, parameter, signal, identity; add, negative, mul, div, power, product, join,
    transpose, concat, call. `timed`: it reads a signal. `name`: of a leaf or a function.
    """

    kind: str
    span: Span
    var: ShapeVar
    parts: tuple[Term, ...] = ()
    timed: bool = False
    name: str = ""
    delay: int = 0

    @property
    def text(self) -> str:
        """As its author wrote it, on one line."""
        return " ".join(self.span.text.split()) or self.name or self.kind

    @property
    def is_plain_name(self) -> bool:
        return self.kind in ("parameter", "signal")


@dataclass(eq=False)
class Broadcast:
    """Elementwise: all parts stretch to the result's shape. `how` says it in words: "added", "multiplied"."""

    result: Term
    parts: tuple[Term, ...]
    how: str
    base: Term | None = None
    done: set[int] = field(default_factory=set)


@dataclass(eq=False)
class MatrixProduct:
    """`left` is a matrix, `right` a vector or a matrix; `fixed` once their shapes have met."""

    result: Term
    left: Term
    right: Term


@dataclass(eq=False)
class Join:
    """Side by side with an unknown left: scaling where it proves a scalar, else the matrix product."""

    result: Term
    left: Term
    right: Term


@dataclass(eq=False)
class Define:
    """The left side of an equation has the shape of the right one."""

    name: str
    var: ShapeVar
    value: Term
    equation: tree.Equation


@dataclass(eq=False)
class OneShape:
    """`share`: two parameters are one."""

    name: str
    var: ShapeVar
    original: ShapeVar
    share: tree.Share


Constraint = Union[Broadcast, MatrixProduct, Join, Define, OneShape]


class Builder:
    """Makes terms and constraints out of syntax trees."""

    def __init__(
        self,
        names: Names,
        roles: Roles,
        solver: Solver,
        variable: Callable[[str], ShapeVar],
        found: Diagnostics,
    ):
        self.names = names
        self.roles = roles
        self.solver = solver
        self.variable = variable
        self.found = found
        self.constraints: list[Constraint] = []

    def build(self, expr: tree.Expr) -> Term:
        match expr:
            case tree.Number(text=text):
                return Term("number", expr.span, self.solver.shaped(), name=text)
            case tree.Name():
                return self._name(expr)
            case tree.Negative(operand=operand):
                inner = self.build(operand)
                return Term("negative", expr.span, inner.var, (inner,), inner.timed)
            case tree.Binary(op="+" | "-"):
                return self._sum(expr)
            case tree.Binary(op="*" | "/" as op, left=left, right=right):
                kind, how = ("mul", "multiplied") if op == "*" else ("div", "divided")
                return self.elementwise(kind, how, expr.span, self.build(left), self.build(right))
            case tree.Binary(op="^", left=left, right=right):
                return self._power(expr, self.build(left), self.build(right))
            case tree.Binary(left=left, right=right):
                return self.product(expr.span, self.build(left), self.build(right))
            case tree.Juxtaposition(factors=factors):
                return self._row(expr, [self.build(factor) for factor in factors])
            case tree.Transposed(operand=operand):
                return self._transposed(expr, self.build(operand))
            case tree.Stack(parts=parts):
                return self._stack(expr, tuple(self.build(part) for part in parts))
            case tree.Call(arguments=arguments):
                return self._call(expr, tuple(self.build(argument) for argument in arguments))
        raise AssertionError(expr)

    # --- leaves ------------------------------------------------------------------------------

    def _name(self, name: tree.Name) -> Term:
        text = name.text
        if text == BROKEN or text in self.roles.broken:
            return Term("parameter", name.span, self.solver.broken(), timed=bool(name.time is not None), name=text)
        if name.time is not None:
            return Term("signal", name.span, self.variable(text), timed=True, name=text, delay=name.time)
        kind = self.names.kind(text)
        if kind in ("setting", "dim"):
            return Term(kind, name.span, self.solver.shaped(), name=text)
        if kind == "identity":
            side = self.solver.unknown()
            return Term("identity", name.span, self.solver.shaped(side, side), name=text)
        return Term("parameter", name.span, self.variable(text), name=text)

    # --- elementwise -------------------------------------------------------------------------

    def elementwise(self, kind: str, how: str, span: Span, *parts: Term, name: str = "") -> Term:
        result = Term(kind, span, ShapeVar(), parts, any(part.timed for part in parts), name)
        self.constraints.append(Broadcast(result, parts, how))
        return result

    def _sum(self, expr: tree.Binary) -> Term:
        """`a + b - c` flat; a bracketed sum that is subtracted stays one term."""
        parts: list[Term] = []

        def add(node: tree.Expr) -> None:
            if isinstance(node, tree.Binary) and node.op == "+":
                add(node.left)
                add(node.right)
            elif isinstance(node, tree.Binary) and node.op == "-":
                add(node.left)
                inner = self.build(node.right)
                parts.append(Term("negative", inner.span, inner.var, (inner,), inner.timed))
            else:
                parts.append(self.build(node))

        add(expr)
        return self.elementwise("add", "added", expr.span, *parts)

    def _power(self, expr: tree.Binary, base: Term, exponent: Term) -> Term:
        if not self.solver.give_rank(exponent.var, 0, exponent.span, "an exponent"):
            self.found.error(
                "rank-mismatch",
                f"the exponent `{exponent.text}` is not a number",
                exponent.span,
                label=_rank_name(exponent.var),
                help="write a power whose exponent differs by entry with exp and log: `exp(b * log(a))`",
            )
        return Term("power", expr.span, base.var, (base, exponent), base.timed or exponent.timed)

    # --- products ----------------------------------------------------------------------------

    def product(self, span: Span, left: Term, right: Term) -> Term:
        result = Term("product", span, ShapeVar(), (left, right), left.timed or right.timed)
        if not self._as_matrix(left, right):
            result.var.bad = True
        self.constraints.append(MatrixProduct(result, left, right))
        return result

    def _as_matrix(self, left: Term, right: Term) -> bool:
        if left.timed and not left.var.bad:
            self.found.error(
                "signal-as-matrix",
                f"`{left.text}` stands where a matrix should",
                left.span,
                label="a signal is a vector",
                help=f"write `{left.text} ⊙ {right.text}` for the elementwise product, `dot(a, b)` for the inner one",
            )
            return False
        if self.solver.give_rank(left.var, 2, left.span, f"it stands before `{right.text}`, as a matrix"):
            return True
        report_not_a_matrix(left, right, self.found)
        return False

    def _row(self, row: tree.Juxtaposition, factors: list[Term]) -> Term:
        ambiguous = self._ambiguous(row, factors)
        result = factors[-1]
        for left in reversed(factors[:-1]):
            span = left.span.to(result.span)
            if left.timed and not result.timed and result.var.rank != 0 and not result.var.bad:
                self._report_parameter_behind(left, result)
                result = Term("mul", span, self.solver.broken(), (left, result), True)
            elif left.timed or left.var.rank == 0 or (result.var.rank == 0 and not result.var.bad):
                result = self.elementwise("mul", "multiplied", span, left, result)
            elif left.kind == "parameter" and self.names.kind(left.name) == "parameter" and left.var.rank is None:
                result = self.product(span, left, result)
            else:
                joined = Term("join", span, ShapeVar(), (left, result), left.timed or result.timed)
                self.constraints.append(Join(joined, left, result))
                result = joined
        if ambiguous:
            result.var = self.solver.broken()
        return result

    def _ambiguous(self, row: tree.Juxtaposition, factors: list[Term]) -> bool:
        """`M z_t c_{t-1}`: is it M (z ⊙ c) or (M z) ⊙ c?"""
        head = next((i for i, f in enumerate(factors) if not f.timed and f.var.rank != 0 and not f.var.bad), None)
        if head is None:
            return False
        behind = [factor for factor in factors[head + 1 :] if factor.timed]
        if len(behind) < 2 or factors[-1] is not behind[-1]:
            return False
        at = factors.index(behind[0])
        first = " ".join(factor.text for factor in factors[head : at + 1])
        rest = " ".join(factor.text for factor in factors[at + 1 :])
        matrix = " ".join(factor.text for factor in factors[head:at])
        bracket = f"({rest})" if len(factors) - at > 2 else rest
        self.found.error(
            "ambiguous-product",
            f"`{' '.join(row.span.text.split())}` can be read in two ways",
            row.span,
            help=f"write `{matrix} ({behind[0].text} ⊙ {bracket})`, or `({first}) ⊙ {bracket}`",
        )
        return True

    def _report_parameter_behind(self, left: Term, right: Term) -> None:
        self.found.error(
            "parameter-behind-signal",
            f"`{right.text}` stands behind the signal `{left.text}`",
            right.span,
            label="a parameter",
            others=(Label(left.span, "a signal"),),
            notes=("a matrix stands before what it multiplies",),
            help=f"write `{right.text} {left.text}` for the matrix product, "
            f"or `{right.text} ⊙ {left.text}` for a vector's elementwise one",
        )

    # --- shapes that change ------------------------------------------------------------------

    def _transposed(self, expr: tree.Transposed, operand: Term) -> Term:
        result = Term("transpose", expr.span, ShapeVar(), (operand,), operand.timed)
        if operand.var.bad:
            result.var.bad = True
        elif operand.timed or not self.solver.give_rank(operand.var, 2, expr.span, "it is transposed, as a matrix"):
            result.var.bad = True
            self.found.error(
                "transposed-vector",
                f"`{operand.text}` is not a matrix, and only a matrix can be transposed",
                expr.span,
                others=_since(operand.var),
                help="write `dot(a, b)` for the inner product of two vectors, `outer(a, b)` for their matrix",
            )
        else:
            result.var.rank, result.var.dims = 2, operand.var.dims[::-1]
        return result

    def _stack(self, expr: tree.Stack, parts: tuple[Term, ...]) -> Term:
        result = Term("concat", expr.span, ShapeVar(), parts, any(part.timed for part in parts))
        total = Width()
        for part in parts:
            if part.var.bad:
                result.var.bad = True
            elif not self.solver.give_rank(part.var, 1, part.span, "it is stacked, as a vector"):
                result.var.bad = True
                self.found.error(
                    "rank-mismatch",
                    f"`{part.text}` is not a vector, and only vectors can be stacked",
                    part.span,
                    label=_rank_name(part.var),
                    others=_since(part.var),
                    help="write `A x_t + B h_{t-1}` for matrices side by side; put a number into a sum, not a stack",
                )
            else:
                total = total + part.var.dims[0]
        if not result.var.bad:
            site = self.solver.site(total, f"`{result.text}` stacks its parts", expr.span)
            result.var.rank, result.var.dims = 1, (site,)
        return result

    def _call(self, call: tree.Call, arguments: tuple[Term, ...]) -> Term:
        rule = FUNCTIONS[call.function].rule
        if rule == "elementwise" and len(arguments) > 1:
            return self.elementwise("call", f"put into `{call.function}`", call.span, *arguments, name=call.function)
        timed = any(argument.timed for argument in arguments)
        if rule == "elementwise":
            return Term("call", call.span, arguments[0].var, arguments, timed, call.function)
        result = Term("call", call.span, ShapeVar(), arguments, timed, call.function)
        for argument in arguments:
            if argument.var.bad:
                result.var.bad = True
            elif not self.solver.give_rank(argument.var, 1, argument.span, f"`{call.function}` takes a vector"):
                result.var.bad = True
                self.found.error(
                    "rank-mismatch",
                    f"`{call.function}` takes a vector, and `{argument.text}` is {_rank_name(argument.var)}",
                    argument.span,
                    label=_rank_name(argument.var),
                    others=_since(argument.var),
                )
        if result.var.bad:
            return result
        if rule == "along":
            result.var = arguments[0].var
        elif rule in ("reduce", "dot"):
            result.var.rank = 0
            if rule == "dot" and not self.solver.equate(arguments[0].var.dims[0], arguments[1].var.dims[0], call.span):
                self._report_dot(call, arguments)
        else:
            result.var.rank, result.var.dims = 2, (arguments[0].var.dims[0], arguments[1].var.dims[0])
        return result

    def _report_dot(self, call: tree.Call, arguments: tuple[Term, ...]) -> None:
        left, right = (self.solver.resolve(argument.var.dims[0]) for argument in arguments)
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            arguments[1].span,
            label=f"{right}-vector",
            others=(Label(arguments[0].span, f"{left}-vector"),),
            notes=(f"`{call.function}` takes two vectors of one width",),
        )


_RANKS = {0: "a scalar", 1: "a vector", 2: "a matrix", None: "of open shape"}


def _rank_name(var: ShapeVar) -> str:
    return _RANKS[var.rank]


def _since(var: ShapeVar) -> tuple[Label, ...]:
    return (Label(var.since[0], var.since[1]),) if var.since else ()


def report_not_a_matrix(left: Term, right: Term, found: Diagnostics) -> None:
    """`p c_t` where p is a vector or a scalar."""
    if left.var.bad:
        return
    repair = f"write `{left.text} ⊙ {right.text}` for the elementwise product"
    if left.var.rank == 0:
        repair = f"write `{left.text} * {right.text}` to scale it"
    found.error(
        "rank-mismatch",
        f"`{left.text}` is {_rank_name(left.var)}, but stands before `{right.text}` like a matrix",
        left.span,
        label=_rank_name(left.var),
        others=_since(left.var),
        help=repair,
    )
