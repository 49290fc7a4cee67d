"""Cells inside cells: `h_{1,t}, c_{1,t} = LSTM(x_t, h_{1,t-1}, c_{1,t-1})` becomes the equations of the LSTM.

On the left stand the inner cell's output and further states after the step, in the order of its states; in the brackets
its inputs, then the same states before the step. States may be left out: they are then the left side's own. A `0` in
the place of an input drops the terms that the input stands in. What else the inner cell names takes the index of the
first name on the left: `U_i` is `U_i_1` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from celldsl.check import trees
from celldsl.check.cell import Cell
from celldsl.check.extend import extend
from celldsl.errors import Diagnostics, Label
from celldsl.functions import ALIASES, FUNCTIONS, NOISES
from celldsl.source import Span
from celldsl.syntax import tree

Find = Callable[[str], Cell | None]


class BrokenCell(Exception):
    """Raised by `find` for a cell that exists and has errors of its own: what refers to it is passed over."""


class CircleOfCells(Exception):
    """Raised by `find` for a cell that stands within itself; the arguments are the way there."""


def place_cells(definition: tree.CellDef, find: Find, found: Diagnostics) -> tree.CellDef | None:
    """The definition with the steps of other cells written out; None after an error."""
    placing = _Placing(definition, find, found)
    before = len(found.errors)
    items = tuple(placing.items(definition.items))
    if placing.is_broken or len(found.errors) > before:
        return None
    return replace(definition, items=(*placing.settings, *items)) if placing.placed else definition


class _Placing:
    def __init__(self, definition: tree.CellDef, find: Find, found: Diagnostics):
        self.definition, self.find, self.found = definition, find, found
        self.own = {name.text for item in definition.items for name in _declared(item)}
        self.parameters = {name.text for item in definition.items for name in _read(item) if name.time is None}
        self.placed: dict[str, Span] = {}
        """Where the names that came with inner cells were placed."""
        self.settings: list[tree.Item] = []
        self.is_broken = False

    def items(self, items: tuple[tree.Item, ...]) -> Iterator[tree.Item]:
        for item in items:
            if isinstance(item, tree.Repeat):
                yield replace(item, items=tuple(self.items(item.items)))
            elif isinstance(item, tree.Instance):
                yield from self._instance(item.targets, item.call, item.label, item)
            elif isinstance(item, tree.Equation) and item.target.time == 0 and self._called(item.value):
                yield from self._instance((item.target,), item.value, item.label, item)
            else:
                yield item

    # --- what is called ----------------------------------------------------------------------

    def _called(self, value: tree.Expr) -> bool:
        """Whether the right side of an equation is a call of what can only be a cell."""
        name, _, _ = _call(value)
        if name is None or len(name) < 2 or name in self.own or ALIASES.get(name, name) in {*FUNCTIONS, *NOISES}:
            return False
        try:
            return self.find(name) is not None
        except (BrokenCell, CircleOfCells):
            return True

    def _cell(self, name: str, span: Span) -> Cell | None:
        try:
            cell = self.find(name)
        except BrokenCell:
            self.is_broken = True
            return None
        except CircleOfCells as circle:
            self.found.error(
                "cell-in-itself",
                f"the cell `{name}` stands within itself: {' → '.join(circle.args)}",
                span,
                help="a step is written out once; to go on over time read the state before it, `h_{t-1}`",
            )
            return None
        if cell is None:
            self.found.error(
                "unknown-cell",
                f"there is no cell `{name}`",
                span,
                label="the name of a cell was expected",
                help="several names on the left are the new states of one: `h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})`",
            )
        return cell

    def _instance(
        self, targets: tuple[tree.Name, ...], call: tree.Expr, label: str | None, item: tree.Item
    ) -> Iterator[tree.Item]:
        name, place, arguments = _call(call)
        if name is None:
            self.found.error(
                "bad-left-side",
                "the left side of an equation is one name",
                targets[0].span.to(targets[-1].span),
                label="this is not one name",
                help="write one equation for each name, or the call of a cell: "
                "`h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})`",
            )
            return
        cell = self._cell(name, place)
        if cell is None:
            return
        yield from _Instance(self, cell, targets, arguments, label, item).run(place)

    def is_taken(self, name: str) -> bool:
        return name in self.placed or name in self.own or name in self.parameters


class _Instance:
    """One step of an inner cell, with the names of its place."""

    def __init__(
        self,
        outer: _Placing,
        cell: Cell,
        targets: tuple[tree.Name, ...],
        arguments: tuple[tree.Expr, ...],
        label: str | None,
        item: tree.Item,
    ):
        self.outer, self.cell, self.targets, self.arguments = outer, cell, targets, arguments
        self.label, self.span = label, item.span
        self.index = tuple(part for part in targets[0].text.split("_")[1:] if part not in trees.ACCENTS)
        self.results = [cell.output, *(info.name for info in cell.states if info.name != cell.output)]
        self.states = [info.name for info in cell.states if info.role == "state"]
        self.inputs = [info.name for info in cell.inputs]
        self.new: dict[str, str] = dict(zip(self.results, (target.text for target in targets), strict=False))
        self.old: dict[str, tree.Expr] = {}
        self.read: dict[str, tree.Expr] = {}

    def run(self, place: Span) -> Iterator[tree.Item]:
        if not self._counts_fit(place) or not self._names_are_new():
            return
        definition = self._without_inputs()
        if definition is None:
            return
        given = [each for each in self.arguments if not _is_zero(each)]
        kept = [name for name, each in zip(self.inputs, self.arguments, strict=False) if not _is_zero(each)]
        self.read = dict(zip(kept, given, strict=False))
        self.old = dict(zip(self.states, self.arguments[len(self.inputs) :], strict=False))
        for item in definition.items:
            if isinstance(item, (tree.Const, tree.Hyper, tree.Dim, tree.Def)):
                self._setting(item)
        for item in definition.items:
            yield from self._item(item)

    def _counts_fit(self, place: Span) -> bool:
        counts = (len(self.inputs), len(self.inputs) + len(self.states))
        shown = f"{', '.join(f'{name}_t' for name in self.inputs)}"
        before = ", ".join(trees.shown(name, 1) for name in self.states)
        help = f"write `{self.cell.name}({shown}, {before})`, or `{self.cell.name}({shown})`"
        if len(self.arguments) not in counts:
            self.outer.found.error(
                "cell-arity",
                f"a step of `{self.cell.name}` takes {counts[0]} input{'s' if counts[0] > 1 else ''}"
                f" and {len(self.states)} state{'s' if len(self.states) > 1 else ''}, not {len(self.arguments)} values",
                self.span,
                help=help + "; a 0 in the place of an input leaves its terms out",
            )
            return False
        if len(self.targets) > len(self.results):
            self.outer.found.error(
                "cell-arity",
                f"a step of `{self.cell.name}` gives {', '.join(f'{name}_t' for name in self.results)}"
                f", not {len(self.targets)} values",
                self.targets[len(self.results)].span,
                help="leave this name out",
            )
            return False
        return True

    def _without_inputs(self) -> tree.CellDef | None:
        """The inner cell written out, without the inputs that are 0."""
        definition = self.cell.definition
        assert definition is not None
        zero = [name for name, each in zip(self.inputs, self.arguments, strict=False) if _is_zero(each)]
        if not zero:
            return definition
        drop = tree.Drop(tuple(tree.Name(name, span=self.span) for name in zero), span=self.span)
        child = tree.CellDef(definition.name, definition.name, (drop,), span=self.span)
        items = extend(child, definition, self.outer.found)
        if items is None:
            return None
        return replace(definition, items=tuple(each.item for each in items if not isinstance(each.item, tree.Repeat)))

    # --- items ---------------------------------------------------------------------------------

    def _setting(self, item: Any) -> None:
        """Constants, settings and functions keep their names and are shared; the outer cell's own come first."""
        name = item.name.text
        same = [each for each in self.outer.settings if each.name.text == name]  # type: ignore[union-attr]
        if name not in self.outer.own and not any(each == item for each in same):
            self.outer.settings.append(item)

    def _item(self, item: tree.Item) -> Iterator[tree.Item]:
        match item:
            case tree.Equation(target=target):
                text = self._named(target.text, target.time)
                value = self._put(item.value)
                label = item.label if self.label is None else self.label
                yield tree.Equation(tree.Name(text, target.time, span=self.span), value, label, span=self.span)
            case tree.Param() | tree.Share() | tree.State() | tree.Constrain():
                yield self._put(item)
            case tree.Init(pattern=pattern):
                yield from self._init(item, pattern)
            case tree.Repeat(items=items):
                inner = tuple(each for part in items for each in self._item(part))
                yield replace(self._put(replace(item, items=())), items=inner)

    def _init(self, item: tree.Init, pattern: str) -> Iterator[tree.Item]:
        if "*" in pattern:
            yield replace(item, pattern="_".join([pattern, *self.index]), span=self.span)
            return
        state = pattern.removesuffix("_0")
        if pattern.endswith("_0") and state in self.states:
            own = self.old.get(state)
            target = self._named(state, 0)
            if own is None or (isinstance(own, tree.Name) and own.text == target):
                yield replace(item, pattern=f"{target}_0", span=self.span)
        else:
            value = self._started(item.value)
            yield replace(item, pattern=self._named(pattern, None), value=value, span=self.span)

    def _started(self, node: Any) -> Any:
        """A starting value, in which the step's own parameters alone have names of this place."""
        if isinstance(node, tree.Name) and node.text in self.cell.parameter:
            return replace(node, text=self._named(node.text, None))
        changed: dict[str, Any] = {}
        for each in fields(node):
            value = getattr(node, each.name)
            if isinstance(value, tree.Node):
                changed[each.name] = self._started(value)
            elif isinstance(value, tuple):
                parts = tuple(self._started(part) if isinstance(part, tree.Node) else part for part in value)
                changed[each.name] = parts
        return replace(node, **changed)

    def _names_are_new(self) -> bool:
        """Whether nothing else has the names that come with this step; the first of them that is taken is reported."""
        signals = [name for name in self.cell.equation if name not in self.new]
        names = {
            self._named(name, 0): trees.shown(name, 0) for name in signals if not self.cell.equation[name].timeless
        }
        names |= {self._named(info.name, None): info.name for info in self.cell.parameters}
        for name, inner in names.items():
            if self.outer.is_taken(name):
                others = (Label(self.outer.placed[name], "here too"),) if name in self.outer.placed else ()
                self.outer.found.error(
                    "cell-names",
                    f"`{inner}` of this step of `{self.cell.name}` would be `{name}`, and that name is taken",
                    self.span,
                    others=others,
                    help="give the name on the left an index of its own, which all names of the inner cell take: "
                    f"`{self.targets[0].text.split('_')[0]}_{{2,t}} = {self.cell.name}(…)`",
                )
                return False
        self.outer.placed.update(dict.fromkeys(names, self.span))
        return True

    # --- names ---------------------------------------------------------------------------------

    def _named(self, text: str, time: int | None) -> str:
        if time is not None and text in self.new:
            return self.new[text]
        return "_".join([text, *self.index])

    def _name(self, name: tree.Name) -> tree.Expr:
        if name.time is None:
            kept = name.text in {"m", "n", "I"} or any(
                each.name.text == name.text
                for each in self.outer.definition.items + tuple(self.outer.settings)
                if isinstance(each, (tree.Const, tree.Hyper, tree.Dim))
            )
            return replace(name if kept else tree.Name(self._named(name.text, None)), span=self.span)
        if name.text in self.read:
            return self._earlier(self.read[name.text], name.time)
        if name.time and name.text in self.old:
            return self._earlier(self.old[name.text], name.time - 1)
        return tree.Name(self._named(name.text, 0), name.time, span=self.span)

    def _earlier(self, expr: tree.Expr, steps: int) -> tree.Expr:
        """An argument, so many steps further back."""
        if not steps:
            return expr
        return trees.rewrite(
            expr,
            lambda node: (
                replace(node, time=node.time + steps) if isinstance(node, tree.Name) and node.time is not None else None
            ),
        )

    def _put(self, node: Any) -> Any:
        """A copy with the names of this place."""
        if isinstance(node, tree.Name):
            return self._name(node)
        changed: dict[str, Any] = {}
        for each in fields(node):
            value = getattr(node, each.name)
            if isinstance(value, Span):
                changed[each.name] = self.span if value.end else value
            elif isinstance(value, tree.Name) and each.name in ("name", "original", "index"):
                signal = isinstance(node, tree.Typed)
                text = value.text if each.name == "index" else self._named(value.text, 0 if signal else None)
                changed[each.name] = replace(value, text=text, span=self.span)
            elif isinstance(value, tree.Node):
                changed[each.name] = self._put(value)
            elif isinstance(value, tuple):
                changed[each.name] = tuple(self._put(part) if isinstance(part, tree.Node) else part for part in value)
        return replace(node, **changed)


