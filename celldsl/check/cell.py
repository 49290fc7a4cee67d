"""The checked cell: what `check` has proved about a spec.

Every name has one role and one shape, every expression is typed, every product is known to be a matrix
product or elementwise, `extends`, `drop`, `def` and `share` are resolved, and the equations have an order in
which they can be computed. Later stages never ask again and never go back to names in strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

from celldsl.check.width import Shape, Width
from celldsl.errors import Diagnostic
from celldsl.source import NOWHERE, Source, Span
from celldsl.syntax import tree

# --- expressions ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Expr:
    """A typed expression. Two are equal if they say the same, wherever they were written."""

    shape: Shape
    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)

    @property
    def children(self) -> tuple[Expr, ...]:
        return ()

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other children."""
        return self

    def walk(self) -> Iterator[Expr]:
        """This node and all below it, parents first, left to right."""
        yield self
        for child in self.children:
            yield from child.walk()

    def transform(self, change: Callable[[Expr], Expr | None]) -> Expr:
        """A copy in which every node for which `change` gives another is replaced by it (not descended into)."""
        changed = change(self)
        if changed is not None:
            return changed
        children = tuple(child.transform(change) for child in self.children)
        return self if children == self.children else self.rebuild(children)


@dataclass(frozen=True)
class Num(Expr):
    """A literal; `text` as written (scalar)."""

    text: str = "0"

    @property
    def value(self) -> Fraction:
        return Fraction(self.text)


@dataclass(frozen=True)
class Dim(Expr):
    """A width used as a number, `1/sqrt(n)` (scalar)."""

    width: Width = field(default_factory=Width)


@dataclass(frozen=True)
class Setting(Expr):
    """A `const` or `hyper` by name (scalar)."""

    name: str = ""


@dataclass(frozen=True)
class Parameter(Expr):
    """A parameter, or a parameter derived from others by an equation without a time."""

    name: str = ""


@dataclass(frozen=True)
class Signal(Expr):
    """A signal `delay` steps back: 0 for `x_t`, 1 for `h_{t-1}`."""

    name: str = ""
    delay: int = 0


@dataclass(frozen=True)
class Identity(Expr):
    """The identity matrix of the shape's width."""


@dataclass(frozen=True)
class Add(Expr):
    """A sum, flat; a term that is subtracted is a `Neg`. Scalars stretch over vectors."""

    terms: tuple[Expr, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.terms

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, terms=children)


@dataclass(frozen=True)
class Neg(Expr):
    operand: Expr = None  # type: ignore[assignment]

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


@dataclass(frozen=True)
class _Pair(Expr):
    left: Expr = None  # type: ignore[assignment]
    right: Expr = None  # type: ignore[assignment]

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, left=children[0], right=children[1])


@dataclass(frozen=True)
class Mul(_Pair):
    """Elementwise product; scalars stretch."""


@dataclass(frozen=True)
class Div(_Pair):
    """Elementwise quotient; scalars stretch."""


@dataclass(frozen=True)
class Pow(_Pair):
    """Elementwise power."""


@dataclass(frozen=True)
class Product(_Pair):
    """Matrix product: matrix times vector, or (of parameters) matrix times matrix."""


@dataclass(frozen=True)
class Transpose(Expr):
    operand: Expr = None  # type: ignore[assignment]

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


@dataclass(frozen=True)
class Concat(Expr):
    """Vectors one above the other."""

    parts: tuple[Expr, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.parts

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, parts=children)


@dataclass(frozen=True)
class _Chosen(Expr):
    """The entries of one vector, chosen by widths."""

    operand: Expr = None  # type: ignore[assignment]

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


@dataclass(frozen=True)
class Slice(_Chosen):
    """The entries of a vector behind the first `start`, as many as the shape says."""

    start: Width = field(default_factory=Width)


@dataclass(frozen=True)
class Repeat(_Chosen):
    """Every entry of a vector `times` times, one behind the other: [a, a, b, b]."""

    times: Width = field(default_factory=Width)


@dataclass(frozen=True)
class Call(Expr):
    """A function of `celldsl.functions.FUNCTIONS`, by name."""

    function: str = ""
    arguments: tuple[Expr, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.arguments

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, arguments=children)


@dataclass(frozen=True)
class Mask(Expr):
    """Noise, drawn from outside the equations: what `dropout` and `zoneout` multiply with.

    kind: a dropout mask is 1 / (1 - p) with probability 1 - p, else 0; a zoneout mask is 1 with probability p, else 0.
    rate: p, a number or a setting. per: a new one each step, or one for a sequence; "batch": that of a value without
    a time, drawn once for a whole batch of sequences. name: each mask of a cell has its own.
    """

    name: str = ""
    kind: Literal["dropout", "zoneout"] = "dropout"
    rate: Expr = None  # type: ignore[assignment]
    per: Literal["step", "sequence", "batch"] = "step"

    @property
    def mean(self) -> Expr:
        """What stands for the mask in evaluation."""
        return Num(Shape(), "1", span=self.span) if self.kind == "dropout" else self.rate


