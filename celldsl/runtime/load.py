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

from celldsl.runtime import cache


def load(text: str, name: str) -> ModuleType:
    """The module of an emitted text, the same for the same text. `name`, the cell's, becomes part of its name."""
    stem = re.sub(r"[^a-z0-9_]", "_", name.lower()) or "cell"
    if _shipped_text(stem) == text:
        return importlib.import_module(f"celldsl.generated.{stem}")
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    cache.write(cache.folder() / f"{stem}_{digest}.py", text)
    importlib.invalidate_caches()
    return importlib.import_module(f"celldsl.runtime.emitted.{stem}_{digest}")


def _shipped_text(stem: str) -> str | None:
    if importlib.util.find_spec("celldsl.generated") is None:
        return None
    file = resources.files("celldsl.generated") / f"{stem}.py"
    return file.read_text(encoding="utf-8") if file.is_file() else None
