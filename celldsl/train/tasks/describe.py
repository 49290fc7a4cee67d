"""What options the tasks have, read from their files without importing them (and with them torch)."""

from __future__ import annotations

import ast
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from celldsl.train.tasks import TASKS


@dataclass(frozen=True)
class Option:
    """A field of a task: its default as a command line takes it, and the text below it."""

    name: str
    default: str
    help: str


def summary(task: str) -> str:
    """The first sentence of a task's file."""
    text = " ".join((ast.get_docstring(_module(TASKS[task][0])) or "").split())
    ends = [place + 1 for place in map(text.find, (". ", "? ", ".\n")) if place >= 0]
    return text[: min(ends, default=len(text))]


def options(task: str) -> list[Option]:
    """A task's options, its parents' first."""
    module, name = TASKS[task]
    return _options(_module(module), name)


def _options(module: ast.Module, name: str) -> list[Option]:
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        return []  # `Task` itself, which has none
    found = [
        option for base in classes[name].bases if isinstance(base, ast.Name) for option in _options(module, base.id)
    ]
    body = classes[name].body
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if "ClassVar" in ast.unparse(statement.annotation) or statement.value is None:
            continue
        help = ""
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            help = " ".join(below.value.value.split())
        found.append(Option(statement.target.id, _shown(statement.value), help))
    return found


def _shown(value: ast.expr) -> str:
    if not isinstance(value, ast.Constant):
        return ast.unparse(value)
    return value.value if isinstance(value.value, str) else json.dumps(value.value)


@lru_cache
def _module(name: str) -> ast.Module:
    package, _, file = name.rpartition(".")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).with_name(f"{file}.py").read_text(encoding="utf-8"))
