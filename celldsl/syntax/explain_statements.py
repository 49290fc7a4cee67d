"""Explanations of what is no statement at all: misspelt keywords, unknown claims, declarations out of shape."""

from __future__ import annotations

from celldsl.errors import Diagnostic, Label, near
from celldsl.syntax.explain import EQUATION_RULES, OPERANDS, OPERATORS, Failure, Rule, explain, in_words, named
from celldsl.syntax.keywords import KEYWORDS, QUANTITIES

EXAMPLES = {
    "INPUT": "input x: m",
    "STATE": "state h: n, c: p",
    "OUTPUT": "output h",
    "DIM": "dim r = n / 4",
    "PARAM": "param W: n×m",
    "CONST": "const eps = 1e-5",
    "HYPER": "hyper alpha = 0.5",
    "DEF": "def f(v, b) = v * sigmoid(b * v)",
    "SHARE": "share U_i = U_f",
    "INIT": "init b_f = 1",
    "CONSTRAIN": "constrain -1 <= u <= 1",
    "DROP": "drop W_i, W_f",
    "REPEAT": "repeat l = 1..L { … }",
    "CITE": 'cite "Author 2017, eqs. (1)-(5)"',
    "CLAIM": "claim params = n^2 + m n + n",
}
CLAIMS = (
    "`claim params = …`, also of `flops` and `state`, also at sizes: `claim params(m=28, n=50) = …`",
    "`claim 0 < i_t < 1`, `claim h_t >= 0`",
    "`claim equals LSTM when z_t = o_{t-1}`",
)
PLANNED = {"for", "if", "while", "import", "return", "let", "where", "end", "begin"}


def explain_statement(failure: Failure) -> Diagnostic:
    """Why the statement of this failure cannot be read."""
    return explain(failure, HEAD_RULES if failure.head.type == "CELL" else ITEM_RULES)


# --- the head of a cell --------------------------------------------------------------------


def head_of_cell(failure: Failure) -> Diagnostic | None:
    found = failure.found
    if failure.at == 1:
        return failure.error(
            "bad-head",
            "this cell has no name",
            found,
            label="a name was expected here",
            help="write `cell NAME {`; names are letters, digits and `_`",
        )
    if failure.at == 2 and found.type == "NAME":
        guess = near(found.text, ("extends",))
        return failure.error(
            "misspelt-keyword" if guess else "bad-head",
            f"unknown keyword `{failure.written(found)}`",
            found,
            label="`extends` or `{` was expected",
            help="did you mean `extends`?" if guess else "write `cell NAME {` or `cell NAME extends PARENT {`",
        )
    if failure.before.type == "EXTENDS":
        return failure.error(
            "bad-head",
            "the parent of this cell is missing",
            found,
            label="the name of a cell was expected",
            help="write `extends LSTM`, or take `extends` away",
        )
    following = [token.text for token in failure.tokens[failure.at + 1 :] if token.type == "NAME"]
    if found.type in ("LPAR", "COLON", "RELATION_SIGN") and following:
        help = f"write `cell {failure.tokens[1].text} extends {following[0]} {{`"
    else:
        help = "write `cell NAME {` or `cell NAME extends PARENT {`: a cell has one parent"
    return failure.error(
        "bad-head",
        f"expected `{{`, found {named(failure, found)}",
        found,
        label="the body should begin here",
        help=help,
    )


# --- statements that are none --------------------------------------------------------------


def misspelt_keyword(failure: Failure) -> Diagnostic | None:
    """`stat h: n`: a word, something that is no `=`, and a keyword that looks like the word."""
    head, second = failure.head, failure.tokens[1]
    if head.type != "NAME" or head.time is not None or failure.at != 1:
        return None
    if head.text in KEYWORDS:
        example = EXAMPLES[head.text.upper()]
        return failure.error(
            "bad-declaration",
            f"`{head.text}` says nothing by itself"
            if second.type == "END"
            else f"`{head.text}` does not go on like this",
            head if second.type == "END" else second,
            help=f"write it as in `{example}`",
        )
    if head.text == "extends":
        return failure.error(
            "bad-head",
            "`extends` stands in the first line of a cell",
            head,
            help=f"write `cell NAME extends {second.text or 'PARENT'} {{`",
        )
    guess = near(head.text.lower(), KEYWORDS) if len(head.text) > 2 else None
    if guess and second.type in ("NAME", "STRING", "DOC", "NUMBER", "PATTERN", "MINUS", "TIMES", "FUNCTION"):
        return failure.error(
            "misspelt-keyword",
            f"unknown keyword `{failure.written(head)}`",
            head,
            label="a keyword or an equation was expected",
            help=f"did you mean `{guess}`, as in `{EXAMPLES[guess.upper()]}`?",
        )
    if head.text in PLANNED and second.type in ("NAME", "LPAR", "STRING"):
        return failure.error(
            "misspelt-keyword",
            f"`{head.text}` is no word of this language",
            head,
            label="a keyword or an equation was expected",
            help=f"keywords are {', '.join(sorted(KEYWORDS))}",
        )
    return None


