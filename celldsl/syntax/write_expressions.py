"""Expressions as text, with as few brackets as read back to the same tree."""

from __future__ import annotations

import re
from dataclasses import dataclass

from celldsl.functions import FUNCTIONS, NOISES
from celldsl.syntax import tree
from celldsl.syntax.keywords import FUNCTION_NAMES
from celldsl.syntax.write_names import Style, write_name

# How tightly a node holds together, as the rules of cell.lark nest.
SUM, PRODUCT, CHAIN, ROW, POWER, POSTFIX, ATOM = range(7)

_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "@": CHAIN, "^": POWER}


@dataclass(frozen=True)
class Expressions:
    """Writes expressions in one style.

    signals: the text is an equation between signals, where `*` is shown as ⊙; in counts and widths it stays `*`.
    """

    style: Style
    signals: bool = True

    def write(self, node: tree.Expr, level: int = SUM) -> str:
        """The node, in brackets if it holds together less tightly than `level`."""
        text = self._bare(node)
        return self._brackets(text) if self._level(node) < level else text

    def _brackets(self, text: str) -> str:
        return rf"\left({text}\right)" if self.style == "latex" else f"({text})"

    def _level(self, node: tree.Expr) -> int:
        if isinstance(node, tree.Binary):
            if node.op == "/" and (self.style == "latex" or _is_ratio(node)):
                return ATOM if self.style == "latex" else POWER
            return _LEVELS[node.op]
        if isinstance(node, tree.Negative):
            return SUM
        if isinstance(node, tree.Juxtaposition):
            return ROW
        return POSTFIX if isinstance(node, (tree.Transposed, tree.Slice)) else ATOM

    def _bare(self, node: tree.Expr) -> str:
        if isinstance(node, tree.Number):
            return node.text
        if isinstance(node, tree.Name):
            return write_name(node, self.style)
        if isinstance(node, tree.Juxtaposition):
            return self._row(node)
        if isinstance(node, tree.Binary):
            return self._binary(node)
        if isinstance(node, tree.Negative):
            return f"-{self.write(node.operand, PRODUCT)}"
        if isinstance(node, tree.Transposed):
            level = ATOM + 1 if isinstance(node.operand, tree.Number) else ATOM
            return self.write(node.operand, level) + ("^\\top" if self.style == "latex" else "^T")
        if isinstance(node, tree.Call):
            return self._call(node)
        if isinstance(node, tree.Slice):
            return self._slice(node)
        parts = "; ".join(self.write(part) for part in node.parts)
        return rf"\left[{parts}\right]" if self.style == "latex" else f"[{parts}]"

    def _slice(self, node: tree.Slice) -> str:
        plain = Expressions(self.style, signals=False)
        first, last = plain.write(node.first), plain.write(node.last)
        operand = self.write(node.operand, ATOM + 1 if isinstance(node.operand, tree.Number) else POSTFIX)
        if self.style == "latex":
            return rf"{operand}\left[{first} \ldots {last}\right]"
        dots = ".." if first.isalnum() and last.isalnum() else " .. "
        return f"{operand}[{first}{dots}{last}]"

    # --- products --------------------------------------------------------------------------

    def _row(self, node: tree.Juxtaposition) -> str:
        dot = r" \cdot " if self.style == "latex" else " · " if self.style == "unicode" else None
        text = self.write(node.factors[0], POWER)
        for before, factor in zip(node.factors, node.factors[1:], strict=False):
            more = self.write(factor, POWER)
            if not self._needs_sign(before, more):
                text += f" {more}"
            elif dot:
                text += dot + more
            else:  # ASCII has no sign for it, but a bracket within brackets is no label and no time
                text += f" (({more}))" if more[0] != "(" else f" ({more})"
        return text

    def _needs_sign(self, before: tree.Expr, text: str) -> bool:
        """Whether the two factors would read as something else side by side: `x 2`, `max (a)`, `h (t - 1)`."""
        inside = text.removeprefix(r"\left")
        if text[0].isdigit():
            return True
        if not isinstance(before, tree.Name) or before.time is not None or inside[0] not in "({":
            return False
        return before.text in FUNCTION_NAMES or re.match(r"\(+t\b", inside) is not None

    def _binary(self, node: tree.Binary) -> str:
        if node.op in "+-":
            return f"{self.write(node.left, SUM)} {node.op} {self.write(node.right, PRODUCT)}"
        if node.op == "^":
            return self._power(node)
        if node.op == "@":
            return f"{self.write(node.left, CHAIN)} @ {self.write(node.right, ROW)}"
        if node.op == "*":
            return f"{self.write(node.left, PRODUCT)} {self._times(node)} {self.write(node.right, ROW)}"
        if self.style == "latex":
            return rf"\frac{{{self.write(node.left)}}}{{{self.write(node.right)}}}"
        if _is_ratio(node):
            return f"{self._bare(node.left)}/{self._bare(node.right)}"
        # `a * 2 / 3` would read as a * 2/3: two numbers bind first.
        left_level = POWER if isinstance(node.right, tree.Number) and _ends_in_number(node.left) else PRODUCT
        right_level = ATOM if isinstance(node.right, tree.Binary) and _is_ratio(node.right) else POWER
        return f"{self.write(node.left, left_level)} / {self.write(node.right, right_level)}"

    def _times(self, node: tree.Binary) -> str:
        plain = not self.signals or isinstance(node.left, tree.Number) or isinstance(node.right, tree.Number)
        if self.style == "ascii" or (plain and (self.style == "unicode" or not self.signals)):
            return "*"
        if self.style == "latex":
            return r"\times" if plain else r"\odot"
        return "⊙"

    # --- powers and calls ------------------------------------------------------------------

    def _power(self, node: tree.Binary) -> str:
        base, exponent = node.left, node.right
        named = isinstance(base, tree.Name)
        numeric = isinstance(exponent, tree.Number) or (
            isinstance(exponent, tree.Negative) and isinstance(exponent.operand, tree.Number)
        )
        below = self.write(base, POSTFIX)
        if numeric:
            above = self._bare(exponent)
            return f"{below}^{{{above}}}" if self.style == "latex" and len(above) > 1 else f"{below}^{above}"
        if self.style == "latex":
            inside = self.write(exponent)
            if re.match(r"(t|T)\b", inside):  # `^t` is a time, `^T` the transpose
                return rf"{{{below}}} ** \left({inside}\right)"
            return f"{{{below}}}^{{{inside}}}" if named or self._is_double(base) else f"{below}^{{{inside}}}"
        above = self.write(exponent, POSTFIX)
        sign = "**" if re.match(r"\(*[tT]\b", above) else "^"
        return f"{below} {sign} {above}"

    def _is_double(self, base: tree.Expr) -> bool:
        """TeX takes no second superscript: `{A^\\top}^{2}`."""
        return isinstance(base, tree.Transposed)

    def _call(self, node: tree.Call) -> str:
        arguments = ", ".join(self.write(argument) for argument in node.arguments)
        row = FUNCTIONS.get(node.function) or NOISES.get(node.function)
        if self.style == "latex":
            if node.function == "sqrt" and len(node.arguments) == 1:
                return rf"\sqrt{{{arguments}}}"
            escaped = node.function.replace("_", r"\_")
            name = row.latex.replace("_", r"\_") if row else rf"\operatorname{{{escaped}}}"
            return rf"{name}\left({arguments}\right)"
        if row is None:
            return f"{write_name(tree.Name(node.function), self.style)}({arguments})"
        return f"{row.spelling if self.style == 'unicode' else row.name}({arguments})"


def _is_ratio(node: tree.Expr) -> bool:
    return (
        isinstance(node, tree.Binary)
        and node.op == "/"
        and isinstance(node.left, tree.Number)
        and isinstance(node.right, tree.Number)
    )


def _ends_in_number(node: tree.Expr) -> bool:
    """Whether the last token of the node, as written, is a number that a `/` behind it would take."""
    if isinstance(node, tree.Binary):
        return node.op in "*@" and _ends_in_number(node.right)
    if isinstance(node, tree.Juxtaposition):
        return _ends_in_number(node.factors[-1])
    return isinstance(node, tree.Number)
