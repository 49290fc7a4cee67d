"""How every name is spelled, outside the time loop and inside it.

`x` is a whole sequence with its steps one behind the other, (N, m); `x_steps` the same cut into steps; `x_t` one step,
(B, m); `x_prev` the step before it; `x_delayed` the whole sequence one step late.
"""

from __future__ import annotations

from celldsl.check.cell import Expr, Mask, Parameter, Setting, Signal, SignalInfo
from celldsl.emit.torch.identifiers import Scope, read, variables
from celldsl.emit.torch.printer import Printer
from celldsl.schedule.schedule import Kind, Multiply, Reference, Schedule, Stack, expressions


class Spelling:
    """The local names of one `sequence`, given out when they are first asked for.

    seq, step: printers outside and inside the loop. sizes: the dimensions that were asked for. aliases: what the loop
    reads again and again, with the names it is bound to before.
    """

    def __init__(self, schedule: Schedule, attributes: dict[str, str]):
        self.schedule = schedule
        self.cell = schedule.cell
        self.attributes = attributes
        self.scope: Scope = variables(
            "batch_sizes", "state", "reverse", "record", "t", "times", "seen", "signals", "name", "steps", "masks"
        )
        self.local: dict[tuple[str, str], str] = {}
        self.sizes: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        for dim in self.cell.dims:
            self.name_of("dim", dim.name, dim.name)
        self.inputs = [self.name_of("sequence", info.name, info.name) for info in self.cell.inputs]
        for info in self.cell.signals:
            self.name_of("step", info.name, f"{info.name}_t")
        self.in_loop = schedule.stepped
        self.stacks = {s.target.name for s in schedule.once if isinstance(s, Stack)}
        products = [s.matrix for s in schedule.step if isinstance(s, Multiply)]
        self.transposed = {m.name for m in products if isinstance(m, Reference) and m.name in self.stacks}
        self.seq = Printer(schedule, self.whole_leaf, self.size, f"{self.inputs[0]}.size(0)", self.inputs[0])
        self.step = Printer(schedule, self.step_leaf, self.size, "batch_sizes[t]", self.inputs[0], self._bound)
        self.uses = self._count_uses()

    def name_of(self, place: str, name: str, wanted: str) -> str:
        if (place, name) not in self.local:
            self.local[place, name] = self.scope.new(wanted)
        return self.local[place, name]

    def size(self, name: str) -> str:
        local = self.name_of("dim", name, name)
        self.sizes[name] = local
        return local

    def previous(self, info: SignalInfo, delay: int) -> str:
        suffix = "" if delay == 1 else str(delay)
        return self.name_of(f"previous{delay}", info.name, f"{info.name}_prev{suffix}")

    def delayed(self, name: str, delay: int) -> str:
        suffix = "" if delay == 1 else str(delay)
        return self.name_of(f"delayed{delay}", name, f"{name}_delayed{suffix}")

    def steps(self, whole: str) -> str:
        return self.name_of("steps", whole, f"{whole}_steps")

    def parameter(self, name: str) -> str:
        """A parameter outside the loop."""
        if ("value", name) in self.local:
            return self.local["value", name]
        return read(self.attributes[name])

    def whole_leaf(self, expr: Expr) -> str:
        """A name outside the loop, where signals are whole sequences."""
        if isinstance(expr, Parameter):
            return self.parameter(expr.name)
        if isinstance(expr, Setting):
            return read(self.attributes[expr.name])
        if isinstance(expr, Signal):
            if expr.delay:
                return self.delayed(expr.name, expr.delay)
            if self.schedule.kinds[expr.name] < Kind.FREE:
                return self.name_of("step", expr.name, f"{expr.name}_t")
            return self.name_of("sequence", expr.name, expr.name)
        if isinstance(expr, Mask):
            return self.name_of("mask", expr.name, expr.name)
        assert isinstance(expr, Reference)
        return self.name_of("value", expr.name, expr.name)

    def step_leaf(self, expr: Expr) -> str:
        """A name inside the loop."""
        if isinstance(expr, Parameter):
            if ("value", expr.name) in self.local:
                return self.local["value", expr.name]
            return self.alias(read(self.attributes[expr.name]), expr.name)
        if isinstance(expr, Signal):
            if expr.delay == 0:
                return self.name_of("step", expr.name, f"{expr.name}_t")
            if expr.name in self.in_loop:
                return self.previous(self.cell.signal[expr.name], expr.delay)
            return self.name_of("step", self.delayed(expr.name, expr.delay), f"{self.delayed(expr.name, expr.delay)}_t")
        if isinstance(expr, Reference | Mask) and expr in self.schedule.sliced:
            whole = self.whole_leaf(expr)
            if self.uses.get(expr.name, 0) == 1:
                return f"{self.steps(whole)}[t]"
            return self.name_of("step", whole, f"{whole}_t")
        return self.whole_leaf(expr)

    def alias(self, value: str, name: str) -> str:
        """A local name, bound before the loop, for what a step would look up again and again."""
        if value not in self.aliases:
            self.aliases[value] = self.scope.new(name)
        return self.aliases[value]

    def _bound(self, value: str) -> str:
        return self.alias(value, "bound")

    def _count_uses(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for statement in self.schedule.step:
            for part in expressions(statement):
                for node in part.walk():
                    if isinstance(node, Reference | Mask):
                        found[node.name] = found.get(node.name, 0) + 1
        return found
