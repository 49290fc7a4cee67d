"""What the words of one statement mean: keywords, functions and fractions of numbers.

A word is a keyword only at the head of its statement, a function only in front of its bracket; numbers with a
slash between them are one RATIO. Labels are read by `labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from celldsl.errors import Diagnostics, Label
from celldsl.functions import ALIASES, FUNCTIONS, NOISES
from celldsl.source import Source
from celldsl.syntax.grammar import LINE_ENDS, Token
from celldsl.syntax.labels import read_label

DECLARATIONS = frozenset({"input", "state", "output", "dim", "param", "const", "hyper", "share"})
KEYWORDS = DECLARATIONS | {"def", "init", "constrain", "drop", "claim", "cite"}
QUANTITIES = frozenset({"params", "flops", "state"})
BEGINS_OPERAND = frozenset({"NAME", "NUMBER", "FUNCTION", "FRACTION", "LPAR", "LSQUARE", "LBRACE"})
SCHEMES = frozenset({"uniform", "normal"})
"""Initial values that take arguments; in an `init` line every name that touches its bracket is one."""
NESTS = {"LPAR": 1, "LSQUARE": 1, "LBRACE": 1, "RPAR": -1, "RSQUARE": -1, "RBRACE": -1}
STRUCTURES = frozenset({"blocks", "diagonal", "symmetric", "lowrank", "orthogonal"})
FUNCTION_NAMES: dict[str, str] = {
    **{name: name for name in (*FUNCTIONS, *NOISES)},
    **{alias: name for alias, name in ALIASES.items() if alias.isascii()},
    "sigma": "sigmoid",
}
"""Every spelling of a function, as a name in its one spelling, and the function it means."""


@dataclass(frozen=True)
class Vocabulary:
    """The names of a file that change how a word is read.

    functions: what its `def`s define. names: what it declares or derives, which is then no function of the table.
    """

    functions: frozenset[str]
    names: frozenset[str]

    def function(self, word: str) -> str | None:
        """The function that a word in front of a bracket means, or None."""
        if word in self.functions:
            return word
        return None if word in self.names else FUNCTION_NAMES.get(word)


def collect_words(tokens: list[Token]) -> Vocabulary:
    """The vocabulary of a file, which may use a name above the line that declares it."""
    functions, names = set(), set()
    for at, (before, token, after) in enumerate(zip(tokens, tokens[1:], tokens[2:], strict=False)):
        if token.type != "NAME" or token.time is not None:
            continue
        if before.type in {*LINE_ENDS, "SEMICOLON", "LBRACE"} and after.type == "EQ":
            names.add(token.text)
        elif before.type == "NAME" and before.text == "def" and after.type == "LPAR":
            functions.add(token.text)
        elif (
            before.type == "NAME" and before.text in DECLARATIONS and after.type in ("COLON", "EQ", "COMMA", *LINE_ENDS)
        ):
            names.update(t.text for t in _list_of_names(tokens[at + 1 :]))
    return Vocabulary(frozenset(functions), frozenset(names))


def _list_of_names(tokens: list[Token]) -> Iterator[Token]:
    for name, comma in zip(tokens[::2], [*tokens[1::2], Token("END", "", 0, 0)], strict=False):
        if name.type != "NAME":
            break
        yield name
        if comma.type != "COMMA":
            break


def mark_words(
    tokens: list[Token], vocabulary: Vocabulary, source: Source, problems: Diagnostics
) -> Iterator[list[Token]]:
    """The statement with its words marked; several where declarations stand in columns on one line."""
    for part in _columns(tokens, source):
        marked = read_label(_keyword(part, source, problems), vocabulary.function, source, problems)
        if not marked:
            continue
        _check_bare_functions(marked, vocabulary, source, problems)
        yield _slices(_ratios(_functions(marked, vocabulary)))


def mark_bounds(tokens: list[Token], vocabulary: Vocabulary) -> list[Token]:
    """The head of a `repeat` with its functions and fractions marked."""
    return _ratios(_functions(tokens, vocabulary))


def _columns(tokens: list[Token], source: Source) -> Iterator[list[Token]]:
    """`input x: m      state h: n`: declarations side by side, two blanks or more between them."""
    start = 0
    for at in range(2, len(tokens) - 1):
        head, token, after = tokens[start], tokens[at], tokens[at + 1]
        gap = source.text[tokens[at - 1].end : token.start]
        if (
            _keyword_here(head, tokens[start + 1])
            and _keyword_here(token, after)
            and len(gap) > 1
            and gap.isspace()
            and after.type in ("NAME", "PATTERN")
        ):
            yield tokens[start:at]
            start = at
    yield tokens[start:]


def _keyword_here(token: Token, after: Token) -> bool:
    return token.type == "NAME" and token.time is None and token.text in KEYWORDS and after.type != "EQ"


def _keyword(tokens: list[Token], source: Source, problems: Diagnostics) -> list[Token]:
    if len(tokens) < 2 or not _keyword_here(tokens[0], tokens[1]):
        return tokens
    head, *rest = tokens
    head = replace(head, type=head.text.upper())
    if head.type == "CLAIM":
        rest = _claim(rest)
    elif head.type == "CONSTRAIN":
        rest = _related(rest)
    elif head.type == "PARAM":
        rest = _shape(rest, source, problems)
    return [head, *rest]


def _claim(rest: list[Token]) -> list[Token]:
    first = rest[0]
    if first.type == "NAME" and first.time is None:
        if first.text == "equals":
            words = {"when": "WHEN", "and": "COMMA"}
            return [
                replace(first, type="EQUALS"),
                *(
                    replace(t, type=words.get(t.text, t.type)) if t.type == "NAME" and t.time is None else t
                    for t in rest[1:]
                ),
            ]
        if first.text in QUANTITIES and len(rest) > 1 and rest[1].type in ("EQ", "LPAR"):
            rest = [replace(first, type="QUANTITY"), *rest[1:]]
            equals = [at for at, token in enumerate(rest) if token.type == "EQ" and _depth(rest, at) == 0]
            # `claim params = N = 4 (…)`, as a paper prints its count: the N is passed over.
            if len(equals) == 2 and equals[1] == equals[0] + 2 and rest[equals[0] + 1].type == "NAME":
                rest = rest[: equals[0]] + rest[equals[1] :]
            return rest
    return _related(rest)


def _related(rest: list[Token]) -> list[Token]:
    return [replace(t, type="RELATION") if t.type == "RELATION_SIGN" else t for t in rest]


def _depth(tokens: list[Token], at: int) -> int:
    """How many brackets are open at a token."""
    return sum(NESTS.get(token.type, 0) for token in tokens[:at])


def _shape(rest: list[Token], source: Source, problems: Diagnostics) -> list[Token]:
    """In `param R: n×n blocks(heads)`: `×` (or `x`) crosses two widths, the words behind are the structure."""
    colon = next((at for at, token in enumerate(rest) if token.type == "COLON"), len(rest))
    marked = rest[: colon + 1]
    depth = 0
    for at in range(colon + 1, len(rest)):
        token, after = rest[at], rest[at + 1] if at + 1 < len(rest) else None
        depth += NESTS.get(token.type, 0)
        if (
            depth == 0
            and at > colon + 1
            and after is not None
            and (token.text == "×" or (token.type == "NAME" and token.text == "x" and token.time is None))
        ):
            token = replace(token, type="CROSS")
        elif token.type == "NAME" and token.text == "scalar" and at == colon + 1:
            token = replace(token, type="SCALAR")
        elif token.type == "NAME" and token.text in STRUCTURES and at > colon + 1:
            token = replace(token, type="STRUCTURE")
        elif token.type == "NAME" and token.text == "frozen" and at == len(rest) - 1 and at > colon + 1:
            token = replace(token, type="FROZEN")
        elif depth == 0 and token.type == "TIMES" and at > colon:
            problems.error(
                "ambiguous-shape",
                "a `*` between two widths can be read in two ways",
                source.span(token.start, token.end),
                label="a matrix, or a longer vector?",
                notes=("a matrix has two widths with `×` between them", "a product of widths is one width"),
                help=f"write `{rest[at - 1].text}×{after.text if after else 'n'}` (or `x`) for a matrix, "
                "put a product in brackets",
            )
        marked.append(token)
    return marked


# --- functions and fractions ---------------------------------------------------------------


def _functions(tokens: list[Token], vocabulary: Vocabulary) -> list[Token]:
    """Names in front of their arguments as FUNCTION."""
    marked: list[Token] = []
    for at, token in enumerate(tokens):
        after = tokens[at + 1].type if at + 1 < len(tokens) else ""
        if token.type == "NAME" and token.time is None and not _is_declared_here(tokens, at):
            name = vocabulary.function(token.text)
            if after == "LPAR" and (
                name
                or (tokens[0].type == "INIT" and at > 1 and (token.touches(tokens[at + 1]) or token.text in SCHEMES))
                or (tokens[0].type == "CLAIM" and token.text in QUANTITIES)
                or _has_commas(tokens, at + 1)
            ):
                token = replace(token, type="FUNCTION", text=name or token.text)
            elif name and after == "LBRACE":
                token = replace(token, type="FUNCTION", text=name)
        marked.append(token)
    return marked


def _check_bare_functions(tokens: list[Token], vocabulary: Vocabulary, source: Source, problems: Diagnostics) -> None:
    """`tanh x_t` without brackets, and `e^{…}` where e is nothing but Euler's number."""
    value = next((at for at, token in enumerate(tokens) if token.type == "EQ"), len(tokens))
    for at in range(value + 1, len(tokens)):
        token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else None
        if token.type != "NAME" or token.time is not None:
            continue
        function = vocabulary.function(token.text)
        written = source.text[token.start : token.end]
        if function and after is not None and after.type in BEGINS_OPERAND - {"LPAR", "LBRACE"}:
            argument = source.text[after.start : _end_of_row(tokens, at + 1).end]
            problems.error(
                "function-without-brackets",
                f"`{written}` is a function, and its argument stands in no brackets",
                source.span(token.start, token.end),
                label="where does its argument end?",
                others=(Label(source.span(after.start, after.end), "here, or further on?"),),
                help=f"write `{written}({argument})`, or the brackets around all that it is to take;\n"
                f"a parameter of this name is declared: `param {token.text}: …`",
            )
        elif (
            function and token.text in (*FUNCTIONS, *NOISES) and (after is None or after.type not in ("LPAR", "LBRACE"))
        ):
            problems.error(
                "function-without-brackets",
                f"`{written}` is a function, and it has no argument here",
                source.span(token.start, token.end),
                label=f"`{written}(…)` was expected",
                help=f"write its argument in brackets; a parameter of this name is declared: `param {token.text}: …`",
            )
        elif token.text == "t" and "t" not in vocabulary.names and _is_no_number(tokens, at):
            problems.error(
                "bare-time",
                "`t` is the time, and has no place here",
                source.span(token.start, token.end),
                label="a name was expected",
                help="only equations read the time as a number; a step size is a name of its own: `dt`, `Δ`",
            )
        elif token.text == "e" and "e" not in vocabulary.names and after is not None and after.text == "^":
            problems.error(
                "ambiguous-exponential",
                "`e` is a parameter here, unless it is declared",
                source.span(token.start, after.end),
                label="the exponential function, or a power of a parameter?",
                help="write `exp(…)` for the exponential function; a number of your own is `const e = …`",
            )


