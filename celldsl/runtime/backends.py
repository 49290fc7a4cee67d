"""What can run a compiled cell: one row per backend, the fastest first.

A backend turns an emission target into a Python module that holds the cell's two classes. A new one is a row here
and a folder `emit/<target>/`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

from celldsl.check.cell import Cell
from celldsl.errors import CelldslError


class BackendError(CelldslError, RuntimeError):
    """A backend that cannot run here, or cannot run this cell; the message says why."""


@dataclass(frozen=True)
class Backend:
    """`why_not()` is None where the backend runs on this machine, else the reason, for people.

    module(cell, portable text, else portable): the module with a cell's classes; where the backend has none for this
    cell, the portable one if that is allowed, else BackendError.
    """

    name: str
    target: str
    about: str
    why_not: Callable[[], str | None]
    module: Callable[[Cell, str, bool], ModuleType]


def _torch_why_not() -> str | None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        return f"torch cannot be imported: {error}"
    return None


def _torch_module(cell: Cell, text: str, portable: bool) -> ModuleType:
    from celldsl.runtime.load import load

    return load(text, cell)


def _cpu_module(cell: Cell, text: str, portable: bool) -> ModuleType:
    from celldsl.runtime.kernel import modules
    from celldsl.schedule.cpu_program import NotForCpu

    below = _torch_module(cell, text, portable)
    try:
        return modules.module(cell, below)
    except NotForCpu as reason:
        if portable:
            return below
        raise BackendError(f"backend 'cpu' cannot run {cell.name}: {reason}") from reason


def _cpu_why_not() -> str | None:
    try:
        from celldsl.runtime.kernel import build
    except ImportError as error:
        return f"torch cannot be imported: {error}"
    return build.why_not()


_ROWS = (
    Backend("cpu", "cpu", "C++ kernels for whole sequences, built on first use", _cpu_why_not, _cpu_module),
    Backend(
        "torch", "torch", "portable modules of plain torch operations, on any device", _torch_why_not, _torch_module
    ),
)

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in _ROWS}


@lru_cache(maxsize=32)
def _say_once(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def choose(name: str = "auto") -> Backend:
    """The backend of this name; `auto` is the one that the environment's CELLDSL_BACKEND names, else the first that
    runs here. That a faster one does not is said once, as a warning.

    Raises ValueError for a name that is none, BackendError for one that cannot run here.
    """
    if name == "auto":
        name = os.environ.get("CELLDSL_BACKEND") or "auto"
    if name == "auto":
        reasons = {backend.name: backend.why_not() for backend in BACKENDS.values()}
        for candidate, reason in reasons.items():
            if reason is None:
                return BACKENDS[candidate]
            _say_once(f"backend {candidate!r} cannot run here, a slower one serves: {reason}; see `celldsl doctor`")
        raise BackendError("no backend runs here: " + "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
    if name not in BACKENDS:
        raise ValueError(f"there is no backend {name!r}; there are 'auto', {', '.join(map(repr, BACKENDS))}")
    reason = BACKENDS[name].why_not()
    if reason is not None:
        raise BackendError(f"backend {name!r} cannot run here: {reason}")
    return BACKENDS[name]
