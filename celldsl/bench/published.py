"""The papers' own numbers, shown beside ours only where task and settings are theirs.

They stand in published.json with their source. For ULSTM (Gao & Oates 2018) no number is known, so it has none.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

from celldsl.bench.options import Options
from celldsl.bench.report import Published


def published(spec: str, options: Options) -> Published | None:
    """The paper's number for a shipped cell under these options, or None. `spec`: the name it was asked for by."""
    for table in _tables():
        if any(getattr(options, name) != value for name, value in table["settings"].items()):
            continue
        for rate, value in table["accuracy"].get(spec.lower(), {}).items():
            if float(rate) == options.lr:
                return Published(value, table["source"])
    return None


@lru_cache(maxsize=1)
def _tables() -> list[dict[str, Any]]:
    file = resources.files("celldsl.bench") / "published.json"
    tables: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return tables
