"""Terms and constraints from syntax trees: what each form of expression asks of the shapes of its parts."""

from __future__ import annotations

from collections.abc import Callable

from celldsl.check import trees
from celldsl.check.dims import Dims
from celldsl.check.explain import Explainer
from celldsl.check.inline import BROKEN, REPEAT
from celldsl.check.names import Names
from celldsl.check.noise import is_rate, report_rate
from celldsl.check.roles import Roles
from celldsl.check.terms import Broadcast, Constraint, Join, MatrixProduct, Term
from celldsl.check.unify import ShapeVar, Solver, is_possible
from celldsl.check.width import Width
from celldsl.functions import FUNCTIONS, NOISES
from celldsl.source import Span
from celldsl.syntax import tree


class Builder:
    """Makes the terms of one cell; `constraints` collects what must hold between them."""

    def __init__(
        self,
        names: Names,
        roles: Roles,
        dims: Dims,
        solver: Solver,
        variable: Callable[[str], ShapeVar],
        explain: Explainer,
    ):
        self.names = names
        self.dims = dims
        self.roles = roles
        self.solver = solver
        self.variable = variable
        self.explain = explain
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
            case tree.Binary(op="*", left=left, right=right):
                return self._elementwise("mul", "multiplied", expr.span, (self.build(left), self.build(right)))
            case tree.Binary(op="/", left=left, right=right):
                return self._elementwise("div", "divided", expr.span, (self.build(left), self.build(right)))
            case tree.Binary(op="^", left=left, right=right):
                return self._power(expr, self.build(left), self.build(right))
            case tree.Binary(left=left, right=right):
                return self._product(expr.span, self.build(left), self.build(right))
            case tree.Juxtaposition(factors=factors):
                return self._row(expr, [self.build(factor) for factor in factors])
            case tree.Transposed(operand=operand):
                return self._transposed(expr, self.build(operand))
            case tree.Stack(parts=parts):
                return self._stack(expr, tuple(self.build(part) for part in parts))
            case tree.Slice(operand=operand):
                return self._slice(expr, self.build(operand))
            case tree.Call(function=function, arguments=(operand, times)) if function == REPEAT:
                return self._repeat(expr, self.build(operand), times)
            case tree.Call(arguments=arguments):
                return self._call(expr, tuple(self.build(argument) for argument in arguments))
        raise AssertionError(expr)

    # --- leaves ------------------------------------------------------------------------------

    def _name(self, name: tree.Name) -> Term:
        text = name.text
        if text in self.roles.broken:
            return Term("parameter", name.span, self.solver.broken(), timed=name.time is not None, name=text)
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

    def _elementwise(self, kind: str, how: str, span: Span, parts: tuple[Term, ...], name: str = "") -> Term:
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
        return self._elementwise("add", "added", expr.span, tuple(parts))

    def _power(self, expr: tree.Binary, base: Term, exponent: Term) -> Term:
        if not self.solver.give_rank(exponent.var, 0, exponent.span, "an exponent"):
            self.explain.wrong_rank(
                exponent,
                f"the exponent `{exponent.text}` is not a number",
                "write a power whose exponent differs by entry with exp and log: `exp(b * log(a))`",
            )
        return Term("power", expr.span, base.var, (base, exponent), base.timed or exponent.timed)

    # --- products ----------------------------------------------------------------------------

    def _product(self, span: Span, left: Term, right: Term) -> Term:
        result = Term("product", span, ShapeVar(), (left, right), left.timed or right.timed)
        if left.timed and not left.var.bad:
            self.explain.signal_as_matrix(left, right)
            result.var.bad = True
        elif not self.solver.give_rank(left.var, 2, left.span, f"it stands before `{right.text}`, as a matrix"):
            self.explain.not_a_matrix(left, right)
            result.var.bad = True
        self.constraints.append(MatrixProduct(result, left, right))
        return result

    def _row(self, row: tree.Juxtaposition, factors: list[Term]) -> Term:
        """Factors side by side, from the right: a parameter before something is a matrix, a signal an elementwise
        factor, a number scales."""
        if self._is_ambiguous(row, factors):
            return Term("mul", row.span, self.solver.broken(), tuple(factors), True)
        result = factors[-1]
        for left in reversed(factors[:-1]):
            span = left.span.to(result.span)
            if left.timed and not result.timed and result.var.rank != 0 and not result.var.bad:
                self.explain.parameter_behind(left, result)
                result = Term("mul", span, self.solver.broken(), (left, result), True)
            elif left.timed or left.var.rank == 0 or (result.var.rank == 0 and not result.timed):
                result = self._elementwise("mul", "multiplied", span, (left, result))
            elif left.kind == "parameter" and self.names.kind(left.name) == "parameter" and left.var.rank is None:
                result = self._product(span, left, result)
            else:
                joined = Term("join", span, ShapeVar(), (left, result), left.timed or result.timed)
                self.constraints.append(Join(joined, left, result))
                result = joined
        return result

    def _is_ambiguous(self, row: tree.Juxtaposition, factors: list[Term]) -> bool:
        """`M z_t c_{t-1}`: is it M (z ⊙ c) or (M z) ⊙ c?"""
        head = next((i for i, f in enumerate(factors) if not f.timed and f.var.rank != 0 and not f.var.bad), None)
        if head is None:
            return False
        behind = [i for i, factor in enumerate(factors) if i > head and factor.timed]
        if len(behind) < 2:
            return False
        self.explain.ambiguous_row(row, factors, head, behind[0])
        return True

    # --- shapes that change ------------------------------------------------------------------

    def _transposed(self, expr: tree.Transposed, operand: Term) -> Term:
        result = Term("transpose", expr.span, ShapeVar(), (operand,), operand.timed)
        if operand.var.bad:
            result.var.bad = True
        elif operand.timed or not self.solver.give_rank(operand.var, 2, expr.span, "it is transposed, as a matrix"):
            result.var.bad = True
            self.explain.transposed_vector(result, operand)
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
                self.explain.wrong_rank(
                    part,
                    f"only vectors can be stacked, and `{part.text}` is {self.explain.rank(part)}",
                    "write `A x_t + B h_{t-1}` for matrices side by side",
                )
            else:
                total = total + part.var.dims[0]
        if not result.var.bad:
            site = self.solver.site(total, f"`{result.text}` stacks its parts", expr.span)
            result.var.rank, result.var.dims = 1, (site,)
        return result

    def _slice(self, expr: tree.Slice, operand: Term) -> Term:
        first, last = self.dims.read(expr.first), self.dims.read(expr.last)
        result = Term("slice", expr.span, ShapeVar(), (operand,), operand.timed)
        if first is None or last is None or not self._is_vector(operand, "cut"):
            result.var.bad = True
            return result
        result.widths = (first - 1, last)
        width = last - first + 1
        if not is_possible(width):
            self.explain.empty_slice(result, width)
            result.var.bad = True
            return result
        bounds = f"{trees.text(expr.first)} to {trees.text(expr.last)}"
        site = self.solver.site(width, f"`{result.text}` has the entries {bounds}", expr.span)
        result.var.rank, result.var.dims = 1, (site,)
        return result

    def _repeat(self, call: tree.Call, operand: Term, times: tree.Expr) -> Term:
        count = self.dims.read(times)
        result = Term("repeat", call.span, ShapeVar(), (operand,), operand.timed)
        if count is None or not self._is_vector(operand, "repeated"):
            result.var.bad = True
            return result
        result.widths = (count,)
        phrase = f"`{result.text}` has each entry of `{operand.text}` {trees.text(times)} times"
        site = self.solver.site(count * operand.var.dims[0], phrase, call.span)
        result.var.rank, result.var.dims = 1, (site,)
        return result

    def _is_vector(self, operand: Term, how: str) -> bool:
        if operand.var.bad:
            return False
        if self.solver.give_rank(operand.var, 1, operand.span, f"it is {how}, as a vector"):
            return True
        self.explain.wrong_rank(
            operand, f"only vectors can be {how}, and `{operand.text}` is {self.explain.rank(operand)}"
        )
        return False

    def _call(self, call: tree.Call, arguments: tuple[Term, ...]) -> Term:
        timed = any(argument.timed for argument in arguments)
        if call.function == BROKEN:
            return Term("call", call.span, self.solver.broken(), arguments, timed, call.function)
        if call.function in NOISES:
            return self._noise(call, arguments, timed)
        rule = FUNCTIONS[call.function].rule
        if rule == "elementwise" and len(arguments) > 1:
            return self._elementwise("call", f"given to `{call.function}`", call.span, arguments, call.function)
        if rule == "elementwise":
            return Term("call", call.span, arguments[0].var, arguments, timed, call.function)
        result = Term("call", call.span, ShapeVar(), arguments, timed, call.function)
        for argument in arguments:
            if argument.var.bad:
                result.var.bad = True
            elif not self.solver.give_rank(argument.var, 1, argument.span, f"`{call.function}` takes a vector"):
                result.var.bad = True
                self.explain.wrong_rank(
                    argument,
                    f"`{call.function}` takes a vector, and `{argument.text}` is {self.explain.rank(argument)}",
                )
        if result.var.bad:
            return result
        if rule == "along":
            result.var = arguments[0].var
        elif rule == "reduce":
            result.var.rank = 0
        elif rule == "dot":
            result.var.rank = 0
            self.constraints.append(
                Broadcast(Term("call", call.span, ShapeVar(), timed=timed), arguments, "multiplied")
            )
        elif timed:
            self.explain.matrix_signal(result)
            result.var.bad = True
        else:
            result.var.rank, result.var.dims = 2, (arguments[0].var.dims[0], arguments[1].var.dims[0])
        return result

    def _noise(self, call: tree.Call, arguments: tuple[Term, ...], timed: bool) -> Term:
        """`dropout(v, p)` has the shape of v, of any rank; `zoneout(new, old, p)` that of the two."""
        *values, rate = arguments
        if not is_rate(rate):
            report_rate(rate, call.function, self.explain.found)
            rate.var.bad = True
        if len(values) == 1:
            return Term("call", call.span, values[0].var, arguments, timed, call.function)
        result = Term("call", call.span, ShapeVar(), arguments, timed, call.function)
        self.constraints.append(Broadcast(result, tuple(values), f"given to `{call.function}`"))
        return result
