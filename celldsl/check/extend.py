"""`extends` and `drop`: a cell written as the change of another becomes a cell written out.

The parent's equations come first, in its order; an equation, declaration or setting of the child takes the place
of the parent's for the same name; `drop` removes names from what is inherited, and the terms they stand in.
Docstring, citations and claims speak about the parent alone and are not inherited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from celldsl.check import trees
from celldsl.check.repeat import Written, repeat
from celldsl.errors import Diagnostics, Label, near
from celldsl.functions import ALIASES
from celldsl.source import Span
from celldsl.syntax import tree

_OWN_ONLY = (
    tree.Docstring,
    tree.Cite,
    tree.ClaimCount,
    tree.ClaimRange,
    tree.ClaimEquals,
    tree.Drop,
)

_ZERO_AT_ZERO = frozenset(
    [
        "tanh",
        "relu",
        "hard_tanh",
        "softsign",
        "silu",
        "gelu",
        "elu",
        "leaky_relu",
        "sqrt",
        "abs",
        "sign",
        "sin",
        "floor",
        "cumsum",
        "sum",
        "mean",
        "norm",
    ]
)
"""Functions that are zero where their argument is: dropping the argument drops the call."""


def extend(definition: tree.CellDef, parent: tree.CellDef | None, found: Diagnostics) -> list[Written] | None:
    """The items of `definition` with those of `parent` (itself written out already) before them; None after an error
    in a `repeat`, without whose equations nearly every name would be unknown."""
    old = [item for item in parent.items if not isinstance(item, _OWN_ONLY)] if parent else []
    before = len(found.errors)
    inherited, pieces = repeat(old, definition.items, found)
    if len(found.errors) > before:
        return None
    origins = {id(piece.item): piece for piece in (*inherited, *pieces)}
    own = [piece.item for piece in pieces]
    drops = {name.text: name.span for item in own if isinstance(item, tree.Drop) for name in item.names}
    rest = [item for item in own if not isinstance(item, tree.Drop)]
    if parent is None:
        if definition.parent is None:
            for name, span in drops.items():
                found.error(
                    "drop-without-parent",
                    f"there is nothing to drop `{name}` from",
                    span,
                    notes=(f"`drop` changes what a cell inherits, but `{definition.name}` extends no other cell",),
                    help=f"name the parent: `cell {definition.name} extends PARENT {{ … }}`",
                )
        return [origins[id(item)] for item in rest]

    items = [piece.item for piece in inherited]
    _report_unknown_drops(drops, items, definition.parent or parent.name, found)
    _report_drops_still_used(drops, rest, found)
    trial = Diagnostics()
    result = _merge(items, rest, drops, trial)
    if trial.errors:  # a half-dropped cell would be full of mistakes that nobody made
        found.items += trial.items
        result = _merge(items, rest, {}, found)
    return [origins.get(id(each.item), each) for each in result]


def _merge(
    inherited: Sequence[tree.Item], own: Sequence[tree.Item], drops: dict[str, Span], found: Diagnostics
) -> list[Written]:
    """The inherited items without the dropped names, each replaced by the child's own where it has one."""
    replacing: dict[tuple[str, str], list[tree.Item]] = {}
    for item in own:
        for key in _keys(item):
            replacing.setdefault(key, []).append(item)
    result: list[Written] = []
    placed: set[int] = set()
    for item in inherited:
        taking = [new for key in _keys(item) for new in replacing.get(key, ())]
        if not taking:
            kept = _without(item, drops, found)
            if kept is not None:
                result.append(Written(kept, False))
        elif isinstance(item, tree.Equation):  # the new equation stands where the old one stood
            equations = [new for new in taking if isinstance(new, tree.Equation) and id(new) not in placed]
            result += [Written(new, True) for new in equations]
            placed |= {id(new) for new in equations}
    return result + [Written(item, True) for item in own if id(item) not in placed]


def _keys(item: tree.Item) -> tuple[tuple[str, str], ...]:
    """What an item is about: an item of the child takes the place of the parent's with the same key."""
    match item:
        case tree.Equation(target=name):
            return (("name", name.text),)
        case tree.Param(name=name) | tree.Const(name=name) | tree.Hyper(name=name) | tree.Dim(name=name):
            return (("name", name.text),)
        case tree.Input(signals=signals) | tree.State(signals=signals):
            return tuple(("signal", signal.name.text) for signal in signals)
        case tree.Output():
            return (("output", ""),)
        case tree.Def(name=name):
            return (("def", name.text),)
        case tree.Share(name=name):
            return (("share", name.text),)
        case tree.Constrain(name=name):
            return (("constrain", name.text),)
    return ()