@dataclass(frozen=True)
class Structured(Expr):
    """The matrix that the stored numbers of a structured parameter (`operand`) make.

    diagonal: of n numbers; blocks: of (k, p/k, q/k), one block below and beside the other; symmetric: of
    n(n+1)/2, the lower triangle row by row; orthogonal: exp(S - S^T) of n(n-1)/2, the rows of S below its diagonal.
    (A low-rank matrix is a product of two parameters, and needs no node of its own.)
    """

    kind: str = ""
    operand: Expr = None  # type: ignore[assignment]

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


# --- in starting values alone --------------------------------------------------------------


@dataclass(frozen=True)
class Infinity(Expr):
    """Infinity (scalar); a state that begins at minus infinity is the least of all in its first maximum."""


@dataclass(frozen=True)
class Index(Expr):
    """The place of each entry of a parameter, from 0: its row (`axis` 0) or its column (1)."""

    axis: int = 0


@dataclass(frozen=True)
class Draw(Expr):
    """Numbers drawn for every entry of a parameter: uniform (low, high), normal (mean, std), bernoulli (p, of 1 rather
    than 0), a scheme of `InitCall` for matrices; or `spectral` (radius, matrix): a matrix scaled to that spectral
    radius."""

    kind: str = ""
    arguments: tuple[Expr, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.arguments

    def rebuild(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, arguments=children)


# --- declarations --------------------------------------------------------------------------


@dataclass(frozen=True)
class DimInfo:
    """A dimension. `value` None: free, an argument of the module (`m` is input_size, `n` hidden_size)."""

    name: str
    value: Width | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class SignalInfo:
    """An input, state or intermediate.

    depth: how many steps back it is read at most (0: only at t). A signal of depth d ≥ 1 is carried: its last d
    values are state of the generated module.
    initial: the state's first value: a scalar expression, or "learned" (a parameter named by `Cell`).
    noise: of an input that stands for a mask: whether it is a new one each step, or one for a sequence.
    """

    name: str
    shape: Shape
    role: Literal["input", "state", "intermediate"]
    depth: int = 0
    initial: Expr | Literal["learned"] | None = None
    noise: Literal["step", "sequence"] | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class InitCall:
    """How a parameter starts: a number (`kind` "constant"), or a named scheme with numbers as arguments.

    A number that widths or settings have a part in, `1 / sqrt(n)`, is an expression. `kind` "expression" has one
    argument, which gives every entry, with random draws and other parameters' starting values in it.

    The schemes: glorot, glorot_normal, kaiming, lecun, orthogonal, identity (matrices only, no arguments),
    uniform (low, high), normal (mean, std). Other spellings (`zeros`, `xavier`, `uniform(a)`) are resolved to these.
    """

    kind: str
    arguments: tuple[Fraction | Expr, ...] = ()


Bounds = tuple[Expr | None, Expr | None]
"""The least and the largest value of each entry, made of numbers, settings and widths; None where there is none."""


@dataclass(frozen=True)
class ParameterInfo:
    """A parameter. It is trained, and counts, unless it is frozen: then it is a buffer, saved and never trained.

    shape: of what is stored: of a structured matrix its free numbers (`Structured`).
    bias: it is a vector that only ever stands alone as a term of a sum, or as the whole of a gate (`σ(b_i)`), in
    equations of signals.
    structure: the declared structure and its arguments; for `lowrank`, of either factor.
    """

    name: str
    shape: Shape
    init: InitCall | None = None
    bias: bool = False
    frozen: bool = False
    structure: tuple[str, tuple[Width, ...]] | None = None
    bounds: Bounds | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class SettingInfo:
    """`const` (fixed) or `hyper` (an argument of the module, with this default); `text` as written."""

    name: str
    kind: Literal["const", "hyper"]
    text: str
    is_width: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def value(self) -> Fraction:
        return Fraction(self.text)


@dataclass(frozen=True)
class Equation:
    """`target = value`. Timeless equations define derived parameters, the others signals at t.

    written: the equation as its author wrote it, for comments and documents.
    """

    target: str
    value: Expr
    timeless: bool
    label: str | None
    written: tree.Equation
    span: Span = field(default=NOWHERE, compare=False, repr=False)


# --- the cell ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A checked cell. Tuples keep the author's order; `order` is one in which equations can be computed."""

    name: str
    doc: str
    cites: tuple[str, ...]
    dims: tuple[DimInfo, ...]
    settings: tuple[SettingInfo, ...]
    signals: tuple[SignalInfo, ...]
    parameters: tuple[ParameterInfo, ...]
    equations: tuple[Equation, ...]
    order: tuple[str, ...]
    output: str
    claims: tuple[tree.Claim, ...]
    parent: str | None = None
    relatives: tuple[Cell, ...] = ()
    """The checked cells its claims refer to."""
    definition: tree.CellDef | None = field(default=None, compare=False, repr=False)
    """The cell written out: with the parent's equations, without `extends` and `drop`."""
    source: Source | None = field(default=None, compare=False, repr=False)
    warnings: tuple[Diagnostic, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def signal(self) -> dict[str, SignalInfo]:
        return {info.name: info for info in self.signals}

    @cached_property
    def parameter(self) -> dict[str, ParameterInfo]:
        return {info.name: info for info in self.parameters}

    @cached_property
    def setting(self) -> dict[str, SettingInfo]:
        return {info.name: info for info in self.settings}

    @cached_property
    def equation(self) -> dict[str, Equation]:
        return {equation.target: equation for equation in self.equations}

    @property
    def inputs(self) -> tuple[SignalInfo, ...]:
        return tuple(info for info in self.signals if info.role == "input")

    @cached_property
    def states(self) -> tuple[SignalInfo, ...]:
        """The carried states, the output's first where it is one, the others in the order of their equations;
        an input that is read at an earlier time comes last."""
        carried = [info for info in self.signals if info.depth > 0 and info.role == "state"]
        carried.sort(key=lambda info: info.name != self.output)
        return (*carried, *(info for info in self.signals if info.depth > 0 and info.role == "input"))

    @property
    def intermediates(self) -> tuple[SignalInfo, ...]:
        return tuple(info for info in self.signals if info.role == "intermediate")

    @cached_property
    def read_settings(self) -> frozenset[str]:
        """The settings that a computation reads: equations, widths and first values."""
        values = [equation.value for equation in self.equations]
        values += [info.initial for info in self.signals if isinstance(info.initial, Expr)]
        values += [
            each for info in self.parameters if info.init for each in info.init.arguments if isinstance(each, Expr)
        ]
        values += [each for info in self.parameters for each in info.bounds or () if each is not None]
        read = {node.name for value in values for node in value.walk() if isinstance(node, Setting)}
        return frozenset(read | {info.name for info in self.settings if info.is_width})

    @cached_property
    def derived(self) -> tuple[Equation, ...]:
        """The equations of derived parameters, in order of computation."""
        return tuple(self.equation[name] for name in self.order if self.equation[name].timeless)

    @cached_property
    def steps(self) -> tuple[Equation, ...]:
        """The equations of signals, in order of computation."""
        return tuple(self.equation[name] for name in self.order if not self.equation[name].timeless)

    @property
    def free_dims(self) -> tuple[str, ...]:
        """The dimensions a module is built from, in order: input width, output width, the others."""
        return tuple(dim.name for dim in self.dims if dim.value is None)

    @property
    def parameter_count(self) -> Width:
        """The number of trained parameters, as a polynomial in the free dimensions (one bias per gate)."""
        total = Width()
        for info in self.parameters:
            if not info.frozen:
                total = total + info.shape.size
        return total

    @property
    def state_size(self) -> Width:
        """The numbers carried from one step to the next, for each row of a batch."""
        total = Width()
        for info in self.states:
            total = total + info.shape.size * info.depth
        return total

    @cached_property
    def masks(self) -> tuple[Mask, ...]:
        """The noise that a run of the cell draws while training, in the author's order."""
        found = (node for equation in self.equations for node in equation.value.walk() if isinstance(node, Mask))
        return tuple(dict.fromkeys(found))  # zoneout reads its mask twice

    @cached_property
    def evaluated(self) -> Cell:
        """The cell as it computes in evaluation, every mask its mean; counts, claims and proofs are about this one."""
        if not self.masks:
            return self
        equations = tuple(replace(equation, value=_without_noise(equation.value)) for equation in self.equations)
        return replace(self, equations=equations)

    @cached_property
    def varying(self) -> frozenset[str]:
        """The signals that depend on an input or a state; the others are constant in time (a gate of parameters)."""
        found = {info.name for info in self.signals if info.role == "input"}
        for equation in self.steps:
            for node in equation.value.walk():
                is_noise = isinstance(node, Mask) and node.per != "batch"
                if is_noise or (isinstance(node, Signal) and (node.delay > 0 or node.name in found)):
                    found.add(equation.target)
                    break
        return frozenset(found)


def _without_noise(expr: Expr) -> Expr:
    """The expression with every mask replaced by its mean; a factor 1 is left out."""
    if isinstance(expr, Mul) and isinstance(expr.right, Mask) and expr.right.kind == "dropout":
        return _without_noise(expr.left)
    if isinstance(expr, Mask):
        return expr.mean
    children = tuple(_without_noise(child) for child in expr.children)
    return expr if children == expr.children else expr.rebuild(children)
