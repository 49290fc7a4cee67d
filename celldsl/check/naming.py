"""Names for the widths that came out: n for the output's, m for the input's; and what is still open.

These two names are soft: equations that force input and output to one width leave only n, with a warning. A width
that no name reaches is an error that shows the declaration to add.
"""

from __future__ import annotations

from celldsl.check import trees
from celldsl.check.dims import Dims
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.check.shapes import Shapes
from celldsl.check.unify import is_unknown
from celldsl.check.width import Width
from celldsl.errors import Diagnostics
from celldsl.source import Span
from celldsl.syntax import tree

_LETTERS = "pkqrsdeabgl"


def name_widths(names: Names, roles: Roles, shapes: Shapes, found: Diagnostics) -> tuple[str, ...]:
    """Name the widths of output and inputs; the free widths in order: the first input's, the output's, the others'."""
    vars, solver = shapes.vars, shapes.solver
    inputs, output = roles.inputs, roles.output

    def give(signal: str, dim: str) -> None:
        """Call a signal's width so, if something of it is open still."""
        for width in vars[signal].dims:
            if any(is_unknown(name) for name in solver.resolve(width).names):
                solver.equate(width, Width.of(dim), None)

    if output is not None and inputs and _have_one_width(inputs[0], output, shapes):
        _warn_of_one_width(inputs[0], output, names, shapes, found)
        give(output, "n")
    for at, name in enumerate(inputs):
        give(name, f"m_{name}" if at else "m")
    if output is not None:
        give(output, "n")
    order: dict[str, None] = {}
    for name in (*inputs[:1], *((output,) if output else ()), *inputs[1:]):
        for width in vars[name].dims:
            order.update((dim, None) for dim in sorted(solver.resolve(width).names) if not is_unknown(dim))
    return tuple(dim for dim in order if dim not in names.settings)


# --- input and output of one width -------------------------------------------------------------


def _have_one_width(first: str, output: str, shapes: Shapes) -> bool:
    inner, outer = shapes.vars[first], shapes.vars[output]
    if not inner.dims or not outer.dims:
        return False
    return shapes.solver.resolve(inner.dims[0]) == shapes.solver.resolve(outer.dims[0])


def _warn_of_one_width(first: str, output: str, names: Names, shapes: Shapes, found: Diagnostics) -> None:
    """Input and output forced to one width is how some cells are meant, and how a slip looks."""
    if shapes.is_broken or (first in names.inputs and names.inputs[first].width is not None):
        return
    inner, outer = shapes.vars[first].dims[0], shapes.vars[output].dims[0]
    path = shapes.solver.path(inner, lambda name: name == outer.name)
    spans = [span for _, span in path if span is not None]
    if not spans:
        return
    width = shapes.explain.width(outer)
    meant = next((text for text in (_meant_as_product(span, shapes) for span in spans) if text), "")
    found.warning(
        "one-width",
        f"the input and the output are given one width, {width}",
        spans[0],
        label=f"here `{first}` takes the width of `{output}`",
        notes=(f"`{first}` is the input, `{output}` the output; the generated module takes one size for both",),
        help=(f"{meant}\n" if meant else "") + f"to say that this is meant: `input {first}: {width}`",
    )


def _meant_as_product(span: Span, shapes: Shapes) -> str:
    """The hint for `W * x_t`, where it stands at a place or directly below it."""
    for whole in shapes.terms.values():
        for term in whole.walk():
            if term.span == span:
                for each in (term, *term.parts):
                    meant = shapes.explain.meant_as_product(each)
                    if meant:
                        return meant
    return ""


# --- names that are no widths here ---------------------------------------------------------------