def _report_unknown_drops(
    drops: dict[str, Span], inherited: Sequence[tree.Item], parent: str, found: Diagnostics
) -> None:
    known = _names_in(inherited)
    for name, span in drops.items():
        if name not in known:
            close = near(name, known)
            found.error(
                "drop-unknown",
                f"`{parent}` has no `{name}` to drop",
                span,
                notes=() if close else (f"`{parent}` has {', '.join(known)}",),
                help=f"did you mean `{close}`?" if close else "",
            )


def _names_in(items: Iterable[tree.Item]) -> list[str]:
    known: dict[str, None] = {}
    for item in items:
        if isinstance(item, tree.Equation):
            known[item.target.text] = None
            known.update((name.text, None) for name in trees.names(item.value))
        elif isinstance(item, (tree.Param, tree.Const, tree.Hyper, tree.Share)):
            known[item.name.text] = None
    return list(known)


def _report_drops_still_used(drops: dict[str, Span], own: Sequence[tree.Item], found: Diagnostics) -> None:
    for item in own:
        if not isinstance(item, tree.Equation):
            continue
        for name in (item.target, *trees.names(item.value)):
            if name.text in drops:
                found.error(
                    "dropped-name-used",
                    f"`{name.text}` is dropped and used",
                    name.span,
                    label="used here",
                    others=(Label(drops[name.text], "dropped here"),),
                    help=f"leave `{name.text}` out of the equation, or out of the `drop`",
                )
                break


def _without(item: tree.Item, drops: dict[str, Span], found: Diagnostics) -> tree.Item | None:
    """An inherited item without the dropped names; None where nothing of it is left."""
    match item:
        case tree.Equation(target=target, value=value):
            if target.text in drops:
                return None
            dropping = _Dropping(drops, found, target)
            left = dropping.expression(value)
            if left is None and not dropping.failed:
                dropping.report(value, f"nothing is left of the equation for `{target.text}`")
            return item if left is None or left == value else replace(item, value=left)
        case tree.Param(name=name) | tree.Const(name=name) | tree.Hyper(name=name) | tree.Constrain(name=name):
            return None if name.text in drops else item
        case tree.Share(name=name, original=original):
            return None if name.text in drops or original.text in drops else item
        case tree.Init(pattern=pattern):
            return None if pattern in drops or pattern.removesuffix("_0") in drops else item
        case tree.Output(name=name):
            return None if name.text in drops else item
        case tree.Input(signals=(signal,)) | tree.State(signals=(signal,)):
            return None if signal.name.text in drops else item
    return item


class _Dropping:
    """Removes names from an expression together with the terms they stand in."""

    def __init__(self, drops: dict[str, Span], found: Diagnostics, target: tree.Name):
        self.drops = drops
        self.found = found
        self.target = target
        self.dropped: list[str] = []
        self.failed = False

    def expression(self, expr: tree.Expr) -> tree.Expr | None:
        """What is left of an expression; None where the whole of it is a term that goes."""
        match expr:
            case tree.Name(text=text):
                if text in self.drops:
                    self.dropped.append(text)
                    return None
                return expr
            case tree.Binary(op="+" | "-", left=left, right=right):
                first, second = self.expression(left), self.expression(right)
                if first is None or second is None:
                    if second is None:
                        return first
                    return second if expr.op == "+" else tree.Negative(second, span=second.span)
                return replace(expr, left=first, right=second)
            case tree.Call(function=function, arguments=arguments):
                left_over = tuple(self.expression(argument) for argument in arguments)
                if None in left_over:
                    if len(arguments) == 1 and ALIASES.get(function, function) in _ZERO_AT_ZERO:
                        return None
                    self.report(expr, f"nothing is left inside `{function}(…)`")
                    return expr
                return trees.rebuild(expr, left_over)  # type: ignore[arg-type]
            case tree.Stack(parts=parts):
                kept = tuple(part for part in map(self.expression, parts) if part is not None)
                if len(kept) < 2:
                    return kept[0] if kept else None
                return replace(expr, parts=kept)
        parts = trees.children(expr)
        if not parts:
            return expr
        rest = [self.expression(part) for part in parts]
        return None if None in rest else trees.rebuild(expr, tuple(rest))  # type: ignore[arg-type]

    def report(self, place: tree.Expr, what: str) -> None:
        self.failed = True
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(self.dropped))
        goes = "are" if names.count("`") > 2 else "is"
        self.found.error(
            "drop-empties",
            f"{what} when {names} {goes} dropped",
            self.drops[self.dropped[-1]],
            others=(Label(place.span, "nothing is left here"),),
            help=f"write the equation for `{trees.shown(self.target.text, self.target.time)}` anew, or drop it too",
        )
