"""Explanations of syntax errors."""

from __future__ import annotations

from typing import Any

from celldsl.errors import Diagnostic
from celldsl.source import Source
from celldsl.syntax.layout import Statement


def explain(statement: Statement, at: int, parser: Any, source: Source) -> Diagnostic:
    token = statement.tokens[at]
    return Diagnostic("syntax", f"unexpected {token.text or 'end of line'}", source.span(token.start, token.end))
