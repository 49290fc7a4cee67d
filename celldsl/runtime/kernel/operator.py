"""A kernel as operators of torch: eager, compiled, exported, differentiated.

Per variant of a cell there are three: `name` for inference, `name_train`, which also returns what the backward pass
reads, and `name_backward`. Gradients of gradients, and vmap, are computed by `evaluate` instead.

Arguments, all flat: the rows of each step (None: equally many), the inputs (N, width), the hoisted products, first
values of carried signals, constants, matrices; then steps, batch, widths, settings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from celldsl.check.width import Shape
from celldsl.emit.cpu.arguments import Pointer
from celldsl.runtime.kernel import evaluate
from celldsl.runtime.kernel.kernel import Kernel
from celldsl.schedule.cpu_program import Symbol
from celldsl.symbolic.algebra import dim_symbol, parameter_symbol, signal_symbol

LIBRARY = torch.library.Library("celldsl", "FRAGMENT")
GIVEN = ("sizes", "input", "before", "initial", "constant", "matrix")
TAIL = "SymInt steps, SymInt batch, SymInt[] widths, float[] settings"
READ_BACK = (*GIVEN, "history", "saved", "upstream", "final_grad")
MOST_ARGUMENTS = 64
"""How many arguments an operator of torch can have."""
OPTIONAL = ("sizes", "initial", "upstream", "final_grad")


def argument_count(kernel: Kernel) -> int:
    """How many arguments the largest of a kernel's operators has."""
    forward = sum(p.role in GIVEN for p in kernel.arguments.forward)
    backward = sum(p.role in READ_BACK for p in kernel.arguments.backward)
    return max(forward, backward) + TAIL.count(",") + 1


