"""A CPU schedule as a table a person can argue with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from celldsl.schedule.cpu_stages import StackedProduct, Steps
from celldsl.schedule.cpu_statements import Gather, Symbol
from celldsl.symbolic.text import show

if TYPE_CHECKING:
    from celldsl.schedule.cpu import CpuSchedule


def table(schedule: CpuSchedule) -> str:
    rows: list[tuple[str, str]] = []
    programs, names = schedule.programs, schedule.names
    if programs.form.training.masks:
        rows.append(("noise", "none, as in evaluation; while training, a kernel whose masks are inputs serves"))
    for info in programs.form.cell.inputs:
        if info.noise:
            rows.append(("noise", f"{info.name}, drawn before, one for each {info.noise}"))
    for block in programs.hoisted:
        terms = " + ".join(f"{show(programs.matrices[matrix])} {name}" for matrix, name in block.terms)
        rows.append(("before", f"{names[block.symbol]} = {terms}, all steps at once"))
    for head, steps in (("forward", schedule.forward), ("backward", schedule.backward)):
        rows += [(head, text) for text in _steps(schedule, steps)]
    saved = [buffer.name for buffer in schedule.saved]
    rows.append(("saved", ", ".join([*(b.name for b in schedule.histories), *saved])))
    if programs.again:
        rows.append(("again", f"{', '.join(names[s] for s in programs.again)}: computed a second time, backward"))
    how = "one product each, after the loop" if schedule.hoist else "in the kernel, a chunk of steps at a time"
    for product in schedule.weight_products:
        matrices = ", ".join(f"d{show(programs.matrices[w.matrix])}" for w in product.weights)
        rows.append(("weights", f"{matrices} from {names[product.operand]}: {how}"))
    width = max(len(head) for head, _ in rows)
    lines, last = [], ""
    for head, text in rows:
        lines.append(f"{head if head != last else '':<{width}}  {text}")
        last = head
    return "\n".join(lines)


def _steps(schedule: CpuSchedule, steps: Steps) -> Iterator[str]:
    names = schedule.names

    def listed(symbols: list[Symbol]) -> str:
        return ", ".join(names.get(symbol, symbol.name) for symbol in symbols)

    for number, stage in enumerate(steps.stages):
        for along in stage.along:
            times = "" if along.times is None else f", {along.times}"
            yield f"stage {number}: {names[along.symbol]} = {along.function}({listed(list(along.operands))}{times})"
        for group in stage.groups:
            for product in group.products:
                yield f"stage {number}: {_product(schedule, product)}"
            made = [s.symbol for s in group.body if not isinstance(s, Gather)]
            if made:
                yield f"stage {number}: {listed(made)}   lane by lane, {group.shape}"
            gathered = [s.symbol for s in group.body if isinstance(s, Gather)]
            if gathered:
                yield f"stage {number}: {listed(gathered)}   gathered over rows and steps"


def _product(schedule: CpuSchedule, product: StackedProduct) -> str:
    programs, names = schedule.programs, schedule.names
    gates = []
    for gate in product.gates:
        terms = " + ".join(
            f"{show(programs.matrices[t.matrix])}{'ᵀ' if t.transposed else ''} {names[t.operand]}" for t in gate.terms
        )
        gates.append(f"{names[gate.symbol]} = {terms}")
    cut = [
        f"{names[operand]} in {blocks} parts"
        for operand, blocks in zip(product.operands, product.blocks, strict=True)
        if blocks is not None
    ]
    how = ", ".join(["one product", *cut])
    return f"[{'; '.join(gates)}]   {how}"
