"""The shape of the project: imports go one way, the compiler knows no torch, nothing in a spec is ever evaluated."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CELLS = ["lstm", "lstm1", "lstm2", "lstm3", "ulstm"]

# The flow from left to right. A part imports itself and what stands before it.
FLOW = [
    {"version", "source"},
    {"errors"},
    {"functions"},
    {"syntax"},
    {"check"},
    {"transform"},
    {"symbolic"},
    {"schedule"},
    {"emit"},
    {"library", "show"},
    {"relatives"},
    {"driver"},
]
COMPILER = set().union(*FLOW)
WINGS = {"runtime", "train", "bench", "experiment"}
# How one comes in; these see the compiler and, when asked, the wings.
DOORS = {"__init__", "__main__", "api", "notebook", "catalogue", "doctor", "extras", "files", "formulas", "machine"}


def part(path: Path) -> str:
    """The part of celldsl that a file belongs to: `syntax`, `driver`."""
    inner = path.relative_to(ROOT / "celldsl")
    return inner.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports anywhere, with the line; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


SOURCES = sorted((ROOT / "celldsl").rglob("*.py"))
COMMANDS = sorted((ROOT / "cli").rglob("*.py"))


def test_every_part_has_its_place():
    assert {part(path) for path in SOURCES} <= COMPILER | WINGS | DOORS


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if part(path) in COMPILER], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_compiler_imports_to_the_left_and_no_torch(path):
    rank = next(place for place, parts in enumerate(FLOW) if part(path) in parts)
    allowed = set().union(*FLOW[:rank], {part(path)})
    for name, line in imported(path):
        top, _, inner = name.partition(".")
        assert top not in {"torch", "lightning", "numpy"}, f"{path}:{line}: the compiler imports {top}"
        if top == "celldsl" and inner:
            assert inner.split(".")[0] in allowed, (
                f"{path}:{line}: {part(path)} imports {name}, which stands to its right"
            )


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_wings_know_their_place(wing):
    """The runtime knows no trainer, the trainer no benchmark, the benchmark no experiment, nobody the command line."""
    above = ["runtime", "train", "bench", "experiment", "cli"]
    forbidden = set(above[above.index(wing) + 1 :])
    for path in SOURCES:
        if part(path) == wing:
            for name, line in imported(path):
                pieces = name.split(".")
                assert not (pieces[0] == "celldsl" and pieces[1:] and pieces[1] in forbidden), f"{path}:{line}: {name}"


@pytest.mark.parametrize("path", SOURCES + COMMANDS, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_evaluated(path):
    """No `eval`, no `exec`, and no SymPy function that parses text: names such as `S` or `__class__` are just names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else None
            attribute = node.func.attr if isinstance(node.func, ast.Attribute) else None
            assert name not in {"eval", "exec", "__import__"}, f"{path}:{node.lineno}: {name}"
            for called in (name, attribute):
                assert called not in {"sympify", "parse_expr", "parse_latex", "literal_eval", "lambdify", "symbols"}, (
                    f"{path}:{node.lineno}: {called}"
                )


def fresh(code: str) -> dict:
    """The JSON that a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_celldsl_loads_nothing_heavy():
    code = "import sys, json, celldsl; print(json.dumps([celldsl.__version__, sorted(sys.modules)]))"
    version, modules = fresh(code)
    assert version
    assert not {"torch", "sympy", "lark", "jinja2", "IPython", "numpy"} & set(modules)


@pytest.mark.parametrize(
    "check",
    ["[celldsl.compile(name).name.lower() for name in CELLS] == CELLS", "main(['check', *CELLS]) == 0"],
    ids=["python", "command"],
)
def test_checking_needs_neither_torch_nor_sympy(check):
    code = f"""
import contextlib, io, json, sys, time
start = time.process_time()
import celldsl
from celldsl.cli.main import main
CELLS = {CELLS}
with contextlib.redirect_stdout(io.StringIO()):
    done = {check}
print(json.dumps([done, time.process_time() - start, sorted(sys.modules)]))
"""
    done, seconds, modules = fresh(code)
    assert done
    assert not {"torch", "sympy", "numpy"} & set(modules)
    assert seconds < 1.5


def test_compiling_the_five_cells_is_quick():
    """Seconds of processor time, imports included, so that a busy machine does not fail it."""
    code = f"""
import json, sys, time
start = time.process_time()
import celldsl
texts = [celldsl.compile(name).source() for name in {CELLS}]
print(json.dumps([[len(text) for text in texts], time.process_time() - start, sorted(sys.modules)]))
"""
    lengths, seconds, modules = fresh(code)
    assert min(lengths) > 1000
    assert "torch" not in modules
    assert seconds < 3


def test_compiling_the_zoo_is_quick():
    """Seconds of processor time in one process: each shipped spec in less than one, all in less than sixty."""
    code = """
import json, sys, time
import celldsl
celldsl.compile("lstm").source()
seconds = {}
for name in celldsl.zoo():
    start = time.process_time()
    celldsl.compile(name).source()
    seconds[name] = time.process_time() - start
print(json.dumps([seconds, "torch" in sys.modules]))
"""
    seconds, torch_loaded = fresh(code)
    assert len(seconds) >= 95
    assert not torch_loaded
    assert {name: found for name, found in seconds.items() if found >= 1} == {}
    assert sum(seconds.values()) < 60