class Operator:
    """The operators of a kernel. Make one per kernel and process with `operator_of`."""

    def __init__(self, kernel: Kernel):
        self.kernel, self.arguments, self.schedule = kernel, kernel.arguments, kernel.schedule
        digest = hashlib.sha256(kernel.text.encode("utf-8")).hexdigest()[:12]
        self.name = f"{re.sub('[^a-z0-9_]', '_', kernel.name)}_{digest}"
        self.given = [p for p in self.arguments.forward if p.role in GIVEN]
        self.kept = [p for p in self.arguments.forward if p.role in ("history", "saved")]
        self.output_name = self.schedule.names[signal_symbol(self.schedule.cell.output, 0)]
        self.extra = [p for p in self.kept if p.name != self.output_name]
        self.finals = [p for p in self.arguments.forward if p.role == "final"]
        roles = ("result", "handed", "initial_grad", "gathered", "weight")
        self.grads = [p for p in self.arguments.backward if p.role in roles]
        index = {width: at for at, width in enumerate(self.arguments.widths)}

        def places(shapes: Sequence[Shape]) -> tuple[int, ...]:
            return tuple(index[shape.width] if shape.rank else -1 for shape in shapes)

        cell, programs = self.schedule.cell, self.schedule.programs
        self._of_signal = {info.name: places([info.shape])[0] for info in cell.signals}
        self._of_symbol = {symbol: places([shape]) for symbol, shape in programs.shapes.items()}
        buffers = (*self.schedule.histories, *self.schedule.saved)
        self._of_buffer = {buffer.name: places(buffer.shapes) for buffer in buffers}
        self._of_handed = places(self.schedule.handed.shapes)
        self._of_products = [(places(p.before), places(p.shapes)) for p in self.schedule.weight_products]
        self._of_places = {o: places(place.before) for o, place in self.schedule.operand_places.items()}
        self._named = {signal_symbol(info.name, 0): info.name for info in cell.signals}
        self._first_input = next(at for at, p in enumerate(self.given) if p.role == "input")
        self._define()
        namespace = torch.ops.celldsl
        self.infer: Callable[..., Any] = getattr(namespace, self.name).default
        self.train: Callable[..., Any] = getattr(namespace, f"{self.name}_train").default
        self.back: Callable[..., Any] = getattr(namespace, f"{self.name}_backward").default

    # --- registration -------------------------------------------------------------------

    def _define(self) -> None:
        given = ", ".join(_typed(p) for p in self.given)
        outs = 1 + len(self.finals)
        back = [p for p in self.arguments.backward if p.role in READ_BACK]
        definitions: list[tuple[str, str, int, Callable[..., Any], Callable[..., Any]]] = [
            (self.name, given, outs, self._infer, self._fake_infer),
            (f"{self.name}_train", given, outs + len(self.extra), self._train, self._fake_train),
            (
                f"{self.name}_backward",
                ", ".join(_typed(p) for p in back),
                len(self.grads),
                self._backward,
                self._fake_backward,
            ),
        ]
        for name, arguments, count, run, fake in definitions:
            returns = ", ".join(["Tensor"] * count)
            LIBRARY.define(f"{name}({arguments}, {TAIL}) -> ({returns})")
            LIBRARY.impl(name, run, "CPU")
            torch.library.register_fake(f"celldsl::{name}", fake, lib=LIBRARY)
        torch.library.register_autograd(
            f"celldsl::{self.name}_train", self._gradient, setup_context=self._remember, lib=LIBRARY
        )
        torch.library.register_vmap(f"celldsl::{self.name}", self._vmapped, lib=LIBRARY)
        torch.library.register_vmap(f"celldsl::{self.name}_train", self._vmapped_train, lib=LIBRARY)

    # --- running ------------------------------------------------------------------------

    def _split(self, flat: Sequence[Any]) -> tuple[list[Tensor | None], int, int, Sequence[int], Sequence[float]]:
        *tensors, steps, batch, widths, settings = flat
        return tensors, steps, batch, widths, settings

    def _width(self, name: str, widths: Sequence[int]) -> int:
        at = self._of_signal[name]
        return widths[at] if at >= 0 else 1

    def _made(self, flat: Sequence[Any], train: bool) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """New tensors for the output, the last states, and what is kept."""
        tensors, _, batch, widths, _ = self._split(flat)
        like, rows = self._like(tensors)
        output = like.new_empty(rows, self._width(self.schedule.cell.output, widths))
        finals = [like.new_empty(batch, self._width(p.key[0], widths)) for p in self.finals]  # type: ignore[index]
        extra = [like.new_empty(rows, _sum(self._of_buffer[p.name], widths)) for p in self.extra] if train else []
        return [output], finals, extra

    def _like(self, tensors: Sequence[Tensor | None]) -> tuple[Tensor, Any]:
        """The first input, and the rows of all steps."""
        like = tensors[self._first_input]
        assert like is not None
        return like, like.shape[0]

    def _fake_infer(self, *flat: Any) -> Any:
        output, finals, _ = self._made(flat, False)
        return _returned([*output, *finals])

    def _fake_train(self, *flat: Any) -> Any:
        output, finals, extra = self._made(flat, True)
        return _returned([*output, *finals, *extra])

    def _infer(self, *flat: Any) -> Any:
        return self._run(flat, False)

    def _train(self, *flat: Any) -> Any:
        return self._run(flat, True)

    def _run(self, flat: Sequence[Any], train: bool) -> Any:
        tensors, steps, batch, widths, settings = self._split(flat)
        output, finals, extra = self._made(flat, train)
        kept = {p.name: t for p, t in zip(self.extra, extra, strict=bool(train))} if train else {}
        kept[self.output_name] = output[0]
        given = [_ready(t, p) for t, p in zip(tensors, self.given, strict=True)]
        every = [*given, *(kept.get(p.name) for p in self.kept), *finals]
        self.kernel.call("forward", every, steps, batch, widths, settings)
        return _returned([*output, *finals, *extra])

    def __call__(self, *flat: Any) -> Any:
        """The operator that the moment asks for. Plain eager tensors take a shorter way than the dispatcher's."""
        tensors = flat[:-4]
        train = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
        if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() or torch.jit.is_tracing():
            return (self.train if train else self.infer)(*flat)
        if any(t is not None and type(t) not in (Tensor, torch.nn.Parameter) for t in tensors):
            return (self.train if train else self.infer)(*flat)
        return _Direct.apply(self, flat[-4:], *tensors) if train else self._run(flat, False)

    # --- gradients ----------------------------------------------------------------------

    def _remember(self, ctx: Any, inputs: Sequence[Any], output: Sequence[Tensor]) -> None:
        ctx.set_materialize_grads(False)
        *tensors, steps, batch, widths, settings = inputs
        ctx.numbers = (steps, batch, widths, settings)
        output = output if isinstance(output, (tuple, list)) else (output,)
        extra = output[1 + len(self.finals) :]
        ctx.present = [tensor is not None for tensor in tensors]
        ctx.mark_non_differentiable(*extra)
        ctx.save_for_backward(*(t for t in tensors if t is not None), output[0], *extra)

    def _gradient(self, ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return (*self._gradients(ctx, grads, self.back), None, None, None, None)

    def _gradients(self, ctx: Any, grads: Sequence[Tensor | None], back: Callable[..., Any]) -> list[Tensor | None]:
        saved = iter(ctx.saved_tensors)
        tensors = [next(saved) if there else None for there in ctx.present]
        output, extra = next(saved), list(saved)
        upstream, finals = grads[0], list(grads[1 : 1 + len(self.finals)])
        if torch.is_grad_enabled():
            return self._twice(tensors, ctx.numbers, [upstream, *finals])
        kept = {p.name: t for p, t in zip(self.extra, extra, strict=True)} | {self.output_name: output}
        histories = [kept[p.name] for p in self.kept]
        results = back(*tensors, *histories, upstream, *finals, *ctx.numbers)
        return self._assembled(tensors, kept, results, ctx.numbers)

    def _backward(self, *flat: Any) -> Any:
        tensors, steps, batch, widths, settings = self._split(flat)
        pointers = [
            p for p in self.arguments.backward if p.role in (*GIVEN, "history", "saved", "upstream", "final_grad")
        ]
        made = self._grads(tensors, batch, widths, zero=True)
        wanted = [None if t.numel() == 0 else t for t in made]
        ready = [_ready(t, p) for t, p in zip(tensors, pointers, strict=True)]
        self.kernel.call("backward", [*ready, *wanted], steps, batch, widths, settings)
        return _returned(made)

    def _fake_backward(self, *flat: Any) -> Any:
        tensors, _, batch, widths, _ = self._split(flat)
        return _returned(self._grads(tensors, batch, widths, zero=False))

    def _grads(self, tensors: Sequence[Tensor | None], batch: int, widths: Sequence[int], zero: bool) -> list[Tensor]:
        like, rows = self._like(tensors)
        given: dict[tuple[str, Any], Tensor | None] = {
            (p.role, p.key): t for t, p in zip(tensors, self.given, strict=False)
        }
        made: list[Tensor] = []
        for p in self.grads:
            if p.role == "result":
                made.append(like.new_empty(rows, self._width(str(p.key), widths)))
            elif p.role == "handed":
                made.append(like.new_empty(rows, _sum(self._of_handed, widths)))
            elif p.role == "initial_grad":
                there = given["initial", p.key] is not None
                made.append(like.new_empty((batch, self._width(p.key[0], widths)) if there else 0))  # type: ignore[index]
            else:
                role = "matrix" if p.role == "weight" else "constant"
                key = p.key if p.role == "weight" else self.schedule.programs.gathered[p.key]  # type: ignore[index]
                shape = given[role, key].shape  # type: ignore[union-attr]
                made.append(like.new_zeros(shape) if zero else like.new_empty(shape))
        return made

    def _assembled(
        self, tensors: Sequence[Tensor | None], kept: dict[str, Tensor], results: Any, numbers: tuple[Any, ...]
    ) -> list[Tensor | None]:
        """The gradients in the order of the operator's arguments."""
        results = results if isinstance(results, (tuple, list)) else (results,)
        by_role = {(p.role, p.key): t for p, t in zip(self.grads, results, strict=True)}
        owner = {constant: symbol for symbol, constant in self.schedule.programs.gathered.items()}
        handed = by_role.get(("handed", ""))
        weights: dict[int, Tensor] = {}
        if handed is not None:
            weights = self._products(handed, tensors, kept, numbers)
        found: list[Tensor | None] = []
        for tensor, p in zip(tensors, self.given, strict=True):
            grad: Tensor | None = None
            if p.role == "input":
                grad = by_role.get(("result", p.key))
            elif p.role == "before" and handed is not None:
                grad = self._before_grad(handed, numbers[2])
            elif p.role == "initial" and tensor is not None:
                grad = by_role["initial_grad", p.key]
            elif p.role == "constant" and p.key in owner:
                grad = by_role["gathered", owner[p.key]]  # type: ignore[index]
            elif p.role == "matrix":
                grad = weights.get(p.key) if handed is not None else by_role.get(("weight", p.key))  # type: ignore[arg-type]
            found.append(grad)
        return found

    def _before_grad(self, handed: Tensor, widths: Sequence[int]) -> Tensor:
        """The cotangents of hoisted products: they stand first among what is handed back, unless two are one."""
        blocks = self.schedule.programs.hoisted
        order = list(dict.fromkeys(block.cotangent for block in blocks))
        starts, at = {}, 0
        for cotangent in order:
            width = _sum(self._of_symbol[cotangent], widths)  # type: ignore[index]
            starts[cotangent] = (at, width)
            at += width
        if len(order) == len(blocks):
            return handed[:, :at]
        return torch.cat([handed.narrow(1, *starts[block.cotangent]) for block in blocks], 1)

    def _products(
        self, handed: Tensor, tensors: Sequence[Tensor | None], kept: dict[str, Tensor], numbers: tuple[Any, ...]
    ) -> dict[int, Tensor]:
        """Gradients of matrices: one product per operand, over all steps and rows."""
        steps, batch, widths, _ = numbers
        found: dict[int, Tensor] = {}
        for product, (before, shapes) in zip(self.schedule.weight_products, self._of_products, strict=True):
            start = _sum(before, widths)
            sizes = [_sum((shape,), widths) for shape in shapes]
            cotangent = handed.narrow(1, start, sum(sizes))
            total = self._outer(cotangent, product.operand, tensors, kept, steps, batch, widths)
            for weight, part in zip(product.weights, total.split(sizes, 0), strict=True):
                found[weight.matrix] = found[weight.matrix] + part if weight.matrix in found else part
        return found

    def _outer(
        self,
        cotangent: Tensor,
        operand: Symbol,
        tensors: Sequence[Tensor | None],
        kept: dict[str, Tensor],
        steps: int,
        batch: int,
        widths: Sequence[int],
    ) -> Tensor:
        """Σ outer(cotangent, operand) over all steps and rows."""
        place = self.schedule.operand_places[operand]
        name, delay = place.buffer.name, place.delay
        values = {p.name: t for t, p in zip(tensors, self.given, strict=True)} | kept
        sequence = values[name]
        assert sequence is not None
        if place.before:
            start = _sum(self._of_places[operand], widths)
            sequence = sequence.narrow(1, start, _sum(self._of_symbol[operand], widths))
        if not delay:
            return cotangent.t() @ sequence
        signal = next(
            s.name for s in self.schedule.cell.signals if self.schedule.names[signal_symbol(s.name, 0)] == name
        )
        first = [values.get(f"initial_{signal}_{back}") for back in range(1, delay + 1)]
        if tensors[0] is not None:
            return cotangent.t() @ _delayed(sequence, tensors[0].tolist(), first)
        total = cotangent[delay * batch :].t() @ sequence[: max(0, steps - delay) * batch]
        for step in range(min(delay, steps)):
            value = first[delay - step - 1]
            if value is not None:
                total = total.addmm(cotangent[step * batch : (step + 1) * batch].t(), value)
        return total

    # --- by torch -----------------------------------------------------------------------

    def portable(self, *flat: Any) -> tuple[Tensor, ...]:
        """The same as the operator for inference, by torch operations."""
        tensors, steps, batch, widths, settings = self._split(flat)
        like, _ = self._like(tensors)
        inputs: dict[str, Any] = {}
        initial: dict[Any, Tensor] = {}
        constants: dict[Any, Any] = {}
        matrices: list[Any] = []
        before = None
        for tensor, p in zip(tensors, self.given, strict=True):
            if p.role == "input":
                inputs[str(p.key)] = tensor
            elif p.role == "before":
                before = tensor
            elif p.role == "initial":
                width = self._width(p.key[0], widths)  # type: ignore[index]
                initial[p.key] = like.new_zeros(batch, width) if tensor is None else tensor
            elif p.role == "constant":
                constants[p.key] = tensor
            elif p.role == "matrix":
                matrices.append(tensor)
        for name, value in zip(self.arguments.settings, settings, strict=True):
            constants[parameter_symbol(name)] = torch.tensor(value, dtype=like.dtype, device=like.device)
        for known, number in zip(self.arguments.widths, widths, strict=True):
            if known.name:
                constants[dim_symbol(known.name)] = torch.tensor(float(number), dtype=like.dtype, device=like.device)
        sizes = [batch] * steps if tensors[0] is None else tensors[0].tolist()

        def width_of(symbol: Symbol) -> int:
            found = self._of_symbol.get(symbol)
            return _sum(found if found is not None else (self._of_signal[self._named[symbol]],), widths)

        output, last = evaluate.sequence(
            self.schedule.programs,
            sizes,
            inputs,
            before,
            initial,
            constants,
            matrices,
            width_of,  # type: ignore[arg-type]
        )
        return (output, *(last[p.key] for p in self.finals))  # type: ignore[index]

    def _twice(
        self, tensors: Sequence[Tensor | None], numbers: tuple[Any, ...], grads: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """Gradients that can themselves be differentiated."""
        wanted = [t for t in tensors if t is not None and t.requires_grad]
        outputs = self.portable(*tensors, *numbers)
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None and o.requires_grad]
        if not pairs:
            return [None] * len(tensors)
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs], wanted, [g for _, g in pairs], create_graph=True, allow_unused=True
            )
        )
        return [next(found) if t is not None and t.requires_grad else None for t in tensors]

    def _vmapped(self, info: Any, in_dims: Sequence[Any], *flat: Any) -> tuple[Any, Any]:
        return self._each(self.infer, info, in_dims, flat)

    def _vmapped_train(self, info: Any, in_dims: Sequence[Any], *flat: Any) -> tuple[Any, Any]:
        return self._each(self.train, info, in_dims, flat)

    def _each(
        self, call: Callable[..., Any], info: Any, in_dims: Sequence[Any], flat: Sequence[Any]
    ) -> tuple[Any, Any]:
        """One call for each entry of the dimension that vmap took away."""
        found = []
        for at in range(info.batch_size):
            taken = [
                a if d is None or not isinstance(a, Tensor) else a.select(d, at)
                for a, d in zip(flat, in_dims, strict=True)
            ]
            results = call(*taken)
            found.append(results if isinstance(results, (tuple, list)) else (results,))
        stacked = [torch.stack(values) for values in zip(*found, strict=True)]
        return _returned(stacked), _returned([0] * len(stacked))


