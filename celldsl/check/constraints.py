"""Solving: constraints are looked at again and again until none says anything new; then the language's defaults.

Defaults, one at a time, each followed by solving again: what stands before a vector is a matrix; a parameter added
to or multiplied with a vector is a vector; a parameter still open is a vector; a signal still open a scalar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from celldsl.check.explain import RANKS, Explainer
from celldsl.check.terms import Broadcast, Constraint, Define, Join, MatrixProduct, OneShape, Term
from celldsl.check.unify import ShapeVar, Solver


class Solution:
    """Runs the constraints of one cell to their end."""

    def __init__(self, solver: Solver, explain: Explainer):
        self.solver = solver
        self.explain = explain
        self._waiting: dict[int, Constraint] = {}
        """Constraints that may still say something, in the order of the equations, by their identity."""
        self._watching: dict[int, list[Constraint]] = {}
        """The constraints that a shape takes part in, by the shape's identity."""

    def run(self, constraints: list[Constraint], parameters: list[ShapeVar], signals: list[ShapeVar]) -> None:
        for each in constraints:
            for var in _vars(each):
                self._watching.setdefault(id(var), []).append(each)
        # Equations without a time first: a derived scalar must be known as one before it meets a vector.
        for timed in (False, True):
            added = [each for each in constraints if _is_timed(each) == timed]
            self._waiting.update((id(each), each) for each in added)
            self._settle(added)
        while changed := self._default(list(self._waiting.values()), parameters, signals):
            self._settle(self._watching.get(id(changed), []))

    def _settle(self, constraints: Iterable[Constraint]) -> None:
        """Look at constraints, and again at those whose shapes have become known by that."""
        agenda = deque(constraints)
        while agenda:
            each = agenda.popleft()
            if id(each) not in self._waiting:
                continue
            open_vars = [var for var in _vars(each) if not _is_known(var)]
            if self._step(each):
                del self._waiting[id(each)]
            for var in open_vars:
                if _is_known(var):
                    agenda.extend(self._watching[id(var)])

    def _default(
        self, waiting: list[Constraint], parameters: list[ShapeVar], signals: list[ShapeVar]
    ) -> ShapeVar | None:
        """Apply the first default that applies; the shape that it made known."""
        give = self.solver.give_rank
        for each in waiting:
            if isinstance(each, Join) and each.left.var.rank is None and not each.left.var.bad:
                if each.left.kind == "add" and any(part.var.rank == 0 for part in each.left.parts):
                    self.explain.ambiguous_scale(each.left, each.right)
                    each.left.var.bad = True
                else:
                    give(each.left.var, 2, each.left.span, f"it stands before `{each.right.text}`, as a matrix")
                return each.left.var
        for each in waiting:
            if isinstance(each, Broadcast) and each.result.var.rank:
                for part in each.parts:
                    if part.var.rank is None and not part.timed and not part.var.bad:
                        rank = each.result.var.rank
                        give(part.var, rank, part.span, f"it is {each.how}, as {RANKS[rank]}")
                        return part.var
        for kind, rank in ((parameters, 1), (signals, 0)):
            for var in kind:
                if not _is_known(var):
                    var.rank = rank
                    var.dims = tuple(self.solver.unknown() for _ in range(rank))
                    return var
        return None

    # --- one constraint ----------------------------------------------------------------------

    def _step(self, constraint: Constraint) -> bool:
        """Take what a constraint says; True when it has said everything."""
        match constraint:
            case Broadcast():
                return self._broadcast(constraint)
            case MatrixProduct():
                return self._product(constraint.result, constraint.left, constraint.right)
            case Join(result=result, left=left, right=right):
                return self._join(result, left, right)
            case Define():
                return self._define(constraint)
            case OneShape():
                return self._one_shape(constraint)

    def _broadcast(self, each: Broadcast) -> bool:
        result = each.result.var
        if result.bad or any(part.var.bad for part in each.parts):
            result.bad = True
            return True
        ranks = [part.var.rank for part in each.parts if part.var.rank is not None]
        high = max(ranks, default=0)
        if high > 0:
            if not self._stretch(each, high):
                return True
        elif len(ranks) == len(each.parts):
            result.rank = 0 if result.rank is None else result.rank
            if result.rank != 0:
                self.explain.other_rank(each.result, 0)
                result.bad = True
        elif result.rank == 0:
            for part in each.parts:
                self.solver.give_rank(part.var, 0, part.span, "everything beside it is a scalar")
        elif result.rank is not None:
            opened = [part for part in each.parts if part.var.rank is None]
            if len(opened) == 1:
                self.solver.give_rank(opened[0].var, result.rank, opened[0].span, "only it can make the whole a vector")
                return False
        return all(part.var.rank is not None for part in each.parts) and result.rank is not None

    def _stretch(self, each: Broadcast, high: int) -> bool:
        """At least one part is a vector or a matrix. False after an error."""
        if high == 2 and all(part.var.rank in (0, 2) for part in each.parts) and each.result.timed:
            self.explain.matrix_signal(each.result)
            each.result.var.bad = True
            return False
        for part in each.parts:
            if part.var.rank is None and not part.timed:
                self.solver.give_rank(part.var, high, part.span, f"it is {each.how}, as {RANKS[high]}")
        result = each.result.var
        if each.base is None:
            each.base = next(part for part in each.parts if part.var.rank == high)
            if result.rank is None:
                result.rank, result.dims = high, each.base.var.dims
            if result.rank != high:
                self.explain.other_rank(each.result, high)
                result.bad = True
                return False
            for mine, its in zip(result.dims, each.base.var.dims, strict=True):
                self.solver.equate(mine, its, each.result.span)
        for at, part in enumerate(each.parts):
            if part is each.base or at in each.done or not part.var.rank:
                continue
            each.done.add(at)
            if part.var.rank != each.base.var.rank:
                self.explain.ranks_beside(each, part)
                result.bad = True
                return False
            for mine, its in zip(each.base.var.dims, part.var.dims, strict=True):
                if not self.solver.equate(mine, its, each.result.span):
                    self.explain.widths_beside(each, part)
                    result.bad = True
                    return False
        return True

    def _product(self, result: Term, left: Term, right: Term) -> bool:
        if result.var.bad or left.var.bad or right.var.bad:
            result.var.bad = True
            return True
        if right.var.rank is None:
            if right.timed:
                self.solver.give_rank(right.var, 1, right.span, f"`{left.text}` is multiplied with it")
            elif result.var.rank is not None:
                self.solver.give_rank(right.var, result.var.rank, right.span, f"`{left.text}` is multiplied with it")
            else:
                return False
        if right.var.rank == 0:
            self.explain.product_with_scalar(left, right)
            result.var.bad = True
            return True
        rows, columns = left.var.dims
        if not self.solver.equate(columns, right.var.dims[0], result.span):
            self.explain.product_widths(result, left, right)
            result.var.bad = True
            return True
        shape = (rows, *right.var.dims[1:])
        if result.var.rank is None:
            result.var.rank, result.var.dims = len(shape), shape
            return True
        if result.var.rank != len(shape):
            self.explain.other_rank(result, len(shape))
            result.var.bad = True
            return True
        for mine, its in zip(result.var.dims, shape, strict=True):
            self.solver.equate(mine, its, result.span)
        return True

    def _join(self, result: Term, left: Term, right: Term) -> bool:
        if left.var.bad or right.var.bad:
            result.var.bad = True
            return True
        if left.var.rank is None:
            return False
        if left.var.rank == 2:
            return self._product(result, left, right)
        if left.var.rank == 1:
            self.explain.not_a_matrix(left, right)
            result.var.bad = True
            return True
        if right.var.rank is None:
            return False
        if result.var.rank is None:
            result.var.rank, result.var.dims = right.var.rank, right.var.dims
        return True

    def _define(self, each: Define) -> bool:
        value = each.value.var
        if each.var.bad or value.bad:
            return True
        if each.var.rank is None and value.rank is None:
            return False
        if value.rank is None:
            assert each.var.rank is not None
            self.solver.give_rank(value, each.var.rank, each.value.span, f"`{each.name}` is one")
            if value.rank is None or value.rank != each.var.rank:
                return False
        if each.var.rank is None:
            self.solver.give_rank(each.var, value.rank or 0, each.equation.target.span, "its equation says so")
        if each.var.rank != value.rank:
            self.explain.defined_rank(each)
            each.var.bad = True
            return True
        for mine, its in zip(each.var.dims, value.dims, strict=True):
            if not self.solver.equate(mine, its, each.equation.span):
                self.explain.defined_width(each)
                each.var.bad = True
                return True
        return True

    def _one_shape(self, each: OneShape) -> bool:
        if each.var.bad or each.original.bad:
            return True
        known, other = (each.var, each.original) if each.var.rank is not None else (each.original, each.var)
        if known.rank is None:
            return False
        self.solver.give_rank(other, known.rank, each.share.span, "it is shared")
        if other.rank != known.rank or not all(
            self.solver.equate(mine, its, each.share.span) for mine, its in zip(other.dims, known.dims, strict=True)
        ):
            self.explain.shared_shapes(each)
            each.var.bad = True
        return True


def _is_known(var: ShapeVar) -> bool:
    return var.bad or var.rank is not None


def _is_timed(constraint: Constraint) -> bool:
    match constraint:
        case Broadcast(result=result) | MatrixProduct(result=result) | Join(result=result):
            return result.timed
        case Define(equation=equation):
            return equation.target.time is not None
    return True


def _vars(constraint: Constraint) -> tuple[ShapeVar, ...]:
    match constraint:
        case Broadcast(result=result, parts=parts):
            return (result.var, *(part.var for part in parts))
        case MatrixProduct(result=result, left=left, right=right) | Join(result=result, left=left, right=right):
            return (result.var, left.var, right.var)
        case Define(var=var, value=value):
            return (var, value.var)
        case OneShape(var=var, original=original):
            return (var, original)
