"""Functions: every call names a function of the language with the right number of arguments; `def`s are inlined.

Afterwards an expression holds calls of `celldsl.functions.FUNCTIONS` only. What comes out of a `def` carries the
place of the call, its arguments their own places.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.errors import Diagnostics, Label, near
from celldsl.functions import ALIASES, FUNCTIONS
from celldsl.source import Span
from celldsl.syntax import tree

BROKEN = "<broken>"
"""The name put in place of an expression that could not be read, so that one mistake gives one message."""

_DEEPEST = 50


class Inliner:
    """Replaces calls of `def`s by their bodies, over the names of one cell."""

    def __init__(self, names: Names, found: Diagnostics):
        self.names = names
        self.found = found
        self.recursive: set[str] = set()
        self._check_defs()

    def equation(self, equation: tree.Equation) -> tree.Expr:
        """The right side of an equation with every `def` written out."""
        return self.expression(equation.value)

    def expression(self, expr: tree.Expr, depth: int = 0) -> tree.Expr:
        if isinstance(expr, tree.Juxtaposition):
            expr = self._calls_side_by_side(expr)
        if not isinstance(expr, tree.Call):
            parts = trees.children(expr)
            return trees.rebuild(expr, tuple(self.expression(part, depth) for part in parts)) if parts else expr
        arguments = tuple(self.expression(argument, depth) for argument in expr.arguments)
        name = ALIASES.get(expr.function, expr.function)
        if expr.function in self.names.defs:
            return self._written_out(expr, arguments, depth)
        if name not in FUNCTIONS:
            return self._unknown(expr)
        low, high = FUNCTIONS[name].arity
        if not low <= len(arguments) <= high:
            self._wrong_arity(expr, low, high)
            return tree.Name(BROKEN, span=expr.span)
        return replace(expr, function=name, arguments=arguments)

    def _written_out(self, call: tree.Call, arguments: tuple[tree.Expr, ...], depth: int) -> tree.Expr:
        definition = self.names.defs[call.function]
        if call.function in self.recursive or depth > _DEEPEST:
            return tree.Name(BROKEN, span=call.span)
        expected = len(definition.arguments)
        if len(arguments) != expected:
            self._wrong_arity(call, expected, expected, definition)
            return tree.Name(BROKEN, span=call.span)
        values = {name.text: value for name, value in zip(definition.arguments, arguments)}

        def put(node: tree.Expr) -> tree.Expr:
            if isinstance(node, tree.Name) and node.time is None and node.text in values:
                return values[node.text]
            parts = tuple(put(part) for part in trees.children(node))
            return replace(trees.rebuild(node, parts) if parts else node, span=call.span)

        # The arguments are written out already; only the body is left to do.
        body = self.expression(definition.value, depth + 1)
        return put(body)

    def _calls_side_by_side(self, row: tree.Juxtaposition) -> tree.Expr:
        """`swish(v)` of a parent's `def`, and misspelt functions, read as a name beside brackets."""
        factors = list(row.factors)
        at = 0
        while at + 1 < len(factors):
            head, rest = factors[at], factors[at + 1]
            if isinstance(head, tree.Name) and head.time is None and _in_brackets(head.span, rest.span):
                is_def = head.text in self.names.defs
                if is_def or self._looks_like_function(head.text):
                    call = tree.Call(head.text, (rest,), span=head.span.to(rest.span), function_span=head.span)
                    factors[at : at + 2] = [call]
            at += 1
        if len(factors) == len(row.factors):
            return row
        return replace(row, factors=tuple(factors)) if len(factors) > 1 else factors[0]

    def _looks_like_function(self, name: str) -> bool:
        """A name nobody declared that is almost a function's: a typing slip rather than a matrix."""
        if name in self.names.params or name in self.names.equations or name in self.names.settings or len(name) < 3:
            return False
        if ALIASES.get(name, name) in FUNCTIONS:
            return True
        known = (*FUNCTIONS, *ALIASES, *self.names.defs)
        return any(
            abs(len(name) - len(other)) <= 2
            and name.count("_") <= other.count("_")
            and difflib.SequenceMatcher(None, name, other).ratio() >= 0.75
            for other in known
            if len(other) >= 3
        )

    def _unknown(self, call: tree.Call) -> tree.Expr:
        close = near(call.function, (*FUNCTIONS, *ALIASES, *self.names.defs))
        product = ""
        if len(call.arguments) == 1 and not close:
            product = f"\nif `{call.function}` is a matrix, write the product with a blank or `@`"
        self.found.error(
            "unknown-function",
            f"there is no function `{call.function}`",
            call.function_span if call.function_span.end else call.span,
            notes=() if close else (f"the functions are {', '.join(FUNCTIONS)}",),
            help=(f"did you mean `{close}`?" if close else f"define it: `def {call.function}(…) = …`") + product,
        )
        return tree.Name(BROKEN, span=call.span)

    def _wrong_arity(self, call: tree.Call, low: int, high: int, definition: tree.Def | None = None) -> None:
        wanted = str(low) if low == high else f"{low} to {high}"
        given = len(call.arguments)
        others: tuple[Label, ...] = ()
        if definition is not None:
            others = (Label(definition.name.span, "defined here"),)
        letters = "abcdef" if definition is None else [name.text for name in definition.arguments]
        pattern = f"{call.function}({', '.join(letters[:high])})"
        self.found.error(
            "function-arity",
            f"`{call.function}` takes {wanted} argument{'s' if high != 1 else ''}, not {given}",
            call.span,
            label=f"{given} given",
            others=others,
            help=f"write `{pattern}`",
        )

    def _check_defs(self) -> None:
        """A `def` may use others, but not itself; and it reads no signals but its arguments."""
        uses = {
            name: {node.function for node in trees.walk(item.value) if isinstance(node, tree.Call)}
            & self.names.defs.keys()
            for name, item in self.names.defs.items()
        }
        reached = {name: set(direct) for name, direct in uses.items()}
        for _ in uses:
            for name in uses:
                reached[name] |= {far for other in reached[name] for far in reached[other]}
        for name, item in self.names.defs.items():
            if name in reached[name]:
                self.recursive.add(name)
                self.found.error(
                    "recursive-def",
                    f"the function `{name}` calls itself",
                    item.name.span,
                    notes=("a `def` is written out where it is called, so it must come to an end",),
                    help="give the recursion over time to a state, `h_{t-1}`",
                )
            seen: set[str] = set()
            for argument in item.arguments:
                if argument.text in seen:
                    self.found.error(
                        "declared-twice",
                        f"the function `{name}` has two arguments `{argument.text}`",
                        argument.span,
                        help="give each argument a name of its own",
                    )
                seen.add(argument.text)
            for node in trees.names(item.value):
                if node.time is not None:
                    self.found.error(
                        "signal-in-def",
                        f"the function `{name}` reads the signal `{trees.shown(node.text, node.time)}`",
                        node.span,
                        notes=("a `def` sees its arguments, parameters and settings",),
                        help=f"make it an argument: `def {name}({', '.join(a.text for a in item.arguments)}, {node.text})`",
                    )


def _in_brackets(head: Span, following: Span) -> bool:
    """Whether the author wrote brackets around what follows: `tahn(W x)`, not `U h`."""
    between = head.source.text[head.end : following.start + 1]
    return between.replace("\\left", "").lstrip().startswith("(")
