"""Explanations: why a statement could not be read, in its author's words.

A statement has failed at one token. The rules are asked in turn, the particular ones first; the last one knows only
what was expected and what was found. Each is a function of the `Failure` that answers None or the Diagnostic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celldsl.errors import Diagnostic, Label
from celldsl.source import Source, Span
from celldsl.syntax.grammar import Token
from celldsl.syntax.keywords import BEGINS_OPERAND

OPERATORS = frozenset({"PLUS", "MINUS", "TIMES", "SLASH", "AT", "CDOT", "CARET", "CROSS"})
OPERANDS = BEGINS_OPERAND | {"RATIO"}
CLOSERS = {"RPAR": ")", "RSQUARE": "]", "RBRACE": "}"}
OPENERS = {"LPAR": "(", "LSQUARE": "[", "LBRACE": "{"}


@dataclass(frozen=True)
class Failure:
    """The tokens of a statement, the place of the one that does not fit, and the types that would have fitted."""

    tokens: list[Token]
    at: int
    expected: frozenset[str]
    source: Source

    @property
    def found(self) -> Token:
        return self.tokens[self.at]

    @property
    def before(self) -> Token:
        return self.tokens[self.at - 1] if self.at else Token("START", "", self.found.start, self.found.start)

    @property
    def head(self) -> Token:
        return self.tokens[0]

    def span(self, first: Token, last: Token | None = None) -> Span:
        """The place of a token; of the end of a line, the place just behind what is written."""
        last = last or first
        return self.source.span(first.start, max(last.end, first.start + 1))

    def written(self, first: Token, last: Token | None = None) -> str:
        return self.source.text[first.start : (last or first).end]

    def has(self, type: str) -> bool:
        return any(token.type == type for token in self.tokens)

    def error(self, code: str, message: str, place: Token | Span, **rest: Any) -> Diagnostic:
        return Diagnostic(code, message, place if isinstance(place, Span) else self.span(place), **rest)


Rule = Callable[[Failure], Diagnostic | None]


def explain(failure: Failure, rules: tuple[Rule, ...]) -> Diagnostic:
    """The first explanation that a rule has, or what was expected and what was found."""
    for rule in rules:
        diagnostic = rule(failure)
        if diagnostic:
            return diagnostic
    return unexpected(failure)


def unexpected(failure: Failure) -> Diagnostic:
    expected, found = in_words(failure.expected), named(failure, failure.found)
    return failure.error(
        "unexpected", f"expected {expected}, found {found}", failure.found, label="this does not fit here"
    )


# --- token types in words ------------------------------------------------------------------

_WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a text in `"`',
    "EQ": "`=`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "RPAR": "`)`",
    "RSQUARE": "`]`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "LBRACE": "`{`",
    "OPEN": "`{`",
    "END": "the end of the line",
    "LABEL": "a label such as `(7)`",
    "EXTENDS": "`extends`",
    "WHEN": "`when`",
    "RELATION": "`<` or `<=`",
    "SEMICOLON": "`;`",
    "DOTS": "`..`",
    "CROSS": "`×`",
    "STRUCTURE": "a structure such as `diagonal`",
}


def in_words(expected: frozenset[str]) -> str:
    """Token types as a reader's words: `an operand such as a name, a number or `(``, `the end of the line`."""
    rest = set(expected)
    words = []
    if {"NAME", "NUMBER", "LPAR"} <= rest:
        words.append("an operand such as a name, a number or `(`")
        rest -= OPERANDS | {"MINUS"}
    if {"PLUS", "TIMES"} <= rest:
        words.append("an operator")
        rest -= OPERATORS | {"TRANSPOSE"}
    words += [_WORDS[type] for type in _WORDS if type in rest]
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def named(failure: Failure, token: Token) -> str:
    """A token as a message shows it: in its author's spelling, on one line."""
    if token.type == "END":
        return "the end of the line"
    text = failure.written(token).split("\n")[0]
    return f"`{text if len(text) <= 30 else text[:28] + '…'}`"


# --- rules for equations and expressions ---------------------------------------------------


