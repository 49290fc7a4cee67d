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
from celldsl.syntax.explain import Failure
from celldsl.syntax.explain_statements import explain_statement
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
        saved = _position(parser)
        for at, token in enumerate(statement.tokens):
            try:
                parser.feed_token(token)  # type: ignore[arg-type]
            except UnexpectedToken:
                _go_to(parser, saved)
                if not statement.spoilt:
                    for fine in statement.tokens[:at]:
                        parser.feed_token(fine)  # type: ignore[arg-type]
                    failure = Failure(statement.tokens, at, frozenset(parser.accepts()), source)
                    problems.items.append(explain_statement(failure))
                    _go_to(parser, saved)
                if statement.kind == "head":
                    _open_anyway(parser, statement)
                break
    result: Tree[Any] = parser.feed_token(Token("$END", "", 0, 0))  # type: ignore[arg-type]
    return result


def _position(parser: Any) -> tuple[list[Any], list[Any]]:
    """Where the parser stands. Between statements what it holds is never changed in place, so that lists are enough."""
    return list(parser.parser_state.state_stack), list(parser.parser_state.value_stack)


def _go_to(parser: Any, position: tuple[list[Any], list[Any]]) -> None:
    parser.parser_state.state_stack[:], parser.parser_state.value_stack[:] = position


def _open_anyway(parser: Any, statement: Statement) -> None:
    """Begin a cell whose head is wrong, so that its body is read all the same."""
    opener = statement.tokens[-1]
    parser.feed_token(Token("CELL", "cell", opener.start, opener.end))
    parser.feed_token(Token("NAME", "X", opener.start, opener.end))
    parser.feed_token(opener)
