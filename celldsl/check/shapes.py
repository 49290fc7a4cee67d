"""Shapes of all names of a cell, by unification.

What declarations say is fixed first; then the equations' constraints are solved. Naming the widths that came out,
and reporting those still open, is left to `naming`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from celldsl.check import trees
from celldsl.check.build import Builder
from celldsl.check.constraints import Solution
from celldsl.check.dims import Dims
from celldsl.check.explain import Explainer
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.check.terms import Define, OneShape, Term
from celldsl.check.unify import ShapeVar, Solver
from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostics
from celldsl.syntax import tree


@dataclass
class Shapes:
    """What was inferred: the term of each equation and the shape of each name."""

    solver: Solver
    explain: Explainer
    terms: dict[str, Term] = field(default_factory=dict)
    vars: dict[str, ShapeVar] = field(default_factory=dict)
    arguments: dict[str, tuple[Width | None, ...]] = field(default_factory=dict)
    """Of each structured parameter's structure; None after an error."""

    def shape(self, name: str) -> Shape:
        return self.solver.shape(self.vars[name])

    @property
    def is_broken(self) -> bool:
        """Whether an error left something without a shape."""
        inner = (term.var for whole in self.terms.values() for term in whole.walk())
        return any(var.bad for var in (*self.vars.values(), *inner))


def infer(names: Names, roles: Roles, dims: Dims, values: dict[str, tree.Expr], found: Diagnostics) -> Shapes:
    """Infer the shape of every name; errors go to `found`."""
    return _Inference(names, roles, dims, found).run(values)


class _Inference:
    def __init__(self, names: Names, roles: Roles, dims: Dims, found: Diagnostics):
        self.names, self.roles, self.dims, self.found = names, roles, dims, found
        self.solver = Solver()
        self.explain = Explainer(self.solver, found)
        self.shapes = Shapes(self.solver, self.explain)

    def run(self, values: dict[str, tree.Expr]) -> Shapes:
        self.explain.equations = [equation.span for equation in self.names.equations.values()]
        self.explain.output = self.roles.output
        for name in self.roles.signals:
            self._declare_signal(name)
        self._declare_output()
        for name in self.names.params:
            self._declare_parameter(name)
        builder = Builder(self.names, self.roles, self.dims, self.solver, self._variable, self.explain)
        for key, equation in self.names.equations.items():
            term = builder.build(values[key])
            self.shapes.terms[key] = term
            builder.constraints.append(Define(key, self._variable(key), term, equation))
        for name, share in self.names.shares.items():
            original = self._variable(share.original.text)
            builder.constraints.append(OneShape(self._variable(name), original, share))
        parameters = [var for name, var in self.shapes.vars.items() if name not in self.roles.signals]
        signals = [var for name, var in self.shapes.vars.items() if name in self.roles.signals]
        Solution(self.solver, self.explain).run(builder.constraints, parameters, signals)
        return self.shapes

    def _variable(self, name: str) -> ShapeVar:
        if name not in self.shapes.vars:
            var = ShapeVar()
            var.bad = name in self.roles.broken
            self.shapes.vars[name] = var
        return self.shapes.vars[name]

    def _declare_signal(self, name: str) -> None:
        """What a declaration says of a signal; an input without one is a vector."""
        var = self._variable(name)
        if var.bad:
            return
        typed = self.names.inputs.get(name) or self.names.states.get(name)
        if typed is not None and typed.width is not None:
            self._declare_width(name, var, typed.width, typed)
        elif name in self.roles.inputs:
            inputs = self.roles.inputs
            which = "the input" if len(inputs) == 1 else "an input"
            site = self.solver.open_site(f"`{name}` is {which}", self.roles.first[name].span)
            var.rank, var.dims = 1, (site,)
            var.since = (self.roles.first[name].span, "an input is one unless it is declared a scalar")
            self.explain.soft.append((site, "m" if name == inputs[0] else f"m_{name}"))

    def _declare_width(self, name: str, var: ShapeVar, width: tree.Expr, typed: tree.Typed) -> None:
        var.since = (typed.span if typed.span.end else typed.name.span, "declared here")
        if isinstance(width, tree.Name) and width.text == "scalar":
            var.rank = 0
            return
        value = self.dims.read(width)
        if value is None:
            var.bad = True
            return
        kind = "input" if name in self.names.inputs else "state"
        site = self.solver.site(value, f"`{name}` is declared `{kind} {name}: {trees.text(width)}`", typed.name.span)
        var.rank, var.dims = 1, (site,)

    def _declare_output(self) -> None:
        """The output is a vector, whose width has a reason of its own."""
        output = self.roles.output
        if output is None:
            return
        var = self._variable(output)
        if var.rank is None and not var.bad:
            place = self.names.equations[output].target.span
            site = self.solver.open_site(f"`{output}` is the output", place)
            var.rank, var.dims, var.since = 1, (site,), (place, "the output is one")
            self.explain.soft.insert(0, (site, "n"))

    def _declare_parameter(self, name: str) -> None:
        param = self.names.params[name]
        var = self._variable(name)
        widths = [self.dims.read(width) for width in param.shape]
        values = [width for width in widths if width is not None]
        if param.structure is not None:
            arguments = tuple(self.dims.read(argument) for argument in param.structure.arguments)
            self.shapes.arguments[name] = arguments
        if self._is_tensor(param) or len(values) < len(widths):
            var.bad = True
        if var.bad:
            return
        shown = "×".join(trees.text(width) for width in param.shape)
        phrase = f"`{name}` is declared `param {name}: {shown}`"
        var.rank = len(widths)
        var.dims = tuple(self.solver.site(width, phrase, param.name.span) for width in values)
        var.since = (param.name.span, "declared here")

    def _is_tensor(self, param: tree.Param) -> bool:
        name = param.name.text
        if len(param.shape) > 2:
            self.found.error(
                "not-supported",
                f"`{name}` has {len(param.shape)} axes, which is not supported yet",
                param.span,
                help="a parameter is a scalar, a vector or a matrix; write a tensor as several matrices",
            )
            return True
        return False
