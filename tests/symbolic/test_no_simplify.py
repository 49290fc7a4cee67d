"""Compiling stays fast because nothing in it searches for a simpler form: SymPy's searches grow beyond all bounds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "celldsl"
SEARCHES = {"simplify", "nsimplify", "trigsimp", "radsimp", "powsimp", "logcombine", "factor", "fu", "hyperexpand"}
PARTS = ["syntax", "check", "symbolic", "schedule", "emit", "catalogue"]


@pytest.mark.parametrize(
    "path",
    [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_search_for_a_simpler_form(path):
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not called & SEARCHES
