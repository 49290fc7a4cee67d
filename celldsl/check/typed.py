"""From terms, whose shapes are known by now, to the typed expressions of the checked cell."""

from __future__ import annotations

from fractions import Fraction

from celldsl.check import cell
from celldsl.check.dims import Dims
from celldsl.check.names import Names
from celldsl.check.noise import NoiseTyping, is_probability, report_rate
from celldsl.check.terms import Term
from celldsl.check.unify import Solver
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, Label
from celldsl.functions import NOISES
from celldsl.syntax import tree


class Typing:
    """Reads typed expressions off solved terms."""

    def __init__(self, names: Names, dims: Dims, solver: Solver, found: Diagnostics):
        self.names, self.dims, self.solver, self.found = names, dims, solver, found
        self.noise = NoiseTyping()

    def equation(self, target: str, term: Term) -> cell.Expr:
        """The right side of an equation."""
        self.noise.equation = target
        return self.expression(term)

    def expression(self, term: Term) -> cell.Expr:
        shape = self.solver.shape(term.var)
        parts = tuple(self.expression(part) for part in term.parts)
        span = term.span
        self._check(term)
        match term.kind:
            case "number":
                return cell.Num(shape, term.name, span=span)
            case "dim":
                name = tree.Name(term.name, span=span)
                return cell.Dim(shape, self.dims.read(name) or Width.of(term.name), span=span)
            case "setting":
                return cell.Setting(shape, term.name, span=span)
            case "parameter":
                return cell.Parameter(shape, self.original(term.name), span=span)
            case "signal":
                return cell.Signal(shape, term.name, term.delay, span=span)
            case "identity":
                return cell.Identity(shape, span=span)
            case "add":
                return cell.Add(shape, parts, span=span)
            case "negative":
                return cell.Neg(shape, parts[0], span=span)
            case "mul":
                return cell.Mul(shape, *parts, span=span)
            case "div":
                return cell.Div(shape, *parts, span=span)
            case "power":
                return cell.Pow(shape, *parts, span=span)
            case "product":
                return cell.Product(shape, *parts, span=span)
            case "join":
                pair = cell.Product if parts[0].shape.rank == 2 else cell.Mul
                return pair(shape, *parts, span=span)
            case "transpose":
                return cell.Transpose(shape, parts[0], span=span)
            case "concat":
                return cell.Concat(shape, parts, span=span)
            case "call" if term.name in NOISES:
                return self.noise.expression(term, shape, parts)
            case "slice":
                return cell.Slice(shape, parts[0], term.widths[0], span=span)
            case "repeat":
                return cell.Repeat(shape, parts[0], term.widths[0], span=span)
            case "call":
                return cell.Call(shape, term.name, parts, span=span)
        raise AssertionError(term.kind)

    def original(self, name: str) -> str:
        """The one name of a shared parameter."""
        seen = {name}
        while name in self.names.shares:
            name = self.names.shares[name].original.text
            if name in seen:
                break
            seen.add(name)
        return name

    def _check(self, term: Term) -> None:
        """What only the finished shapes tell."""
        if term.kind == "power" and term.var.rank == 2:
            base = term.parts[0]
            self.found.error(
                "ambiguous-power",
                f"`{term.text}` is a power of a matrix, which can be read in two ways",
                term.span,
                help=f"write `{base.text} {base.text}` for the matrix product, "
                f"`{base.text} ⊙ {base.text}` for the squares of the entries",
            )
        if term.kind == "call" and term.name in NOISES:
            rate = term.parts[-1]
            value, text = self.dims.settings[rate.name] if rate.kind == "setting" else (Fraction(rate.name), "")
            if not is_probability(value):
                report_rate(rate, term.name, self.found, text)
        if term.kind == "slice":
            self._check_slice(term)
        if term.kind == "call" and term.name == "clamp":
            for bound in term.parts[1:]:
                if not _is_fixed(bound):
                    self.found.error(
                        "clamp-bounds",
                        "the bounds of `clamp` are numbers, constants or settings",
                        bound.span,
                        help="for bounds that are trained or change over time write `max(low, min(v, high))`",
                    )

    def _check_slice(self, term: Term) -> None:
        operand, (before, last) = term.parts[0], term.widths
        width = self.solver.shape(operand.var).width
        if is_never_negative(width - last) and is_never_negative(before):
            return
        self.found.error(
            "slice-bounds",
            f"`{term.text}` may reach beyond its vector"
            if is_never_negative(before)
            else f"`{term.text}` begins before the first entry",
            term.span,
            label=f"entries {before + 1} to {last}",
            others=(Label(operand.span, f"{width} entries"),) if operand.span != term.span else (),
            notes=("entries are counted from 1; the last has to be there whatever the widths are",),
            help=f"the last entry of `{operand.text}` is {width}",
        )


def is_never_negative(width: Width) -> bool:
    """Whether a width is 0 or more wherever the widths that it is made of are 1 or more."""
    if all(coefficient >= 0 for _, coefficient in width.terms):
        return True
    if any(power < 0 for monomial, _ in width.terms for _, power in monomial):
        return False
    shifted = width.substitute({name: Width.of(name) + 1 for name in width.names})
    return all(coefficient >= 0 for _, coefficient in shifted.terms)


def _is_fixed(term: Term) -> bool:
    if term.kind in ("number", "setting", "dim"):
        return True
    return term.kind in ("negative", "div", "mul", "add", "power") and all(_is_fixed(part) for part in term.parts)
