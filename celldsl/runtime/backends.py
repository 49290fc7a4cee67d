"""What can run a compiled cell: one row per backend, the fastest first.

A backend turns an emission target into a Python module that holds the cell's two classes. A new one is a row here
and a folder `emit/<target>/`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """`why_not()` is None where the backend runs on this machine, else the reason, for people."""

    name: str
    target: str
    about: str
    why_not: Callable[[], str | None]


def _torch_why_not() -> str | None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        return f"torch cannot be imported: {error}"
    return None


_ROWS = (Backend("torch", "torch", "portable modules of plain torch operations, on any device", _torch_why_not),)

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _ROWS}


def choose(name: str = "auto") -> Backend:
    """The backend of this name; `auto` is the first that runs here.

    Raises ValueError for a name that is none, RuntimeError for one that cannot run here.
    """
    if name == "auto":
        reasons = {backend.name: backend.why_not() for backend in BACKENDS.values()}
        for candidate, reason in reasons.items():
            if reason is None:
                return BACKENDS[candidate]
        raise RuntimeError("no backend runs here: " + "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
    if name not in BACKENDS:
        raise ValueError(f"there is no backend {name!r}; there are 'auto', {', '.join(map(repr, BACKENDS))}")
    reason = BACKENDS[name].why_not()
    if reason is not None:
        raise RuntimeError(f"backend {name!r} cannot run here: {reason}")
    return BACKENDS[name]
