"""The passes over a cell written out, and the checked cell they make."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from celldsl.check import trees
from celldsl.check.cell import (
    Add,
    Call,
    Cell,
    DimInfo,
    Equation,
    Expr,
    InitCall,
    Neg,
    Parameter,
    ParameterInfo,
    SettingInfo,
    SignalInfo,
)
from celldsl.check.dims import Dims
from celldsl.check.idle import without_idle
from celldsl.check.inits import Inits
from celldsl.check.inline import Inliner
from celldsl.check.limits import find_limits
from celldsl.check.names import collect
from celldsl.check.naming import name_widths, report_open, report_unknown_widths
from celldsl.check.order import find_order
from celldsl.check.repeat import Written, rolled_up
from celldsl.check.roles import find_roles
from celldsl.check.shapes import infer
from celldsl.check.structures import Structures
from celldsl.check.typed import Typing
from celldsl.check.usage import report_dead, report_shares, report_unused
from celldsl.check.width import Shape
from celldsl.errors import Diagnostics, once_a_place
from celldsl.functions import FUNCTIONS
from celldsl.source import Span
from celldsl.syntax import tree


def finish(definition: tree.CellDef, items: list[Written], found: Diagnostics) -> Cell | None:
    """The checked cell, its claims not yet checked; None after an error, which went to `found`."""
    return _Finish(definition, items, found).run()


class _Finish:
    def __init__(self, definition: tree.CellDef, items: list[Written], found: Diagnostics):
        self.definition, self.items, self.found = definition, items, found

    def run(self) -> Cell | None:
        found = self.found
        names = self.names = collect(self.items, found)
        if not names.equations:
            self._report_empty()
            return None
        inliner = Inliner(names, found)
        values = {key: inliner.equation(equation) for key, equation in names.equations.items()}
        dims = self.dims = Dims(names, found)
        self.roles, values = find_roles(names, values, found)
        roles = self.roles
        if not roles.signals:
            return None
        dims.settle(roles)
        report_shares(names, roles, values, found)
        alive = report_dead(names, roles, values, found)
        order = find_order(names.equations, values, found)
        shapes = self.shapes = infer(names, roles, dims, values, found)
        self.soft = name_widths(names, roles, shapes, found)
        is_known = not shapes.is_broken and roles.output is not None
        spare = report_open(names, roles, dims, shapes, alive, found) if is_known else set()
        report_unused(names, dims, values, inliner.called, spare, found)
        if not is_known:
            return None
        report_unknown_widths(names, roles, dims, values, self.soft, found)
        typing = Typing(names, dims, shapes.solver, found)
        self.structures = Structures(names, roles, shapes, found)
        equations = self._equations(typing)
        parameters = self._parameter_shapes(equations)
        inits = Inits(names, dims, parameters, self.structures, self._states(), self._others(), found)
        initial = {state: inits.initial(state) for state in self._states()}
        self.limits = find_limits(names, parameters, self.structures.whole, inits.scalar, found)
        if found.errors:
            return None
        return Cell(
            name=self.definition.name,
            doc=names.doc,
            cites=tuple(names.cites),
            dims=self._dims(equations, parameters),
            settings=self._settings(values),
            signals=self._signals(initial),
            parameters=self._parameters(equations, parameters, inits.parameter_inits, initial),
            equations=equations,
            order=order,
            output=roles.output or "",
            claims=tuple(names.claims),
            parent=self.definition.parent,
            definition=self._written_out(parameters),
            source=self.definition.span.source,
            warnings=tuple(once_a_place(found.warnings)),
        )

    def _report_empty(self) -> None:
        if not self.found.errors:
            self.found.error(
                "no-equations",
                f"the cell `{self.definition.name}` has no equations",
                self.definition.name_span,
                help="write one for each gate and state: `h_t = tanh(W x_t + U h_{t-1} + b)`",
            )

    def _states(self) -> list[str]:
        return [name for name, depth in self.roles.depth.items() if depth > 0]

    def _others(self) -> list[str]:
        return [
            *(name for name, depth in self.roles.depth.items() if depth == 0),
            *self.names.timeless_equations,
        ]

    def _equations(self, typing: Typing) -> tuple[Equation, ...]:
        """The typed equations; those about which an error was reported are left out."""
        equations = []
        for key, term in self.shapes.terms.items():
            written = self.names.equations[key]
            equations.append(
                Equation(
                    target=key,
                    value=self.structures.applied(typing.equation(key, term)),
                    timeless=written.target.time is None,
                    label=written.label,
                    written=written,
                    span=written.span,
                )
            )
        return tuple(equations)

    # --- tables ------------------------------------------------------------------------------

    def _parameter_shapes(self, equations: tuple[Equation, ...]) -> dict[str, Shape]:
        """The trained parameters in order of first appearance."""
        shapes: dict[str, Shape] = {}
        derived = {equation.target for equation in equations if equation.timeless}
        for equation in equations:
            for node in equation.value.walk():
                if isinstance(node, Parameter) and node.name not in derived:
                    shapes.setdefault(node.name, node.shape)
        return shapes

    def _parameters(
        self,
        equations: tuple[Equation, ...],
        shapes: dict[str, Shape],
        inits: dict[str, InitCall],
        initial: dict[str, Expr | str | None],
    ) -> tuple[ParameterInfo, ...]:
        biases = _biases(equations)
        infos = [
            ParameterInfo(
                name,
                shape,
                init=inits.get(name),
                bias=name in biases and shape.rank == 1,
                frozen=self._is_frozen(name),
                structure=self.structures.of(name),
                bounds=self.limits.get(name),
                span=self._place(name),
            )
            for name, shape in shapes.items()
        ]
        for state, value in initial.items():
            if value == "learned":
                place = self.names.equations[state].target.span if state in self.names.equations else self._place(state)
                infos.append(
                    ParameterInfo(f"{state}_0", self.shapes.shape(state), InitCall("constant", ()), span=place)
                )
        return tuple(_with_zero(info) for info in infos)

    def _is_frozen(self, name: str) -> bool:
        param = self.names.params.get(self.structures.whole.get(name, name))
        return param is not None and param.frozen

    def _place(self, name: str) -> Span:
        name = self.structures.whole.get(name, name)
        if name in self.names.params:
            return self.names.params[name].name.span
        return self.roles.first[name].span if name in self.roles.first else self.definition.span

    def _signals(self, initial: dict[str, Expr | str | None]) -> tuple[SignalInfo, ...]:
        infos = []
        for name, role in self.roles.signals.items():
            if name in self.names.equations:
                span = self.names.equations[name].target.span
            else:
                span = self.names.inputs[name].name.span if name in self.names.inputs else self.roles.first[name].span
            infos.append(
                SignalInfo(
                    name,
                    self.shapes.shape(name),
                    role,
                    depth=self.roles.depth[name],
                    initial=cast("Expr | Literal['learned'] | None", initial.get(name)),
                    span=span,
                )
            )
        return tuple(infos)

    def _settings(self, values: dict[str, tree.Expr]) -> tuple[SettingInfo, ...]:
        """The settings that are read; an inherited one that nothing reads any more is gone."""
        read = {name.text for value in values.values() for name in trees.names(value)}
        read |= self.dims.setting_widths | self.names.bounds
        read |= {name.text for value in self.names.beside for name in trees.names(value)}
        infos = []
        for name, item in self.names.settings.items():
            if name in read or self.names.is_own(item):
                kind: Literal["const", "hyper"] = "const" if isinstance(item, tree.Const) else "hyper"
                text = self.dims.settings[name][1]
                infos.append(SettingInfo(name, kind, text, name in self.dims.setting_widths, item.name.span))
        return tuple(infos)

    def _dims(self, equations: tuple[Equation, ...], parameters: dict[str, Shape]) -> tuple[DimInfo, ...]:
        """Widths in order: the input's, the output's, further inputs', then the others."""
        used: dict[str, None] = dict.fromkeys(self.soft)
        for shape in (*parameters.values(), *(self.shapes.shape(name) for name in self.roles.signals)):
            for dim in shape.dims:
                used.update(dict.fromkeys(sorted(dim.names)))
        for equation in equations:
            for node in equation.value.walk():
                width = getattr(node, "width", None)
                if width is not None:
                    used.update(dict.fromkeys(sorted(width.names)))
        declared = {**{name: item.span for name, item in self.names.implied_dims.items()}}
        declared.update({name: item.name.span for name, item in self.names.dims.items()})
        free = [name for name in used if name not in self.names.settings]
        infos = [DimInfo(name, None, declared.get(name, self.definition.name_span)) for name in free]
        for name, item in self.names.dims.items():
            value = self.dims.values.get(name)
            if item.value is not None and value is not None and self._is_read(name):
                infos.append(DimInfo(name, value, item.name.span))
        return tuple(infos)

    def _is_read(self, name: str) -> bool:
        return self.names.is_own(self.names.dims[name])

    # --- the definition written out -----------------------------------------------------------

    def _written_out(self, parameters: dict[str, Shape]) -> tree.CellDef:
        if self.definition.parent is None:
            return self.definition
        kept = [each for each in self.items if each.own or self._is_needed(each.item, parameters)]
        own = {id(each.origin or each.item) for each in kept if each.own} | {id(each.item) for each in kept if each.own}
        rounds = [each.item for each in kept if not isinstance(each.item, tree.Repeat)]
        return replace(self.definition, parent=None, items=without_idle(rolled_up(kept), own, rounds))

    def _is_needed(self, item: tree.Item, parameters: dict[str, Shape]) -> bool:
        """Whether an inherited item still says something."""
        match item:
            case tree.Param(name=name):
                return name.text in parameters or name.text in self.structures.whole.values()
            case tree.Constrain(name=name):
                return name.text in parameters or name.text in self.structures.whole.values()
            case tree.Init(pattern=pattern) if "*" not in pattern:
                return pattern in parameters or pattern.removesuffix("_0") in self._states()
        return True


def _with_zero(info: ParameterInfo) -> ParameterInfo:
    """A learned first value starts at zero."""
    from fractions import Fraction

    if info.init is not None and info.init.kind == "constant" and not info.init.arguments:
        return replace(info, init=InitCall("constant", (Fraction(0),)))
    return info


def _biases(equations: tuple[Equation, ...]) -> set[str]:
    """Parameters that only ever stand alone as a term of a sum, or as the whole of a gate."""
    alone: set[str] = set()
    otherwise: set[str] = set()

    def look(node: Expr, is_term: bool) -> None:
        if isinstance(node, Parameter):
            (alone if is_term else otherwise).add(node.name)
        elif isinstance(node, Add):
            for term in node.terms:
                look(term, True)
        elif isinstance(node, Neg):
            look(node.operand, is_term)
        else:
            gate = (
                isinstance(node, Call) and FUNCTIONS[node.function].rule == "elementwise" and len(node.arguments) == 1
            )
            for child in node.children:
                look(child, gate)

    for equation in equations:
        if equation.timeless:
            otherwise |= {node.name for node in equation.value.walk() if isinstance(node, Parameter)}
        else:
            look(equation.value, True)
    return alone - otherwise
