"""Numbers and widths that a spec writes out: `const eps = 1e-5`, `dim r = n / 4`, `state s: 2 n`, `4 m n`.

An expression of numbers and named widths becomes a `Fraction` or a `Width`; whatever else it holds is an error at
its place. Nothing is evaluated but `+ - * / ^` over polynomials of bounded size.
"""

from __future__ import annotations

from fractions import Fraction

from celldsl.check import trees
from celldsl.check.names import Names
from celldsl.check.polynomial import NotAWidth, polynomial
from celldsl.check.roles import Roles
from celldsl.check.width import Width
from celldsl.errors import Diagnostics, Label, near
from celldsl.source import Span
from celldsl.syntax import tree


class Dims:
    """The named widths of a cell, `dim` lines written out, and the numbers of its settings."""

    def __init__(self, names: Names, found: Diagnostics):
        self.names = names
        self.found = found
        self.values: dict[str, Width | None] = {}
        self.settings: dict[str, tuple[Fraction, str]] = {}
        self.setting_widths: set[str] = set()
        self.used: dict[str, Span] = {}
        """Where each named width was first read (for names that turn out not to exist)."""
        self._open: list[str] = []
        self.foreign: dict[str, tuple[str, str]] = {}
        """`m` or `n` where the input or the output is declared with another width: that width, and a note."""
        self._read_settings()

    def settle(self, roles: Roles) -> None:
        """Work out the `dim` lines, now that it is known which signal is the input and which the output."""
        for dim, signal, what in (("m", next(iter(roles.inputs), None), "input"), ("n", roles.output, "output")):
            typed = self.names.inputs.get(signal or "") or self.names.states.get(signal or "")
            if typed is None or typed.width is None or dim in self.names.dims or dim in self.names.implied_dims:
                continue
            if all(name.text != dim for name in trees.names(typed.width)):
                width = trees.text(typed.width)
                self.foreign[dim] = (width, f"the width of the {what} `{signal}` is declared to be {width}")
        for name in self.names.dims:
            self.value(name)

    def _read_settings(self) -> None:
        for name, item in self.names.settings.items():
            keyword = "const" if isinstance(item, tree.Const) else "hyper"
            try:
                value = polynomial(item.value, self._other_setting).number
            except NotAWidth as problem:
                self.found.error(
                    "setting-number",
                    f"`{keyword} {name}` needs a number",
                    problem.span,
                    label=problem.reason,
                    help=f"write `{keyword} {name} = 0.5`, or for a trained number `param {name}: scalar`",
                )
                value = Fraction(1)
            assert value is not None
            text = _literal(item.value)
            self.settings[name] = (value, text if text is not None else str(value))

    def _other_setting(self, name: tree.Name) -> Width:
        if name.text in self.settings and isinstance(self.names.settings[name.text], tree.Const):
            return Width.of(self.settings[name.text][0])
        raise NotAWidth(name.span, f"`{name.text}` is not a number or a constant given before")

    def value(self, name: str) -> Width | None:
        """A `dim` line's width in terms of free dimensions; None after an error."""
        if name in self.values:
            return self.values[name]
        item = self.names.dims[name]
        if item.value is None:
            self.values[name] = Width.of(name)
            return self.values[name]
        if name in self._open:
            loop = [*self._open[self._open.index(name) :], name]
            self.found.error(
                "cyclic-dim",
                f"the width `{name}` is defined by itself: {' → '.join(loop)}",
                item.name.span,
                help="give one of them as a number, or leave its value out: `dim " + name + "`",
            )
            for each in loop:
                self.values[each] = None
            return None
        self._open.append(name)
        result = self.read(item.value)
        self._open.pop()
        return self.values.setdefault(name, result)

    def read(self, expr: tree.Expr) -> Width | None:
        """A width as a declaration writes it; None after an error, which has been reported."""
        try:
            result = polynomial(expr, self._named)
        except NotAWidth as problem:
            if problem.reason:
                self.found.error(
                    "not-a-width",
                    "this is not a width",
                    problem.span,
                    label=problem.reason,
                    help=problem.help or "a width is made of numbers and named widths: `n`, `2 n`, `n / 4`, `n + m`",
                )
            return None
        value = result.number
        if value is not None and (value.denominator != 1 or value < 1):
            self.found.error("not-a-width", f"a width is a whole number from 1 on, not {value}", expr.span)
            return None
        return result

    def _named(self, name: tree.Name) -> Width:
        text = name.text
        if text in self.names.settings:
            item = self.names.settings[text]
            value, _ = self.settings.get(text, (Fraction(1), "1"))
            self.setting_widths.add(text)
            if value.denominator != 1 or value < 1:
                raise NotAWidth(
                    name.span,
                    f"`{text}` is {value}",
                    f"a width is a whole number: `{'const' if isinstance(item, tree.Const) else 'hyper'} {text} = 4`",
                )
            return Width.of(int(value)) if isinstance(item, tree.Const) else Width.of(text)
        if text in self.names.dims:
            self.used.setdefault(text, name.span)
            value_of = self.value(text)
            if value_of is None:
                raise NotAWidth(name.span, "")
            return value_of
        if text in self.foreign:
            self._report_foreign(name)
            raise NotAWidth(name.span, "")
        if text in ("m", "n") or text in self.names.implied_dims:
            self.used.setdefault(text, name.span)
            return Width.of(text)
        self._unknown(name)
        raise NotAWidth(name.span, "")

    def _report_foreign(self, name: tree.Name) -> None:
        width, note = self.foreign[name.text]
        self.found.error(
            "unknown-dim",
            f"there is no width `{name.text}`",
            name.span,
            notes=(note,),
            help=f"write {width}, or add: `dim {name.text}`",
        )

    def _unknown(self, name: tree.Name) -> None:
        known = ["m", "n", *self.names.dims, *self.names.implied_dims, *self.names.settings]
        close = near(name.text, known)
        others: tuple[Label, ...] = ()
        if name.text in self.names.params:
            others = (Label(self.names.params[name.text].name.span, "a parameter"),)
        self.found.error(
            "unknown-dim",
            f"there is no width `{name.text}`",
            name.span,
            others=others,
            help=f"did you mean `{close}`?" if close else f"add: `dim {name.text}`",
        )


def _literal(expr: tree.Expr) -> str | None:
    if isinstance(expr, tree.Number):
        return expr.text
    if isinstance(expr, tree.Negative) and isinstance(expr.operand, tree.Number):
        return f"-{expr.operand.text}"
    return None