def _is_no_number(tokens: list[Token], at: int) -> bool:
    """Whether the `t` at a place cannot be the time as a number: in a declaration, and in Δt, which is a step size."""
    before = tokens[at - 1]
    of_delta = before.type == "NAME" and (before.touches(tokens[at]) or before.text in ("Delta", "delta", "d"))
    return tokens[0].type != "NAME" or of_delta


def _end_of_row(tokens: list[Token], start: int) -> Token:
    """The last of the factors that stand side by side from `start` on."""
    depth = 0
    for at in range(start, len(tokens)):
        depth += NESTS.get(tokens[at].type, 0)
        if depth < 0 or (depth == 0 and tokens[at].type not in BEGINS_OPERAND | {"RPAR", "RSQUARE", "RBRACE"}):
            return tokens[at - 1]
    return tokens[-1]


def _is_declared_here(tokens: list[Token], at: int) -> bool:
    return at == 1 and tokens[0].type in {word.upper() for word in KEYWORDS - {"claim", "cite", "constrain"}}


def _has_commas(tokens: list[Token], opener: int) -> bool:
    depth = 0
    for token in tokens[opener:]:
        depth += NESTS.get(token.type, 0)
        if depth == 0:
            return False
        if depth == 1 and token.type == "COMMA":
            return True
    return False


