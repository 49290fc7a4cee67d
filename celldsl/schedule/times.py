"""What an expression depends on, and which equations stand in the time loop.

A number depends on nothing that is trained, a static expression on parameters alone, a free one on inputs
too (at any delay), and the rest on a state. Numbers and static expressions are computed once for a sequence,
free ones before the loop for all steps together. Of the equations that read a state, those that no recurrence
needs can wait until the loop is over.
"""

from __future__ import annotations

from celldsl.check.cell import Cell, Equation, Expr, Mask, Parameter, Signal
from celldsl.schedule.schedule import Kind, kind_of


class Times:
    """The kinds of a cell's expressions, and the places of its equations.

    values: the equations' right sides, as the planner has rewritten them.
    constant: equations of signals that do not change in time; free: those that read no state;
    loop: those that a recurrence needs; after: the rest; each in an order of computation.
    """

    def __init__(self, cell: Cell, values: dict[str, Expr]):
        self.cell = cell
        self.values = values
        self._constant: dict[str, Kind] = {}
        self._derived: dict[str, Kind] = {}
        self._free: set[str] = set()
        for equation in cell.derived:
            self._derived[equation.target] = self.kind(values[equation.target])
        self.constant: list[Equation] = []
        for equation in cell.steps:
            if equation.target not in cell.varying:
                kind = self.kind(values[equation.target])
                # A vector of equal numbers is a tensor all the same.
                self._constant[equation.target] = (
                    max(kind, Kind.STATIC) if cell.signal[equation.target].shape.rank else kind
                )
                self.constant.append(equation)
        self._free = {info.name for info in cell.inputs} | set(self._constant)
        self.free = self._settled([e for e in cell.steps if e.target not in self._constant], self._free)
        self._free.update(e.target for e in self.free)
        rest = [e for e in cell.steps if e.target not in self._free]
        needed = self._needed_by_recurrence(rest)
        self.loop = [e for e in rest if e.target in needed]
        known = self._free | needed
        self.after = self._settled([e for e in rest if e.target not in needed], known)

    def kind(self, expr: Expr) -> Kind:
        if isinstance(expr, Signal):
            if expr.name in self._constant and expr.delay == 0:
                return self._constant[expr.name]
            return Kind.FREE if expr.name in self._free else Kind.STATE
        if isinstance(expr, Mask):
            return kind_of(expr)
        if isinstance(expr, Parameter):
            return self._derived.get(expr.name, Kind.STATIC)
        return max((self.kind(child) for child in expr.children), default=Kind.NUMBER)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Of every derived parameter and every signal at t."""
        signals = {info.name: self.kind(Signal(info.shape, info.name, 0)) for info in self.cell.signals}
        return {**self._derived, **signals}

    def _reads(self, equation: Equation) -> set[str]:
        return {node.name for node in self.values[equation.target].walk() if isinstance(node, Signal)}

    def _settled(self, equations: list[Equation], known: set[str]) -> list[Equation]:
        """The equations that read only known signals or each other without a circle, in such an order."""
        known, waiting = set(known), list(equations)
        found: list[Equation] = []
        while True:
            ready = [e for e in waiting if self._reads(e) <= known]
            if not ready:
                return found
            found.append(ready[0])
            known.add(ready[0].target)
            waiting.remove(ready[0])

    def _needed_by_recurrence(self, equations: list[Equation]) -> set[str]:
        """Those that some circle through time reads, directly or not."""
        reads = {e.target: self._reads(e) for e in equations}
        behind: dict[str, set[str]] = {}
        for name in reads:
            seen: set[str] = set()
            stack = list(reads[name])
            while stack:
                other = stack.pop()
                if other in reads and other not in seen:
                    seen.add(other)
                    stack.extend(reads[other])
            behind[name] = seen
        circular = {name for name, seen in behind.items() if name in seen}
        return circular.union(*(behind[name] for name in circular))
