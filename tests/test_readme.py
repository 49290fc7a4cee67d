"""Every command and every line of code in README.md runs as printed; what it shows is what is made."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from celldsl.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
SPECS = [body for language, body in BLOCKS if not language]
LINES = [line for language, body in BLOCKS if language == "sh" for line in body.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("celldsl ")]
INSTALLS = [line for line in LINES if not line.startswith("celldsl ")]
CODE = [body for language, body in BLOCKS if language == "python"]
SNIPPET = re.search(r"<!-- from (\S+) -->\n```python\n(.*?)```", TEXT, re.DOTALL)

LONG = re.compile(r"celldsl (bench|train|experiment run) ")
SMALLER = {
    "bench": ["--epochs", "1", "--seeds", "1", "-o", "bench"],
    "experiment": ["--only", "cell=lstm3"],
    "train": ["--epochs", "1"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the README's own spec in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coupled.cell").write_text(SPECS[1], encoding="utf-8")
    return tmp_path


def test_the_first_spec_is_the_shipped_one(folder, capsys):
    (folder / "lstm.cell").write_text(SPECS[0], encoding="utf-8")
    assert main(["diff", "lstm", "lstm.cell"]) == 0
    assert main(["verify", "lstm.cell"]) == 0


@pytest.mark.parametrize("line", [line for line in COMMANDS if not LONG.match(line)])
def test_command(line, folder, capsys):
    code = main(shlex.split(line)[1:])
    assert code == (1 if line.startswith("celldsl diff") else 0), capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in COMMANDS if LONG.match(line)])
def test_long_command(line, folder, capsys):
    """With fewer epochs and seeds; the one on MNIST where the data is."""
    import os

    words = shlex.split(line)[1:]
    if "DIR" in words:
        data = os.environ.get("CELLDSL_DATA")
        if not data:
            pytest.skip("needs MNIST: set CELLDSL_DATA")
        words[words.index("DIR")] = data
    assert main([*words, *SMALLER[words[0]]]) == 0, capsys.readouterr().err


def test_code(folder, monkeypatch):
    """All Python blocks as one program, after the commands that prepare it."""
    assert main(["compile", "lstm1", "-o", "cells"]) == 0
    done = subprocess.run([sys.executable, "-c", "\n".join(CODE[1:])], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "11600" in done.stdout


def test_snippet_stands_in_the_generated_file():
    """Line by line, but for the indentation it has there."""
    assert SNIPPET
    generated = [line.strip() for line in (ROOT / SNIPPET[1]).read_text(encoding="utf-8").splitlines()]
    shown = [line.strip() for line in SNIPPET[2].splitlines()]
    assert len(shown) > 8
    assert any(generated[at : at + len(shown)] == shown for at in range(len(generated)))


def test_measured_numbers_are_those_of_the_report():
    """And the report's Markdown is what its JSON says."""
    import json

    from celldsl.bench.report import Report
    from celldsl.bench.table import markdown

    folder = ROOT / "docs" / "results" / "digits"
    report = Report.from_json(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    assert markdown(report) == (folder / "report.md").read_text(encoding="utf-8")
    assert report.command == "celldsl bench"
    assert report.ok
    table = markdown(report).partition("\n\n")[0]
    assert f"<!-- from docs/results/digits/report.md -->\n{table}\n" in TEXT


def test_the_two_commands():
    bench, test = INSTALLS
    for line, extra, last in ((bench, "bench", "celldsl bench"), (test, "test", "pytest -n auto --dist loadfile")):
        assert line == (
            f"python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[{extra}]' && .venv/bin/{last}"
        )
    looked_for = re.search(r"grep -E '([^']+)' README\.md", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert looked_for
    assert re.search(looked_for[1], test), "what .ci/run looks for"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(target):
    assert target.startswith("https://") or (ROOT / target).exists()
