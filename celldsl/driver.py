"""The whole flow, one line per arrow.

    source text -> syntax tree -> checked cell -> symbolic form -> schedule -> emitted module

`compile` goes all the way, `stage` shows any form between as text. Where specs come from is `library`'s matter; how
one finds the cells it refers to, `relatives`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from celldsl import relatives, show
from celldsl.source import Source
from celldsl.syntax import parse

if TYPE_CHECKING:
    from celldsl.symbolic.form import Form

STAGES = ("source", "tree", "cell", "form", "schedule", "torch", "cpu", "latex")


def compile(source: Source, target: str = "torch") -> str:
    """The text of one module, for the last cell of a source. Raises SpecError with all errors of the source."""
    from celldsl.emit import emit  # these three bring SymPy, which `check` does not wait for
    from celldsl.schedule import plan
    from celldsl.symbolic import lower

    # fmt: off
    cell = relatives.check(source)[-1]  # text -> syntax tree -> checked cell: roles, widths, order
    form = lower(cell)                  # checked cell  -> matrix products and the pointwise map between them
    schedule = plan(form, target)       # symbolic form -> what is hoisted, stacked, fused, saved
    return emit(schedule, target)       # schedule      -> text of one module
    # fmt: on


def stage(source: Source, name: str, target: str = "torch") -> str:
    """One form of the last cell of a source as text; `name` is one of `STAGES`, `target` whose schedule is meant.

    The flow is followed only as far as it must be, so that the tree of a spec with wrong widths can be shown.
    Raises SpecError; ValueError for a name that is no stage.
    """
    if name == "source":
        return source.text
    if name == "tree":
        return show.tree(parse(source))
    if name not in STAGES:
        raise ValueError(f"there is no stage {name!r}; the stages are {', '.join(STAGES)}")
    cell = relatives.check(source)[-1]
    if name == "cell":
        return show.cell(cell)
    if name == "latex":
        return show.latex(cell)
    from celldsl.schedule import plan
    from celldsl.symbolic import lower

    form = lower(cell)
    if name == "form":
        return str(form)
    if name == "schedule":
        return _kernels(form) if target == "cpu" else str(plan(form, target))
    return compile(source, name)


def _kernels(form: Form) -> str:
    """Both schedules of a cell's kernels, each under what it is for."""
    from celldsl.schedule import plan_kernels
    from celldsl.schedule.cpu import L2_SHARE

    size = f"{L2_SHARE / 1e6:.1f} MB"
    titles = {
        False: f"folded: products with inputs stay in the loop, where all matrices together take at most {size}",
        True: f"hoisted: products with inputs leave the loop, where matrices take more than {size}",
    }
    return "\n\n".join(f"{title}\n\n{plan_kernels(form, hoist=hoist)}" for hoist, title in titles.items())


def stages(source: Source) -> dict[str, str]:
    """Every form of the last cell of a source as text, in the order of the flow."""
    return {name: stage(source, name) for name in STAGES}
