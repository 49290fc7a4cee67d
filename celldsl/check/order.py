"""An order in which the equations can be computed; a cycle within one time step is an error that prints it."""

from __future__ import annotations

from celldsl.check import trees
from celldsl.errors import Diagnostics, Label
from celldsl.syntax import tree


def find_order(
    equations: dict[str, tree.Equation], values: dict[str, tree.Expr], found: Diagnostics
) -> tuple[str, ...]:
    """Names in order of computation, the author's order where it is free, equations without a time first."""
    needs = {key: _needs(equations[key], values[key], equations) for key in equations}
    order: list[str] = []
    waiting = sorted(equations, key=lambda key: equations[key].target.time is not None)
    while waiting:
        ready = next((key for key in waiting if all(each in order for each in needs[key])), None)
        if ready is None:
            cycle = _cycle(waiting, needs)
            _report(cycle, equations, needs, found)
            waiting = [key for key in waiting if key not in cycle]
            order += cycle
            continue
        waiting.remove(ready)
        order.append(ready)
    return tuple(order)


def _needs(equation: tree.Equation, value: tree.Expr, equations: dict[str, tree.Equation]) -> dict[str, tree.Name]:
    """The equations whose values are needed first, each with the place that reads it."""
    found: dict[str, tree.Name] = {}
    for name in trees.names(value):
        other = equations.get(name.text)
        if other is None:
            continue
        if (name.time == 0 and other.target.time is not None) or (name.time is None and other.target.time is None):
            found.setdefault(name.text, name)
    return found


def _cycle(waiting: list[str], needs: dict[str, dict[str, tree.Name]]) -> list[str]:
    """A shortest cycle among equations that wait for each other."""
    best: list[str] = []
    for start in waiting:
        came: dict[str, str | None] = {start: None}
        queue = [start]
        while queue:
            at = queue.pop(0)
            for following in needs[at]:
                if following == start:
                    path = [at]
                    while came[path[-1]] is not None:
                        path.append(came[path[-1]])  # type: ignore[arg-type]
                    if not best or len(path) < len(best):
                        best = path[::-1]
                    queue = []
                    break
                if following in waiting and following not in came:
                    came[following] = at
                    queue.append(following)
    return best


def _report(
    cycle: list[str], equations: dict[str, tree.Equation], needs: dict[str, dict[str, tree.Name]], found: Diagnostics
) -> None:
    start = min(cycle, key=lambda key: equations[key].span.start)
    at = cycle.index(start)
    cycle = [*cycle[at:], *cycle[:at]]
    pairs = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    places = [needs[one][other] for one, other in pairs]
    names = [trees.shown(key, equations[key].target.time) for key in [*cycle, cycle[0]]]
    timed = equations[start].target.time is not None
    itself = len(cycle) == 1
    found.error(
        "cycle",
        f"`{names[0]}` needs itself" + ("" if itself else f": {' → '.join(names)}"),
        places[0].span,
        label=f"`{names[0]}` needs `{names[1]}`",
        others=tuple(Label(place.span, f"`{names[i]}` needs `{names[i + 1]}`") for i, place in enumerate(places) if i),
        notes=("within one time step every value is computed from values that are known before it",)
        if timed
        else ("a parameter cannot be derived from itself",),
        help=_repair(cycle, equations) if timed else "make one of them a parameter of its own: leave out its equation",
    )


def _repair(cycle: list[str], equations: dict[str, tree.Equation]) -> str:
    choices = " or ".join(f"`{trees.shown(key, 1)}`" for key in cycle[:3])
    return f"read {'its value' if len(cycle) == 1 else 'one of them'} before the step: {choices}"
