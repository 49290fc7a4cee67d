"""The syntax tree: what stands in a spec, and no more.

Nothing is resolved here: a `Name` without a time may turn out to be a parameter,
a constant, a width or a mistake; juxtaposed factors are kept as one flat row.
Spellings are gone: ASCII, Unicode and LaTeX forms of one spec give equal trees
(spans do not take part in equality). `write` turns a tree back into text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from celldsl.source import NOWHERE, Span


@dataclass(frozen=True)
class Node:
    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


# --- expressions ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Number(Node):
    """A literal as written: `4`, `0.5`, `1e-5`."""

    text: str


@dataclass(frozen=True)
class Name(Node):
    """A name in its one spelling (`W_xi`, `c_tilde`, `alpha`); `time` is None for a name that carries
    none, 0 for `_t`, k for `_{t-k}`."""

    text: str
    time: int | None = None


@dataclass(frozen=True)
class Juxtaposition(Node):
    """Two or more factors side by side, `U_i h_{t-1}`, `3 m n`, `A B x`, or joined by `\\cdot` or `·`."""

    factors: tuple[Expr, ...]


@dataclass(frozen=True)
class Binary(Node):
    """`op` is one of `+ - * / ^ @`; `*` is the elementwise product in all its spellings."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Negative(Node):
    operand: Expr


@dataclass(frozen=True)
class Transposed(Node):
    """`A^T`."""

    operand: Expr


@dataclass(frozen=True)
class Call(Node):
    """`tanh(a)`, `max(a, b)`: the name is a function of the table, of a `def` of the same file, or anything
    that is followed by several arguments."""

    function: str
    arguments: tuple[Expr, ...]
    function_span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Stack(Node):
    """`[h_{t-1}; x_t]`: vectors one above the other."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class Slice(Node):
    """`v_t[1..n]`: the entries of a vector from the first to the last, counted from 1."""

    operand: Expr
    first: Expr
    last: Expr


Expr = Number | Name | Juxtaposition | Binary | Negative | Transposed | Call | Stack | Slice


# --- items of a cell -----------------------------------------------------------------------


@dataclass(frozen=True)
class Equation(Node):
    """`target = value (label)`; `label` without its brackets: `7`, `3a`."""

    target: Name
    value: Expr
    label: str | None = None


@dataclass(frozen=True)
class Instance(Node):
    """`h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})`: a step of another cell. With one target it is an `Equation`."""

    targets: tuple[Name, ...]
    call: Expr
    label: str | None = None


@dataclass(frozen=True)
class Docstring(Node):
    text: str


@dataclass(frozen=True)
class Cite(Node):
    text: str


@dataclass(frozen=True)
class Typed(Node):
    """One `name: width` of an `input` or `state` line; `width` is None where it is left out."""

    name: Name
    width: Expr | None = None


@dataclass(frozen=True)
class Input(Node):
    signals: tuple[Typed, ...]


@dataclass(frozen=True)
class State(Node):
    signals: tuple[Typed, ...]


@dataclass(frozen=True)
class Output(Node):
    name: Name


@dataclass(frozen=True)
class Dim(Node):
    """`dim r = n / 4`; without a value the width is free: an argument of the generated module."""

    name: Name
    value: Expr | None = None


@dataclass(frozen=True)
class Structure(Node):
    """`blocks(heads)`, `diagonal`, `symmetric`, `lowrank(r)`, `orthogonal` behind a parameter's shape."""

    kind: str
    arguments: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Param(Node):
    """`param p_i: n`, `param R: n×n blocks(heads)`, `param alpha: scalar` (shape `()`), `param U: n×n frozen`."""

    name: Name
    shape: tuple[Expr, ...]
    structure: Structure | None = None
    frozen: bool = False


@dataclass(frozen=True)
class Const(Node):
    name: Name
    value: Expr


@dataclass(frozen=True)
class Hyper(Node):
    name: Name
    value: Expr


@dataclass(frozen=True)
class Def(Node):
    """`def swish_b(v, b) = v * sigmoid(b * v)`."""

    name: Name
    arguments: tuple[Name, ...]
    value: Expr


@dataclass(frozen=True)
class Share(Node):
    """`share U_i = U_f`: one parameter under two names; the right one is kept."""

    name: Name
    original: Name


@dataclass(frozen=True)
class Init(Node):
    """`init b_f = 1`, `init U_* = orthogonal` (pattern `U_*`), `init h_0 = learned` (pattern `h_0`)."""

    pattern: str
    value: Expr


@dataclass(frozen=True)
class Constrain(Node):
    """`constrain -1 <= u <= 1`, `constrain u >= 0`; `constrain abs(u) <= a` says -a and a. A bound that is not there
    is None."""

    name: Name
    low: Expr | None
    high: Expr | None


@dataclass(frozen=True)
class Drop(Node):
    names: tuple[Name, ...]


@dataclass(frozen=True)
class ClaimCount(Node):
    """`claim params = 4 (m n + n^2 + n)`, `claim params(m=28, n=50) = 15800`; `quantity` is `params`, `flops` or
    `state`; inside `value`, `params(LSTM)` is a `Call` whose argument names the other cell."""

    quantity: str
    at: tuple[tuple[str, int], ...]
    value: Expr
    label: str | None = None


@dataclass(frozen=True)
class ClaimRange(Node):
    """`claim 0 < i_t < 1`, `claim h_t >= 0`; a relation is `<` or `<=`; a bound that is not there is None."""

    low: Expr | None
    low_relation: str
    signal: Name
    high_relation: str
    high: Expr | None


@dataclass(frozen=True)
class ClaimEquals(Node):
    """`claim equals LSTM when z_t = o_{t-1}`; `when` holds the equations put in place of the cell's own."""

    other: str
    when: tuple[Equation, ...] = ()


@dataclass(frozen=True)
class Repeat(Node):
    """`repeat l = 1..L { … }`, `repeat i = 1, 3 .. r { … }`: the items once for each value of the index."""

    index: Name
    first: Expr
    second: Expr | None
    last: Expr
    items: tuple[Item, ...]


Claim = ClaimCount | ClaimRange | ClaimEquals
Item = (
    Equation
    | Instance
    | Docstring
    | Cite
    | Input
    | State
    | Output
    | Dim
    | Param
    | Const
    | Hyper
    | Def
    | Share
    | Init
    | Constrain
    | Drop
    | Claim
    | Repeat
)


@dataclass(frozen=True)
class CellDef(Node):
    """`cell LSTM1 extends LSTM { … }`."""

    name: str
    parent: str | None
    items: tuple[Item, ...]
    name_span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)
    parent_span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class File(Node):
    cells: tuple[CellDef, ...]