def bad_left_side(failure: Failure) -> Diagnostic | None:
    """An equation whose left side is more than a name, or a line that is no equation."""
    head, found = failure.head, failure.found
    if failure.at > 1 or head.type in EXAMPLES:
        return None
    if found.type == "COLON":
        return failure.error(
            "bad-left-side",
            "a `:` in an equation",
            found,
            label="`=` was expected here",
            help=f"widths are declared on a line of their own, `state {head.text}: n`, `param {head.text}: n×m`",
        )
    sign = next((at for at, token in enumerate(failure.tokens) if token.type == "EQ"), None)
    if sign:
        left = failure.span(head, failure.tokens[sign - 1])
        names = [token for token in failure.tokens[:sign] if token.type == "NAME" and token.time is not None]
        if failure.tokens[1].type == "COMMA" and len(names) > 1:
            help = "write one equation for each name"
        elif names:
            help = f"solve it for the signal that it defines: `{failure.written(names[0])} = …`"
        else:
            help = "write the name that the equation defines on the left: `h_t = …`"
        return failure.error(
            "bad-left-side", "the left side of an equation is one name", left, label="this is not one name", help=help
        )
    if head.type == "NAME":
        last = failure.tokens[-2]
        return failure.error(
            "missing-equals",
            "this line is not an equation",
            found if found.type != "END" else failure.source.span(head.end, head.end + 1),
            label="`=` was expected here",
            others=(Label(failure.span(head), "behind this name"),) if found.type != "END" else (),
            help=f"write `{failure.written(head)} = …`"
            + (
                f", for example `{failure.written(head)} = {failure.written(found, last)}`"
                if found.type in OPERANDS
                else ""
            )
            + "; a comment begins with `#`",
        )
    if head.type == "LPAR" and len(failure.tokens) == 4:
        return failure.error(
            "bad-label",
            "this label stands on a line of its own",
            failure.span(head, failure.tokens[2]),
            label="a label ends the line of its equation",
            help="put it behind its equation",
        )
    if head.type in OPERATORS:
        return failure.error(
            "missing-operand",
            f"nothing stands on the left of `{failure.written(head)}`",
            head,
            label="no equation stands above that this line could go on with",
            help="write an equation: `h_t = …`",
        )
    return failure.error(
        "bad-statement",
        "this is neither an equation nor a declaration",
        head,
        label="a name or a keyword was expected",
        help="write an equation, `h_t = …`; a comment begins with `#`",
    )


# --- claims --------------------------------------------------------------------------------


def unknown_claim(failure: Failure) -> Diagnostic | None:
    if failure.head.type != "CLAIM":
        return None
    found, subject = failure.found, failure.tokens[1]
    if subject.type == "NAME" and subject.time is None:
        words = [*QUANTITIES, "equals"]
        guess = near(subject.text, words)
        if subject.text in words:
            guess = None
        if guess or found.type in ("EQ", "LPAR") or failure.at == 1:
            return failure.error(
                "unknown-claim",
                f"nothing is known to be claimed about `{failure.written(subject)}`",
                subject,
                label="`params`, `flops`, `state`, `equals` or a bound was expected",
                notes=() if guess else CLAIMS,
                help=f"did you mean `{guess}`?" if guess else "write the claim in one of these forms",
            )
    if "RELATION" in failure.expected or failure.at == 1:
        return failure.error(
            "unknown-claim",
            "this is not a claim that can be checked",
            found if found.type != "END" else subject,
            label="this form is not known",
            notes=CLAIMS,
            help="write the claim in one of these forms",
        )
    return None


