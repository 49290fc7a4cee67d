"""Bounds of parameters, `constrain -1 <= u <= 1`: which parameter, and between what.

A bound is made of numbers, settings and widths. The generated module brings a parameter back between its bounds by
`constrain_()`, after a step of training: projected gradient descent, which leaves the gradient at a bound alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from celldsl.check import cell
from celldsl.check.cell import Bounds
from celldsl.check.names import Names
from celldsl.check.polynomial import NotAWidth, polynomial
from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostics, near
from celldsl.syntax import tree


def find_limits(
    names: Names,
    parameters: Mapping[str, Shape],
    whole: Mapping[str, str],
    scalar: Callable[[tree.Expr], cell.Expr | None],
    found: Diagnostics,
) -> dict[str, Bounds]:
    """The bounds of each parameter that has some. whole: the factors of low-rank parameters and whose they are;
    scalar: reads a number, setting or width. Errors go to `found`."""
    limits: dict[str, Bounds] = {}
    for name, item in names.constraints.items():
        stored = [each for each in parameters if whole.get(each, each) == name or each == name]
        if not stored and names.is_own(item):
            close = near(name, parameters)
            found.error(
                "constrain-name",
                f"there is no parameter `{name}` to constrain",
                item.name.span,
                notes=("what is derived follows from the parameters it is made of",)
                if names.kind(name) == "derived"
                else (),
                help=f"did you mean `{close}`?" if close else "name a parameter that an equation reads",
            )
        low = None if item.low is None else _bound(item.low, scalar, found)
        high = None if item.high is None else _bound(item.high, scalar, found)
        _check_order(item, found)
        limits.update(dict.fromkeys(stored, (low, high)))
    return limits


def _bound(bound: tree.Expr, scalar: Callable[[tree.Expr], cell.Expr | None], found: Diagnostics) -> cell.Expr | None:
    value = scalar(bound)
    if value is None:
        found.error(
            "constrain-bound",
            "a bound is made of numbers, settings and widths",
            bound.span,
            help="write `constrain -1 <= u <= 1`, or `constrain abs(u) <= 2^(1/T)` with `hyper T = 100`",
        )
    return value


def _check_order(item: tree.Constrain, found: Diagnostics) -> None:
    def unknown(name: tree.Name) -> Width:
        raise NotAWidth(name.span, "")

    if item.low is None or item.high is None:
        return
    try:
        low, high = (polynomial(bound, unknown).number for bound in (item.low, item.high))
    except NotAWidth:
        return
    if low is not None and high is not None and low > high:
        found.error(
            "constrain-bound",
            f"nothing lies between {low} and {high}",
            item.span,
            help="write the smaller bound first",
        )