def _call(value: tree.Expr) -> tuple[str | None, Span, tuple[tree.Expr, ...]]:
    """The name that is called, its place and the arguments; `LSTM (x_t)` reads as a name beside brackets."""
    match value:
        case tree.Call(function=function, arguments=arguments):
            return function, value.function_span if value.function_span.end else value.span, arguments
        case tree.Juxtaposition(factors=(tree.Name(text=text, time=None) as name, argument)) if (
            argument.span.text.startswith(("(", r"\left("))
        ):
            return text, name.span, (argument,)
    return None, value.span, ()


def _is_zero(expr: tree.Expr) -> bool:
    return isinstance(expr, tree.Number) and expr.text.strip("0.") == ""


def _declared(item: tree.Item) -> Iterator[tree.Name]:
    """The names that an item of the outer cell declares or defines."""
    match item:
        case tree.Equation(target=name):
            yield name
        case tree.Param(name=name) | tree.Const(name=name) | tree.Hyper(name=name) | tree.Dim(name=name):
            yield name
        case tree.Def(name=name) | tree.Share(name=name):
            yield name
        case tree.Repeat(items=items):
            for each in items:
                yield from _declared(each)


def _read(item: tree.Item) -> Iterator[tree.Name]:
    """The names that the equations of the outer cell read."""
    match item:
        case tree.Equation(value=value) | tree.Instance(call=value):
            yield from trees.names(value)
        case tree.Repeat(items=items):
            for each in items:
                yield from _read(each)
