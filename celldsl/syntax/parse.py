"""parse: the text of specs to their syntax tree, or every syntax error of the file at once.

The statements that `layout` finds are fed to the parser one by one. When one fails, its error is explained, the
parser goes back to where the statement began, and reading goes on with the next.
"""

from __future__ import annotations

from typing import Any

from lark import Tree
from lark.exceptions import UnexpectedToken

from celldsl.errors import Diagnostics
from celldsl.source import Source
from celldsl.syntax import tree
from celldsl.syntax.build import Build
from celldsl.syntax.explain import explain
from celldsl.syntax.grammar import Token, statement_parser
from celldsl.syntax.layout import Statement, lay_out
from celldsl.syntax.tokens import read_tokens

HEIGHT = 200
"""How many operations may hang below one another in an expression; a sum of a thousand terms is cut off here, so
that later stages may walk a tree by plain recursion."""


def parse(source: Source) -> tree.File:
    """The syntax tree of a file of specs. Raises `SpecError` with all its syntax errors."""
    problems = Diagnostics()
    tokens = read_tokens(source, problems)
    statements = lay_out(tokens, source, problems)
    if not statements and not problems.items:
        problems.error(
            "empty-file",
            "there is no cell in this file",
            source.span(0, 1),
            label="`cell NAME {` was expected",
            help="a spec looks like this: `cell RNN { h_t = tanh(W x_t + U h_{t-1} + b) }`",
        )
    parsed = _feed(statements, source, problems)
    problems.raise_errors()
    file: tree.File = Build(source, problems).transform(parsed)
    problems.raise_errors()
    return file


def _feed(statements: list[Statement], source: Source, problems: Diagnostics) -> Tree[Any]:
    parser = statement_parser()
    for statement in statements:
        saved = parser.copy(deepcopy_values=False)
        for at, token in enumerate(statement.tokens):
            try:
                parser.feed_token(token)  # type: ignore[arg-type]
            except UnexpectedToken:
                if not statement.spoilt:
                    problems.items.append(explain(statement, at, saved, source))
                parser = saved
                if statement.kind == "head":
                    _open_anyway(parser, statement)
                break
    result: Tree[Any] = parser.feed_token(Token("$END", "", 0, 0))  # type: ignore[arg-type]
    return result


def _open_anyway(parser: Any, statement: Statement) -> None:
    """Begin a cell whose head is wrong, so that its body is read all the same."""
    opener = statement.tokens[-1]
    parser.feed_token(Token("CELL", "cell", opener.start, opener.end))
    parser.feed_token(Token("NAME", "X", opener.start, opener.end))
    parser.feed_token(opener)
