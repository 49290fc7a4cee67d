"""The body of `sequence`: a schedule as Python statements."""

from __future__ import annotations

from dataclasses import dataclass

from celldsl.check.cell import Expr, Parameter, Signal, SignalInfo, Transpose
from celldsl.check.width import Shape, Width
from celldsl.emit.torch import noise
from celldsl.emit.torch.identifiers import read
from celldsl.emit.torch.lines import lines, remark
from celldsl.emit.torch.printer import Level, Printer, named
from celldsl.emit.torch.spelling import Spelling
from celldsl.schedule.schedule import (
    Compute,
    Delay,
    Derive,
    Kind,
    Multiply,
    Reference,
    Schedule,
    Stack,
    Statement,
    expressions,
)
from celldsl.schedule.table import show
from celldsl.syntax.write import write


@dataclass(frozen=True)
class Loop:
    """What the template needs of the time loop: lines, already without their indentation."""

    start: list[str]
    full: list[tuple[str, str]]  # (h_prev, h_full): packed sequences end or begin
    body: list[str]
    seen: list[tuple[str, str]]  # (signal, i_t): only when all signals are asked for
    shift: str


@dataclass(frozen=True)
class Body:
    """The statements of `sequence`, part by part."""

    arguments: list[str]
    state: list[str]  # local names, in the order of the state
    sizes: list[str]
    once: list[str]
    before: list[str]
    loop: Loop | None
    after: list[str]
    records: list[tuple[str, str]]  # (signal, its whole sequence), those of `Loop.seen` apart
    output: str
    uses_delayed: bool

    @property
    def lines(self) -> list[str]:
        """All code, without its comments."""
        loop = [*self.loop.start, *self.loop.body] if self.loop else []
        every = [*self.once, *self.before, *loop, *self.after, *(value for _, value in self.records)]
        return [line.partition("#")[0] for line in every]


