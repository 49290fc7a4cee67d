"""Whatever the text, `parse` answers with a tree or with errors that have a place, and soon."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celldsl.errors import SpecError
from celldsl.source import Source
from celldsl.syntax import parse, write

from .reading import codes

ROOT = Path(__file__).parents[2]
PIECES = [
    *"()[]{}+-*/^_=,;:~@·<|é²ₜ.#%'\"$&\\",
    *[
        "$$",
        "\\\\",
        "\\frac",
        "\\tilde",
        "\\mathbf{",
        "\\left",
        "\\text{a b}",
        "\\tag{",
        "\\begin{bmatrix}",
        "\\end{bmatrix}",
    ],
    *["t", "t-1", "_t", "_{t-1}", "h", "tanh", "σ", "1", "0.5", "*_", "_*", '"""', "\n", " "],
    *["cell", "extends", "claim", "params", "def", "init", "param", "drop"],
]


def answer(text: str) -> None:
    """Parse, and look at what is said: every error has a place in the text, and speaks of no token types."""
    try:
        file = parse(Source(text, "text"))
    except SpecError as error:
        for diagnostic in error.diagnostics:
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text) + 1
            assert "\n" not in diagnostic.message
            assert not re.search(r"\b[A-Z]{4,}\b", re.sub(r"`[^`]*`", "", diagnostic.message)), diagnostic.message
            assert diagnostic.render()
            assert diagnostic.to_json()
    else:
        assert parse(Source(write(file))) == file


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text(text: str) -> None:
    answer(text)
    answer(f"cell C {{ h_t = {text} }}")


@given(st.lists(st.sampled_from(PIECES), max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_row_of_pieces(pieces: list[str]) -> None:
    answer(f"cell C {{\n h_t = {' '.join(pieces)}\n}}")
    answer("cell C {\n" + "".join(pieces) + "\n}")


@pytest.mark.parametrize("seed", range(4))
def test_specs_with_slips(seed: int) -> None:
    """Shipped specs in which a few words are left out, doubled or exchanged."""
    chance = random.Random(seed)
    specs = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").glob("*.cell"))]
    for _ in range(50):
        words = re.findall(r"\w+|\s+|.", chance.choice(specs))
        for _ in range(chance.choice([1, 1, 2, 5])):
            at = chance.randrange(len(words))
            words[at : at + chance.choice([0, 1, 1])] = chance.choice([[], [chance.choice(PIECES)]])
        answer("".join(words))


LONG = {
    "round brackets": "(" * 900 + "x_t" + ")" * 900,
    "square brackets": "[" * 900 + "x_t" + "]" * 900,
    "braces": "{" * 900 + "x_t" + "}" * 900,
    "calls": "tanh(" * 300 + "x_t" + ")" * 300,
    "fractions": r"\frac{" * 300,
    "sum": " + ".join(["a"] * 400),
    "transposes": "A" + "^T" * 900,
    "subscripts": "a" + "_{a" * 600,
    "accents": r"\tilde{" * 250,
    "styles": r"\mathbf{" * 240,
    "semicolons": "(" + ";" * 1900 + ")",
    "strays": "§" * 1900,
    "number": "9" * 1900,
    "exponent": "1e" + "9" * 1900,
}


@pytest.mark.parametrize("name", LONG)
def test_long_lines_are_answered_soon(name: str) -> None:
    text = f"cell C {{\n h_t = {LONG[name]}\n}}"
    start = time.process_time()
    answer(text)
    assert codes(text)
    assert time.process_time() - start < 5


def test_brackets_two_thousand_deep() -> None:
    lines = "\n".join(["(" * 500] * 4 + ["x_t"] + [")" * 500] * 4)
    assert codes(f"cell C {{\n h_t = {lines}\n}}")[0] == "too-much"


def test_sums_over_many_lines() -> None:
    lines = "\n + ".join(f"a_{i} b_t" for i in range(3000))
    assert codes(f"cell C {{\n h_t = {lines}\n}}") == ["too-much"]


def test_sizes_have_an_end() -> None:
    assert codes("cell C {\n h_t = x_t\n" + " # and so on" * 300 + "\n}") == ["too-much"]
    assert codes("cell C {\n h_t = x_t\n}" + "\n" * 100_000) == ["too-much"]


def test_no_more_than_a_hundred_errors_are_shown() -> None:
    text = "cell C {\n" + "h_t = = x_t\n" * 500 + "}"
    with pytest.raises(SpecError) as caught:
        parse(Source(text))
    assert len(caught.value.diagnostics) == 101
    assert caught.value.diagnostics[-1].message == "400 more errors follow from here on"


def test_names_of_python_and_sympy_are_just_names() -> None:
    for name in ["S", "I", "E", "beta", "lambda", "__class__", "os.system", "exec", "None", "__import__('os')"]:
        answer(f"cell C {{ h_t = {name} * x_t }}")
    assert codes("cell C { S_t = lambda * I_{t-1} + exec x_t + None }") == []


def test_parsing_is_quick_and_imports_nothing_heavy() -> None:
    """The five cells of the two papers, the grammar included."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from celldsl.syntax import parse\n"
        "from celldsl.source import Source\n"
        "start = time.process_time()\n"
        "for name in 'lstm lstm1 lstm2 lstm3 ulstm'.split():\n"
        "    parse(Source(Path('specs', name + '.cell').read_text(encoding='utf-8')))\n"
        "print(time.process_time() - start, *{'sympy', 'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert not heavy
    assert float(seconds) < 1.0  # 0.15 s where nothing else runs
