"""What is written and not used: declarations nobody reads, parameters that reach nothing, signals read by nothing."""

from __future__ import annotations

from collections.abc import Iterable

from celldsl.check import trees
from celldsl.check.dims import Dims
from celldsl.check.names import Names
from celldsl.check.roles import Roles
from celldsl.errors import Diagnostics, near
from celldsl.source import Span
from celldsl.syntax import tree


def report_unused(
    names: Names, dims: Dims, values: dict[str, tree.Expr], called: set[str], spare: set[str], found: Diagnostics
) -> None:
    """Report declarations that nothing reads; what a parent declared may go unread.

    called: the `def`s that equations call; spare: `dim`s that another message proposes a use for.
    """
    read = {name.text for value in values.values() for name in trees.names(value)}
    undeclared = [
        each
        for each in read
        if names.kind(each) == "parameter" and each not in names.params and each not in names.shares
    ]
    elsewhere = {
        name.text
        for expr in (
            *(item.value for item in names.settings.values()),
            *names.beside,
            *(item.value for item in names.defs.values()),
        )
        for name in trees.names(expr)
    }
    claimed = (item.value for item in names.claims if isinstance(item, tree.ClaimCount))
    elsewhere |= names.bounds | {name.text for value in claimed for name in trees.names(value)}

    def report(what: str, name: str, place: Span, candidates: Iterable[str]) -> None:
        close = near(name, candidates)
        found.error(
            "unused-declaration",
            f"{what} is declared, but nothing uses it",
            place,
            help=f"did you mean `{close}`?" if close else "leave out the declaration",
        )

    for name, param in names.params.items():
        shared = any(share.original.text == name for share in names.shares.values())
        if name not in read and name not in elsewhere and not shared and names.is_own(param):
            report(f"the parameter `{name}`", name, param.name.span, undeclared)
    for name, share in names.shares.items():
        if name not in read and names.is_own(share):
            report(f"`share {name}`", name, share.name.span, undeclared)
    for name, setting in names.settings.items():
        if name not in read and name not in elsewhere and name not in dims.setting_widths and names.is_own(setting):
            keyword = "const" if isinstance(setting, tree.Const) else "hyper"
            report(f"`{keyword} {name}`", name, setting.name.span, undeclared)
    for name, dim in names.dims.items():
        if name not in read and name not in dims.used and name not in spare and names.is_own(dim):
            report(f"`dim {name}`", name, dim.name.span, ())
    for name, item in names.defs.items():
        if name not in called and names.is_own(item) and not _is_called(name, called, names):
            report(f"`def {name}`", name, item.name.span, ())


def report_shares(names: Names, roles: Roles, values: dict[str, tree.Expr], found: Diagnostics) -> None:
    """`share U = V` is about two parameters, the second of which some equation reads."""
    read = {name.text for value in values.values() for name in trees.names(value)}
    parameters = [name for name in read if names.kind(name) == "parameter" and name not in roles.signals]
    for name, share in list(names.shares.items()):
        original, before = share.original.text, len(found.errors)
        for each in (share.name, share.original):
            if each.text in roles.signals or names.kind(each.text) != "parameter":
                found.error(
                    "share-names",
                    f"`{each.text}` is no parameter, and only parameters can be shared",
                    each.span,
                    help="write the equation that makes the two equal",
                )
                break
        else:
            chain = [name, original]
            while chain[-1] in names.shares and chain[-1] not in chain[:-1]:
                chain.append(names.shares[chain[-1]].original.text)
            if chain[-1] in chain[:-1]:
                if name == min(chain):
                    found.error(
                        "share-names",
                        f"`{name}` is shared with itself: {' → '.join(chain)}",
                        share.span,
                        help="leave out one of the `share` lines",
                    )
            elif chain[-1] not in read and chain[-1] not in names.params and names.is_own(share):
                close = near(original, [each for each in parameters if each != name])
                found.error(
                    "share-names",
                    f"there is no parameter `{original}` to share",
                    share.original.span,
                    help=f"did you mean `{close}`?" if close else "name a parameter that an equation reads",
                )
        if len(found.errors) > before:
            del names.shares[name]


def _is_called(name: str, called: set[str], names: Names) -> bool:
    """Whether a `def` that equations call uses another."""
    return any(
        isinstance(node, tree.Call) and node.function == name
        for other in called
        for node in trees.walk(names.defs[other].value)
    )


def report_dead(names: Names, roles: Roles, values: dict[str, tree.Expr], found: Diagnostics) -> set[str]:
    """Report what reaches neither the output nor a state; the equations that do reach one of them."""
    states = {name for name, role in roles.signals.items() if role == "state"}
    output = {roles.output} if roles.output else set()
    alive = _reached(states | output, values)
    if found.errors or not output:
        return alive  # a misspelt name makes others look unused
    reaching = _reached(output, values)
    for key, equation in names.equations.items():
        shown = trees.shown(key, equation.target.time)
        help = f"read `{shown}` where it belongs, or leave out its equation"
        if not names.is_own(equation):
            help = f"read `{shown}` somewhere, or add: `drop {key}`"
        if key in alive:
            if key in states and key not in reaching:
                message = f"the state `{key}` never reaches the output `{roles.output}`"
                found.warning("unused-signal", message, equation.target.span, help=help)
            continue
        lost = [
            name
            for name in dict.fromkeys(each.text for each in trees.names(values[key]) if each.time is None)
            if names.kind(name) == "parameter" and not _is_read(name, alive, values)
        ]
        if lost:
            several = len(lost) > 1
            found.error(
                "dead-parameter",
                f"{', '.join(f'`{name}`' for name in lost)} {'reach' if several else 'reaches'} no output and no state",
                equation.target.span,
                label=f"nothing reads `{shown}`",
                notes=(f"`{shown}` is never used, so {'they' if several else 'it'} would never be trained",),
                help=help,
            )
        else:
            message = f"`{shown}` is computed and never used"
            found.warning("unused-signal", message, equation.target.span, help=help)
    return alive


def _reached(roots: set[str], values: dict[str, tree.Expr]) -> set[str]:
    """The equations that some names depend on, over all times."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key not in reached and key in values:
            reached.add(key)
            waiting += [name.text for name in trees.names(values[key])]
    return reached


def _is_read(name: str, keys: set[str], values: dict[str, tree.Expr]) -> bool:
    return any(each.text == name for key in keys for each in trees.names(values[key]))
