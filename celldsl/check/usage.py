"""What is written and not used: declarations nobody reads, parameters that reach nothing, signals read by nothing."""

from __future__ import annotations

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.errors import Diagnostics, near
from celldsl.syntax import tree


def check_usage(names: Names, roles: Roles, values: dict[str, tree.Expr], widths: set[str], found: Diagnostics) -> None:
    """Report declarations that nothing reads and parameters that reach neither output nor state.

    `widths`: the settings and dims that stand in shapes.
    """
    read = {name.text for value in values.values() for name in trees.names(value)}
    _report_unused(names, read, widths, found)
    _report_dead(names, roles, values, found)


def _report_unused(names: Names, read: set[str], widths: set[str], found: Diagnostics) -> None:
    in_defs = {name.text for item in names.defs.values() for name in trees.names(item.value)}
    for name, param in names.params.items():
        if name in read or name in in_defs or not names.is_own(param):
            continue
        close = near(name, [each for each in read if names.kind(each) == "parameter" and each not in names.params])
        found.error(
            "unused-declaration",
            f"the parameter `{name}` is declared, but no equation reads it",
            param.name.span,
            help=f"did you mean `{close}`?" if close else "leave out the declaration",
        )
    for name, share in names.shares.items():
        if name not in read and names.is_own(share):
            close = near(name, [each for each in read if names.kind(each) == "parameter"])
            found.error(
                "unused-declaration",
                f"`{name}` is shared, but no equation reads it",
                share.name.span,
                help=f"did you mean `{close}`?" if close else "leave out the `share`",
            )
    settings = {name.text for item in names.settings.values() for name in trees.names(item.value)}
    for name, setting in names.settings.items():
        if name in read or name in in_defs or name in widths or name in settings or not names.is_own(setting):
            continue
        keyword = "const" if isinstance(setting, tree.Const) else "hyper"
        close = near(name, [each for each in read if names.kind(each) == "parameter"])
        found.error(
            "unused-declaration",
            f"`{keyword} {name}` is declared, but nothing reads it",
            setting.name.span,
            help=f"did you mean `{close}`?" if close else "leave out the declaration",
        )


def _report_dead(names: Names, roles: Roles, values: dict[str, tree.Expr], found: Diagnostics) -> None:
    alive = _reached(names, roles, values)
    output = roles.output
    reaching = _from({output} if output else set(), values)
    for key, equation in names.equations.items():
        timed = equation.target.time is not None
        shown = trees.shown(key, equation.target.time)
        if key in alive:
            if timed and output and key not in reaching and roles.signals.get(key) == "state":
                found.warning(
                    "unused-signal",
                    f"the state `{key}` never reaches the output `{output}`",
                    equation.target.span,
                    help=f"read `{shown}` where it belongs, or leave out its equation",
                )
            continue
        lost = [
            name
            for name in dict.fromkeys(each.text for each in trees.names(values[key]) if each.time is None)
            if names.kind(name) == "parameter" and not _is_used_elsewhere(name, alive, values)
        ]
        if lost and names.is_own(equation):
            several = len(lost) > 1
            found.error(
                "dead-parameter",
                f"{', '.join(f'`{name}`' for name in lost)} {'reach' if several else 'reaches'} no output or state",
                equation.target.span,
                label=f"nothing reads `{shown}`",
                notes=(
                    f"`{shown}` is computed and never used, so {'these' if several else 'this'} would never be trained",
                ),
                help=f"read `{shown}` where it belongs, or leave out its equation",
            )
        elif names.is_own(equation) or lost:
            found.warning(
                "unused-signal",
                f"`{shown}` is computed and never used",
                equation.target.span,
                help=f"read `{shown}` where it belongs, or leave out its equation",
            )


def _reached(names: Names, roles: Roles, values: dict[str, tree.Expr]) -> set[str]:
    """What the output or a state depends on."""
    roots = {name for name, role in roles.signals.items() if role == "state"}
    if roles.output:
        roots.add(roles.output)
    return _from(roots, values)


def _from(roots: set[str], values: dict[str, tree.Expr]) -> set[str]:
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key in reached or key not in values:
            continue
        reached.add(key)
        waiting += [name.text for name in trees.names(values[key])]
    return reached


def _is_used_elsewhere(name: str, alive: set[str], values: dict[str, tree.Expr]) -> bool:
    return any(each.text == name for key in alive for each in trees.names(values[key]))