def sizes_of_claim(failure: Failure) -> Diagnostic | None:
    """`claim params(28, 50) = …`: the sizes of a claim are named."""
    inside = [token.type for token in failure.tokens[1:3]] == ["QUANTITY", "LPAR"] and not any(
        token.type == "RPAR" for token in failure.tokens[: failure.at]
    )
    if failure.head.type != "CLAIM" or not inside:
        return None
    return failure.error(
        "unknown-claim",
        "the sizes of a claim are named, one number each",
        failure.found,
        label="this does not fit here",
        help="write `claim params(m=28, n=50) = …`",
    )


# --- declarations --------------------------------------------------------------------------


def declarations_on_one_line(failure: Failure) -> Diagnostic | None:
    """`input x: m state h: n` with a single blank between the two."""
    if failure.head.type not in EXAMPLES or failure.head.type in ("CLAIM", "CITE", "DEF"):
        return None
    for before, token, after in zip(failure.tokens[1:], failure.tokens[2:], failure.tokens[3:], strict=False):
        if token.type == "NAME" and token.time is None and token.text in KEYWORDS and after.type == "NAME":
            if before.type in ("COMMA", "COLON", "EQ"):
                continue
            return failure.error(
                "two-declarations",
                "two declarations on one line",
                token,
                label="a new declaration begins here",
                help=f"put it on its own line, or write `; {token.text} {failure.written(after)}`",
            )
    return None


def bad_declaration(failure: Failure) -> Diagnostic | None:
    """A declaration that goes wrong behind its keyword; the answer shows how it is written."""
    head, found = failure.head, failure.found
    if head.type not in EXAMPLES or head.type == "CLAIM":
        return None
    keyword, example = head.type.lower(), EXAMPLES[head.type]
    value = next((at for at, token in enumerate(failure.tokens) if token.type in ("EQ", "COLON")), None)
    if value is not None and value < failure.at - 1:
        return None  # the expression behind it is wrong, not the declaration
    if head.type == "CITE":
        return failure.error(
            "bad-declaration",
            "a citation stands between quotes",
            failure.span(found, failure.tokens[-2] if found.type != "END" else found),
            label='`"` was expected in front of it',
            help=f"write it as in `{example}`",
        )
    if found.type == "COLON" and "EQ" in failure.expected:
        text = f"`{keyword}` takes `=`, not `:`"
        return failure.error(
            "bad-declaration", text, found, label="`=` was expected", help=f"write it as in `{example}`"
        )
    if found.type == "EQ" and "COLON" in failure.expected:
        text = f"`{keyword}` takes `:`, not `=`"
        return failure.error(
            "bad-declaration", text, found, label="`:` was expected", help=f"write it as in `{example}`"
        )
    if head.type == "OUTPUT" and found.type == "COMMA":
        return failure.error(
            "bad-declaration",
            "`output` names one signal",
            found,
            label="the line should end here",
            help="stack several into one: `y_t = [h_t; c_t]`; every signal can be read from outside anyway",
        )
    if head.type in ("DROP", "OUTPUT", "DIM") and found.type == "NAME":
        text = "`output` names one signal" if head.type == "OUTPUT" else "names are separated by commas"
        return failure.error(
            "bad-declaration", text, found, label="this is one more name", help=f"write it as in `{example}`"
        )
    if value is None or failure.at <= value + 1:
        end = found.type == "END"
        shown = "the line ends" if end else f"found {named(failure, found)}"
        return failure.error(
            "bad-declaration",
            f"`{keyword}` does not go on like this: expected {in_words(failure.expected)}, {shown}",
            found,
            help=f"write it as in `{example}`",
        )
    return None


def sum_in_shape(failure: Failure) -> Diagnostic | None:
    if failure.head.type == "PARAM" and failure.found.type == "CROSS":
        return failure.error(
            "ambiguous-shape",
            "a sum beside `×` stands in brackets",
            failure.found,
            label="how much of what stands in front of it is one width?",
            help="write `param W: n×(n + m)`",
        )
    return None


HEAD_RULES: tuple[Rule, ...] = (head_of_cell,)
ITEM_RULES: tuple[Rule, ...] = (
    misspelt_keyword,
    EQUATION_RULES[0],
    bad_left_side,
    declarations_on_one_line,
    sum_in_shape,
    sizes_of_claim,
    *EQUATION_RULES[1:5],
    unknown_claim,
    bad_declaration,
    *EQUATION_RULES[5:],
)