def _slices(tokens: list[Token]) -> list[Token]:
    """A square bracket that holds dots cuts a vector, `v_t[1..n]`; without them it would stack."""
    opened: list[int] = []
    marked = list(tokens)
    for at, token in enumerate(tokens):
        if token.type in ("LSQUARE", "LPAR", "LBRACE"):
            opened.append(at)
        elif token.type in ("RSQUARE", "RPAR", "RBRACE") and opened:
            opened.pop()
        elif token.type == "DOTS" and opened and tokens[opened[-1]].type == "LSQUARE" and opened[-1] > 0:
            marked[opened[-1]] = replace(tokens[opened[-1]], type="SLICE")
    return marked


def _ratios(tokens: list[Token]) -> list[Token]:
    """`1/2 h` is half of h: two whole numbers with a slash between bind before everything else."""
    merged: list[Token] = []
    at = 0
    while at < len(tokens):
        three = tokens[at : at + 3]
        before = merged[-1].type if merged else ""
        after = tokens[at + 3].type if at + 3 < len(tokens) else ""
        if (
            [t.type for t in three] == ["NUMBER", "SLASH", "NUMBER"]
            and before not in ("SLASH", "CARET")
            and after != "CARET"
        ):
            merged.append(Token("RATIO", "", three[0].start, three[2].end, parts=(three[0], three[2])))
            at += 3
        else:
            merged.append(tokens[at])
            at += 1
    return merged
