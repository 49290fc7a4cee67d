"""The functions of the language, one row each.

A row gives the arity, the shape rule, the range, the spellings and the derivative. Derivatives are
written once, over any algebra: `F` is a namespace of the functions themselves (SymPy's, torch's, the
printer's), `x` the arguments, `y` the value. Spellings per target stand with the target (`emit/*/`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Rule = Literal["elementwise", "along", "reduce", "dot", "outer"]
"""How the shape of the value follows from the arguments':

elementwise: all arguments stretch to one shape, which is the value's;
along:       one vector to a vector of the same width, whose entries depend on all entries;
reduce:      one vector to a scalar;
dot:         two vectors of one width to a scalar;
outer:       an a-vector and a b-vector to an a×b matrix.
"""


@dataclass(frozen=True)
class Function:
    """One function of the language.

    derivative(F, x, y): for elementwise rows, the partial derivatives by each argument;
    vjp(F, x, y, g): for the others, the cotangent of each argument given g, the value's.
    range: bounds of the value, as (low, high, low is reached, high is reached); None is unbounded.
    increasing: the value never falls as the argument grows (interval analysis uses it).
    """

    name: str
    arity: tuple[int, int]
    rule: Rule
    latex: str
    derivative: Callable[..., tuple[Any, ...]] | None = None
    vjp: Callable[..., tuple[Any, ...]] | None = None
    range: tuple[float | None, float | None, bool, bool] = (None, None, False, False)
    increasing: bool = False
    unicode: str = ""

    @property
    def spelling(self) -> str:
        """How `write` spells it in Unicode text."""
        return self.unicode or self.name


def _elementwise(name: str, derivative: Callable[..., tuple[Any, ...]], **rest: Any) -> Function:
    rest.setdefault("arity", (1, 1))
    rest.setdefault("latex", rf"\operatorname{{{name}}}")
    return Function(name, rule="elementwise", derivative=derivative, **rest)


def _shaped(name: str, rule: Rule, vjp: Callable[..., tuple[Any, ...]], **rest: Any) -> Function:
    rest.setdefault("arity", (1, 1))
    rest.setdefault("latex", rf"\operatorname{{{name}}}")
    return Function(name, rule=rule, vjp=vjp, **rest)


# The namespace F offers, besides every function below: `where(condition, a, b)`, the comparisons
# `less(a, b)` and `between(low, a, high)`, `erf(a)`, `width(a)` (entries along the vector) and
# `reverse_cumsum(a)`. `sum`, `mean`, `dot` and `norm` give scalars that stretch.
_ROWS: tuple[Function, ...] = (
    _elementwise(
        "sigmoid",
        lambda F, x, y: (y * (1 - y),),
        latex=r"\sigma",
        unicode="σ",
        range=(0, 1, False, False),
        increasing=True,
    ),
    _elementwise("tanh", lambda F, x, y: (1 - y * y,), latex=r"\tanh", range=(-1, 1, False, False), increasing=True),
    _elementwise(
        "relu", lambda F, x, y: (F.where(F.less(0, x[0]), 1, 0),), range=(0, None, True, False), increasing=True
    ),
    _elementwise(
        "hard_sigmoid",
        # The definition of Keras 3 and torch: relu6(x + 3) / 6.
        lambda F, x, y: (F.where(F.between(-3, x[0], 3), 1, 0) / 6,),
        range=(0, 1, True, True),
        increasing=True,
    ),
    _elementwise(
        "hard_tanh",
        lambda F, x, y: (F.where(F.between(-1, x[0], 1), 1, 0),),
        range=(-1, 1, True, True),
        increasing=True,
    ),
    _elementwise("softplus", lambda F, x, y: (F.sigmoid(x[0]),), range=(0, None, False, False), increasing=True),
    _elementwise(
        "softsign",
        lambda F, x, y: (1 / ((1 + F.abs(x[0])) * (1 + F.abs(x[0]))),),
        range=(-1, 1, False, False),
        increasing=True,
    ),
    _elementwise("silu", lambda F, x, y: (F.sigmoid(x[0]) + y * (1 - F.sigmoid(x[0])),)),
    _elementwise(
        "gelu",
        lambda F, x, y: ((1 + F.erf(x[0] / F.sqrt(2))) / 2 + x[0] * F.exp(-x[0] * x[0] / 2) / F.sqrt(2 * F.pi),),
    ),
    _elementwise(
        "elu", lambda F, x, y: (F.where(F.less(0, x[0]), 1, y + 1),), range=(-1, None, False, False), increasing=True
    ),
    _elementwise("leaky_relu", lambda F, x, y: (F.where(F.less(0, x[0]), 1, F.number("0.01")),), increasing=True),
    _elementwise("exp", lambda F, x, y: (y,), latex=r"\exp", range=(0, None, False, False), increasing=True),
    _elementwise("log", lambda F, x, y: (1 / x[0],), latex=r"\log", increasing=True),
    _elementwise("log_sigmoid", lambda F, x, y: (F.sigmoid(-x[0]),), range=(None, 0, False, False), increasing=True),
    _elementwise(
        "sqrt",
        lambda F, x, y: (1 / (2 * y),),
        latex=r"\operatorname{sqrt}",
        range=(0, None, True, False),
        increasing=True,
    ),
    _elementwise("abs", lambda F, x, y: (F.sign(x[0]),), range=(0, None, True, False)),
    _elementwise("sign", lambda F, x, y: (0,), range=(-1, 1, True, True), increasing=True),
    _elementwise("sin", lambda F, x, y: (F.cos(x[0]),), latex=r"\sin", range=(-1, 1, True, True)),
    _elementwise("cos", lambda F, x, y: (-F.sin(x[0]),), latex=r"\cos", range=(-1, 1, True, True)),
    _elementwise("floor", lambda F, x, y: (0,), increasing=True),
    # Ties give half to each argument, as torch does.
    _elementwise(
        "max",
        lambda F, x, y: (
            F.where(F.less(x[1], x[0]), 1, F.where(F.less(x[0], x[1]), 0, F.number("0.5"))),
            F.where(F.less(x[0], x[1]), 1, F.where(F.less(x[1], x[0]), 0, F.number("0.5"))),
        ),
        arity=(2, 2),
        latex=r"\max",
    ),
    _elementwise(
        "min",
        lambda F, x, y: (
            F.where(F.less(x[0], x[1]), 1, F.where(F.less(x[1], x[0]), 0, F.number("0.5"))),
            F.where(F.less(x[1], x[0]), 1, F.where(F.less(x[0], x[1]), 0, F.number("0.5"))),
        ),
        arity=(2, 2),
        latex=r"\min",
    ),
    # clamp(x, low, high): low and high are numbers, constants or settings.
    _elementwise("clamp", lambda F, x, y: (F.where(F.between(x[1], x[0], x[2]), 1, 0), 0, 0), arity=(3, 3)),
    _shaped("softmax", "along", lambda F, x, y, g: (y * (g - F.sum(y * g)),), range=(0, 1, False, True)),
    _shaped("cumsum", "along", lambda F, x, y, g: (F.reverse_cumsum(g),)),
    # cumax = cumsum(softmax(·)) of ON-LSTM (Shen et al. 2019, eq. 6).
    _shaped(
        "cumax",
        "along",
        lambda F, x, y, g: (F.softmax(x[0]) * (F.reverse_cumsum(g) - F.sum(F.softmax(x[0]) * F.reverse_cumsum(g))),),
        range=(0, 1, False, True),
    ),
    # Without gain and shift, which stand in the equations; eps = 1e-5.
    _shaped(
        "layernorm",
        "along",
        lambda F, x, y, g: (
            (g - F.mean(g) - y * F.mean(g * y))
            / F.sqrt(F.mean((x[0] - F.mean(x[0])) * (x[0] - F.mean(x[0]))) + F.number("1e-5")),
        ),
    ),
    _shaped(
        "rmsnorm",
        "along",
        lambda F, x, y, g: ((g - y * F.mean(g * y)) / F.sqrt(F.mean(x[0] * x[0]) + F.number("1e-5")),),
    ),
    _shaped("norm", "reduce", lambda F, x, y, g: (g * x[0] / y,), range=(0, None, True, False)),
    _shaped("sum", "reduce", lambda F, x, y, g: (F.stretch(g, x[0]),)),
    _shaped("mean", "reduce", lambda F, x, y, g: (F.stretch(g, x[0]) / F.width(x[0]),)),
    _shaped("dot", "dot", lambda F, x, y, g: (g * x[1], g * x[0]), arity=(2, 2)),
    _shaped("outer", "outer", lambda F, x, y, g: (F.apply(g, x[1]), F.apply(F.transpose(g), x[0])), arity=(2, 2)),
)

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Noise:
    """A function that draws a mask while training, and is its mean in evaluation.

    arguments: what it takes; the last is the probability p. latex as of `Function`.
    locked: one mask serves all steps of a sequence; else each step draws its own.
    """

    name: str
    arguments: tuple[str, ...]
    locked: bool = False

    @property
    def arity(self) -> tuple[int, int]:
        return len(self.arguments), len(self.arguments)

    @property
    def latex(self) -> str:
        return rf"\operatorname{{{self.name}}}"

    @property
    def spelling(self) -> str:
        return self.name


NOISES: dict[str, Noise] = {
    row.name: row
    for row in (
        # v ⊙ mask, 1 / (1 - p) where v is kept and 0 elsewhere; v in evaluation.
        Noise("dropout", ("v", "p")),
        Noise("locked_dropout", ("v", "p"), locked=True),
        # old where the mask says so, else new; p old + (1 - p) new in evaluation (Krueger et al. 2017).
        Noise("zoneout", ("new", "old", "p")),
    )
}
"""Functions that differ between training and evaluation. They are no rows of `FUNCTIONS`, since nothing behind the
checked cell knows them: `check` writes them out as products with a `Mask`."""

ALIASES: dict[str, str] = {
    "σ": "sigmoid",
    "logistic": "sigmoid",
    "sigm": "sigmoid",
    "th": "tanh",
    "ReLU": "relu",
    "SiLU": "silu",
    "swish": "silu",
    "GELU": "gelu",
    "ELU": "elu",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "logsigmoid": "log_sigmoid",
    "ln": "log",
    "LN": "layernorm",
    "LayerNorm": "layernorm",
    "layer_norm": "layernorm",
    "RMSNorm": "rmsnorm",
    "rms_norm": "rmsnorm",
    "clip": "clamp",
    "sgn": "sign",
    "variational_dropout": "locked_dropout",
    "LockedDropout": "locked_dropout",
}
"""Other spellings of the same functions; a LaTeX command is looked up without its backslash."""
