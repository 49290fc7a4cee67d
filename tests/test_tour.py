"""Every block of the tour in specs/README.md is compiled, run and verified; the wrong one is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import celldsl

TOUR = (Path(__file__).parent.parent / "specs" / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)


CELLS = blocks("cell")


def test_the_tour_has_its_blocks() -> None:
    assert len(CELLS) == len(re.findall(r"^cell \w+", "\n".join(CELLS), re.MULTILINE)) >= 10


@pytest.mark.parametrize("text", CELLS, ids=lambda text: text.split()[1])
def test_block_compiles_verifies_and_runs(text: str) -> None:
    cell = celldsl.compile(text)
    from celldsl.runtime.verify import verify

    report = verify(cell)
    assert report.ok, report
    others = {name: 3 for name in cell.checked.free_dims if name not in ("m", "n")}
    widths = {"m": 4, "n": 6, "1": 1, **others}
    inputs = [torch.randn(5, 2, widths[width]) for width in cell.inputs.values()]
    output, _ = cell.rnn(4, 6, **others)(*inputs)
    assert output.shape == (5, 2, 6)


def test_three_spellings_are_one_cell() -> None:
    ascii_form, unicode_form, latex_form = (celldsl.compile(text).checked for text in CELLS[1:4])
    assert ascii_form.signals == unicode_form.signals == latex_form.signals
    values = [[(e.target, e.value) for e in cell.equations] for cell in (ascii_form, unicode_form, latex_form)]
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("text", blocks("message"))
def test_wrong_block_is_refused_with_a_repair(text: str) -> None:
    with pytest.raises(celldsl.SpecError) as caught:
        celldsl.compile(text)
    assert "tanh" in str(caught.value)


def test_functions_named_are_the_functions_there_are() -> None:
    from celldsl.functions import FUNCTIONS

    section = TOUR.split("## Functions")[1].split("## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert named == set(FUNCTIONS)


@pytest.mark.parametrize("kind", re.findall(r"`(\w+)`", TOUR.split("`init` knows")[1].split("Without a line")[0]))
def test_named_init_kinds_exist(kind: str) -> None:
    if kind in ("uniform", "normal"):
        kind = f"{kind}(0.1)"
    celldsl.compile(f"cell A {{ h_t = tanh(W x_t + U h_{{t-1}} + b)\n init U = {kind} }}").rnn(3, 3)
