"""Decide what is hoisted out of time, stacked and computed once: `plan` makes the schedule of a cell.

The loop is planned first, since it says what must be ready before it. `times` knows which equation belongs to which
part, `part` and `before` stack and rewrite, `temporaries` holds what they share.
"""

from __future__ import annotations

from celldsl.check.cell import Signal, SignalInfo
from celldsl.schedule.before import Before
from celldsl.schedule.part import Part
from celldsl.schedule.rows import signal_of
from celldsl.schedule.schedule import Compute, Delay, Derive, Schedule, Statement
from celldsl.schedule.temporaries import Shared
from celldsl.symbolic.counts import doubled_biases
from celldsl.symbolic.form import Form


def plan(form: Form, target: str = "torch") -> Schedule:
    """The schedule of a cell."""
    cell = form.training
    shared = Shared(cell)
    times = shared.times
    shared.once += [Derive(equation) for equation in cell.derived]
    shared.once += [Compute(signal_of(cell, e), shared.values[e.target], e) for e in times.constant]

    step = Part(shared, "step", times.loop).statements()
    before = Before(shared, times.free).statements()
    after = Part(shared, "after", times.after).statements()

    loop = {equation.target for equation in times.loop}
    looped = tuple(info for info in cell.states if info.name in loop)
    delayed = [info for info in cell.states if info.name not in loop]
    known = {info.name for info in cell.inputs} | {e.target for e in times.constant}
    early = known | {e.target for e in times.free}
    before = _with_delays(before, [info for info in delayed if info.name in early], known)
    after = _with_delays(after, [info for info in delayed if info.name not in early], set())
    return Schedule(
        cell=cell,
        target=target,
        once=tuple(shared.once),
        before=tuple(before),
        step=tuple(step),
        after=tuple(after),
        sliced=tuple(shared.sliced),
        kept=_kept(after, loop, shared),
        looped=looped,
        kinds=shared.kinds,
        doubled=doubled_biases(cell),
    )


def _kept(after: list[Statement], loop: set[str], shared: Shared) -> tuple[Signal, ...]:
    """The loop's values that are read after it: what the statements there read, and the output."""
    wanted: dict[Signal, None] = {}
    for statement in after:
        for name in ("value", "operand", "addend"):
            part = getattr(statement, name, None)
            for node in part.walk() if part is not None else ():
                if isinstance(node, Signal) and node.name in loop:
                    wanted[node] = None
    output = shared.cell.output
    if output in loop:
        wanted[Signal(shared.cell.signal[output].shape, output, 0)] = None
    return tuple(wanted)


def _with_delays(statements: list[Statement], states: list[SignalInfo], computed: set[str]) -> list[Statement]:
    """The statements with the delays of these states, each as soon as its signal is known; `computed` are those
    that are known from the start."""

    def delays(info: SignalInfo) -> list[Statement]:
        return [Delay(info, delay) for delay in range(1, info.depth + 1)]

    result = [delay for info in states if info.name in computed for delay in delays(info)]
    by_name = {info.name: info for info in states}
    for statement in statements:
        result.append(statement)
        if isinstance(statement, Compute) and isinstance(statement.target, Signal):
            info = by_name.get(statement.target.name)
            result.extend(delays(info) if info is not None else [])
    return result
