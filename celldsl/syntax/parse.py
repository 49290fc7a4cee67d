"""parse: the text of specs to their syntax tree, or every syntax error of the file at once.

The statements that `layout` finds are fed to the parser one by one. When one fails, its error is explained, the
parser goes back to where the statement began, and reading goes on with the next.
"""

from __future__ import annotations

from dataclasses import fields
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

HEIGHT = 100
"""How many operations may hang below one another in an expression, or stand in one sum. No equation of a paper comes
near it; later stages may walk a tree by plain recursion."""


LENGTH, WIDTH = 100_000, 2000
"""How many characters a file and one of its lines may have, so that no text takes long to read, however odd."""

MOST = 100
"""How many errors of a file are shown; one more says how many are left."""


def parse(source: Source) -> tree.File:
    """The syntax tree of a file of specs. Raises `SpecError` with all its syntax errors."""
    file, problems = read(source)
    _raise_errors(problems)
    return file


def read(source: Source) -> tuple[tree.File, Diagnostics]:
    """The syntax tree of what can be read of a file, and all its syntax errors; statements with errors are left out.

    Raises `SpecError` at once for a file of unreasonable size.
    """
    problems = Diagnostics()
    _check_size(source, problems)
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
    file: tree.File = Build(source, problems).transform(_feed(statements, source, problems))
    for cell in file.cells:
        for item in cell.items:
            _check_height(item, problems)
    return file, problems


def _check_size(source: Source, problems: Diagnostics) -> None:
    if len(source.text) > LENGTH:
        problems.error(
            "too-much",
            f"a file of specs has at most {LENGTH} characters, this one has {len(source.text)}",
            source.span(0, 1),
            help="put the cells into files of their own",
        )
    start = 0
    for line in source.text.split("\n"):
        if len(line) > WIDTH:
            problems.error(
                "too-much",
                f"a line has at most {WIDTH} characters, this one has {len(line)}",
                source.span(start + WIDTH, start + WIDTH + 1),
                label="the line should have ended before this",
                help="give parts of the equation names of their own, and write an equation for each",
            )
        start += len(line) + 1
    _raise_errors(problems)


def _raise_errors(problems: Diagnostics) -> None:
    if len(problems.items) > MOST:
        ordered = sorted(problems.items, key=lambda item: item.span.start)
        problems.items = ordered[:MOST]
        left = len(ordered) - MOST
        problems.error("too-much", f"{left} more errors follow from here on", ordered[MOST].span)
    problems.raise_errors()


def _check_height(item: tree.Item, problems: Diagnostics) -> None:
    stack: list[tuple[Any, int]] = [(item, 0)]
    while stack:
        node, height = stack.pop()
        if height > HEIGHT:
            problems.error(
                "too-much",
                f"more than {HEIGHT} operations hang together in this statement",
                item.span,
                help="give parts of it names of their own, and write an equation for each",
            )
            return
        if isinstance(node, tuple):
            stack += [(part, height) for part in node]
        elif isinstance(node, tree.Node):
            stack += [(getattr(node, each.name), height + 1) for each in fields(node) if each.compare]


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
                if statement.kind in ("head", "rounds"):
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
    """Begin a cell or a `repeat` whose head is wrong, so that its body is read all the same."""
    opener = statement.tokens[-1]
    head = "CELL NAME" if statement.kind == "head" else "REPEAT NAME EQ NUMBER DOTS NUMBER"
    for type in head.split():
        text = "1" if type == "NUMBER" else "X"
        parser.feed_token(Token(type, text, opener.start, opener.end))  # type: ignore[arg-type]
    parser.feed_token(opener)  # type: ignore[arg-type]
