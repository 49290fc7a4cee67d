"""Checked expressions as Python expressions of torch.

At run time a vector has its width behind the batch, (B, w), a scalar signal is (B, 1); what is made of
parameters alone has no batch. How a name is spelled at its place (`h_prev`, `x_steps[t]`, `self.p`) is for
`leaf` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from celldsl.check.cell import (
    Add,
    Call,
    Cell,
    Concat,
    Dim,
    Div,
    Draw,
    Expr,
    Identity,
    Index,
    Infinity,
    Mask,
    Mul,
    Neg,
    Num,
    Parameter,
    Pow,
    Product,
    Repeat,
    Setting,
    Signal,
    Slice,
    Structured,
    Transpose,
)
from celldsl.check.width import Width
from celldsl.emit.torch.functions import SPELLINGS
from celldsl.schedule.schedule import Columns, Kind, Reference, Schedule


class Level(IntEnum):
    """How tightly a printed expression binds."""

    SUM = 1
    PRODUCT = 2
    SIGN = 3
    POWER = 4
    ATOM = 5


Text = tuple[str, Level]


class Printer:
    """Prints expressions at one place of a schedule.

    leaf: the spelling of a Parameter, Signal, Reference, Setting or Mask. size: that of a dimension. rows: that of the
    number of rows of a batch there. like: a tensor whose dtype and device new ones take. bind: gives a name to a
    tensor that is always the same, where it would be made again and again.
    """

    def __init__(
        self,
        schedule: Schedule,
        leaf: Callable[[Expr], str],
        size: Callable[[str], str],
        rows: str,
        like: str,
        bind: Callable[[str], str] = lambda text: text,
    ):
        self.schedule, self.leaf, self.size, self.rows, self.like = schedule, leaf, size, rows, like
        self.bind = bind

    def text(self, expr: Expr, level: Level = Level.SUM) -> str:
        """The expression, in brackets if it binds less tightly than `level`."""
        text, own = self._print(expr)
        return text if own >= level else f"({text})"

    def width(self, width: Width, level: Level = Level.SUM) -> str:
        """A width as a Python integer."""
        text, own = width_text(named(width, self.schedule.cell), self.size)
        return text if own >= level else f"({text})"

    def _print(self, expr: Expr) -> Text:
        if isinstance(expr, Parameter | Signal | Reference | Setting | Mask):
            return self.leaf(expr), Level.ATOM
        if isinstance(expr, Num):
            return (expr.text, Level.ATOM) if "/" not in expr.text else (expr.text.replace("/", " / "), Level.PRODUCT)
        if isinstance(expr, Dim):
            return width_text(expr.width, self.size, "/")
        if isinstance(expr, Infinity):
            return "math.inf", Level.ATOM
        if isinstance(expr, Index):
            return "ij"[expr.axis], Level.ATOM
        if isinstance(expr, Draw):
            return self._draw(expr), Level.ATOM
        if isinstance(expr, Identity):
            like = f"dtype={self.like}.dtype, device={self.like}.device"
            return f"torch.eye({self.width(expr.shape.width)}, {like})", Level.ATOM
        if isinstance(expr, Add):
            return self._sum(expr), Level.SUM
        if isinstance(expr, Neg):
            return f"-{self.text(expr.operand, Level.SIGN)}", Level.SIGN
        if isinstance(expr, Mul):
            return self._pair(expr, "*"), Level.PRODUCT
        if isinstance(expr, Div):
            return self._pair(expr, "/"), Level.PRODUCT
        if isinstance(expr, Pow):
            left, right = _in(self._print(expr.left), Level.ATOM), _in(self._print(expr.right), Level.SIGN)
            simple = all(word.lstrip("-").replace(".", "_").isidentifier() or word.isdigit() for word in (left, right))
            return f"{left}**{right}" if simple else f"{left} ** {right}", Level.POWER
        if isinstance(expr, Product):
            return self._product(expr)
        if isinstance(expr, Transpose):
            turn = ".t()" if expr.shape.rank == 2 else ".transpose(1, 2)"  # or of each block
            return f"{self.text(expr.operand, Level.ATOM)}{turn}", Level.ATOM
        if isinstance(expr, Structured):
            size = f", {self.width(expr.shape.dims[0])}" if expr.kind in ("symmetric", "orthogonal") else ""
            return f"{_MATRICES[expr.kind]}({self.text(expr.operand)}{size})", Level.ATOM
        if isinstance(expr, Columns):
            return self._columns(expr), Level.ATOM
        if isinstance(expr, Concat):
            return f"torch.cat([{', '.join(self._part(part, expr) for part in expr.parts)}], dim=-1)", Level.ATOM
        if isinstance(expr, Slice):
            start = self.width(expr.start) if expr.start.terms else "0"
            inside = f"-1, {start}, {self.width(expr.shape.width)}"
            return f"{self.text(expr.operand, Level.ATOM)}.narrow({inside})", Level.ATOM
        if isinstance(expr, Repeat):
            return (
                f"{self.text(expr.operand, Level.ATOM)}.repeat_interleave({self.width(expr.times)}, dim=-1)",
                Level.ATOM,
            )
        if isinstance(expr, Call):
            return self._call(expr)
        raise TypeError(f"no spelling for {type(expr).__name__}")

    def _draw(self, expr: Draw) -> str:
        """Numbers for every entry of the parameter that `like` names."""
        words = [self.text(argument) for argument in expr.arguments]
        if expr.kind == "spectral":
            return f"spectral({words[1]}, {words[0]})"
        if expr.kind in INITS:
            return self.bind(INITS[expr.kind].format(f"torch.empty_like({self.like})"))
        return self.bind(f"torch.empty_like({self.like}).{expr.kind}_({', '.join(words)})")

    def _sum(self, expr: Add) -> str:
        text = ""
        for term in expr.terms:
            negative = isinstance(term, Neg) and bool(text)
            inner = term.operand if isinstance(term, Neg) and negative else term
            piece = _in(self._print(inner), Level.PRODUCT if negative else Level.SUM)
            text += f" {'-' if negative else '+'} {piece}" if text else piece
        return text

    def _pair(self, expr: Mul | Div, operator: str) -> str:
        left, right = self._print(expr.left), self._print(expr.right)
        return f"{_in(left, Level.PRODUCT)} {operator} {_in(right, Level.SIGN)}"

    def _product(self, expr: Product) -> Text:
        """A product of parameters; those with signals are statements of their own."""
        return f"{self.text(expr.left, Level.PRODUCT)} @ {self.text(expr.right, Level.SIGN)}", Level.PRODUCT

    def _columns(self, expr: Columns) -> str:
        end = expr.start + expr.shape.dims[1]
        first = self.width(expr.start) if expr.start.terms else ""
        last = "" if end == expr.operand.shape.dims[1] else self.width(end)
        # As ruff formats slices: blanks around the colon where a bound is more than a name.
        simple = all(not bound or bound.isidentifier() for bound in (first, last))
        colon = ":" if simple else f"{' ' if first else ''}:{' ' if last else ''}"
        return f"{self.text(expr.operand, Level.ATOM)}[:, {first}{colon}{last}]"

    def _part(self, part: Expr, whole: Concat) -> str:
        """A part of a concatenation; among parts with a batch it needs one itself."""
        batched = self.schedule.is_batched(part)
        if batched == self.schedule.is_batched(whole) and (batched or part.shape.rank):
            return self.text(part)
        return self.stretched(part, part.shape.width, batched=self.schedule.is_batched(whole))

    def stretched(self, expr: Expr, width: Width, batched: bool = True) -> str:
        """A value stretched to a vector of a width: (B, w), or (w,) where it has no batch."""
        shape = [self.rows, self.width(width)] if batched else [self.width(width)]
        if self.schedule.kind(expr) == Kind.NUMBER:
            return f"{self.like}.new_full(({', '.join(shape)}{',' if len(shape) == 1 else ''}), {self.text(expr)})"
        return f"{self.text(expr, Level.ATOM)}.expand({', '.join(shape)})"

    def _call(self, expr: Call) -> Text:
        spelling = SPELLINGS[expr.function]
        kinds = [self.schedule.kind(argument) for argument in expr.arguments]
        if max(kinds) == Kind.NUMBER:
            return self._call_of_numbers(expr)
        arguments = list(expr.arguments)
        if expr.function in ("max", "min"):
            # torch's own take two tensors.
            words = [
                self.constant(self.text(a)) if kind == Kind.NUMBER else self.text(a)
                for a, kind in zip(arguments, kinds, strict=True)
            ]
        else:
            level = Level.PRODUCT if expr.function == "dot" else Level.SUM
            words = [self.text(argument, level) for argument in arguments]
        batched = self.schedule.is_batched(expr)
        template = spelling.tensor if batched or not spelling.constant else spelling.constant
        text = template.format(*words, n=self.width(arguments[0].shape.width))
        return text, Level.PRODUCT if " / " in template else Level.ATOM

    def constant(self, number: str) -> str:
        """A number as a tensor."""
        return self.bind(f"{self.like}.new_full((), {number})")

    def _call_of_numbers(self, expr: Call) -> Text:
        template = SPELLINGS[expr.function].number
        if _ONE_CALL.fullmatch(template):
            return template.format(*map(self.text, expr.arguments)), Level.ATOM
        return template.format(*(self.text(argument, Level.ATOM) for argument in expr.arguments)), Level.SUM


INITS = {
    "glorot": "nn.init.xavier_uniform_({})",
    "glorot_normal": "nn.init.xavier_normal_({})",
    "kaiming": 'nn.init.kaiming_uniform_({}, nonlinearity="relu")',
    "lecun": 'nn.init.kaiming_normal_({}, nonlinearity="linear")',
    "orthogonal": "nn.init.orthogonal_({})",
    "identity": "nn.init.eye_({})",
}
"""What starts matrices; `lecun` is a normal with variance 1 / fan-in, which torch calls by another name."""

_MATRICES = {
    "diagonal": "torch.diag",
    "blocks": "block_diagonal",
    "symmetric": "symmetric",
    "orthogonal": "orthogonal",
}
"""What makes the matrix of a structured parameter; all but the first stand at the end of a module that needs them."""

_ONE_CALL = re.compile(r"[\w.]+\((\{\d\}|[\d.]+)(, (\{\d\}|[\d.]+))*\)")


def _in(text: Text, level: Level) -> str:
    return text[0] if text[1] >= level else f"({text[0]})"


def width_text(width: Width, size: Callable[[str], str], divide: str = "//") -> Text:
    """A width as Python text: `n`, `4 * n`, `m + n`, `n // 4`."""
    numerator, denominator = fraction(width)
    above = _polynomial(numerator, size)
    if denominator == Width.of(1):
        return above
    below = _polynomial(denominator, size)
    return f"{_in(above, Level.PRODUCT)} {divide} {_in(below, Level.SIGN)}", Level.PRODUCT


def named(width: Width, cell: Cell) -> Width:
    """A width by its own name, if it has one: r for n / 4."""
    return next((Width.of(dim.name) for dim in cell.dims if dim.value == width), width)


def fraction(width: Width) -> tuple[Width, Width]:
    """Numerator and denominator, neither with a division in it."""
    denominator = Width.of(1)
    for monomial, coefficient in width.terms:
        term = Width.of(coefficient.denominator)
        for name, power in monomial:
            term = term * Width.of(name) ** max(0, -power)
        if not _is_whole(width * denominator):
            denominator = denominator * term
    return width * denominator, denominator


def _is_whole(width: Width) -> bool:
    return all(c.denominator == 1 and all(power > 0 for _, power in monomial) for monomial, c in width.terms)


def _polynomial(width: Width, size: Callable[[str], str]) -> Text:
    text, level = "", Level.ATOM
    for monomial, coefficient in sorted(width.terms, key=lambda term: term[1] < 0):
        factors = [size(name) for name, power in monomial for _ in range(power)]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, str(abs(coefficient)))
        level = Level.SUM if text else Level.PRODUCT if len(factors) > 1 else Level.ATOM
        sign = "-" if coefficient < 0 else "+"
        term = " * ".join(factors)
        text += f" {sign} {term}" if text else f"-{term}" if sign == "-" else term
    return text or "0", Level.SUM if text.startswith("-") else level
