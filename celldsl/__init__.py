"""celldsl: recurrent cells from the equations of their papers.

`celldsl.compile(source)` gives a `CompiledCell`, whose `rnn` is a PyTorch layer. Names are loaded on first use, so that
`import celldsl` itself waits for neither torch nor SymPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celldsl.version import __version__

if TYPE_CHECKING:
    from celldsl.api import CompiledCell, compile, zoo
    from celldsl.errors import CelldslError, Diagnostic, SpecError
    from celldsl.notebook import load_ipython_extension

_HOME = {
    "compile": "celldsl.api",
    "zoo": "celldsl.api",
    "CompiledCell": "celldsl.api",
    "CelldslError": "celldsl.errors",
    "Diagnostic": "celldsl.errors",
    "SpecError": "celldsl.errors",
    "load_ipython_extension": "celldsl.notebook",
}

__all__ = [
    "CelldslError",
    "CompiledCell",
    "Diagnostic",
    "SpecError",
    "__version__",
    "compile",
    "load_ipython_extension",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'celldsl' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
