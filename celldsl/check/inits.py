"""`init` lines: how parameters start, and the first values of states.

A pattern with `*` speaks about all names it fits; the more letters a pattern names the more it counts, and of two
that name as many the later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from celldsl.check import cell
from celldsl.check.dims import Dims
from celldsl.check.names import Names
from celldsl.check.polynomial import NotAWidth, polynomial
from celldsl.check.starts import NotAStart, Starts, is_start
from celldsl.check.structures import Structures
from celldsl.check.width import SCALAR, Shape, Width
from celldsl.errors import Diagnostics, near
from celldsl.syntax import tree

_ALIASES = {
    "xavier": "glorot",
    "xavier_normal": "glorot_normal",
    "glorot_uniform": "glorot",
    "xavier_uniform": "glorot",
}
_ARITY = {
    "zeros": (0, 0),
    "ones": (0, 0),
    "glorot": (0, 0),
    "glorot_normal": (0, 0),
    "kaiming": (0, 0),
    "lecun": (0, 0),
    "orthogonal": (0, 0),
    "identity": (0, 0),
    "uniform": (1, 2),
    "normal": (1, 2),
    "learned": (0, 0),
}
_INFINITY = frozenset({"inf", "infty", "infinity"})
_FUNCTIONS = frozenset({"sqrt", "exp", "log"})
"""What may stand in a value, beside `+ - * /`."""
_MATRIX_ONLY = frozenset({"glorot", "glorot_normal", "kaiming", "lecun", "orthogonal", "identity"})


class Inits:
    """Resolves the `init` lines of one cell."""

    def __init__(
        self,
        names: Names,
        dims: Dims,
        parameters: dict[str, Shape],
        structures: Structures,
        states: Iterable[str],
        others: Iterable[str],
        found: Diagnostics,
    ):
        self.names, self.dims, self.parameters, self.found = names, dims, parameters, found
        self.structures = structures
        self.states = list(states)
        self.others = list(others)
        """Signals that are no states, and derived parameters."""
        self._widths = {name for shape in parameters.values() for dim in shape.dims for name in dim.names} | {
            *names.dims
        }
        self.parameter_inits: dict[str, cell.InitCall] = {}
        self.state_inits: dict[str, tree.Init] = {}
        self._weights: dict[str, int] = {}
        for item in names.inits:
            self._apply(item)
        self.report_circles()

    def _apply(self, item: tree.Init) -> None:
        pattern = item.pattern
        fits = re.compile(".*".join(re.escape(part) for part in pattern.split("*"))).fullmatch
        parameters = [name for name in self.parameters if fits(name) or fits(self.structures.whole.get(name, name))]
        states = [] if parameters else [name for name in self.states if fits(f"{name}_0")]
        if not parameters and not states:
            if self.names.is_own(item):
                self._report_no_match(item, pattern)
            return
        weight = len(pattern.replace("*", "")) if "*" in pattern else 10_000
        for name in states:
            if self._weights.get(name, 0) <= weight:
                self._weights[name] = weight
                self.state_inits[name] = item
        if not parameters:
            return
        if is_start(item.value, self.parameters) and not self._is_scheme(item.value):
            self._start(item, parameters, weight)
            return
        init = self._read(item)
        if init is None:
            return
        started = {name: self._of_structure(name, init) for name in parameters}
        suited = [name for name in parameters if started[name].kind not in _MATRIX_ONLY or self._is_matrix(name)]
        if len(suited) < len(parameters) and ("*" not in pattern or not suited):
            name = next(each for each in parameters if each not in suited)
            rank = "a vector" if self.parameters[name].rank else "a scalar"
            structure = self.structures.of(name)
            if structure is not None:
                rank = f"stored as the numbers of {'an' if structure[0][0] == 'o' else 'a'} {structure[0]} matrix"
            self.found.error(
                "init-shape",
                f"`{init.kind}` starts matrices, and `{name}` is {rank}",
                item.value.span,
                help=f"write a number, `zeros`, `uniform(a)` or `normal(std)` for `{name}`",
            )
        for name in suited:
            if self._weights.get(name, 0) <= weight:
                self._weights[name] = weight
                self.parameter_inits[name] = started[name]

    # --- expressions of draws ----------------------------------------------------------------

    def _is_scheme(self, value: tree.Expr) -> bool:
        """Whether a value is one scheme by itself, `orthogonal` or `uniform(0.1)`."""
        name = value.text if isinstance(value, tree.Name) else value.function if isinstance(value, tree.Call) else ""
        return name in _ARITY or name in _ALIASES

    def _start(self, item: tree.Init, parameters: list[str], weight: int) -> None:
        """A starting value for each entry, as an expression."""
        for name in parameters:
            if self._weights.get(name, 0) > weight:
                continue
            try:
                value = Starts(self.parameters, self.scalar).of(name, item.value)
            except NotAStart as problem:
                if self.names.is_own(item):
                    self.found.error(
                        problem.code,
                        f"`{name}` cannot start so",
                        problem.span,
                        label=problem.reason,
                        help="write numbers, settings, widths, draws such as `uniform(a, b)`, other parameters of its "
                        "shape, and its indices `i`, `j`",
                    )
                return
            self._weights[name] = weight
            self.parameter_inits[name] = cell.InitCall("expression", (value,))

    def report_circles(self) -> None:
        """Report starting values that are made of each other."""
        reads: dict[str, list[str]] = {}
        for name, init in self.parameter_inits.items():
            value = init.arguments[0] if init.kind == "expression" else None
            if isinstance(value, cell.Expr):
                reads[name] = [node.name for node in value.walk() if isinstance(node, cell.Parameter)]
        for name in reads:
            chain = [name]
            while chain[-1] in reads and reads[chain[-1]] and len(chain) <= len(reads):
                chain.append(next((each for each in reads[chain[-1]] if each in reads), ""))
                if chain[-1] == name:
                    item = next(item for item in reversed(self.names.inits) if item.pattern == name)
                    self.found.error(
                        "cyclic-init",
                        f"the starting value of `{name}` is made of itself: {' → '.join(chain)}",
                        item.span,
                        help="give one of them as numbers or draws",
                    )
                    return

    def _is_matrix(self, name: str) -> bool:
        """Whether a scheme for matrices can start what is stored: a matrix, or blocks."""
        return self.parameters[name].rank >= 2

    def _of_structure(self, name: str, init: cell.InitCall) -> cell.InitCall:
        """The identity as the numbers of a structure make it: ones on a diagonal, exp(0) for an orthogonal matrix."""
        kind = (self.structures.of(name) or ("",))[0]
        if init.kind == "identity" and kind in ("diagonal", "orthogonal"):
            return cell.InitCall("constant", (Fraction(kind == "diagonal"),))
        return init

    def _report_no_match(self, item: tree.Init, pattern: str) -> None:
        stem = pattern.removesuffix("_0")
        if pattern in self.others or (stem in self.others and pattern.endswith("_0")):
            name = pattern if pattern in self.others else stem
            derived = self.names.kind(name) == "derived"
            self.found.error(
                "init-not-a-state",
                f"`{name}` is {'derived from other parameters' if derived else 'no state'}, so nothing starts it",
                item.span,
                notes=("a state is a signal that an equation reads at an earlier time",) if not derived else (),
                help="start the parameters it is derived from"
                if derived
                else f"read `{name}_{{t-1}}` somewhere, or leave out the line",
            )
            return
        if stem in self.states and pattern == stem:
            self.found.error(
                "init-not-a-state",
                f"`{pattern}` is a state, whose first value is called `{pattern}_0`",
                item.span,
                help=f"write `init {pattern}_0 = …`",
            )
            return
        known = [*self.parameters, *(f"{name}_0" for name in self.states)]
        close = near(pattern.replace("*", ""), known)
        self.found.error(
            "init-no-match",
            f"`{pattern}` is no parameter and no state's first value",
            item.span,
            notes=(f"there are {', '.join(known)}",) if known else (),
            help=f"did you mean `{close}`?" if close else "leave out the line",
        )

    # --- values ------------------------------------------------------------------------------

    def _read(self, item: tree.Init) -> cell.InitCall | None:
        """How a parameter starts."""
        value = item.value
        scheme = None
        if isinstance(value, tree.Name) and value.time is None:
            scheme = value.text
        elif isinstance(value, tree.Call):
            scheme = value.function
        if scheme is not None and not (isinstance(value, tree.Name) and value.text in self.names.settings):
            return self._scheme(item, scheme, value.arguments if isinstance(value, tree.Call) else ())
        number = self._number(value)
        return None if number is None else cell.InitCall("constant", (number,))

    def _scheme(self, item: tree.Init, scheme: str, arguments: tuple[tree.Expr, ...]) -> cell.InitCall | None:
        kind = _ALIASES.get(scheme, scheme)
        if kind not in _ARITY:
            known = [*_ARITY, *_ALIASES]
            close = near(scheme, known)
            self.found.error(
                "unknown-init",
                f"there is no way to start named `{scheme}`",
                item.value.span,
                notes=() if close else (f"there are {', '.join(_ARITY)}, and numbers",),
                help=f"did you mean `{close}`?" if close else "",
            )
            return None
        if kind == "learned":
            self.found.error(
                "init-not-a-state",
                f"only a state's first value can be `learned`; `{item.pattern}` is a parameter and is trained anyway",
                item.span,
                help="leave out the line, or name a state's first value: `init h_0 = learned`",
            )
            return None
        low, high = _ARITY[kind]
        if not low <= len(arguments) <= high:
            form = {"uniform": "`uniform(a)` or `uniform(a, b)`", "normal": "`normal(std)` or `normal(mean, std)`"}
            wanted = f"{low} or {high} arguments" if high else "no arguments"
            self.found.error(
                "init-arity",
                f"`{scheme}` takes {wanted}, not {len(arguments)}",
                item.value.span,
                help=f"write {form.get(kind, f'`{scheme}`')}",
            )
            return None
        numbers = [self._number(argument) for argument in arguments]
        values = tuple(number for number in numbers if number is not None)
        if len(values) < len(numbers):
            return None
        if kind == "zeros" or kind == "ones":
            return cell.InitCall("constant", (Fraction(kind == "ones"),))
        if len(values) == 1:
            (value,) = values
            below = cell.Neg(SCALAR, value, span=value.span) if isinstance(value, cell.Expr) else -value
            values = (below, value) if kind == "uniform" else (Fraction(0), value)
        return cell.InitCall(kind, values)

    def _number(self, value: tree.Expr) -> Fraction | cell.Expr | None:
        """A number; where widths or settings have a part in it, the expression."""

        def constant(name: tree.Name) -> Width:
            if isinstance(self.names.settings.get(name.text), tree.Const):
                return Width.of(self.dims.settings[name.text][0])
            raise NotAWidth(name.span, f"`{name.text}` is not a number or a constant")

        try:
            return polynomial(value, constant).number
        except NotAWidth as problem:
            scalar = self.scalar(value)
            if scalar is not None:
                return scalar
            self.found.error(
                "init-value",
                "this is not a number",
                problem.span,
                label=problem.reason,
                help="write a number, or a way to start: "
                + ", ".join(f"`{kind}`" for kind in _ARITY if kind != "learned"),
            )
            return None

    def initial(self, state: str) -> cell.Expr | str | None:
        """A state's first value: an expression of numbers and settings, "learned", or None for zero."""
        item = self.state_inits.get(state)
        if item is None:
            return None
        value = item.value
        if isinstance(value, tree.Name) and value.text == "learned":
            return "learned"
        if isinstance(value, tree.Name) and value.text in ("zeros", "ones"):
            return cell.Num(SCALAR, "0" if value.text == "zeros" else "1", span=value.span)
        result = self.scalar(value)
        if result is None:
            self.found.error(
                "init-value",
                f"the first value of `{state}` is a number or `learned`",
                value.span,
                help=f"write `init {state}_0 = 0.5`, or `init {state}_0 = learned` for a trained vector",
            )
        return result

    def scalar(self, expr: tree.Expr) -> cell.Expr | None:
        """An expression of numbers, settings and widths; None for anything else."""
        match expr:
            case tree.Number(text=text):
                return cell.Num(SCALAR, text, span=expr.span)
            case tree.Name(text=text, time=None) if text in self.names.settings:
                return cell.Setting(SCALAR, text, span=expr.span)
            case tree.Name(text=text, time=None) if text in self._widths:
                return cell.Dim(SCALAR, self.dims.read(expr) or Width.of(text), span=expr.span)
            case tree.Name(text=text, time=None) if text in _INFINITY:
                return cell.Infinity(SCALAR, span=expr.span)
            case tree.Call(function=function, arguments=(argument,)) if function in _FUNCTIONS:
                inner = self.scalar(argument)
                return inner and cell.Call(SCALAR, function, (inner,), span=expr.span)
            case tree.Juxtaposition(factors=(first, *rest)):
                result = self.scalar(first)
                for factor in rest:
                    other = self.scalar(factor)
                    result = result and other and cell.Mul(SCALAR, result, other, span=expr.span)
                return result
            case tree.Negative(operand=operand):
                inner = self.scalar(operand)
                return inner and cell.Neg(SCALAR, inner, span=expr.span)
            case tree.Binary(op="+" | "-" | "*" | "/" as op, left=left, right=right):
                one, other = self.scalar(left), self.scalar(right)
                if one is None or other is None:
                    return None
                if op in "+-":
                    return cell.Add(SCALAR, (one, other if op == "+" else cell.Neg(SCALAR, other)), span=expr.span)
                return (cell.Mul if op == "*" else cell.Div)(SCALAR, one, other, span=expr.span)
            case tree.Binary(op="^", left=left, right=right):
                one, other = self.scalar(left), self.scalar(right)
                return one and other and cell.Pow(SCALAR, one, other, span=expr.span)
        return None