def operators_in_a_row(failure: Failure) -> Diagnostic | None:
    found, before = failure.found, failure.before
    if found.type not in OPERATORS or before.type not in OPERATORS:
        return None
    first, second = failure.written(before), failure.written(found)
    if found.type == "MINUS" and failure.at + 1 < len(failure.tokens):
        operand = failure.tokens[failure.at + 1]
        help = f"put what is negated in brackets: `{first} (-{failure.written(operand)})`"
    else:
        help = "take one of them away, or write what is missing between them"
    return failure.error(
        "two-operators",
        f"two operators in a row, `{first}` and `{second}`",
        found,
        label="an operand was expected here",
        others=(Label(failure.span(before), "after this operator"),),
        help=help,
    )


def two_powers(failure: Failure) -> Diagnostic | None:
    if failure.found.type not in ("CARET", "TRANSPOSE"):
        return None
    if failure.found.type == "TRANSPOSE" and failure.before.type in OPERANDS | CLOSERS.keys():
        return None
    if failure.before.type in OPERATORS | OPENERS.keys() | {"EQ", "COMMA"}:
        return missing_left_operand(failure)
    return failure.error(
        "two-powers",
        "a power of a power",
        failure.found,
        label="which of the two powers is taken first?",
        help="write brackets: `(a^2)^3` or `a^(2^3)`",
    )


def missing_left_operand(failure: Failure) -> Diagnostic | None:
    found, before = failure.found, failure.before
    if found.type not in OPERATORS | {"TRANSPOSE"} or before.type not in OPENERS.keys() | {"EQ", "COMMA", "SEMICOLON"}:
        return None
    sign = failure.written(found)
    help = "take the sign away" if found.type == "PLUS" else f"write what stands on the left of the `{sign}`"
    return failure.error(
        "missing-operand",
        f"nothing stands on the left of `{sign}`",
        found,
        label="a left operand is missing",
        help=help,
    )


def missing_right_operand(failure: Failure) -> Diagnostic | None:
    found, before = failure.found, failure.before
    if before.type not in OPERATORS or found.type not in CLOSERS.keys() | {
        "END",
        "LABEL",
        "COMMA",
        "EQ",
        "SEMICOLON",
        "RELATION",
    }:
        return None
    sign = failure.written(before)
    where = "the line ends" if found.type == "END" else f"`{failure.written(found)}` follows"
    return failure.error(
        "missing-operand",
        f"nothing stands on the right of `{sign}`",
        before,
        label=f"{where} where an operand was expected",
        help=f"write the operand, or take the `{sign}` away",
    )


def empty_side(failure: Failure) -> Diagnostic | None:
    if failure.before.type == "EQ" and failure.found.type in ("END", "LABEL", "COMMA"):
        return failure.error(
            "empty-side",
            "the right side of this equation is empty",
            failure.before,
            label="a value was expected behind it",
            help=f"write what `{failure.written(failure.head, failure.tokens[failure.at - 2])}` is equal to",
        )
    if failure.at == 0 and failure.found.type == "EQ":
        return failure.error(
            "empty-side",
            "the left side of this equation is empty",
            failure.found,
            label="a name was expected in front of it",
            help="write the name that the equation defines: `h_t = …`",
        )
    return None


def empty_brackets(failure: Failure) -> Diagnostic | None:
    found, before = failure.found, failure.before
    if before.type == "COMMA" and found.type in CLOSERS:
        return failure.error(
            "missing-operand",
            "nothing follows this comma",
            before,
            label="one more operand was expected",
            help="write it, or take the comma away",
        )
    if found.type not in CLOSERS or before.type not in OPENERS:
        return None
    function = failure.tokens[failure.at - 2]
    called = function.type == "FUNCTION"
    return failure.error(
        "missing-operand",
        f"`{failure.written(function)}` has no argument" if called else "these brackets are empty",
        failure.span(before, found),
        label="an operand was expected between them",
        help=f"write its argument: `{failure.written(function)}(…)`"
        if called
        else "write what stands in them, or take them away",
    )


