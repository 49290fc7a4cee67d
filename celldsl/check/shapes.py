"""Shapes of all names of a cell, by unification: declarations, equations, then the names m and n.

What declarations say is fixed first; the equations' constraints are solved; last, the output's width is called n and
the input's m, unless something else named them. A width that is still open then is an error that shows the line to
add.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from celldsl.check import trees
from celldsl.check.constraints import Solution
from celldsl.check.dims import Dims
from celldsl.check.explain import Explainer
from celldsl.check.names import Names
from celldsl.check.open import report_open
from celldsl.check.roles import Roles
from celldsl.check.terms import Builder, Define, OneShape, Term
from celldsl.check.unify import Root, ShapeVar, Solver, is_unknown
from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostics
from celldsl.syntax import tree


@dataclass
class Shapes:
    """What was inferred: the term of each equation, the shape of each name, and the names of widths."""

    solver: Solver
    terms: dict[str, Term] = field(default_factory=dict)
    vars: dict[str, ShapeVar] = field(default_factory=dict)
    soft_dims: list[str] = field(default_factory=list)
    """Free widths in order: the input's, the output's, then further inputs'."""

    def shape(self, name: str) -> Shape:
        return self.solver.shape(self.vars[name])


def infer(names: Names, roles: Roles, dims: Dims, values: dict[str, tree.Expr], found: Diagnostics) -> Shapes:
    """Infer the shape of every name; errors go to `found`."""
    return _Inference(names, roles, dims, found).run(values)


