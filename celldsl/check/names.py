"""Names: what a cell declares and defines, each name once.

`collect` sorts the items of a cell into tables and reports what is declared or defined twice. What a name
without a time stands for is answered by `Names.kind`; names with a time are signals, whose roles `roles` finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from celldsl.check import trees
from celldsl.check.repeat import Written, bounds_of
from celldsl.errors import Diagnostics, Label
from celldsl.functions import ALIASES, FUNCTIONS, NOISES
from celldsl.source import Span
from celldsl.syntax import tree

Kind = Literal["setting", "dim", "derived", "identity", "parameter"]


@dataclass
class Names:
    """The tables of one cell; every dictionary keeps the author's order."""

    equations: dict[str, tree.Equation] = field(default_factory=dict)
    inputs: dict[str, tree.Typed] = field(default_factory=dict)
    states: dict[str, tree.Typed] = field(default_factory=dict)
    output: tree.Name | None = None
    dims: dict[str, tree.Dim] = field(default_factory=dict)
    params: dict[str, tree.Param] = field(default_factory=dict)
    settings: dict[str, tree.Const | tree.Hyper] = field(default_factory=dict)
    defs: dict[str, tree.Def] = field(default_factory=dict)
    shares: dict[str, tree.Share] = field(default_factory=dict)
    inits: list[tree.Init] = field(default_factory=list)
    constraints: dict[str, tree.Constrain] = field(default_factory=dict)
    claims: list[tree.Claim] = field(default_factory=list)
    bounds: set[str] = field(default_factory=set)
    """The constants that say how often something is repeated."""
    doc: str = ""
    cites: list[str] = field(default_factory=list)
    inherited: set[int] = field(default_factory=set)
    """Identities of the items that the parent wrote: what the child no longer uses of them is no mistake of it."""

    def is_own(self, item: tree.Node) -> bool:
        return id(item) not in self.inherited

    @property
    def beside(self) -> Iterator[tree.Expr]:
        """What reads settings and widths beside the equations: first values and bounds."""
        yield from (item.value for item in self.inits)
        for item in self.constraints.values():
            yield from (bound for bound in (item.low, item.high) if bound is not None)

    @property
    def implied_dims(self) -> dict[str, tree.Name]:
        """Widths that an `input` or `state` line names, `state c: p`; they need no `dim` line."""
        typed = (*self.inputs.values(), *self.states.values())
        return {item.width.text: item.width for item in reversed(typed) if isinstance(item.width, tree.Name)}

    @property
    def timeless_equations(self) -> dict[str, tree.Equation]:
        return {name: equation for name, equation in self.equations.items() if equation.target.time is None}

    def kind(self, name: str) -> Kind:
        """What a name without a time stands for."""
        if name in self.settings:
            return "setting"
        if name in self.params or name in self.shares:
            return "parameter"
        if name in self.equations and self.equations[name].target.time is None:
            return "derived"
        if name in self.dims or name in self.implied_dims or name in ("m", "n"):
            return "dim"
        return "identity" if name == "I" else "parameter"


