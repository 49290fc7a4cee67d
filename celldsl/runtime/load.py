"""Emitted text -> an imported module.

A module is a file, never a string: TorchScript, pickle, tracebacks and debuggers all look for one. Text that equals
a shipped module of `celldsl.generated` is imported from there, so that a pickle of it needs no cache; all other
text becomes a file of the cache folder, named by its hash, in the package `celldsl.runtime.emitted`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
from importlib import resources
from types import ModuleType

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.runtime import cache

_cells: dict[str, Cell] = {}  # of the modules loaded in this process, by module name


def load(text: str, cell: Cell) -> ModuleType:
    """The module of a cell's emitted text; the same for the same text."""
    stem = re.sub(r"[^a-z0-9_]", "_", cell.name.lower())
    if _shipped_text(stem) == text:
        name = f"celldsl.generated.{stem}"
    else:
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
        name = f"celldsl.runtime.emitted.{stem}_{digest}"
        cache.write(cache.folder() / f"{stem}_{digest}.py", text)
        importlib.invalidate_caches()
    _cells[name] = cell
    return importlib.import_module(name)


def cell_of(layer: object) -> Cell | None:
    """The cell that a layer was built from; None for one that was unpickled where its cell was never compiled."""
    module = type(layer).__module__
    if module in _cells:
        return _cells[module]
    return relatives.find(type(layer).__name__) if module.startswith("celldsl.generated.") else None


def _shipped_text(stem: str) -> str | None:
    if importlib.util.find_spec("celldsl.generated") is None:
        return None
    file = resources.files("celldsl.generated") / f"{stem}.py"
    return file.read_text(encoding="utf-8") if file.is_file() else None
