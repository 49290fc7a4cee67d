"""celldsl/README.md shows what the compiler prints, and points at files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from celldsl import driver
from celldsl.library import load

README = Path(__file__).resolve().parent.parent / "celldsl" / "README.md"
TEXT = README.read_text(encoding="utf-8")
SNIPPETS = re.findall(r"<!-- show (\w+) (\w+) -->\n```\w*\n(.*?)\n```", TEXT, re.DOTALL)


def test_every_stage_is_shown_in_order():
    assert [stage for _, stage, _ in SNIPPETS] == [stage for stage in driver.STAGES if stage != "latex"]


@pytest.mark.parametrize(("spec", "stage", "shown"), SNIPPETS, ids=lambda value: value if len(value) < 20 else "text")
def test_the_snippet_is_what_is_printed(spec, stage, shown):
    """The pieces between `…` lines stand in the output, whole lines, in this order."""
    printed = "\n" + driver.stage(load(spec), stage) + "\n"
    pieces = [piece.strip("\n") for piece in re.split(r"^ *…$", shown, flags=re.MULTILINE)]
    pieces = [piece for piece in pieces if piece]
    assert pieces, "nothing but dots"
    at = 0
    for piece in pieces:
        found = printed.find(f"\n{piece}\n", at)
        assert found >= 0, (
            f"not in the output of `celldsl show {spec} --stage {stage}`:\n{piece}\n\nwhich is\n{printed}"
        )
        at = found + len(piece)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_links_lead_somewhere(target):
    assert (README.parent / target).exists()
