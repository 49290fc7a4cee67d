"""What does not fit, in the author's notation: both terms, the shape of each, and where it comes from."""

from __future__ import annotations

from celldsl.check.terms import Broadcast, Define, OneShape, Term
from celldsl.check.unify import ShapeVar, Solver, is_unknown
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, Label
from celldsl.source import Span
from celldsl.syntax import tree

RANKS = {0: "a scalar", 1: "a vector", 2: "a matrix", None: "of open shape"}


class Explainer:
    """Reports conflicts of shapes, at most one in each equation: the first is the mistake, the others follow."""

    def __init__(self, solver: Solver, found: Diagnostics):
        self.solver = solver
        self.found = found
        self.soft: list[tuple[Width, str]] = []
        """The input's and the output's width and what they will be called."""
        self.output: str | None = None
        self.equations: list[Span] = []
        self._reported: set[tuple[str, int]] = set()

    # --- words -------------------------------------------------------------------------------

    def rank(self, term: Term) -> str:
        return RANKS[term.var.rank]

    def width(self, width: Width) -> str:
        """A width as its reader knows it; empty where it is still open."""
        named: dict[str, Width] = {}
        for site, name in self.soft:
            resolved = self.solver.resolve(site)
            if resolved.name and is_unknown(resolved.name):
                named.setdefault(resolved.name, Width.of(name))
        value = self.solver.resolve(width).substitute(named)
        return "" if any(is_unknown(name) for name in value.names) else str(value)

    def shape(self, var: ShapeVar) -> str:
        """`n-vector`, `n×m`, `a matrix` where some of it is open."""
        widths = [self.width(dim) for dim in var.dims]
        if not widths or "" in widths:
            return RANKS[var.rank]
        widths = [f"({width})" if " " in width else width for width in widths]
        return f"{widths[0]}-vector" if len(widths) == 1 else "×".join(widths)

    def why(self, term: Term, axis: int = 0) -> str:
        """`U_i h_{t-1}` has width n since h is the output (line 9)."""
        width = self.width(term.var.dims[axis])
        if term.var.rank == 1:
            said = f"`{term.text}` has width {width}"
        else:
            said = f"`{term.text}` has {width} {('rows', 'columns')[axis]}"
        root = self.solver.reason(term.var.dims[axis])
        if root is None:
            return said
        line = f" (line {root.span.line})" if root.span.source.text else ""
        if root.phrase.startswith((f"`{term.name}` ", f"`{term.text}` ")):
            return f"{root.phrase}{f', of width {width}' if term.var.rank == 1 else ''}{line}"
        return f"{said} since {root.phrase}{line}"

    def _since(self, term: Term) -> tuple[Label, ...]:
        """Where the rank of a term was found, as far as that is another place."""
        since = term.var.since
        if since is None or not since[1] or _holds(term.span, since[0]) or _holds(since[0], term.span):
            return ()
        return (Label(since[0], f"{RANKS[term.var.rank]}: {since[1]}"),)

    def once(self, span: Span) -> bool:
        """Whether the equation a place belongs to has had no report yet."""
        whole = next((each for each in self.equations if _holds(each, span)), span)
        key = (whole.source.name, whole.start)
        if key in self._reported and whole.source.text:
            return False
        self._reported.add(key)
        return True

    # --- ranks -------------------------------------------------------------------------------

    def empty_slice(self, term: Term, width: Width) -> None:
        self.found.error(
            "slice-bounds",
            f"`{term.text}` has no entries",
            term.span,
            label=f"{width} of them",
            help="write the first entry, two dots and the last: `v_t[1..n]`",
        )

    def wrong_rank(self, term: Term, message: str, help: str = "") -> None:
        """A term is a scalar, a vector or a matrix where another of the three is needed."""
        if not term.var.bad and self.once(term.span):
            label = self.shape(term.var)
            self.found.error("rank-mismatch", message, term.span, label=label, others=self._since(term), help=help)

    def other_rank(self, result: Term, rank: int) -> None:
        """An expression has one rank where another was asked for."""
        if self.once(result.span):
            wanted = result.var.since
            self.found.error(
                "rank-mismatch",
                f"`{result.text}` is {RANKS[rank]}, but {RANKS[result.var.rank]} is needed here",
                result.span,
                label=RANKS[rank],
                notes=(f"{RANKS[result.var.rank]} is needed because it is {wanted[1]}",)
                if wanted and wanted[1]
                else (),
            )

    def not_a_matrix(self, left: Term, right: Term) -> None:
        """`p c_t` where p is a vector or a scalar."""
        repair = f"write `{left.text} ⊙ {right.text}` for the elementwise product"
        if left.var.rank == 0:
            repair = f"write `{left.text} * {right.text}` to scale it"
        self.wrong_rank(
            left, f"`{left.text}` is {self.rank(left)}, but stands before `{right.text}` like a matrix", repair
        )

    def product_with_scalar(self, left: Term, right: Term) -> None:
        self.wrong_rank(
            right,
            f"`{left.text}` stands before `{right.text}` like a matrix, but `{right.text}` is a scalar",
            f"write `{left.text} * {right.text}` to scale a vector or a matrix `{left.text}`",
        )

    def ranks_beside(self, each: Broadcast, part: Term) -> None:
        """A matrix and a vector in one sum or elementwise product."""
        assert each.base is not None
        if not self.once(part.span):
            return
        matrix, vector = (each.base, part) if each.base.var.rank == 2 else (part, each.base)
        if each.how == "multiplied":
            repair = f"write `{matrix.text} {vector.text}` for the matrix product"
        else:
            repair = f"a matrix acts on a vector: `{matrix.text} x_t`"
        shape = self.shape(matrix.var)
        self.found.error(
            "rank-mismatch",
            f"a matrix and a vector are {each.how}",
            matrix.span,
            label="a matrix" if shape == "a matrix" else f"a matrix, {shape}",
            others=(Label(vector.span, self.shape(vector.var)), *self._since(matrix)),
            help=repair,
        )

    def transposed_vector(self, result: Term, operand: Term) -> None:
        if self.once(result.span):
            self.found.error(
                "transposed-vector",
                f"`{operand.text}` is {self.rank(operand)}, and only a matrix can be transposed",
                result.span,
                others=self._since(operand),
                help="write `dot(a, b)` for the inner product of two vectors, `outer(a, b)` for their matrix",
            )

    def signal_as_matrix(self, left: Term, right: Term) -> None:
        self.found.error(
            "signal-as-matrix",
            f"`{left.text}` stands where a matrix should",
            left.span,
            label="a signal is a vector",
            help=f"write `{left.text} ⊙ {right.text}` for the elementwise product, `dot(a, b)` for the inner one",
        )

    def matrix_signal(self, term: Term) -> None:
        if self.once(term.span):
            self.found.error(
                "matrix-signal",
                f"`{term.text}` is a matrix at every step, which is not supported yet",
                term.span,
                label="a matrix",
                help="keep signals vectors: `U h_{t-1}` gives a vector, `dot(k_t, q_t)` a scalar",
            )

    def defined_rank(self, each: Define) -> None:
        """An equation gives a scalar, a vector or a matrix where its name is another of the three."""
        if not self.once(each.equation.span):
            return
        value = each.value.var
        if each.name == self.output and value.rank == 0:
            self.found.error(
                "scalar-output",
                f"the output `{each.name}` is a scalar, but a layer's output is a vector",
                each.value.span,
                label="a scalar",
                help="give a vector of width 1 with a parameter, `param V: 1×n`, or name another `output`",
            )
            return
        since = each.var.since
        self.found.error(
            "rank-mismatch",
            f"`{each.name}` is {RANKS[each.var.rank]}, but its equation gives {RANKS[value.rank]}",
            each.value.span,
            label=RANKS[value.rank],
            others=(Label(since[0], f"{RANKS[each.var.rank]}: {since[1]}"),) if since else (),
            help=f"mend the equation, or the declaration of `{each.name}`",
        )

    # --- rows of factors ---------------------------------------------------------------------

    def parameter_behind(self, left: Term, right: Term) -> None:
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

    def ambiguous_row(self, row: tree.Juxtaposition, factors: list[Term], head: int, at: int) -> None:
        """`M z_t c_{t-1}`, with the matrix at `head` and the first signal at `at`."""

        def text(part: list[Term]) -> str:
            return " ".join(factor.text for factor in part)

        rest = text(factors[at + 1 :])
        bracket = f"({rest})" if len(factors) - at > 2 else rest
        matrix = text(factors[head:at])
        self.found.error(
            "ambiguous-product",
            f"`{' '.join(row.span.text.split())}` can be read in two ways",
            row.span,
            label="which signals does the matrix act on?",
            help=f"write `{matrix} ({factors[at].text} ⊙ {bracket})` or `({matrix} {factors[at].text}) ⊙ {bracket}`",
        )

    def ambiguous_scale(self, left: Term, right: Term) -> None:
        """`(1 - a) h` where a may be a number, a vector or a matrix."""
        names = [term.name for term in left.walk() if term.kind == "parameter" and not term.timed]
        name = names[0] if names else "a"
        self.found.error(
            "ambiguous-product",
            f"`{left.text} {right.text}` can be read in several ways",
            left.span,
            label=f"is `{name}` a number, a vector or a matrix?",
            help=f"for a number add: `param {name}: scalar`, or `hyper {name} = 0.5`\n"
            f"for a vector write `{left.text} ⊙ {right.text}`",
        )

    # --- widths ------------------------------------------------------------------------------

    def widths_beside(self, each: Broadcast, part: Term) -> None:
        """Two parts of a sum or an elementwise product have different widths."""
        assert each.base is not None
        if not self.once(part.span):
            return
        base = each.base
        axis = self._axis(base.var, part.var)
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            part.span,
            label=self.shape(part.var),
            others=(Label(base.span, self.shape(base.var)),),
            notes=(self.why(base, axis), self.why(part, axis), f"the two are {each.how}, so they need one width"),
            help=self._repair(each, base, part),
        )

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
                return f"bring `{mine.text}` to the other's width with a matrix: `W_{mine.name} {mine.text}`"
        return "bring one of the two to the other's width with a matrix, `W (…)`, or mend the declaration of its width"

    def meant_as_product(self, term: Term) -> str:
        """`W_i * x_t` where `W_i x_t` was probably meant: an elementwise product of a parameter and a signal."""
        if term.kind == "mul" and len(term.parts) == 2:
            name, signal = term.parts
            if name.kind == "parameter" and not name.timed and signal.kind == "signal" and name.name[:1].isupper():
                return f"`{term.text}` is elementwise; for the matrix product write `{name.text} {signal.text}`"
        return ""

    def product_widths(self, result: Term, left: Term, right: Term) -> None:
        if not self.once(result.span):
            return
        shape = self.shape(left.var)
        takes = f"takes vectors of width {self.width(left.var.dims[1])}"
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            right.span,
            label=self.shape(right.var),
            others=(Label(left.span, takes if shape == "a matrix" else f"{shape}, {takes}"),),
            notes=(self.why(left, 1), self.why(right)),
            help=f"give `{right.text}` a matrix of its own, or mend the declaration of `{left.text}`"
            if shape != "a matrix"
            else f"give `{right.text}` a matrix of its own",
        )

    def defined_width(self, each: Define) -> None:
        """An equation's right side has another width than its name: the term that brings it in is the one to see."""
        if not self.once(each.equation.span):
            return
        target = Term("signal", each.equation.target.span, each.var, name=each.name)
        axis = self._axis(each.var, each.value.var)
        blamed = self._blamed(each.value) if axis == 0 else each.value
        width = self.width(each.var.dims[axis])
        repair = self.meant_as_product(blamed)
        if not repair and blamed.kind != "signal":
            repair = f"bring the right side to width {width} with a matrix, `R (…)`, or mend the declaration of a width"
        elif not repair:
            repair = f"bring `{blamed.text}` to width {width} with a matrix: `W_{blamed.name} {blamed.text}`"
        self.found.error(
            "width-mismatch",
            "widths do not fit",
            blamed.span,
            label=self.shape(blamed.var),
            others=(Label(each.equation.target.span, self.shape(each.var)),),
            notes=(self.why(target, axis), self.why(blamed, axis)),
            help=repair,
        )

    def _blamed(self, term: Term) -> Term:
        """The part of an elementwise expression that brings its width in: the one nearest to the reason for it."""
        while term.kind in ("add", "mul", "div", "negative", "power", "call") and not self.meant_as_product(term):
            parts = [part for part in term.parts if part.var.rank == 1]
            if not parts:
                return term
            term = min(parts, key=self._distance)
        return term

    def _distance(self, term: Term) -> int:
        """Steps from a term's width to the reason for it."""
        path = self.solver.path(term.var.dims[0], lambda name: name in self.solver.roots)
        return len(path) if path else 10_000

    def _axis(self, one: ShapeVar, other: ShapeVar) -> int:
        for axis, (mine, its) in enumerate(zip(one.dims, other.dims, strict=False)):
            if self.solver.resolve(mine) != self.solver.resolve(its):
                return axis
        return 0

    def shared_shapes(self, each: OneShape) -> None:
        self.found.error(
            "share-shapes",
            "two parameters of different shapes cannot be one",
            each.share.span,
            notes=(
                f"`{each.share.name.text}` is {self.shape(each.var)}",
                f"`{each.share.original.text}` is {self.shape(each.original)}",
            ),
            help="leave out the `share`, or share parameters of one shape",
        )


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source.name == inner.source.name and outer.start <= inner.start and inner.end <= outer.end
