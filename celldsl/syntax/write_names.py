"""Names as text: `c_tilde` at t-1 is `c̃_{t-1}`, `c_tilde[t-1]` or `\\tilde{c}_{t-1}`."""

from __future__ import annotations

from typing import Literal

from celldsl.syntax import tree
from celldsl.syntax.indices import is_counted, shown_part
from celldsl.syntax.spelling import ACCENTS, GREEK

Style = Literal["unicode", "ascii", "latex"]


def write_name(name: tree.Name, style: Style) -> str:
    """The name with its time, so that it reads back as the same name."""
    parts = name.text.split("_")
    if style == "ascii":
        return _ascii(parts, name.time)
    word, below = name_parts(name, style)
    time = [] if name.time is None else ["t" if name.time == 0 else f"t-{name.time}"]
    if style == "unicode" and len(parts[0]) > 1 and parts[0] not in GREEK:
        # A long word has no braces to fear: `pre_act_t`, `pre_act_{t-1}`.
        return "_".join([word, *map(_held, below)]) + "".join(f"_{_braced(at)}" for at in time)
    indices = ",".join([*below, *time])
    if not indices:
        return word
    plain = style == "unicode" and len(below) == 1 and not time and not is_counted(below[0])
    alone = len(indices) == 1 or plain or indices in GREEK.values()
    return f"{word}_{indices}" if alone else f"{word}_{{{indices}}}"


def name_parts(name: tree.Name, style: Literal["unicode", "latex"]) -> tuple[str, list[str]]:
    """The name's letter or word, with its accents, and its indices; the time left out."""
    word, rest = _accented(name.text.split("_"), style)
    below = []
    while rest:
        part, rest = _accented(rest, style, below=True)
        below.append(part)
    return word, below


def _held(part: str) -> str:
    """A part that holds a sign has to be held together."""
    return f"{{{part}}}" if is_counted(part) else part


def _braced(time: str) -> str:
    return time if time == "t" else f"{{{time}}}"


def _ascii(parts: list[str], time: int | None) -> str:
    shown = [shown_part(part) for part in parts]
    word = "_".join([shown[0], *map(_held, shown[1:])])
    if time is None:
        return word
    if time:
        return f"{word}[t-{time}]"
    # `W_ix_t` could be W_i x_t, so a matrix's letter with an index keeps its time apart.
    run_together = len(parts) == 2 and len(parts[0]) == 1 and parts[0].isupper()
    return f"{word}[t]" if run_together else f"{word}_t"


def _accented(parts: list[str], style: Style, below: bool = False) -> tuple[str, list[str]]:
    """The first part with the accents and primes that stand behind it, and the parts that are left."""
    first, *rest = parts
    text = _word(first, style, below)
    letter = (len(first) == 1 and first.isalpha()) or (first in GREEK and text != first)
    while rest and rest[0] in ACCENTS and (letter or (style == "latex" and not first.isdigit())):
        accent, *rest = rest
        if style == "unicode":
            text += ACCENTS[accent]
        else:
            wide = {"tilde": "widetilde", "hat": "widehat", "bar": "overline"}.get(accent, accent)
            text = f"\\{accent if letter else wide}{{{text}}}"
    while rest and rest[0] == "prime":
        text += "'"
        rest = rest[1:]
    return text, rest


def _word(part: str, style: Style, below: bool) -> str:
    # Below the line `xi` and `pi` are two indices side by side, as in W_xi, and no Greek letters.
    if below and (is_counted(part) or shown_part(part) != part):
        return shown_part(part)
    if part in GREEK and not (below and len(part) == 2):
        return GREEK[part] if style == "unicode" else f"\\{part}"
    if style == "latex" and part[0].isalpha() and len(part) > (2 if below else 1):
        return f"\\mathrm{{{part}}}"
    return part
