"""Symbolic form → schedule: what is hoisted out of time, stacked, and computed once.

`plan` makes a `Schedule`, plain data that prints as a table. `times` says what depends on time and state; `plan`
stacks products and hoists sums; `table` prints.
"""

from celldsl.schedule.plan import plan
from celldsl.schedule.schedule import Schedule

__all__ = ["Schedule", "plan"]