class Writer(Spelling):
    """Writes the body of one cell. `attributes` maps the cell's names to the attributes of its class, `noise` is the
    name of its method that draws masks."""

    noise = noise.METHOD

    def body(self) -> Body:
        once = [*self._masks(), *self._doubled_aliases()]
        explained = False
        for statement in self.schedule.once:
            if isinstance(statement, Stack) and not explained:
                once.append("# What meets one operand stands in one matrix, so that one product serves all.")
                explained = True
            once += self._statement(statement)
        before = [line for statement in self.schedule.before for line in self._statement(statement)]
        loop = self._loop() if self.schedule.step else None
        after = self._join_kept()
        for statement in self.schedule.after:
            after += self._statement(statement)
        records, output = self._records(), self._whole(self.cell.output)
        return Body(
            arguments=self.inputs,
            state=[self.previous(info, delay) for info, delay in carried(self.schedule)],
            sizes=[f"{local} = {read(self.attributes[name])}" for name, local in self.sizes.items()],
            once=[*once, *(f"{name} = {value}" for value, name in self.aliases.items())],
            before=before,
            loop=loop,
            after=after,
            records=records,
            output=output,
            uses_delayed=any(isinstance(s, Delay) for s in self.schedule.statements),
        )

    def _masks(self) -> list[str]:
        """Noise by its names."""
        masks = self.cell.masks
        if not masks:
            return []
        result = ["# Noise: masks for the whole sequence.", f"masks = self.{self.noise}({self.inputs[0]}, batch_sizes)"]
        for mask in masks:
            rows = "" if mask.per == "batch" else "N"
            result += lines(f'{self.whole_leaf(mask)} = masks["{mask.name}"]', self.shape(mask.shape, rows))
        return result

    # --- statements ------------------------------------------------------------------------

    def shape(self, shape: Shape, rows: str) -> str:
        """A shape as a comment: `(B, n)`, `(N, 4n)`."""
        dims = [str(named(dim, self.cell)).replace(" ", "") for dim in shape.dims]
        if rows:
            dims = [rows, *(dims or ["1"])]
        return f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"

    def _statement(self, statement: Statement) -> list[str]:
        """A statement outside the loop."""
        if isinstance(statement, Derive):
            equation = statement.equation
            value = self.seq.text(equation.value)
            name = self.name_of("value", equation.target, equation.target)
            return [*remark(write(equation.written)), *lines(f"{name} = {value}", self.shape(equation.value.shape, ""))]
        if isinstance(statement, Stack):
            return self._stack(statement)
        if isinstance(statement, Multiply):
            return self._multiply(statement)
        if isinstance(statement, Delay):
            return self._delay(statement)
        return self._compute(statement)

    def _compute(self, statement: Compute) -> list[str]:
        target, value = statement.target, statement.value
        batched = self.schedule.kind(target) >= Kind.FREE
        text = self.seq.text(value)
        if target.shape.rank and (not value.shape.rank or batched != self.schedule.is_batched(value)):
            text = self.seq.stretched(value, target.shape.width, batched=batched)
        elif batched and not self.schedule.is_batched(value):
            text = self.seq.stretched(value, target.shape.width)
        comment = remark(write(statement.equation.written)) if statement.equation else []
        shape = self.shape(target.shape, "N" if batched else "") if batched or target.shape.rank else ""
        return [*comment, *lines(f"{self.whole_leaf(target)} = {text}", shape)]

    def _stack(self, statement: Stack) -> list[str]:
        some = next(self.seq.text(part, Level.ATOM) for part in statement.parts if part is not None)
        parts = [
            self.seq.text(part) if part is not None else f"{some}.new_zeros({self.seq.width(width)})"
            for part, width in zip(statement.parts, statement.widths, strict=True)
        ]
        name, shape, turn = self.whole_leaf(statement.target), statement.target.shape, ""
        if statement.target.name in self.transposed and shape.rank < 3:
            name, shape, turn = self._transpose_name(name), Shape(shape.dims[::-1]), ".t()"
        along = ", dim=1" if shape.rank == 3 else ""
        result = lines(f"{name} = torch.cat([{', '.join(parts)}]{along}){turn}", self.shape(shape, ""))
        if self._all_doubled(statement):
            seconds = [
                read(self.attributes[f"{part.name}_hh"]) for part in statement.parts if isinstance(part, Parameter)
            ]
            result.append("if self.two_biases:")
            result += [f"    {line}" for line in lines(f"{name} = {name} + torch.cat([{', '.join(seconds)}])", "", 12)]
        return result

    def _transpose_name(self, name: str) -> str:
        return self.name_of("transposed", name, f"{name}_T")

    def _multiply(self, statement: Multiply) -> list[str]:
        if statement.matrix.shape.rank == 3:
            comment = remark(f"The {_products(statement)} with {show(statement.operand)}, all steps at once.")
            return [*comment, *self._blockwise(statement, self.seq, self.seq.text(statement.matrix), "N")]
        words = [self.seq.text(statement.operand), self.seq.text(statement.matrix)]
        if statement.addend is not None:
            words.append(self.seq.text(statement.addend))
        return [
            *remark(f"The {_products(statement)} with {show(statement.operand)}, all steps at once."),
            *self._into(statement, f"F.linear({', '.join(words)})", "N"),
        ]

    def _blockwise(self, statement: Multiply, at: Printer, blocks: str, rows: str, indent: int = 8) -> list[str]:
        """Products with block-diagonal matrices, as one batch of products with their blocks."""
        names = [self.whole_leaf(reference) for reference in statement.into]
        count = statement.matrix.shape.dims[0]
        heights = ", ".join(self.seq.width(reference.shape.dims[0] / count) for reference in statement.into)
        product = f"blockwise({at.text(statement.operand)}, {blocks}, [{heights}])"
        shapes = list(dict.fromkeys(self.shape(reference.shape, rows) for reference in statement.into))
        if len(names) == 1:
            return lines(f"{names[0]} = {product}[0]", shapes[0], indent)
        comment = f"{shapes[0]} each" if len(shapes) == 1 else ", ".join(shapes)
        return lines(f"{', '.join(names)} = {product}", comment, indent)

    def _into(self, statement: Multiply, product: str, rows: str, indent: int = 8) -> list[str]:
        names = [self.whole_leaf(reference) for reference in statement.into]
        widths = [reference.shape.dims[0] for reference in statement.into]
        if len(names) == 1:
            return lines(f"{names[0]} = {product}", self.shape(statement.into[0].shape, rows), indent)
        if len(set(widths)) == 1:
            split, comment = self.seq.width(widths[0]), f"{self.shape(statement.into[0].shape, rows)} each"
        else:
            split = f"[{', '.join(self.seq.width(width) for width in widths)}]"
            comment = ", ".join(self.shape(reference.shape, rows) for reference in statement.into)
        return lines(f"{', '.join(names)} = {product}.split({split}, dim=1)", comment, indent)

    def _delay(self, statement: Delay) -> list[str]:
        info, delay = statement.signal, statement.delay
        whole = self.delayed(info.name, delay - 1) if delay > 1 else self._whole(info.name)
        late, first = self.delayed(info.name, delay), self.previous(info, delay)
        comment = f"# {info.name}_{{t-{delay}}}"
        return [
            comment,
            *lines(f"{late}, {first} = delayed({whole}, {first}, batch_sizes, reverse)", self.shape(info.shape, "N")),
        ]

    # --- the second biases of torch.nn's layout ---------------------------------------------

    def _all_doubled(self, statement: Stack) -> bool:
        """Whether a stack is made of biases that all have a second one, and that nothing else reads."""
        names = [part.name for part in statement.parts if isinstance(part, Parameter)]
        if len(names) < len(statement.parts) or not set(names) <= set(self.schedule.doubled):
            return False
        return all(self._parameter_uses(name) == 1 for name in names)

    def _parameter_uses(self, name: str) -> int:
        return sum(
            isinstance(node, Parameter) and node.name == name
            for statement in self.schedule.statements
            for part in expressions(statement)
            for node in part.walk()
        )

    def _doubled_aliases(self) -> list[str]:
        stacked = {
            part.name
            for statement in self.schedule.once
            if isinstance(statement, Stack) and self._all_doubled(statement)
            for part in statement.parts
            if isinstance(part, Parameter)
        }
        names = [name for name in self.schedule.doubled if name not in stacked]
        if not names:
            return []
        values = [read(self.attributes[name]) for name in names]
        local = [self.name_of("value", name, name) for name in names]
        sums = [f"{own} + {read(self.attributes[f'{name}_hh'])}" for own, name in zip(local, names, strict=True)]
        target = ", ".join(local)
        return [
            *lines(f"{target} = {', '.join(values)}"),
            "if self.two_biases:",
            *(f"    {line}" for line in lines(f"{target} = {', '.join(sums)}", "", 12)),
        ]

    # --- the loop --------------------------------------------------------------------------

    def _loop(self) -> Loop:
        body: list[str] = []
        for statement in self.schedule.step:
            body += self._step_multiply(statement) if isinstance(statement, Multiply) else self._step_compute(statement)
        start, slices = [], []
        for item in self.schedule.sliced:
            whole = self.whole_leaf(item)
            start.append(f"{self.steps(whole)} = {whole}.split(batch_sizes)")
            if isinstance(item, Signal) or self.uses.get(item.name, 0) != 1:
                value = f"{self.steps(whole)}[t]"
                slices += lines(f"{self.step_leaf(item)} = {value}", self.shape(item.shape, "B"), 12)
        appends = []
        for signal in self.schedule.kept:
            steps = self.steps(self.whole_leaf(signal))
            start.append(f"{steps}: List[Tensor] = []")
            appends.append(f"{steps}.append({self.step_leaf(signal)})")
        kept = {signal.name for signal in self.schedule.kept if signal.delay == 0}
        seen = [
            (equation.target, self.name_of("step", equation.target, ""))
            for equation in self.cell.equations
            if equation.target in self.in_loop and equation.target not in kept
        ]
        if seen:
            start += lines(
                f"seen: Dict[str, List[Tensor]] = {{{', '.join(f'{chr(34)}{name}{chr(34)}: []' for name, _ in seen)}}}"
            )
        left, right, full = [], [], []
        for info in self.schedule.looped:
            for delay in range(info.depth, 0, -1):
                left.append(self.previous(info, delay))
                right.append(self.previous(info, delay - 1) if delay > 1 else self.name_of("step", info.name, ""))
                full.append((left[-1], self.name_of("full", left[-1], f"{left[-1].replace('_prev', '')}_full")))
        start.append(f"{', '.join(whole for _, whole in full)} = {', '.join(now for now, _ in full)}")
        shift = f"{', '.join(left)} = {', '.join(right)}"
        return Loop(start, full, [*slices, *body, *appends], seen, shift)

    def _step_compute(self, statement: Statement) -> list[str]:
        assert isinstance(statement, Compute)
        target, value = statement.target, statement.value
        text = self.step.text(value)
        if target.shape.rank and not value.shape.rank:
            text = self.step.stretched(value, target.shape.width)
        comment = remark(write(statement.equation.written), 12) if statement.equation else []
        return [*comment, *lines(f"{self.step_leaf(target)} = {text}", self.shape(target.shape, "B"), 12)]

    def _step_multiply(self, statement: Multiply) -> list[str]:
        if statement.matrix.shape.rank == 3:
            blocks = self.seq.text(statement.matrix)
            if not blocks.isidentifier():
                blocks = self.alias(blocks, self._stem(statement.matrix))
            comment = remark(f"The {_products(statement)} with {show(statement.operand)}.", 12)
            return [*comment, *self._blockwise(statement, self.step, blocks, "B", 12)]
        matrix = self._turned(statement.matrix)
        operand = self.step.text(statement.operand)
        if statement.addend is None:
            product = f"torch.mm({operand}, {matrix})"
        else:
            product = f"torch.addmm({self.step.text(statement.addend)}, {operand}, {matrix})"
        return [
            *remark(f"The {_products(statement)} with {show(statement.operand)}.", 12),
            *self._into(statement, product, "B", 12),
        ]

    def _turned(self, matrix: Expr) -> str:
        """The transpose of a matrix, bound before the loop: rows of the batch stand on its left."""
        if isinstance(matrix, Reference) and matrix.name in self.transposed:
            return self._transpose_name(self.whole_leaf(matrix))
        if isinstance(matrix, Transpose):
            inner = self.seq.text(matrix.operand)
            return self.alias(inner, self._stem(matrix)) if inner.startswith(("self.", "getattr")) else inner
        return self.alias(f"{self.seq.text(matrix, Level.ATOM)}.t()", f"{self._stem(matrix)}_T")

    def _stem(self, expr: Expr) -> str:
        return next((node.name for node in expr.walk() if isinstance(node, Parameter | Reference)), "matrix")

    # --- whole sequences -------------------------------------------------------------------

    def _whole(self, name: str) -> str:
        """The whole sequence of a signal, outside the loop; a constant one is repeated."""
        info = self.cell.signal[name]
        signal = Signal(info.shape, name, 0)
        if self.schedule.kinds[name] >= Kind.FREE:
            return self.whole_leaf(signal)
        return self.seq.stretched(signal, info.shape.width if info.shape.rank else Width.of(1))

    def _join_kept(self) -> list[str]:
        result = []
        for signal in self.schedule.kept:
            whole = self.whole_leaf(signal)
            result += lines(f"{whole} = joined({self.steps(whole)}, reverse)", self.shape(signal.shape, "N"))
        return result

    def _records(self) -> list[tuple[str, str]]:
        kept = {signal.name for signal in self.schedule.kept if signal.delay == 0}
        return [
            (equation.target, self._whole(equation.target))
            for equation in self.cell.equations
            if not equation.timeless and (equation.target in kept or equation.target not in self.in_loop)
        ]


def _products(statement: Multiply) -> str:
    return "products" if isinstance(statement.matrix, Reference) else "product"


def carried(schedule: Schedule) -> list[tuple[SignalInfo, int]]:
    """The tensors of the state: every carried signal one step back, then those that go two steps back, …"""
    states = schedule.cell.states
    deepest = max((info.depth for info in states), default=0)
    return [(info, delay) for delay in range(1, deepest + 1) for info in states if info.depth >= delay]
