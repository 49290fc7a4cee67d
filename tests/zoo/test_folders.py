"""Specs lie in folders for people to find them; for the compiler there is one shelf."""

from __future__ import annotations

from pathlib import Path

import pytest

import celldsl
from celldsl import library, relatives

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted(SPECS.rglob("*.cell"))


def test_names_are_unique_over_all_folders():
    names = [path.stem.lower() for path in FILES]
    assert sorted(set(names)) == sorted(names) == celldsl.zoo()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_found_by_name_in_any_case_and_by_path(path):
    lower, upper = library.load(path.stem), library.load(path.stem.upper())
    assert lower == upper
    assert lower.text == library.load(path).text
    assert library.family(path.stem) == ("" if path.parent == SPECS else path.parent.name)
    assert path.parent in (SPECS, SPECS / path.parent.name)  # one level, as the wheel takes them


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_named_as_its_cell(path):
    (cell,) = relatives.check(library.load(path))
    assert cell.name.lower() == path.stem
    assert cell.doc
    assert cell.cites
    assert cell.claims
    assert not cell.warnings
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_the_tour_names_every_folder():
    text = (SPECS / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text[text.index("| folder | holds |") :].splitlines()[2:]]
    named = {folder for row in rows for folder in row.replace("`", " ").split()}
    assert named == {"(top)", *(path.name for path in SPECS.iterdir() if any(path.glob("*.cell")))}