def report_unknown_widths(
    names: Names, roles: Roles, dims: Dims, values: dict[str, tree.Expr], soft: tuple[str, ...], found: Diagnostics
) -> None:
    """`m` and `n` are widths of every cell, unless the equations give the input or the output another width."""
    used = dict(dims.used)
    for value in values.values():
        for name in trees.names(value):
            if name.time is None and names.kind(name.text) == "dim" and name.text not in dims.foreign:
                used.setdefault(name.text, name.span)
    for dim, signal, what in (("m", next(iter(roles.inputs), None), "input"), ("n", roles.output, "output")):
        if dim in used and dim not in soft and dim not in names.dims and dim not in names.implied_dims:
            found.error(
                "unknown-dim",
                f"there is no width `{dim}`",
                used[dim],
                notes=(f"the equations give the {what} `{signal}` another width",),
                help=f"write that width, or add: `dim {dim}`",
            )


# --- widths left open ----------------------------------------------------------------------------


def report_open(
    names: Names, roles: Roles, dims: Dims, shapes: Shapes, alive: set[str], found: Diagnostics
) -> set[str]:
    """One error for each open width, at the name whose declaration closes it best; the names proposed for them.

    alive: the equations that something reads; what the others leave open is not their worst mistake.
    """
    spare = [name for name, dim in names.dims.items() if dim.value is None and name not in dims.used]
    taken = {*names.dims, *names.implied_dims, *names.settings, *shapes.vars, "m", "n"}
    letters = [letter for letter in _LETTERS if letter not in taken] or [f"k{i}" for i in range(1, 100)]
    letters = [*spare, *letters]
    proposed: dict[str, str] = {}
    """The open widths that were reported, each with the name proposed for it."""
    read = {term.name for key in alive for term in shapes.terms[key].walk() if term.kind in ("parameter", "signal")}
    states = [name for name, role in roles.signals.items() if role == "state" and name in alive]
    parameters = [name for name in shapes.vars if name in read and name not in roles.signals and name not in states]
    plain = [name for name in parameters if name not in names.equations]
    open_parts = {
        name: {each for dim in shapes.shape(name).dims for each in dim.names if is_unknown(each)}
        for name in shapes.vars
    }
    # A state's declaration is the shortest repair, then a parameter's; the rest follows from these.
    for name in (*states, *plain, *(key for key in shapes.vars if key in alive)):
        shape = shapes.shape(name)
        unknown = [each for dim in shape.dims for each in sorted(dim.names) if is_unknown(each)]
        unknown = [each for each in dict.fromkeys(unknown) if each not in proposed]
        if not unknown:
            continue
        chosen = {each: letters.pop(0) if len(letters) > 1 else letters[0] for each in unknown}
        proposed.update(chosen)
        named = [dim.substitute({each: Width.of(to) for each, to in proposed.items()}) for dim in shape.dims]
        shown = "×".join(f"({dim})" if " " in str(dim) and len(named) > 1 else str(dim) for dim in named)
        others = [each for each, its in open_parts.items() if each != name and its & set(unknown)]
        others = [trees.shown(each, 0) if each in roles.signals else each for each in others]
        _report_one(name, shown, list(chosen.values()), others, names, roles, found)
    return set(proposed.values())


def _report_one(
    name: str,
    shown: str,
    letters: list[str],
    others: list[str],
    names: Names,
    roles: Roles,
    found: Diagnostics,
) -> None:
    declare = [f"`dim {letter}`" for letter in letters if letter not in names.dims]
    if name in names.equations:
        place = names.equations[name].target.span
        if roles.signals.get(name) == "state" and shown == letters[0]:
            repair = f"add: `state {name}: {shown}`\nor, if it is as wide as the output: `state {name}: n`"
        else:
            repair = f"add: {' and '.join(declare)}, and a declaration that says where it stands: `param W: {shown}×m`"
    else:
        place = roles.first[name].span
        repair = f"add: {' and '.join([*declare, f'`param {name}: {shown}`'])}"
    what, label = "width", f"a vector of any width {shown}"
    if "×" in shown:
        what, label = "shape", f"{shown}, with any {' and '.join(letters)}"
    notes = [f"nothing ties {' and '.join(letters)} to the width of the input or of the output"]
    if others:
        notes.append(f"the same width is part of {', '.join(others)}")
    found.error(
        "open-width",
        f"the equations leave the {what} of `{name}` open",
        place,
        label=label,
        notes=tuple(notes),
        help=repair,
    )