def collect(items: Iterable[Written], found: Diagnostics) -> Names:
    """Sort the items of a cell into tables; report names that are declared or defined twice."""
    names = Names()
    timeless: dict[str, tuple[Span, str]] = {}
    signals: dict[str, tuple[Span, str]] = {}
    functions: dict[str, tuple[Span, str]] = {}

    def once(seen: dict[str, tuple[Span, str]], name: tree.Name, what: str, code: str = "declared-twice") -> bool:
        if name.text not in seen:
            seen[name.text] = (name.span, what)
            return True
        span, before = seen[name.text]
        same = before == what
        found.error(
            code,
            f"`{name.text}` is {what} twice" if same else f"`{name.text}` is {what}, and {before}",
            name.span,
            label="again here" if same else f"{what} here",
            others=(Label(span, "first here" if same else f"{before} here"),),
            help=f"keep one of the two, or give one another name than `{name.text}`",
        )
        return False

    for written in items:
        item = written.item
        if not written.own:
            names.inherited.add(id(item))
        match item:
            case tree.Equation(target=target):
                key = target.text
                if key in names.equations:
                    first = names.equations[key]
                    found.error(
                        "defined-twice",
                        f"`{trees.shown(target.text, target.time)}` is defined twice",
                        target.span,
                        label="again here",
                        others=(Label(first.target.span, "first here"),),
                        notes=("a name is given by one equation; its order among the others does not matter",),
                        help="keep one of the two equations, or give one another name on the left",
                    )
                    continue
                if target.time is None and not once(timeless, target, "defined by an equation"):
                    continue
                names.equations[key] = item
            case tree.Input(signals=typed):
                for signal in typed:
                    if once(signals, signal.name, "declared an input"):
                        names.inputs[signal.name.text] = signal
                        _carry(names, item, signal)
            case tree.State(signals=typed):
                for signal in typed:
                    if once(signals, signal.name, "declared a state"):
                        names.states[signal.name.text] = signal
                        _carry(names, item, signal)
            case tree.Output(name=name):
                if names.output is not None:
                    found.error(
                        "declared-twice",
                        "a cell has one output",
                        name.span,
                        label="a second one",
                        others=(Label(names.output.span, "the first"),),
                        help="stack the two, `y_t = [h_t; s_t]`, or read the other as a named signal of the layer",
                    )
                else:
                    names.output = name
            case tree.Dim(name=name):
                if once(timeless, name, "declared a width"):
                    names.dims[name.text] = item
            case tree.Param(name=name):
                if once(timeless, name, "declared a parameter"):
                    names.params[name.text] = item
            case tree.Const(name=name):
                if once(timeless, name, "declared a constant"):
                    names.settings[name.text] = item
            case tree.Hyper(name=name):
                if once(timeless, name, "declared a hyper setting"):
                    names.settings[name.text] = item
            case tree.Def(name=name):
                if ALIASES.get(name.text, name.text) in (*FUNCTIONS, *NOISES):
                    found.error(
                        "function-redefined",
                        f"`{name.text}` is a function of the language already",
                        name.span,
                        help=f"give yours another name: `def my_{name.text}(…) = …`",
                    )
                elif once(functions, name, "defined as a function", "defined-twice"):
                    names.defs[name.text] = item
            case tree.Share(name=name):
                if name.text in names.shares:
                    once({name.text: (names.shares[name.text].name.span, "shared")}, name, "shared")
                else:
                    names.shares[name.text] = item
            case tree.Init():
                names.inits.append(item)
            case tree.Constrain(name=name):
                if name.text in names.constraints:
                    before = names.constraints[name.text].name.span
                    once({name.text: (before, "constrained")}, name, "constrained")
                else:
                    names.constraints[name.text] = item
            case tree.Repeat():
                names.bounds |= bounds_of(item)
            case tree.Docstring(text=text):
                names.doc = f"{names.doc}\n\n{text}" if names.doc else text
            case tree.Cite(text=text):
                names.cites.append(text)
            case tree.ClaimCount() | tree.ClaimRange() | tree.ClaimEquals():
                names.claims.append(item)
    for width_name, width in names.implied_dims.items():
        if width_name in timeless and timeless[width_name][1] not in ("declared a width", "declared a hyper setting"):
            span, what = timeless[width_name]
            if what == "declared a constant":
                continue
            found.error(
                "declared-twice",
                f"`{width_name}` is a width here, and {what}",
                width.span,
                label="a width here",
                others=(Label(span, f"{what} here"),),
                help="give one of the two another name",
            )
    return names


def _carry(names: Names, item: tree.Node, signal: tree.Typed) -> None:
    """A signal of an inherited line is inherited too."""
    if id(item) in names.inherited:
        names.inherited.add(id(signal))
