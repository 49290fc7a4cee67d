"""Slips of the pen in names: letters glued by LaTeX, a forgotten subscript, one too many.

They look like signals or parameters that nobody meant. Each is reported once, and the name marked broken, so that
what follows from it is not.
"""

from __future__ import annotations

import re

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.errors import Diagnostics, Label
from celldsl.syntax import tree


def unglue(names: Names, values: dict[str, tree.Expr], found: Diagnostics) -> dict[str, tree.Expr]:
    """Take `Wx_t` apart, which LaTeX sets as W x_t and which reads as a signal `Wx`; report it."""
    defined = {key for key, equation in names.equations.items() if equation.target.time is not None}
    known = {*defined, *names.inputs, "x"}
    reported: set[str] = set()

    def apart(node: tree.Expr) -> tree.Expr | None:
        if not isinstance(node, tree.Name) or node.time is None or node.text in known:
            return None
        parameter, signal = _split(node.text, known)
        if not parameter:
            return None
        if node.text not in reported:
            reported.add(node.text)
            found.error(
                "glued-names",
                f"`{node.span.text or node.text}` reads as one signal named `{node.text}`",
                node.span,
                label="one name",
                notes=(f"no equation gives `{trees.shown(node.text, 0)}`, but there is a signal `{signal}`",),
                help=f"put a blank between the two: `{parameter} {trees.shown(signal, node.time)}`",
            )
        pair = (tree.Name(parameter, span=node.span), tree.Name(signal, node.time, span=node.span))
        return tree.Juxtaposition(pair, span=node.span)

    return {key: trees.rewrite(value, apart) for key, value in values.items()}


def _split(text: str, known: set[str]) -> tuple[str, str]:
    """`Uh` as (`U`, `h`): a parameter's name with a known signal's name behind it; two empty ones otherwise."""
    for signal in sorted(known, key=lambda each: (-len(each), each)):
        head = text.removesuffix(signal)
        if head != text and re.fullmatch(r"[A-Z]|[A-Za-z]\w*_\w*[A-Za-z0-9]", head):
            return head, signal
    return "", ""


def signal_or_parameter(
    names: Names,
    values: dict[str, tree.Expr],
    timed: dict[str, tree.Name],
    timeless: dict[str, tree.Name],
    found: Diagnostics,
) -> set[str]:
    """Report names that carry a time here and none there; the names.

    timed, timeless: where each name first stands with and without a time.
    """
    broken: set[str] = set()
    for name in dict.fromkeys((*timeless, *names.params, *names.settings, *names.timeless_equations)):
        kind = names.kind(name)
        if name not in timed or kind in ("dim", "identity"):
            continue
        broken.add(name)
        declared = _declaration(name, names)
        if declared:
            what, where = declared
            found.error(
                "signal-and-parameter",
                f"`{name}` is {what}, but here it carries a time",
                timed[name].span,
                label="a signal",
                others=(where,),
                help=f"write `{name}` without a time, or give the signal another name",
            )
        else:
            found.error(
                "signal-and-parameter",
                f"`{name}` is a signal, but here it carries no time",
                timeless[name].span,
                label="no time",
                others=(Label(timed[name].span, "a signal: it carries a time"),),
                notes=("what carries a time is a signal, what carries none a parameter",),
                help=f"{_with_time(name, names)}; or give the parameter another name",
            )
    for key, equation in names.timeless_equations.items():
        signal = next((name for name in trees.names(values[key]) if name.time is not None), None)
        if signal is None or key in broken:
            continue
        broken.add(key)
        found.error(
            "needs-a-time",
            f"`{key}` carries no time, but its equation reads a signal",
            equation.target.span,
            label="no time",
            others=(Label(signal.span, "a signal"),),
            notes=("an equation without a time is computed once per sequence, from parameters alone",),
            help=f"write `{trees.shown(key, 0)} = …`, and `{trees.shown(key, 0)}` where it is read",
        )
    return broken


def _with_time(name: str, names: Names) -> str:
    now, before = trees.shown(name, 0), trees.shown(name, 1)
    if name in names.equations:
        return f"write `{before}` for its value before the step, `{now}` for the one after it"
    return f"write `{now}` for the input at this step"


def _declaration(name: str, names: Names) -> tuple[str, Label] | None:
    """What makes a name one without a time, and where; None where only its use does."""
    if name in names.params:
        return "declared a parameter", Label(names.params[name].name.span, "declared here")
    if name in names.settings:
        return "declared a number", Label(names.settings[name].name.span, "declared here")
    if names.kind(name) == "derived":
        return "defined without a time", Label(names.equations[name].target.span, "defined here")
    return None