class _Direct(torch.autograd.Function):
    """A kernel with its gradient, without the dispatcher in between."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, numbers: tuple[Any, ...], *tensors: Tensor | None) -> Any:
        flat = (*tensors, *numbers)
        results = operator._run(flat, True)
        ctx.operator = operator
        operator._remember(ctx, flat, results)
        return results

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        operator = ctx.operator
        return (None, None, *operator._gradients(ctx, grads, operator._backward))


_operators: dict[str, Operator] = {}


def operator_of(kernel: Kernel) -> Operator:
    """The operators of a kernel, registered once per process."""
    if kernel.text not in _operators:
        _operators[kernel.text] = Operator(kernel)
    return _operators[kernel.text]


def _sum(places: Sequence[int], widths: Sequence[int]) -> int:
    """The sum of the widths at these places; -1 stands for a scalar."""
    return sum(widths[at] if at >= 0 else 1 for at in places)


def _typed(pointer: Pointer) -> str:
    return f"Tensor{'?' if pointer.role in OPTIONAL else ''} {pointer.name}"


def _returned(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def _ready(tensor: Tensor | None, pointer: Pointer) -> Tensor | None:
    """A tensor as kernels read it: matrices with any strides, all else dense."""
    if tensor is None or pointer.role == "matrix":
        return tensor
    return tensor.contiguous()


def _delayed(sequence: Tensor, sizes: Sequence[int], first: Sequence[Tensor | None]) -> Tensor:
    """A packed sequence `len(first)` steps late; `first[k]` are the values k + 1 steps before the beginning."""
    delay, width = len(first), sequence.shape[1]
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    parts = []
    for t, size in enumerate(sizes):
        if t >= delay:
            parts.append(sequence[offsets[t - delay] : offsets[t - delay] + size])
        else:
            value = first[delay - t - 1]
            parts.append(sequence.new_zeros(size, width) if value is None else value[:size])
    return torch.cat(parts)