class _Inference:
    def __init__(self, names: Names, roles: Roles, dims: Dims, found: Diagnostics):
        self.names, self.roles, self.dims, self.found = names, roles, dims, found
        self.solver = Solver()
        self.shapes = Shapes(self.solver)
        self.explain = Explainer(self.solver, found)
        self.declared: set[str] = set()

    def run(self, values: dict[str, tree.Expr]) -> Shapes:
        before = len(self.found.errors)
        self._declare_signals()
        self._declare_parameters()
        builder = Builder(self.names, self.roles, self.solver, self._variable, self.found)
        self.explain.equations = [equation.span for equation in self.names.equations.values()]
        for key, equation in self.names.equations.items():
            if equation.target.time is None and key in self.shapes.vars:
                continue  # declared a parameter as well: reported
            term = builder.build(values[key])
            self.shapes.terms[key] = term
            builder.constraints.append(Define(key, self._variable(key), term, equation))
        for name, share in self.names.shares.items():
            shared = OneShape(name, self._variable(name), self._variable(share.original.text), share)
            builder.constraints.append(shared)
        self._soften()
        parameters = [var for name, var in self.shapes.vars.items() if name not in self.roles.signals]
        signals = [var for name, var in self.shapes.vars.items() if name in self.roles.signals]
        Solution(self.solver, self.explain).run(builder.constraints, parameters, signals)
        self._check_signals()
        self._name_widths()
        if len(self.found.errors) == before:
            report_open(self.names, self.roles, self.shapes, self.found)
        return self.shapes

    def _variable(self, name: str) -> ShapeVar:
        if name not in self.shapes.vars:
            var = ShapeVar()
            var.bad = name in self.roles.broken
            self.shapes.vars[name] = var
        return self.shapes.vars[name]

    # --- declarations ------------------------------------------------------------------------

    def _declare_signals(self) -> None:
        for name, role in self.roles.signals.items():
            var = self._variable(name)
            typed = self.names.inputs.get(name) or self.names.states.get(name)
            if name in self.roles.broken:
                continue
            if typed is not None and typed.width is not None:
                self._declare_signal(name, var, typed)
            elif role == "input":
                place = self.roles.first[name]
                site = self.solver.unknown()
                assert site.name
                self._root(site, f"`{name}` is {self._which_input(name)}", place)
                var.rank, var.dims = 1, (site,)

    def _declare_signal(self, name: str, var: ShapeVar, typed: tree.Typed) -> None:
        assert typed.width is not None
        self.declared.add(name)
        kind = "input" if name in self.names.inputs else "state"
        var.since = (typed.span if typed.span.end else typed.name.span, "declared here")
        if isinstance(typed.width, tree.Name) and typed.width.text == "scalar":
            var.rank = 0
            return
        width = self.dims.read(typed.width)
        if width is None:
            var.bad = True
            return
        site = self.solver.site(width, f"`{name}` is declared `{kind} {name}: {width}`", typed.name.span)
        var.rank, var.dims = 1, (site,)

    def _root(self, site: Width, phrase: str, name: tree.Name) -> None:
        assert site.name
        self.solver.roots[site.name] = Root(phrase, name.span)

    def _which_input(self, name: str) -> str:
        inputs = [each for each, role in self.roles.signals.items() if role == "input"]
        return "the input" if len(inputs) == 1 else "an input"

    def _declare_parameters(self) -> None:
        for name, param in self.names.params.items():
            var = self._variable(name)
            widths = [self.dims.read(width) for width in param.shape]
            if var.bad or None in widths:
                var.bad = True
                continue
            shown = "×".join(trees.text(width) for width in param.shape) or "scalar"
            phrase = f"`{name}` is declared `param {name}: {shown}`"
            var.rank = len(widths)
            var.dims = tuple(self.solver.site(width, phrase, param.name.span) for width in widths if width is not None)
            var.since = (param.name.span, "declared here")
            if var.rank > 2:
                self.found.error(
                    "not-supported",
                    f"`{name}` is declared with {var.rank} axes",
                    param.span,
                    help="a parameter is a scalar, a vector or a matrix; write a tensor as several matrices",
                )
                var.bad = True

    # --- m and n -----------------------------------------------------------------------------

    def _soften(self) -> None:
        """The output's width has a reason of its own: it is the output's."""
        output = self.explain.output = self.roles.output
        for name, role in self.roles.signals.items():
            var = self.shapes.vars[name]
            if role == "input" and var.dims and name not in self.declared:
                self.explain.soft.append((var.dims[0], "m" if name == self._first_input() else f"m_{name}"))
        if output is not None and output not in self.declared and not self.shapes.vars[output].bad:
            var = self.shapes.vars[output]
            equation = self.names.equations[output]
            if var.rank is None:
                site = self.solver.unknown()
                self._root(site, f"`{output}` is the output", equation.target)
                var.rank, var.dims = 1, (site,)
                self.explain.soft.insert(0, (site, "n"))

    def _first_input(self) -> str | None:
        inputs = [name for name, role in self.roles.signals.items() if role == "input"]
        return inputs[0] if inputs else None

    def _name_widths(self) -> None:
        """Call the output's width n, the input's m and further inputs' m_name, where nothing else named them."""
        solver, vars = self.solver, self.shapes.vars
        output, first = self.roles.output, self._first_input()
        if output is not None and first is not None:
            self._warn_of_one_width(output, first)

        def name_it(signal: str | None, dim: str) -> None:
            if signal is None or not vars[signal].dims:
                return
            width = solver.resolve(vars[signal].dims[0])
            if width.name and is_unknown(width.name):
                solver.bindings[width.name] = Width.of(dim)

        name_it(output, "n")
        name_it(first, "m")
        for name, role in self.roles.signals.items():
            if role == "input" and name != first:
                name_it(name, f"m_{name}")
        order = (first, output, *(name for name, role in self.roles.signals.items() if role == "input"))
        for signal in order:
            if signal is None or not vars[signal].dims:
                continue
            for dim in sorted(solver.resolve(vars[signal].dims[0]).names):
                if not is_unknown(dim) and dim not in self.shapes.soft_dims and dim not in self.names.settings:
                    self.shapes.soft_dims.append(dim)

    def _warn_of_one_width(self, output: str, first: str) -> None:
        """x and h forced to one width is how some cells are meant, and how a slip looks."""
        inner, outer = self.shapes.vars[first], self.shapes.vars[output]
        if not inner.dims or not outer.dims or self.found.errors:
            return
        if self.solver.resolve(inner.dims[0]) != self.solver.resolve(outer.dims[0]) or first in self.declared:
            return
        target = outer.dims[0].name
        path = self.solver.path(inner.dims[0], lambda name: name == target)
        spans = [span for _, span in path if span is not None]
        place = spans[0] if spans else self.roles.first[first].span
        meant = next((text for text in map(self._meant_as_product, spans) if text), "")
        width = self.explain.width(outer.dims[0])
        self.found.warning(
            "one-width",
            f"the input and the output are given one width, {width}",
            place,
            label=f"here `{first}` takes the width of `{output}`",
            notes=(f"`{first}` is the input, `{output}` the output; the generated module takes one size for both",),
            help=(f"{meant}\n" if meant else "") + f"to say that this is meant: `input {first}: {width}`",
        )

    def _meant_as_product(self, span: object) -> str:
        for term in self.shapes.terms.values():
            for each in all_terms(term):
                if each.span == span or any(part.span == span for part in each.parts):
                    for candidate in (each, *each.parts):
                        meant = self.explain.meant_as_product(candidate)
                        if meant:
                            return meant
        return ""

    # --- what signals may be -----------------------------------------------------------------

    def _check_signals(self) -> None:
        for name, role in self.roles.signals.items():
            var = self.shapes.vars[name]
            if var.bad or role == "input":
                continue
            place = self.names.equations[name].target.span
            if var.rank == 2:
                self.found.error(
                    "matrix-signal",
                    f"`{name}` is a matrix at every step, which is not supported yet",
                    place,
                    label="a matrix",
                    help="keep signals vectors: `dot(k_t, q_t)` and `U h_{t-1}` give vectors and scalars",
                )
                var.bad = True


def all_terms(term: Term) -> list[Term]:
    """A term and all below it."""
    found = [term]
    for part in term.parts:
        found += all_terms(part)
    return found
