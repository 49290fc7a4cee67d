"""Schedule → text of one module. A target is a folder and a row of `TARGETS`."""

from __future__ import annotations

from collections.abc import Callable

from celldsl.schedule.schedule import Schedule


def _torch(schedule: Schedule) -> str:
    from celldsl.emit.torch.module import module

    return module(schedule)


TARGETS: dict[str, Callable[[Schedule], str]] = {
    "torch": _torch,
}
"""What a schedule can become: the target's name and the function that makes the text of its module."""


def emit(schedule: Schedule, target: str = "torch") -> str:
    """The text of one module. Raises ValueError for an unknown target."""
    if target not in TARGETS:
        raise ValueError(f"there is no target {target!r}; the targets are {', '.join(TARGETS)}")
    return TARGETS[target](schedule)


__all__ = ["TARGETS", "emit"]
