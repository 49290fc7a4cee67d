"""The time as a number: `t` by itself in an equation is 1 at the first step, 2 at the second, and so on.

It is a scalar state like any other, `time_t = time_{t-1} + 1`, zero at first. So a sequence that goes on from a given
state goes on counting, and rows of a batch may stand at different times.
"""

from __future__ import annotations

from dataclasses import replace

from celldsl.check import trees
from celldsl.errors import Diagnostics
from celldsl.source import Span
from celldsl.syntax import tree

NAME = "time"


def place_time(definition: tree.CellDef, found: Diagnostics) -> tree.CellDef:
    """The definition with `t` in its equations as a signal; unchanged where none reads it, or `t` is declared."""
    clock = _Clock()
    items = tuple(clock.item(item) for item in definition.items)
    declared = {name.text for item in definition.items for name in _declared(item)}
    if clock.first is None or "t" in declared:
        return definition
    if NAME in declared:
        found.error(
            "time-name",
            f"`{NAME}` is the name of the state that counts the steps for `t`",
            clock.first,
            label="the time as a number",
            help=f"give your own `{NAME}` another name",
        )
        return definition
    now, before = (tree.Name(NAME, back, span=clock.first) for back in (0, 1))
    count = tree.Binary("+", before, tree.Number("1", span=clock.first), span=clock.first)
    state = tree.State((tree.Typed(tree.Name(NAME, span=clock.first), tree.Name("scalar", span=clock.first)),))
    equation = tree.Equation(now, count, span=clock.first)
    return replace(definition, items=(*items, replace(state, span=clock.first), equation))


class _Clock:
    """Puts the signal in the place of `t`."""

    def __init__(self) -> None:
        self.first: Span | None = None

    def item(self, item: tree.Item) -> tree.Item:
        match item:
            case tree.Equation(value=value):
                return replace(item, value=trees.rewrite(value, self._put))
            case tree.Instance(call=call):
                return replace(item, call=trees.rewrite(call, self._put))
            case tree.Repeat(items=items):
                return replace(item, items=tuple(self.item(each) for each in items))
        return item

    def _put(self, expr: tree.Expr) -> tree.Expr | None:
        if not isinstance(expr, tree.Name) or expr.text != "t" or expr.time is not None:
            return None
        self.first = self.first or expr.span
        return replace(expr, text=NAME, time=0)


def _declared(item: tree.Item) -> tuple[tree.Name, ...]:
    match item:
        case tree.Equation(target=name):
            return (name,)
        case tree.Param(name=name) | tree.Const(name=name) | tree.Hyper(name=name) | tree.Dim(name=name):
            return (name,)
        case tree.Input(signals=signals) | tree.State(signals=signals):
            return tuple(signal.name for signal in signals)
    return ()