def comma_in_expression(failure: Failure) -> Diagnostic | None:
    found = failure.found
    if found.type != "COMMA":
        return None
    before, after = failure.before, failure.tokens[failure.at + 1]
    if (
        before.type == "NUMBER"
        and after.type == "NUMBER"
        and len(after.text) == 3
        and before.end == found.start == after.start - 1
    ):
        return failure.error(
            "bad-number",
            f"`{failure.written(before, after)}` is not a number",
            failure.span(before, after),
            label="numbers have no commas",
            help=f"write `{before.text}{after.text}`",
        )
    if "RPAR" in failure.expected:
        return failure.error(
            "comma-in-brackets",
            "a comma in round brackets",
            found,
            label="round brackets hold one expression",
            help="to stack vectors write square brackets: `[h_{t-1}; x_t]`",
        )
    if failure.head.type == "NAME" and not failure.has("EQ"):
        return None
    if failure.head.type == "NAME":
        return failure.error(
            "unexpected",
            "a comma in the middle of an equation",
            found,
            label="the equation should end here",
            help="put the next equation on its own line, or write `;` between them; to stack vectors write `[a; b]`",
        )
    return None


def second_equals(failure: Failure) -> Diagnostic | None:
    if failure.found.type != "EQ" or failure.head.type != "NAME":
        return None
    first = next((token for token in failure.tokens[: failure.at] if token.type == "EQ"), None)
    if first is None:
        return None
    name = failure.before if failure.before.type == "NAME" else None
    return failure.error(
        "second-equals",
        "a second `=` in one equation",
        failure.found,
        label="the equation should have ended before this",
        others=(Label(failure.span(first), "the first one"),),
        help=f"put `{failure.written(name)} = …` on its own line, or write `;` in front of it"
        if name
        else "write each equation on its own line",
    )


def unknown_sign(failure: Failure) -> Diagnostic | None:
    """Signs that have a meaning, but none in the middle of an expression."""
    found = failure.found
    if found.type in ("RELATION_SIGN", "RELATION") and failure.head.type == "NAME":
        return failure.error(
            "unexpected",
            f"`{failure.written(found)}` compares, and an equation does not",
            found,
            label="only claims compare",
            help="to bound a signal write `claim 0 < i_t < 1`",
        )
    if found.type in ("STRING", "DOC"):
        return failure.error(
            "unexpected",
            "a text in the middle of a statement",
            found,
            label="texts stand alone, or behind `cite`",
            help="a comment begins with `#`",
        )
    if found.type == "PATTERN":
        return failure.error(
            "unexpected",
            f"`{failure.written(found)}` is a pattern of names",
            found,
            label="patterns stand behind `init` only",
            help="write out the one name that is meant; an elementwise product needs blanks, `a_t * b_t`",
        )
    if found.type == "DOTS":
        return failure.error(
            "unexpected",
            "dots in the middle of a statement",
            found,
            label="they stand for something that is not said",
            help="write it out; equations that differ by an index are repeated: `repeat l = 1..L { … }`",
        )
    if found.type == "DOT":
        return failure.error(
            "unexpected",
            "a stop in the middle of a statement",
            found,
            label="this joins nothing here",
            help="write `·` or `⊙` for a product, `@` for the matrix product, and names without stops",
        )
    if found.type == "PRIME":
        return failure.error(
            "unexpected",
            f"this `{failure.written(found)}` belongs to no name",
            found,
            help="a prime stands right behind its name, `c'_t`; the transpose is `A^T`; texts stand between `\"`",
        )
    if found.type == "FRACTION" or failure.before.type == "FRACTION":
        place = found if found.type == "FRACTION" else failure.before
        return failure.error(
            "bad-fraction", "`\\frac` takes two groups in braces", place, help="write `\\frac{a}{b}`, or `a / b`"
        )
    if found.type == "COLON" and failure.head.type == "NAME":
        return failure.error(
            "unexpected",
            "a `:` in an equation",
            found,
            label="only declarations have one",
            help="widths are declared on a line of their own: `state h: n`, `param W: n×m`",
        )
    if found.type == "LABEL":
        return failure.error(
            "unexpected",
            "a label is not expected here",
            found,
            label="only equations have labels",
            help="take it away; a number to multiply by is written in front",
        )
    if found.type == "SEMICOLON":
        return failure.error(
            "unexpected",
            "a `;` in round brackets",
            found,
            label="a comma or an operator was expected",
            help="to stack vectors write square brackets: `[h_{t-1}; x_t]`",
        )
    return None


EQUATION_RULES: tuple[Rule, ...] = (
    empty_side,
    operators_in_a_row,
    missing_left_operand,
    missing_right_operand,
    empty_brackets,
    two_powers,
    second_equals,
    comma_in_expression,
    unknown_sign,
)
