"""Symbolic form → schedule: what is hoisted out of time, stacked, and computed once.

`plan` makes a `Schedule`, plain data that prints as a table. `times` says what depends on time and state; `plan`
stacks products and hoists sums; `table` prints. `cpu` and its neighbours do the same for kernels.
"""

from __future__ import annotations

from celldsl.schedule.cpu import CpuSchedule
from celldsl.schedule.cpu import plan as plan_kernels
from celldsl.schedule.plan import plan as plan_module
from celldsl.schedule.schedule import Schedule
from celldsl.symbolic.form import Form


def plan(form: Form, target: str = "torch") -> Schedule | CpuSchedule:
    """The schedule of a form for a target of `celldsl.emit.TARGETS`. Raises NotForCpu for a cell without kernels."""
    return plan_kernels(form) if target == "cpu" else plan_module(form, target)


__all__ = ["CpuSchedule", "Schedule", "plan", "plan_kernels", "plan_module"]
