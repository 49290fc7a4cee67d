"""From the parser's rules to the nodes of `tree`, and the ambiguities that only a whole expression shows.

One method a rule; every node spans what was written for it, brackets included.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from lark import Transformer_NonRecursive as Transformer

from celldsl.errors import Diagnostics, near
from celldsl.source import Source, Span
from celldsl.syntax import tree
from celldsl.syntax.grammar import Token
from celldsl.syntax.keywords import STRUCTURES
from celldsl.syntax.write_names import write_name


class Build(Transformer):
    """Turns the parse of one file into a `tree.File`."""

    def __init__(self, source: Source, problems: Diagnostics):
        super().__init__(visit_tokens=False)
        self.source = source
        self.problems = problems

    def _span(self, *children: Any) -> Span:
        """From the first child that was written to the last."""
        spans = [self._of(child) for child in children if child is not None]
        return spans[0].to(spans[-1]) if spans else self.source.span(0, 0)

    def _of(self, child: Any) -> Span:
        if isinstance(child, Token):
            return self.source.span(child.start, child.end)
        if isinstance(child, tuple):
            return self._span(*child)
        return child.span

    # --- the file --------------------------------------------------------------------------

    def file(self, children: list[Any]) -> tree.File:
        return tree.File(children[0], span=self.source.span(0, len(self.source.text)))

    def cells(self, children: list[Any]) -> tuple[tree.CellDef, ...]:
        return (*children[0], children[1]) if children else ()

    def head(self, children: list[Any]) -> list[Any]:
        return children

    def cell(self, children: list[Any]) -> tree.CellDef:
        (cell, name, _, parent, _), items, close = children
        return tree.CellDef(
            name.text,
            parent.text if parent else None,
            items,
            span=self._span(cell, close),
            name_span=self._of(name),
            parent_span=self._of(parent) if parent else self._of(name),
        )

    def items(self, children: list[Any]) -> tuple[tree.Item, ...]:
        if not children:
            return ()
        before, item, _ = children
        return (*before, *item) if isinstance(item, tuple) else (*before, item)

    # --- what stands in a cell -------------------------------------------------------------

    def _target(self, token: Token) -> tree.Name:
        return tree.Name(token.text, token.time, span=self._of(token))

    def _timeless(self, token: Token) -> tree.Name:
        """The name of a declaration, which may be written with its time at t."""
        if token.time:
            self.problems.error(
                "bad-declaration",
                f"a declaration names `{token.text}` itself, not an earlier value of it",
                self._of(token),
                help=f"write `{token.text}`; its first value is set by `init {token.text}_0 = …`",
            )
        return tree.Name(token.text, None, span=self._of(token))

    def equation(self, children: list[Any]) -> tree.Equation:
        target, _, value, label = children
        if target.time:
            self.problems.error(
                "target-in-past",
                f"`{self._of(target).text}` is a value of an earlier step",
                self._of(target),
                label="an equation defines the value at t",
                help=f"write `{target.text}_t = …`; first values are set by `init {target.text}_0 = …`",
            )
        return tree.Equation(self._target(target), value, label and label.text, span=self._span(target, value, label))

    def instance(self, children: list[Any]) -> tree.Instance:
        *names, _, value, label = children
        targets = tuple(self._target(name) for name in names[::2])
        for target in targets:
            if target.time != 0:
                self.problems.error(
                    "bad-left-side",
                    f"`{target.span.text}` is no value at t",
                    target.span,
                    label="the names of a cell's new values were expected",
                    help=f"write `{write_name(tree.Name(target.text, 0), 'unicode')}`",
                )
        return tree.Instance(targets, value, label and label.text, span=self._span(targets[0], value, label))

    def docstring(self, children: list[Any]) -> tree.Docstring:
        return tree.Docstring(_unquoted(children[0].text), span=self._of(children[0]))

    def cite(self, children: list[Any]) -> tree.Cite:
        return tree.Cite(" ".join(_unquoted(children[1].text).split()), span=self._span(*children))

    def typed(self, children: list[Any]) -> tree.Typed:
        name, _, width = children
        return tree.Typed(self._timeless(name), width, span=self._span(name, width))

    def input(self, children: list[Any]) -> tree.Input:
        return tree.Input(tuple(children[1::2]), span=self._span(*children))

    def state(self, children: list[Any]) -> tree.State:
        return tree.State(tuple(children[1::2]), span=self._span(*children))

    def output(self, children: list[Any]) -> tree.Output:
        return tree.Output(self._timeless(children[1]), span=self._span(*children))

    def dim(self, children: list[Any]) -> Any:
        if len(children) == 4 and children[2].type == "EQ":
            return tree.Dim(self._timeless(children[1]), children[3], span=self._span(*children))
        return tuple(tree.Dim(self._timeless(name), None, span=self._of(name)) for name in children[1::2])

    def param(self, children: list[Any]) -> Any:
        span, frozen = self._span(*children), children.pop() is not None
        *names, shape, structure = [c for c in children[1:] if not (isinstance(c, Token) and c.type != "NAME")]
        return tuple(tree.Param(self._timeless(name), shape, structure, frozen, span=span) for name in names)

    def shape(self, children: list[Any]) -> tuple[tree.Expr, ...]:
        if isinstance(children[0], Token):
            return ()
        for width in children[::2]:
            self._check_width(width)
        return tuple(children[::2])

    def _check_width(self, width: tree.Expr) -> None:
        """A misspelt structure reads as one factor more: `n×n diagnal`."""
        if isinstance(width, tree.Juxtaposition):
            last = width.factors[-1]
            guess = near(last.text, STRUCTURES) if isinstance(last, tree.Name) else None
            if guess and isinstance(last, tree.Name) and len(last.text) > 3:
                self.problems.error(
                    "unknown-structure",
                    f"unknown structure `{last.text}`",
                    last.span,
                    label="not a structure of matrices",
                    notes=("known are blocks(k), diagonal, symmetric, lowrank(r) and orthogonal",),
                    help=f"did you mean `{guess}`?",
                )

    def structure(self, children: list[Any]) -> tree.Structure:
        arguments = tuple(child for child in children[1:] if child is not None and not isinstance(child, Token))
        return tree.Structure(children[0].text, arguments, span=self._span(*children))

    def const(self, children: list[Any]) -> tree.Const:
        return tree.Const(self._timeless(children[1]), children[3], span=self._span(*children))

    def hyper(self, children: list[Any]) -> tree.Hyper:
        return tree.Hyper(self._timeless(children[1]), children[3], span=self._span(*children))

    def define(self, children: list[Any]) -> tree.Def:
        _, name, *rest = children
        names = tuple(self._timeless(token) for token in rest[1:-3:2])
        return tree.Def(self._timeless(name), names, children[-1], span=self._span(*children))

    def share(self, children: list[Any]) -> tree.Share:
        return tree.Share(self._timeless(children[1]), self._timeless(children[3]), span=self._span(*children))

    def init(self, children: list[Any]) -> tuple[tree.Init, ...]:
        span = self._span(children[0], children[-1])
        return tuple(tree.Init(pattern, children[-1], span=span) for pattern in children[1:-2:2])

    def pattern(self, children: list[Any]) -> str:
        for token in children:
            if token.time is not None:
                self.problems.error(
                    "bad-declaration",
                    f"`init` names no time, found `{self._of(token).text}`",
                    self._of(token),
                    label="a parameter or a first value was expected",
                    help=f"write `init {token.text}_0 = …` for the first value of `{token.text}`",
                )
        return "".join(token.text for token in children)

    def rounds(self, children: list[Any]) -> list[Any]:
        return children

    def repeat(self, children: list[Any]) -> tree.Repeat:
        (_, index, _, first, _, second, _, _, _, last, _), items, close = children
        return tree.Repeat(self._timeless(index), first, second, last, items, span=self._span(children[0][0], close))

    def drop(self, children: list[Any]) -> tree.Drop:
        return tree.Drop(tuple(self._timeless(token) for token in children[1::2]), span=self._span(*children))

    # --- claims ----------------------------------------------------------------------------

    def claim_count(self, children: list[Any]) -> tree.ClaimCount:
        _, quantity, at, _, value, label = children
        return tree.ClaimCount(
            quantity.text, at or (), value, label and label.text, span=self._span(*children[:1], value, label)
        )

    def at(self, children: list[Any]) -> tuple[tuple[str, int], ...]:
        sizes = []
        for name, number in zip(children[1::4], children[3::4], strict=True):
            if not number.text.isdigit():
                self.problems.error(
                    "bad-number",
                    f"a width is a whole number, found `{number.text}`",
                    self._of(number),
                    help=f"write `{name.text}=…` with a whole number of entries",
                )
            sizes.append((name.text, int(number.text) if number.text.isdigit() else 1))
        return tuple(sizes)

    def constrain(self, children: list[Any]) -> tree.Constrain:
        _, *bounds = children
        span, signs = self._span(*children), [each.text for each in bounds[1::2]]
        low: tree.Expr | None = None
        high: tree.Expr | None = None
        if len(bounds) == 5:
            low, middle, high = bounds[::2] if signs[0].startswith("<") else bounds[::-2]
        else:
            left, _, right = bounds
            is_left = _parameter_in(left) is not None
            middle, bound = (left, right) if is_left else (right, left)
            low, high = (None, bound) if is_left == signs[0].startswith("<") else (bound, None)
        name = _parameter_in(middle)
        if isinstance(middle, tree.Call) and name is not None:
            low, name = (tree.Negative(high, span=high.span), name) if low is None and high else (low, None)
        if name is None or set(signs) not in ({"<="}, {">="}):
            self.problems.error(
                "bad-constraint",
                "this bounds no parameter",
                span,
                label="one parameter between `<=` or `>=` was expected",
                notes=("`constrain -1 <= u <= 1`", "`constrain u >= 0`", "`constrain abs(u) <= 2`"),
                help="write the constraint in one of these forms",
            )
            name = tree.Name("X", span=span)
        return tree.Constrain(name, low, high, span=span)

    def claim_range(self, children: list[Any]) -> Any:
        span = self._span(*children)
        if len(children) == 4:
            return self._one_sided(children, span)
        _, low, first, signal, second, high = children
        if first.text[0] != second.text[0]:
            self.problems.error(
                "unknown-claim",
                "the two bounds point in different directions",
                self._of(second),
                label=f"`{first.text[0]}` was expected, as in front of the signal",
                help="write the lower bound first: `claim 0 < i_t < 1`",
            )
        signal = self._ranged(signal)
        if first.text.startswith(">"):
            low, high, first, second = high, low, second, first
        relations = (first.text.replace(">", "<"), second.text.replace(">", "<"))
        return tree.ClaimRange(low, relations[0], signal, relations[1], high, span=span)

    def _one_sided(self, children: list[Any], span: Span) -> tree.ClaimRange:
        """`claim h_t >= 0` or `claim 0 <= h_t`: the signal is the side that is a name with a time."""
        _, left, relation, right = children
        is_left = isinstance(left, tree.Name) and left.time is not None
        signal = self._ranged(left if is_left or not isinstance(right, tree.Name) else right)
        bound = right if is_left or not isinstance(right, tree.Name) else left
        sign = relation.text.replace(">", "<")
        if is_left == relation.text.startswith(">"):
            return tree.ClaimRange(bound, sign, signal, "<", None, span=span)
        return tree.ClaimRange(None, "<", signal, sign, bound, span=span)

    def _ranged(self, signal: tree.Expr) -> tree.Name:
        """The signal that a claim bounds."""
        if isinstance(signal, tree.Name):
            return signal
        self.problems.error(
            "unknown-claim",
            "bounds hold for one signal",
            signal.span,
            label="the name of a signal was expected, such as `i_t`",
            help="give the expression a name by an equation, and bound that name",
        )
        return tree.Name("X", 0, span=signal.span)

    def claim_equals(self, children: list[Any]) -> tree.ClaimEquals:
        _, _, other, _, *conditions = children
        when = tuple(c for c in conditions if isinstance(c, tree.Equation))
        return tree.ClaimEquals(other.text, when, span=self._span(*children))

    # --- expressions -----------------------------------------------------------------------

    def name(self, children: list[Any]) -> tree.Name:
        return tree.Name(children[0].text, children[0].time, span=self._of(children[0]))

    def number(self, children: list[Any]) -> tree.Number:
        return tree.Number(children[0].text, span=self._of(children[0]))

    def ratio(self, children: list[Any]) -> tree.Binary:
        above, below = (tree.Number(part.text, span=self._of(part)) for part in children[0].parts)
        return tree.Binary("/", above, below, span=self._of(children[0]))

    def negative(self, children: list[Any]) -> tree.Negative:
        return tree.Negative(children[1], span=self._span(*children))

    def binary(self, children: list[Any]) -> tree.Binary:
        left, sign, right = children
        return tree.Binary(_OPERATORS[sign.type], left, right, span=self._span(left, right))

    def fraction(self, children: list[Any]) -> tree.Binary:
        return tree.Binary("/", children[2], children[5], span=self._span(*children))

    def transposed(self, children: list[Any]) -> tree.Transposed:
        return tree.Transposed(children[0], span=self._span(*children))

    def slice(self, children: list[Any]) -> tree.Slice:
        operand, _, first, _, last, _ = children
        return tree.Slice(operand, first, last, span=self._span(*children))

    def brackets(self, children: list[Any]) -> tree.Expr:
        return replace(children[1], span=self._span(*children))

    def juxtaposition(self, children: list[Any]) -> tree.Juxtaposition:
        factors = tuple(child for child in children if child is not None and not isinstance(child, Token))
        joined = False
        for child in children:
            if isinstance(child, Token):
                joined = True
                continue
            if child is not None:
                if not joined and child is not factors[0]:
                    self._check_number_behind(child)
                joined = False
        return tree.Juxtaposition(factors, span=self._span(*factors))

    def _check_number_behind(self, factor: tree.Expr) -> None:
        text = factor.span.text
        if text[:1].isdigit():
            self.problems.error(
                "number-behind",
                "a number stands behind a factor, with no sign between",
                factor.span,
                label="multiply by it? add it? raise to it?",
                help=f"to multiply by it, write it in front: `{text} …`; or write the sign, `· {text}`, `^{text}`",
            )
        elif isinstance(factor, tree.Number) and not text.startswith("(("):
            self.problems.error(
                "number-behind",
                f"`{text}` stands in the middle of a product",
                factor.span,
                label="a label, or a factor?",
                help="a label is the last thing of its line; a number to multiply by is written in front",
            )

    def arguments(self, children: list[Any]) -> tuple[tree.Expr, ...]:
        return tuple(children[::2])

    def call(self, children: list[Any]) -> tree.Call:
        function, _, arguments, _ = children
        if not isinstance(arguments, tuple):
            arguments = (arguments,)
        return tree.Call(function.text, arguments, span=self._span(*children), function_span=self._of(function))

    def comma(self, children: list[Any]) -> Token:
        return children[0]

    def stack(self, children: list[Any]) -> tree.Stack:
        return tree.Stack(tuple(c for c in children if not isinstance(c, Token)), span=self._span(*children))

    # --- ambiguities -----------------------------------------------------------------------

    def ambiguous_quotient(self, children: list[Any]) -> tree.Binary:
        above, slash, below = children
        text = self.source.text
        if isinstance(below, tree.Juxtaposition):
            first, joint = below.factors[0], " "
            rest = text[below.factors[1].span.start : below.span.end]
        else:
            first, joint = below.left, " @ "
            rest = below.right.span.text
        over, whole = above.span.text, below.span.text
        self.problems.error(
            "ambiguous-quotient",
            "what stands beneath this `/`?",
            self._of(slash),
            label=f"`{first.span.text}`, or `{whole}`?",
            notes=(
                f"either `{over} / ({whole})`",
                f"or `({over} / {first.span.text}){joint}{rest}`",
            ),
            help="write the brackets of the one that is meant",
        )
        return tree.Binary("/", above, below, span=self._span(above, below))

    def ambiguous_product(self, children: list[Any]) -> tree.Binary:
        left, sign, right = children
        shown = sign.text if sign.text != "*" else self._of(sign).text
        self.problems.error(
            "ambiguous-product",
            f"`{shown}` and `@` stand side by side",
            self._of(sign),
            label="which product comes first?",
            notes=(
                f"either `{left.span.text} {shown} ({right.span.text})`",
                f"or `({left.span.text} {shown} {right.left.span.text}) @ {right.right.span.text}`",
            ),
            help="write the brackets of the one that is meant",
        )
        return tree.Binary("*", left, right, span=self._span(left, right))


# `def` is a word of Python.
setattr(Build, "def", Build.define)

_OPERATORS = {"PLUS": "+", "MINUS": "-", "TIMES": "*", "SLASH": "/", "AT": "@", "CARET": "^"}


def _unquoted(text: str) -> str:
    """What stands between the quotes, without the indentation of its lines."""
    quote = 3 if text.startswith('"""') else 1
    inside = text[quote:-quote] if len(text) >= 2 * quote else ""
    return inspect.cleandoc(inside.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\"))


def _parameter_in(bounded: tree.Expr) -> tree.Name | None:
    """The parameter that a constraint is about: `u` or `abs(u)`."""
    if isinstance(bounded, tree.Call) and bounded.function == "abs" and len(bounded.arguments) == 1:
        bounded = bounded.arguments[0]
    return bounded if isinstance(bounded, tree.Name) and bounded.time is None else None
