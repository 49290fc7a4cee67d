"""Wrong specs, one for each rule: what is said about each is compared letter by letter with the text beside it.

CELLDSL_ACCEPT=1 writes the texts anew; read their diff as you read the source's.
"""

from __future__ import annotations

import ast
import os
import re
from functools import cache
from pathlib import Path

import pytest

import celldsl.check
import celldsl.syntax
from celldsl import relatives
from celldsl.errors import Diagnostic, SpecError
from celldsl.source import Source

FOLDER = Path(__file__).parent / "cases" / "bad"
CASES = sorted(FOLDER.rglob("*.cell"))
NAMES = [str(path.relative_to(FOLDER).with_suffix("")) for path in CASES]


@cache
def diagnostics_of(path: Path) -> tuple[Diagnostic, ...]:
    """What is said about a spec: its errors, or its warnings where it has no error."""
    source = Source(path.read_text(encoding="utf-8"), path.name)
    try:
        cells = relatives.check(source)
    except SpecError as error:
        return error.diagnostics
    return tuple(warning for cell in cells for warning in cell.warnings)


@pytest.mark.parametrize("path", CASES, ids=NAMES)
def test_message(path: Path):
    diagnostics = diagnostics_of(path)
    severity = "warning" if path.parent.name == "warnings" else "error"
    assert diagnostics, "nothing is said about this spec"
    assert {each.severity for each in diagnostics} == {severity}
    said = "\n\n".join(each.render() for each in diagnostics) + "\n"
    expected = path.with_suffix(".txt")
    if os.environ.get("CELLDSL_ACCEPT"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=NAMES)
def test_messages_are_for_their_reader(path: Path):
    for each in diagnostics_of(path):
        assert not re.match("[A-Z][a-z]", each.message), "a message begins in lower case"
        assert not each.message.endswith("."), "a message is no sentence"
        assert each.span.source.name, "every message has its place"
        assert not re.search(r"\?\d", each.render()), "unknowns of the solver have no place in a message"


def test_every_rule_has_a_case():
    shown = {each.code for path in CASES for each in diagnostics_of(path)}
    written = {code for package in (celldsl.syntax, celldsl.check) for code in codes_in(Path(package.__file__).parent)}
    assert not written - shown, "rules without a case"


def codes_in(folder: Path) -> set[str]:
    """The codes of all diagnostics that a package makes: first arguments of `error`, `warning` and `Diagnostic`."""
    found = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in ("error", "warning", "Diagnostic"):
                found.add(node.args[0].value)
    return found


def test_there_are_many():
    assert len(CASES) >= 60
