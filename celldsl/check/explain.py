"""What does not fit, in the author's notation: both terms, the width of each, and where it comes from."""

from __future__ import annotations

from celldsl.check.terms import Broadcast, Define, OneShape, Term
from celldsl.check.unify import Solver, is_unknown
from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostics, Label
from celldsl.source import Span

RANKS = {0: "a scalar", 1: "a vector", 2: "a matrix"}


class Explainer:
    """Reports conflicts of shapes, at most one in each equation: the first is the mistake, the others follow."""

    def __init__(self, solver: Solver, found: Diagnostics):
        self.solver = solver
        self.found = found
        self.soft: list[tuple[Width, str]] = []
        """The input's and the output's width and what they will be called."""
        self.output: str | None = None
        self._reported: set[tuple[str, int, int]] = set()
        self.equations: list[Span] = []

    # --- words -------------------------------------------------------------------------------

    def width(self, width: Width) -> str:
        """A width as its reader knows it; one that is open still is `?`."""
        named = {}
        for site, name in self.soft:
            resolved = self.solver.resolve(site)
            if resolved.name and is_unknown(resolved.name):
                named.setdefault(resolved.name, Width.of(name))
        value = self.solver.resolve(width).substitute(named)
        return "?" if any(is_unknown(name) for name in value.names) else str(value)

    def shape(self, term: Term) -> str:
        if term.var.rank is None:
            return "of open shape"
        if term.var.rank == 0:
            return "a scalar"
        named = Shape(tuple(Width.of(1) for _ in term.var.dims))
        parts = [self.width(dim) for dim in term.var.dims]
        parts = [f"({part})" if " " in part else part for part in parts]
        return f"{parts[0]}-vector" if named.rank == 1 else "×".join(parts)

    def why(self, term: Term, axis: int = 0) -> str:
        """`U_i h_{t-1}` has width n since h is the output (line 9)."""
        width = term.var.dims[axis]
        root = self.solver.reason(width)
        what = "width" if term.var.rank == 1 else ("rows" if axis == 0 else "columns")
        said = f"`{term.text}` has {what} {self.width(width)}"
        if term.var.rank == 2:
            said = f"`{term.text}` has {self.width(width)} {what}"
        if root is None:
            return said
        line = f" (line {root.span.line})" if root.span.source.text else ""
        if term.is_plain_name and root.phrase.startswith(f"`{term.name}` "):
            return (
                f"{root.phrase}, of width {self.width(width)}{line}" if term.var.rank == 1 else f"{root.phrase}{line}"
            )
        return f"{said} since {root.phrase}{line}"

    # --- reports -----------------------------------------------------------------------------

    def _once(self, span: Span) -> bool:
        """Whether the equation a place belongs to has had no report yet."""
        whole = next((each for each in self.equations if _holds(each, span)), span)
        key = (whole.source.name, whole.start, whole.end)
        if key in self._reported and whole.source.text:
            return False
        self._reported.add(key)
        return True

    def widths_beside(self, each: Broadcast, part: Term) -> None:
        """Two parts of a sum or an elementwise product have different widths."""
        assert each.base is not None
        if not self._once(part.span):
            return
        base = each.base
        axis = self._axis(base, part)
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            part.span,
            label=self.shape(part),
            others=(Label(base.span, self.shape(base)),),
            notes=(self.why(base, axis), self.why(part, axis), f"the two are {each.how}, so they need one width"),
            help=self._repair(each, base, part),
        )

    def _axis(self, one: Term, other: Term) -> int:
        for axis, (mine, its) in enumerate(zip(one.var.dims, other.var.dims)):
            if self.solver.resolve(mine) != self.solver.resolve(its):
                return axis
        return 0

    def _repair(self, each: Broadcast, base: Term, part: Term) -> str:
        meant = self.meant_as_product(part) or self.meant_as_product(base)
        if meant:
            return meant
        if each.how == "multiplied":
            for name, signal in ((base, part), (part, base)):
                if name.kind == "parameter" and not name.timed and signal.timed:
                    return f"if the matrix product is meant, write `{name.text} {signal.text}`"
        for mine in (part, base):
            if mine.kind == "signal":
                return f"bring `{mine.text}` to the other width with a matrix: `W_{mine.name} {mine.text}`"
        return "bring one of the two to the other's width with a matrix, `W (…)`, or mend the declaration of its width"

    def meant_as_product(self, term: Term) -> str:
        """`W_i * x_t` where `W_i x_t` was probably meant: an elementwise product of a parameter and a signal."""
        if term.kind == "mul" and len(term.parts) == 2:
            name, signal = term.parts
            if name.kind == "parameter" and not name.timed and signal.kind == "signal" and name.name[:1].isupper():
                return f"`{term.text}` is elementwise; for the matrix product write `{name.text} {signal.text}`"
        return ""

    def ranks_beside(self, each: Broadcast, part: Term) -> None:
        """A matrix and a vector in one sum or elementwise product."""
        assert each.base is not None
        if not self._once(part.span):
            return
        base = each.base
        matrix, vector = (base, part) if base.var.rank == 2 else (part, base)
        others = [Label(vector.span, self.shape(vector))]
        if matrix.var.since and not _holds(matrix.var.since[0], matrix.span):
            others.append(Label(matrix.var.since[0], f"a matrix here: {matrix.var.since[1]}"))
        repair = (
            f"write `{matrix.text} {vector.text}` for the matrix product"
            if each.how == "multiplied"
            else (f"multiply the matrix with a vector, `{matrix.text} x_t`")
        )
        self.found.error(
            "rank-mismatch",
            f"a matrix and a vector are {each.how}",
            matrix.span,
            label=f"a matrix, {self.shape(matrix)}",
            others=tuple(others),
            help=repair,
        )

    def other_rank(self, result: Term, rank: int) -> None:
        """An expression whose place asks for one rank has another."""
        if not self._once(result.span):
            return
        wanted = result.var.since
        self.found.error(
            "rank-mismatch",
            f"`{result.text}` is {RANKS[rank]}, but {RANKS[result.var.rank or 0]} is needed here",
            result.span,
            label=RANKS[rank],
            notes=(wanted[1],) if wanted and wanted[1] else (),
        )

    def product_widths(self, result: Term, left: Term, right: Term) -> None:
        if not self._once(result.span):
            return
        columns = self.width(left.var.dims[1])
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            right.span,
            label=self.shape(right),
            others=(Label(left.span, f"{self.shape(left)}: takes a vector of width {columns}"),),
            notes=(self.why(left, 1), self.why(right)),
            help=f"give `{right.text}` a matrix of its own, or mend the declaration of `{left.text}`",
        )

    def product_with_scalar(self, left: Term, right: Term) -> None:
        if not self._once(right.span):
            return
        self.found.error(
            "rank-mismatch",
            f"`{left.text}` is a matrix, but `{right.text}` is a scalar",
            right.span,
            label="a scalar",
            others=(Label(left.span, "a matrix"),),
            help=f"write `{left.text} * {right.text}` to scale the entries of `{left.text}`",
        )

    def defined_rank(self, each: Define) -> None:
        if not self._once(each.equation.span):
            return
        if each.name == self.output and each.value.var.rank == 0:
            self.found.error(
                "scalar-output",
                f"the output `{each.name}` is a scalar, but a layer's output is a vector",
                each.value.span,
                label="a scalar",
                help="give a vector of width 1 with a parameter, `param V: 1×n`, or name another `output`",
            )
            return
        declared = each.var.since
        self.found.error(
            "rank-mismatch",
            f"`{each.name}` is {RANKS[each.var.rank or 0]}, but its equation gives {RANKS[each.value.var.rank or 0]}",
            each.value.span,
            label=RANKS[each.value.var.rank or 0],
            others=(Label(declared[0], declared[1]),) if declared else (),
            help=f"mend the equation, or the declaration of `{each.name}`",
        )

    def defined_width(self, each: Define) -> None:
        if not self._once(each.equation.span):
            return
        target = Term("signal", each.equation.target.span, each.var, name=each.name)
        axis = self._axis(target, each.value)
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            each.value.span,
            label=self.shape(each.value),
            others=(Label(each.equation.target.span, self.shape(target)),),
            notes=(self.why(target, axis), self.why(each.value, axis)),
            help=f"bring the right side to width {self.width(each.var.dims[axis])} with a matrix, `R (…)`, "
            f"or mend the declaration of `{each.name}`",
        )

    def shared_shapes(self, each: OneShape) -> None:
        def shape(var) -> str:  # type: ignore[no-untyped-def]
            return self.shape(Term("parameter", each.share.span, var))

        self.found.error(
            "share-shapes",
            "two parameters of different shapes cannot be one",
            each.share.span,
            notes=(
                f"`{each.share.name.text}` is {shape(each.var)}",
                f"`{each.share.original.text}` is {shape(each.original)}",
            ),
            help="leave out the `share`, or share parameters of one shape",
        )


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source.name == inner.source.name and outer.start <= inner.start and inner.end <= outer.end
