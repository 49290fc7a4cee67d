"""`repeat`: equations that differ by an index are written out, one for each of its values.

In the round l = 2, `R_l` is `R_2`, `s_{l-1,t}` is `s_{1,t}`, and `l` by itself the number 2. Outside, the constant
that bounds an index may stand in its place: `h_t = s_{L,t}`. The rounds are fixed when a cell is compiled; a cell that
extends another may give the constant another value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from celldsl.check import trees
from celldsl.check.polynomial import NotAWidth, polynomial
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, Label, near
from celldsl.source import Span
from celldsl.syntax import tree
from celldsl.syntax.indices import is_counted, number_part

MOST = 1000
"""How many items the `repeat`s of a cell may make."""

_REPEATED = (
    *(tree.Equation, tree.Param, tree.State, tree.Input, tree.Init, tree.Constrain, tree.Share),
    *(tree.ClaimRange, tree.Repeat),
)
_NAMED = frozenset({"target", "name", "original", "signal", "index"})
"""The fields that hold a name to be kept a name, never a number."""

Indices = dict[str, int]


@dataclass(frozen=True)
class Written:
    """One item of a cell written out; `own` is false where the parent wrote it.

    origin: the item as it stood in the spec, where an index was put into it.
    pieces: of a `repeat`, which goes on standing in front of them: the items it was written out to.
    """

    item: tree.Item
    own: bool
    origin: tree.Item | None = None
    pieces: tuple[tree.Item, ...] = ()


def repeat(
    inherited: Sequence[tree.Item], own: Sequence[tree.Item], found: Diagnostics
) -> tuple[list[Written], list[Written]]:
    """The items of a parent and of its child with every `repeat` written out, and declarations one a signal."""
    rounds = _Rounds((*inherited, *own), found)
    lists = [[each for item in items for each in rounds.written(item, mine)] for items, mine in _marked(inherited, own)]
    placed = [[rounds.placed(each) for each in items] for items in lists]
    return placed[0], placed[1]


def _marked(
    inherited: Sequence[tree.Item], own: Sequence[tree.Item]
) -> tuple[tuple[Sequence[tree.Item], bool], tuple[Sequence[tree.Item], bool]]:
    return (inherited, False), (own, True)


def rolled_up(items: Iterable[Written]) -> tuple[tree.Item, ...]:
    """The items as they stand in a spec: a `repeat` in place of its pieces, as long as none of them was changed."""
    items = list(items)
    present = {id(each.item) for each in items}
    repeats = [each for each in items if isinstance(each.item, tree.Repeat)]
    whole = [each for each in repeats if all(id(piece) in present for piece in each.pieces)]
    covered = {id(piece) for each in whole for piece in each.pieces}
    kept = []
    for each in items:
        if id(each.item) in covered or (isinstance(each.item, tree.Repeat) and each not in whole):
            continue
        kept.append(each.origin if each.origin is not None and len(whole) == len(repeats) else each.item)
    return tuple(kept)


def bounds_of(item: tree.Repeat) -> set[str]:
    """The names that say how often something is repeated."""
    ends = (item.first, item.last, *((item.second,) if item.second is not None else ()))
    names = {name.text for end in ends for name in trees.names(end)}
    inner = [each for each in item.items if isinstance(each, tree.Repeat)]
    return names.union(*(bounds_of(each) for each in inner)) - {each.index.text for each in inner}


def _single(item: tree.Item) -> tuple[tree.Item, ...]:
    """`input x: m, s: k` as one item a signal, so that each can be replaced alone."""
    if isinstance(item, (tree.Input, tree.State)) and len(item.signals) > 1:
        return tuple(replace(item, signals=(signal,)) for signal in item.signals)
    return (item,)


class _Rounds:
    """Writes the `repeat`s of one cell out."""

    def __init__(self, items: Sequence[tree.Item], found: Diagnostics):
        self.found = found
        self.settings = {each.name.text: each for each in items if isinstance(each, (tree.Const, tree.Hyper))}
        self.left = MOST
        repeats = [each for each in items if isinstance(each, tree.Repeat)]
        self.bounds = self._known(name for each in repeats for name in bounds_of(each))
        self.targets = {each.target.text for each in items if isinstance(each, tree.Equation)}
        self.indexed: set[str] = set()
        """Names that an index was put into."""

    def _known(self, names: Iterable[str]) -> Indices:
        """The whole numbers among the constants that bound indices."""
        values = {}
        for name in names:
            item = self.settings.get(name)
            if isinstance(item, tree.Const):
                try:
                    value = polynomial(item.value, self._lookup({})).number
                except NotAWidth:
                    continue  # reported with the settings
                if value is not None and value.denominator == 1:
                    values[name] = int(value)
        return values

    # --- the rounds of one repeat ------------------------------------------------------------

    def written(self, item: tree.Item, own: bool) -> Iterator[Written]:
        if isinstance(item, tree.Repeat):
            pieces = tuple(self._rounds(item, {}))
            yield Written(item, own, pieces=pieces)
            yield from (Written(piece, own) for piece in pieces)
        else:
            yield from (Written(each, own) for each in _single(item))

    def _rounds(self, item: tree.Repeat, around: Indices) -> Iterator[tree.Item]:
        index = item.index.text
        if index in around or index in self.settings or index == "t":
            what = "the time" if index == "t" else "an index" if index in around else "a constant"
            self.found.error(
                "bad-index-name",
                f"`{index}` is {what} already",
                item.index.span,
                label="an index needs a name of its own",
                help="take a letter that nothing else is named by: `repeat l = 1..L { … }`",
            )
            return
        self._check_items(item)
        for value in self._values(item, around):
            indices = {**around, index: value}
            for inner in item.items:
                if isinstance(inner, tree.Repeat):
                    yield from self._rounds(inner, indices)
                elif isinstance(inner, _REPEATED) and self._may_go_on(item):
                    yield from _single(self._put(inner, indices, self._in_round))

    def _may_go_on(self, item: tree.Repeat) -> bool:
        self.left -= 1
        if self.left == -1:
            self.found.error(
                "too-large",
                f"written out, this cell repeats more than {MOST} lines",
                item.span,
                help="take fewer rounds",
            )
        return self.left >= 0

    def _check_items(self, item: tree.Repeat) -> None:
        for inner in item.items:
            if not isinstance(inner, _REPEATED):
                self.found.error(
                    "not-repeated",
                    "this cannot be repeated",
                    inner.span,
                    label="it would say the same in every round",
                    others=(Label(item.index.span, "the index of the rounds"),),
                    help="write it in front of the `repeat`",
                )
            if isinstance(inner, tree.Equation) and item.index.text not in _index_words(inner.target.text):
                shown, index = trees.shown(inner.target.text, inner.target.time), item.index.text
                again = trees.shown(f"{inner.target.text}_{index}", inner.target.time)
                before = trees.shown(f"{inner.target.text}_{index}-1", inner.target.time)
                self.found.error(
                    "defined-twice",
                    f"each round of the `repeat` defines `{shown}` anew",
                    inner.target.span,
                    label=f"no index `{index}`",
                    others=(Label(item.index.span, "the index of the rounds"),),
                    help=f"write `{again} = …`, and `{before}` for its value in the round before",
                )

    def _values(self, item: tree.Repeat, around: Indices) -> range:
        first, last = self._number(item.first, around), self._number(item.last, around)
        second = None if item.second is None else self._number(item.second, around)
        if first is None or last is None or (item.second is not None and second is None):
            return range(0)
        step = 1 if second is None else second - first
        if step == 0 or min(first, last) < 0:
            self.found.error(
                "bad-bound",
                "these rounds do not end" if step == 0 else "an index counts from 0 or 1 on",
                item.first.span.to(item.last.span),
                help="write the first value, the next and the last: `repeat i = 1, 3 .. r { … }`",
            )
            return range(0)
        return range(first, last + (1 if step > 0 else -1), step)

    def _number(self, expr: tree.Expr, around: Indices) -> int | None:
        """A bound; None after an error."""
        try:
            value = polynomial(expr, self._lookup(around)).number
        except NotAWidth as problem:
            self.found.error(
                "bad-bound",
                "this does not say how often the equations are repeated",
                problem.span,
                label=problem.reason,
                help=problem.help or "write a number, or a constant: `const L = 4`",
            )
            return None
        if value is None or value.denominator != 1 or abs(value) > MOST:
            self.found.error(
                "bad-bound",
                f"an index counts in whole numbers up to {MOST}",
                expr.span,
                label=f"this is {value}",
                help="write a whole number",
            )
            return None
        return int(value)

    def _lookup(self, around: Indices, open_names: tuple[str, ...] = ()) -> Callable[[tree.Name], Width]:
        def lookup(name: tree.Name) -> Width:
            item = self.settings.get(name.text)
            if name.text in around:
                return Width.of(around[name.text])
            if isinstance(item, tree.Hyper):
                raise NotAWidth(
                    name.span,
                    f"`{name.text}` is known only when a module is built",
                    f"fix it when the cell is compiled: `const {name.text} = {trees.text(item.value)}`",
                )
            if item is None or name.text in open_names:
                close = near(name.text, self.settings)
                raise NotAWidth(
                    name.span,
                    f"`{name.text}` is no constant",
                    f"did you mean `{close}`?" if close else f"add: `const {name.text} = 4`",
                )
            return polynomial(item.value, self._lookup(around, (*open_names, name.text)))

        return lookup

    # --- indices into names ------------------------------------------------------------------

    def _put(self, node: Any, indices: Indices, rename: Callable[[tree.Name, Indices], tree.Name]) -> Any:
        """A copy of an item in one round: indices in its names, and the round in its places."""
        changed: dict[str, Any] = {}
        for each in fields(node):
            value = getattr(node, each.name)
            if isinstance(value, Span):
                changed[each.name] = replace(value, rounds=tuple(indices.items())) if value.end else value
            elif isinstance(value, tree.Name) and each.name in _NAMED:
                changed[each.name] = self._put_name(value, indices, rename)
            elif isinstance(value, tree.Node):
                changed[each.name] = self._put_expr(value, indices, rename)
            elif isinstance(value, tuple):
                changed[each.name] = tuple(
                    self._put_expr(part, indices, rename) if isinstance(part, tree.Node) else part for part in value
                )
        if isinstance(node, tree.Init):
            changed["pattern"] = self._text(node.pattern, indices)
        return replace(node, **changed)

    def _put_expr(self, node: Any, indices: Indices, rename: Callable[[tree.Name, Indices], tree.Name]) -> Any:
        if not isinstance(node, tree.Name):
            return self._put(node, indices, rename)
        if node.time is None and node.text in indices:
            value = indices[node.text]
            span = replace(node.span, rounds=tuple(indices.items()))
            number = tree.Number(str(abs(value)), span=span)
            return number if value >= 0 else tree.Negative(number, span=span)
        return self._put_name(node, indices, rename)

    def _put_name(
        self, name: tree.Name, indices: Indices, rename: Callable[[tree.Name, Indices], tree.Name]
    ) -> tree.Name:
        return replace(rename(name, indices), span=replace(name.span, rounds=tuple(indices.items())))

    def _in_round(self, name: tree.Name, indices: Indices) -> tree.Name:
        text = self._text(name.text, indices)
        if text != name.text:
            self.indexed.add(text)
        return replace(name, text=text)

    def _text(self, text: str, indices: Indices) -> str:
        """A name with the values of its indices; a counted one may count from a bound, `s_{L-l}`."""
        head, *parts = text.split("_")
        return "_".join([head, *(_part(part, indices, self.bounds) for part in parts)])

    # --- outside of the rounds ---------------------------------------------------------------

    def placed(self, each: Written) -> Written:
        """The item with the bounds put in that stand in the place of an index, `s_{L,t}`."""
        if isinstance(each.item, tree.Repeat) or not self._has_bounds(each.item):
            return each
        item = self._put(each.item, _span_rounds(each.item), self._outside)
        return each if item == each.item else replace(each, item=item, origin=each.item)

    def _has_bounds(self, item: tree.Item) -> bool:
        names = {name.text for name in _all_names(item)}
        return any(is_counted(name) or _index_words(name) & self.bounds.keys() for name in names)

    def _outside(self, name: tree.Name, _: Indices) -> tree.Name:
        head, *parts = name.text.split("_")
        text = "_".join([head, *(_part(part, self.bounds, self.bounds) for part in parts)])
        if is_counted(text):
            part = next(part for part in text.split("_") if is_counted(part))
            self.found.error(
                "unknown-index",
                f"nothing counts the index `{part}`",
                name.span,
                help=f"put the equation into a `repeat`, or write the number: `{trees.shown(f'{head}_1', name.time)}`",
            )
            return name
        known = text in self.indexed or text in self.targets
        return replace(name, text=text) if known and name.text not in self.targets else name


def _part(part: str, indices: Indices, bounds: Indices) -> str:
    """One part of a name with the values of the indices that it counts from."""
    if part in indices:
        return number_part(indices[part])
    if not is_counted(part):
        times = re.fullmatch(r"([0-9]+)([A-Za-z]+)", part)
        return number_part(int(times[1]) * indices[times[2]]) if times and times[2] in indices else part
    total = 0
    for sign, factor, word in re.findall(r"([+-]?)([0-9]*)([A-Za-z]*)", part):
        if not factor and not word:
            continue
        value = indices.get(word, bounds.get(word)) if word else 1
        if value is None:
            return part
        total += (-1 if sign == "-" else 1) * int(factor or 1) * value
    return number_part(total)


def _index_words(text: str) -> set[str]:
    """The words among the indices of a name: `l` of `s_{l-1}` and of `Q_{2l}`."""
    return {word for part in text.split("_")[1:] for word in re.findall(r"[A-Za-z]+", part)}


def _all_names(item: Any) -> Iterator[tree.Name]:
    if isinstance(item, tree.Name):
        yield item
    elif isinstance(item, tree.Node):
        for each in fields(item):
            yield from _all_names(getattr(item, each.name))
    elif isinstance(item, tuple):
        for part in item:
            yield from _all_names(part)


def _span_rounds(item: tree.Item) -> Indices:
    return dict(item.span.rounds)
