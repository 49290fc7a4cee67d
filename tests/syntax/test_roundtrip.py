"""What `write` prints, `parse` reads back to an equal tree: shipped specs and random trees, in every style."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from celldsl.source import Source
from celldsl.syntax import parse, tree, write
from celldsl.syntax.write_names import write_name

from . import strategies

STYLES = ("unicode", "ascii", "latex")
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.cell"))
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs(path: Path, style: str) -> None:
    file = parse(Source(path.read_text(encoding="utf-8"), path.name))
    assert parse(Source(write(file, style))) == file


def test_writing_is_stable() -> None:
    for path in SPECS:
        text = write(parse(Source(path.read_text(encoding="utf-8"))))
        assert write(parse(Source(text))) == text


@pytest.mark.parametrize("style", STYLES)
@given(name=strategies.names)
@quick
def test_random_names(style: str, name: tree.Name) -> None:
    text = f"cell C {{ h_t = {write_name(name, style)} }}"
    assert parse(Source(text)).cells[0].items[0].value == name


@pytest.mark.parametrize("style", STYLES)
@given(value=strategies.expressions)
@quick
def test_random_expressions(style: str, value: tree.Expr) -> None:
    text = f"cell C {{ h_t = {write(value, style)} }}"
    assert parse(Source(text)).cells[0].items[0].value == value


@pytest.mark.parametrize("style", STYLES)
@given(item=strategies.items)
@quick
def test_random_items(style: str, item: tree.Item) -> None:
    text = f"cell C {{\n{write(item, style)}\n}}"
    assert parse(Source(text)).cells[0].items == (item,)


@pytest.mark.parametrize("style", STYLES)
@given(file=strategies.files)
@quick
def test_random_files(style: str, file: tree.File) -> None:
    assert parse(Source(write(file, style))) == file
