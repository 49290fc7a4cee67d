"""Noise: what `dropout`, `locked_dropout` and `zoneout` mean, written out with a mask.

`dropout(v, p)` is `v ⊙ mask`, `zoneout(new, old, p)` is `mask ⊙ old + (1 - mask) ⊙ new`. Every call in the equations,
as they are written out, draws a mask of its own; two reads of one mask are two reads of one named signal. A mask of a
signal has a row for each row of the batch; that of a value without a time (DropConnect) serves a whole batch.
"""

from __future__ import annotations

from fractions import Fraction

from celldsl.check import cell
from celldsl.check.terms import Term
from celldsl.check.width import SCALAR, Shape
from celldsl.errors import Diagnostics
from celldsl.functions import NOISES
from celldsl.source import Span


def is_rate(term: Term) -> bool:
    """Whether a term can be the probability of a mask: a number or a setting."""
    return term.kind in ("number", "setting")


def report_rate(term: Term, function: str, found: Diagnostics, value: str = "") -> None:
    """The last argument of a noise function is no probability; `value` is a setting's."""
    found.error(
        "noise-rate",
        f"`{term.text}`{f' = {value}' if value else ''} is no probability to give to `{function}`",
        term.span,
        label="a number, const or hyper p with 0 <= p < 1",
        help=f"write `{function}({', '.join(NOISES[function].arguments[:-1])}, 0.5)`, or `hyper p = 0.5` and `p`",
    )


class NoiseTyping:
    """Writes out the noise of one cell; `equation` is the target of the equation at work."""

    def __init__(self) -> None:
        self.equation = ""
        self._names: set[str] = set()

    def expression(self, term: Term, shape: Shape, parts: tuple[cell.Expr, ...]) -> cell.Expr:
        """The typed expression of a call. parts: its typed arguments."""
        row, span = NOISES[term.name], term.span
        *values, rate = parts
        timed = any(part.timed for part in term.parts)
        mask = cell.Mask(
            shape,
            name=self._name(),
            kind="zoneout" if term.name == "zoneout" else "dropout",
            rate=rate,
            per="batch" if not timed else "sequence" if row.locked else "step",
            span=span,
        )
        if mask.kind == "dropout":
            return cell.Mul(shape, values[0], mask, span=span)
        new, old = values
        return cell.Add(
            shape,
            (cell.Mul(shape, mask, old, span=span), cell.Mul(shape, _complement(mask, span), new, span=span)),
            span=span,
        )

    def _name(self) -> str:
        """`mask_h`, then `mask_h_2`: after the equation that draws it."""
        name, count = f"mask_{self.equation}", 1
        while name in self._names:
            count += 1
            name = f"mask_{self.equation}_{count}"
        self._names.add(name)
        return name


def _complement(mask: cell.Mask, span: Span) -> cell.Expr:
    one = cell.Num(SCALAR, "1", span=span)
    return cell.Add(mask.shape, (one, cell.Neg(mask.shape, mask, span=span)), span=span)


def is_probability(value: Fraction) -> bool:
    return 0 <= value < 1
