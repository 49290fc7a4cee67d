"""The shortest account of what differs between two cells, in the first one's names.

Under the names that `align` finds, or under those that the cells have, whichever says it in fewer words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from celldsl.check.cell import Cell
from celldsl.symbolic.align import Alignment, alignments
from celldsl.symbolic.difference import Difference, find_differences
from celldsl.syntax import tree, write

_WIDE = 100


@dataclass(frozen=True)
class Account:
    """What leads from the first cell to the second.

    a, b: the cells' names. names: the first's signals and parameters -> the second's, `1 - f` for a gate that is one
    minus the other, `-W_f` for a parameter of the opposite sign; those of one name are left out.
    differences: in the first cell's names; a name that the second alone has is its own, or `b_c′` where the first
    cell has another thing of that name.
    """

    a: str
    b: str
    names: Mapping[str, str]
    differences: tuple[Difference, ...]
    targets: frozenset[str] = field(default=frozenset(), repr=False)

    def __str__(self) -> str:
        lines = [f"names: {self.said}"] if self.names else []
        if not self.differences:
            return "\n".join([*lines, "nothing else differs"])
        lines.append(f"from {self.a} to {self.b}:")
        for each in self.differences:
            head = "" if _is_equation(each) else f"{self._place(each.name)}: "
            one, other = _bare(each.left), _bare(each.right)
            if not one or not other:
                lines.append(f"  {head}{'-' if one else '+'} {_held(one or other)}")
            elif len(head) + len(one) + len(other) <= _WIDE:
                lines.append(f"  {head}{one} → {other}")
            else:
                lines += [f"  {head}{one}", f"  {' ' * (len(head) - 2)}→ {other}"]
        return "\n".join(lines)

    def _place(self, name: str) -> str:
        return write(tree.Name(name, 0)) if name in self.targets else name

    @property
    def said(self) -> str:
        """`h is y; U_i, U_f are R_i, R_f`: signals first, then parameters that change alike together."""
        said = []
        for ours in _groups(self.names):
            theirs = ", ".join(self.names[own] for own in ours)
            said.append(f"{', '.join(map(_name, ours))} {'is' if len(ours) == 1 else 'are'} {theirs}")
        return "; ".join(said)


def account(a: Cell, b: Cell) -> Account:
    """What differs between two cells, as they compute in evaluation."""
    a, b = a.evaluated, b.evaluated
    own = Account(a.name, b.name, {}, find_differences(a, b), _targets(a, b))
    aligned = min((_told(a, b, alignment) for alignment in alignments(a, b)), key=_length)
    shapes = any(each.name in a.parameter and each.name in b.parameter for each in own.differences)
    if shapes:  # nothing else is compared under these names
        return aligned
    return aligned if _length(aligned, ease=0) <= _length(own, ease=0) else own


def _length(told: Account, ease: int = 18) -> int:
    """How much there is to read: names with half the trouble of differences; an equation that one cell alone has with
    less (ease) than the same inside another."""
    names = len(told.said) // 2
    return len(str(replace(told, names={}))) + names - ease * sum(map(_is_equation, told.differences))


def _told(a: Cell, b: Cell, alignment: Alignment) -> Account:
    names = {}
    for own, other in alignment.signals.items():
        names[own] = f"1 - {_name(other)}" if own in alignment.negated else _name(other)
    for own, other in alignment.parameters.items():
        names[own] = f"-{_name(other)}" if own in alignment.opposite else _name(other)
    changed = {own: other for own, other in names.items() if other != _name(own)}
    widths = [
        Difference(own.name, str(own.shape), str(its.shape))
        for own in alignment.a.signals
        if own.role != "intermediate"
        and (its := alignment.b.signal.get(own.name)) is not None
        and its.shape != own.shape
    ]
    differences = (*widths, *find_differences(alignment.a, alignment.b, widths=bool(widths)))
    return Account(a.name, b.name, changed, differences, _targets(alignment.a, alignment.b))


def _targets(*cells: Cell) -> frozenset[str]:
    return frozenset(equation.target for cell in cells for equation in cell.steps)


def _name(name: str) -> str:
    return write(tree.Name(name))


def _is_equation(each: Difference) -> bool:
    """Whether a whole equation stands on one side and nothing on the other."""
    return each.whole == ("", "") and not (each.left and each.right) and " = " in (each.left or each.right)


def _bare(text: str) -> str:
    """Without brackets around the whole."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and at < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") else text


def _held(text: str) -> str:
    """A sum, or what begins with a sign, in brackets."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in "+-" and text[at - 1 : at] in ("", " ") and " = " not in text:
            return f"({text})"
    return text


def _groups(names: Mapping[str, str]) -> list[list[str]]:
    """Names that change alike: in their stem, `U_i` and `U_f` to `R_i` and `R_f`; else those of one index, `U_c` and
    `W_c`; the others by themselves."""
    stems: dict[tuple[str, str], list[str]] = {}
    for own, other in names.items():
        (stem, _, index), (its_stem, _, its_index) = own.partition("_"), other.partition("_")
        if index and index == its_index and not other.startswith("-"):
            stems.setdefault((stem, its_stem), []).append(own)
    alike = {own: group for group in stems.values() if len(group) > 1 for own in group}
    indices: dict[str, list[str]] = {}
    for own in names:
        _, _, index = own.partition("_")
        if own not in alike and index:
            alike[own] = indices.setdefault(index, [])
            alike[own].append(own)
    return [alike.get(own, [own]) for own in names if alike.get(own, [own])[0] == own]
