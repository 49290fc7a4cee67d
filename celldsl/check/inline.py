"""Functions: every call names a function of the language with the right number of arguments; `def`s are inlined.

Afterwards an expression holds calls of `celldsl.functions.FUNCTIONS` only. What comes out of a `def` carries the
place of the call, its arguments their own places.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import islice

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.errors import Diagnostics, Label, near
from celldsl.functions import ALIASES, FUNCTIONS, NOISES
from celldsl.source import Span
from celldsl.syntax import tree

BROKEN = "<broken>"
"""The function put in place of a call that could not be read: its arguments are still read, its shape fits
everything, so that one mistake gives one message."""

REPEAT = "repeat"
"""`repeat(v, C)`: every entry of a vector C times. Its second argument is a width, so it is no row of the table."""

_LARGEST = 2000
"""Nodes of one equation with its `def`s written out; a few lines of `def`s can ask for astronomically many."""


class Inliner:
    """Replaces calls of `def`s by their bodies, over the names of one cell."""

    def __init__(self, names: Names, found: Diagnostics):
        self.names = names
        self.found = found
        self.called: set[str] = set()
        """The `def`s that equations call."""
        self._unusable: set[str] = set()
        """The `def`s about which an error was reported."""
        self._too_large = False
        self._bodies: dict[str, tree.Expr] = {}
        """The bodies of `def`s with the `def`s they call written out."""
        self._check_defs()

    def equation(self, equation: tree.Equation) -> tree.Expr:
        """The right side of an equation with every `def` written out."""
        self._too_large = False
        value = self._expression(equation.value)
        if self._too_large:
            self.found.error(
                "too-large",
                f"written out, this equation has more than {_LARGEST} terms",
                equation.span,
                notes=("a `def` is written out where it is called, and its arguments wherever it reads them",),
                help="give what is computed several times an equation of its own",
            )
        return value

    def _expression(self, expr: tree.Expr) -> tree.Expr:
        if isinstance(expr, tree.Juxtaposition):
            expr = self._calls_side_by_side(expr)
        if not isinstance(expr, tree.Call):
            parts = trees.children(expr)
            return trees.rebuild(expr, tuple(self._expression(part) for part in parts)) if parts else expr
        arguments = tuple(self._expression(argument) for argument in expr.arguments)
        if expr.function in self.names.defs:
            return self._written_out(expr, arguments)
        name = ALIASES.get(expr.function, expr.function)
        if name == REPEAT and len(arguments) == 2:
            return replace(expr, arguments=(arguments[0], expr.arguments[1]))
        if name == REPEAT:
            self._report_arity(expr, 2, 2)
            return _broken(expr, arguments)
        row = FUNCTIONS.get(name) or NOISES.get(name)
        if row is None:
            self._report_unknown(expr)
            return _broken(expr, arguments)
        low, high = row.arity
        if not low <= len(arguments) <= high:
            self._report_arity(expr, low, high)
            return _broken(expr, arguments)
        return replace(expr, function=name, arguments=arguments)

    def _written_out(self, call: tree.Call, arguments: tuple[tree.Expr, ...]) -> tree.Expr:
        definition = self.names.defs[call.function]
        self.called.add(call.function)
        if call.function in self._unusable:
            return _broken(call, arguments)
        expected = len(definition.arguments)
        if len(arguments) != expected:
            self._report_arity(call, expected, expected, definition)
            return _broken(call, arguments)
        values = {name.text: value for name, value in zip(definition.arguments, arguments, strict=True)}
        if self._doubles_noise(call, definition, values):
            return _broken(call, arguments)

        def put(node: tree.Expr) -> tree.Expr:
            if isinstance(node, tree.Name) and node.time is None and node.text in values:
                return values[node.text]
            parts = tuple(put(part) for part in trees.children(node))
            return replace(trees.rebuild(node, parts) if parts else node, span=call.span)

        if call.function not in self._bodies:
            self._bodies[call.function] = self._expression(definition.value)
        result = put(self._bodies[call.function])
        if next(islice(trees.walk(result), _LARGEST, None), None) is not None:
            self._too_large = True
            return _broken(call, ())
        return result

    def _doubles_noise(self, call: tree.Call, definition: tree.Def, values: dict[str, tree.Expr]) -> bool:
        """Whether an argument with noise would be written out more than once, each time with another mask."""
        read = [node.text for node in trees.names(definition.value) if node.time is None]
        for name, value in values.items():
            noise = next((n for n in trees.walk(value) if isinstance(n, tree.Call) and n.function in NOISES), None)
            if noise is not None and read.count(name) > 1:
                self.found.error(
                    "noise-twice",
                    f"`{call.function}` reads its argument `{name}` more than once, and `{noise.function}` would draw "
                    "a mask each time",
                    noise.span,
                    help=f"give `{trees.text(noise)}` an equation of its own, and call `{call.function}` with its name",
                )
                return True
        return False

    def _calls_side_by_side(self, row: tree.Juxtaposition) -> tree.Expr:
        """`swish(v)` of a parent's `def`, and misspelt functions, were read as a name beside brackets."""
        factors = list(row.factors)
        at = 0
        while at + 1 < len(factors):
            head, rest = factors[at], factors[at + 1]
            if isinstance(head, tree.Name) and self._is_call(head, rest):
                call = tree.Call(head.text, (rest,), span=head.span.to(rest.span), function_span=head.span)
                factors[at : at + 2] = [call]
            at += 1
        if len(factors) == len(row.factors):
            return row
        return replace(row, factors=tuple(factors)) if len(factors) > 1 else factors[0]

    def _is_call(self, head: tree.Name, rest: tree.Expr) -> bool:
        """A `def`'s name, or almost a function's, with what follows in brackets."""
        if head.time is not None or not _in_brackets(head.span, rest.span):
            return False
        return head.text in self.names.defs or self._looks_like_function(head.text)

    def _looks_like_function(self, name: str) -> bool:
        """A name nobody declared that is almost a function's: a typing slip rather than a matrix."""
        if name in self.names.params or name in self.names.equations or name in self.names.settings or len(name) < 3:
            return False
        if ALIASES.get(name, name) in (*FUNCTIONS, *NOISES, REPEAT):
            return True
        return any(
            abs(len(name) - len(other)) <= 2
            and name.count("_") <= other.count("_")
            and difflib.SequenceMatcher(None, name, other).ratio() >= 0.75
            for other in (*FUNCTIONS, *NOISES, *ALIASES, *self.names.defs)
            if len(other) >= 3
        )

    # --- reports -----------------------------------------------------------------------------

    def _report_unknown(self, call: tree.Call) -> None:
        close = near(call.function, (*FUNCTIONS, *NOISES, *ALIASES, *self.names.defs))
        self.found.error(
            "unknown-function",
            f"there is no function `{call.function}`",
            call.function_span if call.function_span.end else call.span,
            notes=() if close else (f"the functions are {', '.join((*FUNCTIONS, *NOISES))}",),
            help=f"did you mean `{close}`?" if close else f"define it: `def {call.function}(…) = …`",
        )

    def _report_arity(self, call: tree.Call, low: int, high: int, definition: tree.Def | None = None) -> None:
        wanted = str(low) if low == high else f"{low} to {high}"
        letters = [name.text for name in definition.arguments] if definition else list("abcdef")
        if not definition and (name := ALIASES.get(call.function, call.function)) in NOISES:
            letters = list(NOISES[name].arguments)
        self.found.error(
            "function-arity",
            f"`{call.function}` takes {wanted} argument{'s' if high != 1 else ''}, not {len(call.arguments)}",
            call.span,
            label=f"{len(call.arguments)} given",
            others=(Label(definition.name.span, "defined here"),) if definition else (),
            help=f"write `{call.function}({', '.join(letters[:high])})`",
        )

    # --- what `def` lines say -----------------------------------------------------------------

    def _check_defs(self) -> None:
        """A `def` may use others, but not itself; and it reads no signals but its arguments."""
        calls = {name: self._called(item.value) for name, item in self.names.defs.items()}
        for name, item in self.names.defs.items():
            loop = _way(name, name, calls)
            if loop:
                self._unusable.add(name)
                if name == min(loop, key=list(calls).index):
                    self.found.error(
                        "recursive-def",
                        f"the function `{name}` calls itself" + (f": {' → '.join(loop)}" if len(loop) > 2 else ""),
                        item.name.span,
                        notes=("a `def` is written out where it is called, so it must come to an end",),
                        help="leave the recursion over time to a state, `h_{t-1}`",
                    )
            self._check_arguments(name, item)

    def _check_arguments(self, name: str, item: tree.Def) -> None:
        seen: dict[str, tree.Name] = {}
        for argument in item.arguments:
            if argument.text in seen:
                self._unusable.add(name)
                self.found.error(
                    "declared-twice",
                    f"the function `{name}` has two arguments `{argument.text}`",
                    argument.span,
                    others=(Label(seen[argument.text].span, "the first"),),
                    help="give each argument a name of its own",
                )
            seen.setdefault(argument.text, argument)
        for node in trees.names(item.value):
            if node.time is not None:
                self._unusable.add(name)
                arguments = ", ".join([*(argument.text for argument in item.arguments), node.text])
                self.found.error(
                    "signal-in-def",
                    f"the function `{name}` reads the signal `{trees.shown(node.text, node.time)}`",
                    node.span,
                    notes=("a `def` sees its arguments, parameters and settings",),
                    help=f"make it an argument: `def {name}({arguments}) = …`",
                )

    def _called(self, expr: tree.Expr) -> set[str]:
        """The `def`s that an expression calls."""
        if isinstance(expr, tree.Juxtaposition):
            expr = self._calls_side_by_side(expr)
        own = {expr.function} if isinstance(expr, tree.Call) and expr.function in self.names.defs else set()
        return own.union(*(self._called(part) for part in trees.children(expr)))


def _way(start: str, goal: str, calls: dict[str, set[str]]) -> list[str]:
    """A shortest way of calls from one `def` to another, both ends included; empty where there is none."""
    came: dict[str, list[str]] = {start: [start]}
    queue = [start]
    while queue:
        at = queue.pop(0)
        for following in sorted(calls[at]):
            if following == goal:
                return [*came[at], goal]
            if following not in came:
                came[following] = [*came[at], following]
                queue.append(following)
    return []


def _broken(call: tree.Call, arguments: tuple[tree.Expr, ...]) -> tree.Call:
    return replace(call, function=BROKEN, arguments=arguments)


def _in_brackets(head: Span, following: Span) -> bool:
    """Whether the author wrote brackets around what follows: `tahn(W x)`, not `U h`."""
    between = head.source.text[head.end : following.start + 1]
    return between.replace("\\left", "").lstrip().startswith("(")
