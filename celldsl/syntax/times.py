"""Times: the `t-1` of a name, below it, above it or in square brackets, and the spellings that could be one."""

from __future__ import annotations

from celldsl.syntax.cursor import Cursor, PartialName
from celldsl.syntax.grammar import Token


def is_time(cursor: Cursor, ahead: int, closer: str) -> bool:
    """`t`, `t-1`, `t+1` or `t-k`, then the closer."""
    if cursor.peek(ahead).type != "WORD" or cursor.peek(ahead).text != "t":
        return False
    if cursor.peek(ahead + 1).type == closer:
        return True
    sign, by, end = (cursor.peek(ahead + i) for i in (1, 2, 3))
    return sign.type in ("MINUS", "PLUS") and by.type in ("NUMBER", "WORD") and end.type == closer


def read_time(cursor: Cursor, name: PartialName, first: Token) -> None:
    """The time at the cursor, up to its closer; `first` is where it begins with its sign or bracket."""
    token = cursor.take()
    time = 0
    if cursor.peek().type in ("MINUS", "PLUS"):
        sign, by = cursor.take(), cursor.take()
        if not by.text.isdigit() or len(by.text) > 4:
            cursor.error(
                "bad-delay",
                f"a delay must be a whole number, found `{by.text}`",
                token,
                by,
                label="how many steps back?",
                help=f"write `{name.text}_{{t-1}}` for the value one step back, `{name.text}_{{t-2}}` for two",
            )
        elif sign.type == "PLUS" and int(by.text):
            cursor.error(
                "future",
                f"`{name.text}` at t+{by.text} lies in the future",
                token,
                by,
                label="a cell reads the present and the past only",
                help=f"write `{name.text}_t` or `{name.text}_{{t-1}}`; if the paper defines the value at t+1, "
                "write every equation one step earlier",
            )
        else:
            time = int(by.text)
    set_time(cursor, name, time, cursor.last)


def set_time(cursor: Cursor, name: PartialName, time: int, last: Token) -> None:
    if name.time is not None:
        cursor.error(
            "two-times",
            f"`{name.text}` carries two times",
            name.first,
            last,
            label="which of them is meant?",
            help=f"leave one of them: `{name.text}_t`",
        )
    name.time = time


def braced(time: str) -> str:
    """A time as it stands below the line: `t`, `{t-1}`."""
    return time if len(time) == 1 else f"{{{time}}}"


# --- what could be a time ------------------------------------------------------------------


def time_in_round_brackets(cursor: Cursor, name: PartialName) -> None:
    """`h(t-1)`: the time of h, or h times (t-1)?"""
    opener = cursor.take()
    before = len(cursor.problems.items)
    read_time(cursor, name, opener)
    closer = cursor.take()
    if len(cursor.problems.items) > before:
        return
    time = "t" if name.time == 0 else f"t-{name.time}"
    cursor.error(
        "ambiguous-time",
        f"`{cursor.written(name.first, closer)}` can be read in two ways",
        name.first,
        closer,
        label="the value at a time, or a product?",
        notes=(f"the signal `{name.text}` at {time}", f"`{name.text}` times the bracket `({time})`"),
        help=f"write `{name.text}_{braced(time)}` or `{name.text}[{time}]` for the signal",
    )


def check_loose_delay(cursor: Cursor, name: PartialName) -> None:
    """`h_t-1` without blanks: h_{t-1}, or h_t minus 1?"""
    before, sign, by = cursor.last, cursor.peek(), cursor.peek(1)
    if not (
        before.text == "t"
        and [sign.type, by.type] == ["MINUS", "NUMBER"]
        and before.touches(sign)
        and sign.touches(by)
        and by.text.isdigit()
    ):
        return
    cursor.at += 2
    name.time = int(by.text) if len(by.text) < 5 else 1
    cursor.error(
        "ambiguous-time",
        f"`{cursor.written(name.first, by)}` can be read in two ways",
        name.first,
        by,
        label="an earlier value, or a difference?",
        notes=(f"the value of `{name.text}` at t-{by.text}", f"`{name.text}_t` minus {by.text}"),
        help=f"write `{name.text}_{{t-{by.text}}}` or `{name.text}_t - {by.text}`",
    )


def check_run_together(cursor: Cursor, name: PartialName, token: Token) -> None:
    """`U_ih_{t-1}`: is that U_i h_{t-1}, as LaTeX sets it, or the signal U_{ih} at t-1? `token` is the `ih`."""
    base = name.parts[0]
    if len(name.parts) > 1 or len(base) > 1 or not base.isupper():
        return
    if token.type == "WORD" and len(token.text) == 2 and token.text.isascii() and token.text.islower():
        index, factor, last = token.text[0], token.text[1], 0
    elif token.type == "NUMBER" and cursor.peek(1).type == "WORD" and token.touches(cursor.peek(1)):
        index, factor, last = token.text, cursor.peek(1).text, 1
    else:
        return
    sign = cursor.peek(last + 1)
    if sign.type != "UNDERSCORE" or not cursor.peek(last).touches(sign):
        return
    end, time = _time_text(cursor, last + 2)
    if end is None:
        return
    cursor.error(
        "ambiguous-name",
        f"`{cursor.written(name.first, end)}` can be read in two ways",
        name.first,
        end,
        label="a product, or one signal?",
        notes=(
            f"the product of `{base}_{braced(index)}` and `{factor}_{braced(time)}`, as LaTeX sets it",
            f"the signal `{base}_{{{index}{factor}}}` at {time}",
        ),
        help=f"write `{base}_{braced(index)} {factor}_{braced(time)}` or `{base}_{{{index}{factor},{time}}}`",
    )


def _time_text(cursor: Cursor, ahead: int) -> tuple[Token | None, str]:
    """The last token and the text of the time (`t`, `t-1`) that stands `ahead`; None if none does."""
    if cursor.peek(ahead).type == "LBRACE" and is_time(cursor, ahead + 1, "RBRACE"):
        text = ""
        while cursor.peek(ahead + 1).type != "RBRACE":
            ahead += 1
            text += cursor.peek(ahead).text
        return cursor.peek(ahead + 1), text
    return (cursor.peek(ahead), "t") if cursor.peek(ahead).text == "t" else (None, "")
