"""What a parent declared for equations that its child replaced: idle, and left out where the child is written out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields

from celldsl.syntax import tree

_DECLARATIONS = (tree.Const, tree.Hyper, tree.Dim, tree.Def)


def without_idle(
    items: Sequence[tree.Item], own: Collection[int], rounds: Iterable[tree.Item] = ()
) -> tuple[tree.Item, ...]:
    """The items without inherited settings, widths and functions that no other item names. own: ids of the others;
    rounds: what a `repeat` writes out, where `alpha_i` is a name for each of its numbers."""
    kept = list(items)
    repeated = {name for item in rounds if not isinstance(item, _DECLARATIONS) for name in _named(item)}
    while True:
        named = repeated.union(name for item in kept for name in _named(item))
        idle = [i for i in kept if isinstance(i, _DECLARATIONS) and id(i) not in own and i.name.text not in named]
        if not idle:
            return tuple(kept)
        kept = [item for item in kept if item not in idle]


def _named(item: tree.Item) -> Iterator[str]:
    """The names and functions that an item reads; what it declares is not among them."""
    for field in fields(item):
        if not (isinstance(item, _DECLARATIONS) and field.name == "name"):
            yield from _in(getattr(item, field.name))


def _in(value: object) -> Iterator[str]:
    if isinstance(value, tuple):
        for part in value:
            yield from _in(part)
    elif isinstance(value, tree.Node):
        if isinstance(value, tree.Name):
            yield value.text
        elif isinstance(value, tree.Call):
            yield value.function
        for field in fields(value):
            yield from _in(getattr(value, field.name))
