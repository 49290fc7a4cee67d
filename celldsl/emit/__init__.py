"""Schedule → text of one module. A target is a folder and a row of `TARGETS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celldsl.schedule import CpuSchedule, Schedule


def _torch(schedule: Schedule) -> str:
    from celldsl.emit.torch.module import module

    return module(schedule)


def _cpu(schedule: Any) -> str:
    from celldsl.emit.cpu import emit

    return emit(schedule)


TARGETS: dict[str, Callable[[Any], str]] = {
    "torch": _torch,
    "cpu": _cpu,
}
"""What a schedule can become: the target's name and the function that makes the text of its module. Each target has
a schedule of its own kind."""

SUFFIXES = {"torch": "py", "cpu": "cpp"}
"""What the files of a target end with."""


def emit(schedule: Schedule | CpuSchedule, target: str = "torch") -> str:
    """The text of one module. Raises ValueError for an unknown target."""
    if target not in TARGETS:
        raise ValueError(f"there is no target {target!r}; the targets are {', '.join(TARGETS)}")
    return TARGETS[target](schedule)


__all__ = ["SUFFIXES", "TARGETS", "emit"]
