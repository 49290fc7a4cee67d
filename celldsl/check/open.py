"""Widths that the equations leave open, and the line that closes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.check.unify import is_unknown
from celldsl.check.width import Width
from celldsl.errors import Diagnostics

if TYPE_CHECKING:
    from celldsl.check.shapes import Shapes

_LETTERS = "pkqrsdeabgl"


def report_open(names: Names, roles: Roles, shapes: Shapes, found: Diagnostics) -> None:
    """One error for each open width, at the first name that has it, with the declaration to add."""
    taken = {
        *names.dims,
        *names.implied_dims,
        *names.settings,
        *names.params,
        *shapes.vars,
        *shapes.soft_dims,
        "m",
        "n",
    }
    letters = [letter for letter in _LETTERS if letter not in taken]
    reported: set[str] = set()
    states = [name for name, role in roles.signals.items() if role == "state"]
    others = [name for name in shapes.vars if name not in states and name not in names.equations]
    # A state's declaration is the shortest repair, then a parameter's; equations' own names follow from these.
    for name in (*states, *others, *shapes.vars):
        shape = shapes.shape(name)
        unknown = [each for dim in shape.dims for each in dim.names if is_unknown(each) and each not in reported]
        if not unknown:
            continue
        chosen = {each: letters[i % len(letters)] for i, each in enumerate(dict.fromkeys(unknown))}
        letters = [letter for letter in letters if letter not in chosen.values()] or list(_LETTERS)
        reported.update(chosen)
        named = [dim.substitute({each: Width.of(to) for each, to in chosen.items()}) for dim in shape.dims]
        shown = "×".join(f"({dim})" if " " in str(dim) else str(dim) for dim in named)
        if name in states:
            place = names.equations[name].target.span
            is_single = shape.dims[0].name in chosen
            lines = [f"`state {name}: {shown}`"] if is_single else [f"`dim {letter}`" for letter in chosen.values()]
            choice = f", or `state {name}: n` if it is as wide as the output" if is_single else ""
        elif name in names.equations:
            place = names.equations[name].target.span
            lines, choice = [f"`dim {letter}` and a parameter of that width" for letter in chosen.values()], ""
        else:
            place = roles.first[name].span
            lines = [f"`dim {letter}`" for letter in chosen.values()] + [f"`param {name}: {shown}`"]
            choice = ""
        what = "width" if shape.rank == 1 else "shape"
        found.error(
            "open-width",
            f"the equations leave the {what} of `{name}` open",
            place,
            label=f"{shown} for any {' and '.join(chosen.values())}"
            if shape.rank == 2
            else f"a vector of any width, say {shown}",
            notes=(
                f"nothing ties {', '.join(chosen.values())} to the width of the input or of the output",
                *_shares(name, set(unknown), shapes, roles),
            ),
            help=f"add: {' and '.join(lines)}{choice}",
        )


def _shares(name: str, unknown: set[str], shapes: Shapes, roles: Roles) -> tuple[str, ...]:
    """The other names of the same open width."""
    same = [
        trees.shown(each, 0) if each in roles.signals else each
        for each in shapes.vars
        if each != name and any(unknown & dim.names for dim in shapes.shape(each).dims)
    ]
    return (f"the same width is part of {', '.join(same)}",) if same else ()
