"""A kernel as operators of torch: eager, compiled, exported, differentiated.

Per variant of a cell there are three: `name` for inference, `name_train`, which also returns what the backward pass
reads, and `name_backward`. Gradients of gradients, and vmap, are computed by `portable` instead.

An operator takes its tensors as one list, so that their number is not limited, and `absent`, the places of those that
are left out: the rows of each step, first values that are zero, cotangents that are zero.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from celldsl.runtime.kernel.gradients import Gradients
from celldsl.runtime.kernel.kernel import Kernel
from celldsl.runtime.kernel.layout import Layout, Tensors
from celldsl.runtime.kernel.portable import Portable, each, returned

LIBRARY = torch.library.Library("celldsl", "FRAGMENT")
SIGNATURE = "(Tensor[] tensors, int[] absent, SymInt steps, SymInt batch, int[] widths, float[] settings)"
PLAIN = {Tensor, torch.nn.Parameter, type(None)}


class Operator:
    """The operators of a kernel. Make one per kernel and process with `operator_of`."""

    def __init__(self, kernel: Kernel):
        self.kernel, self.schedule = kernel, kernel.schedule
        digest = hashlib.sha256(kernel.text.encode("utf-8")).hexdigest()[:12]
        self.name = f"{re.sub('[^a-z0-9_]', '_', kernel.name)}_{digest}"
        self.layout = Layout(kernel.arguments)
        self.finals = len(self.layout.finals)
        self.portable = Portable(self.layout)
        self._assemble = Gradients(self.layout, kernel.narrow)
        self._define()
        namespace = torch.ops.celldsl
        self.infer: Callable[..., Any] = getattr(namespace, self.name).default
        self.train: Callable[..., Any] = getattr(namespace, f"{self.name}_train").default
        self.back: Callable[..., Any] = getattr(namespace, f"{self.name}_backward").default

    # --- registration -------------------------------------------------------------------

    def _define(self) -> None:
        layout, outs = self.layout, 1 + self.finals
        grads = len(layout.results) + layout.hands_back + 1
        definitions: list[tuple[str, int, Callable[..., Any], Callable[..., Any]]] = [
            (self.name, outs, self._infer, self._fake_infer),
            (f"{self.name}_train", outs + len(layout.extra), self._train, self._fake_train),
            (f"{self.name}_backward", grads, self._backward, self._fake_backward),
        ]
        for name, count, run, fake in definitions:
            LIBRARY.define(f"{name}{SIGNATURE} -> ({', '.join(['Tensor'] * count)})")
            LIBRARY.impl(name, run, "CPU")
            torch.library.register_fake(f"celldsl::{name}", fake, lib=LIBRARY)
        torch.library.register_autograd(
            f"celldsl::{self.name}_train", self._gradient, setup_context=self._remember, lib=LIBRARY
        )
        torch.library.register_vmap(f"celldsl::{self.name}", self._vmapped, lib=LIBRARY)
        torch.library.register_vmap(f"celldsl::{self.name}_train", self._vmapped_train, lib=LIBRARY)

    def _vmapped(self, info: Any, in_dims: Sequence[Any], *arguments: Any) -> tuple[Any, Any]:
        return each(self.infer, info, in_dims, arguments)

    def _vmapped_train(self, info: Any, in_dims: Sequence[Any], *arguments: Any) -> tuple[Any, Any]:
        return each(self.train, info, in_dims, arguments)

    # --- running ------------------------------------------------------------------------

    def __call__(
        self, tensors: Tensors, steps: int, batch: int, widths: Sequence[int], settings: Sequence[float]
    ) -> Sequence[Tensor]:
        """The output and the last states, by the operator that the moment asks for. Plain eager tensors take a
        shorter way than the dispatcher's."""
        train = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
        if not plainly(tensors):
            call = self.train if train else self.infer
            present, absent = _present(tensors)
            results = call(present, absent, steps, batch, widths, settings)
            return [results] if isinstance(results, Tensor) else results[: 1 + self.finals]
        if not train:
            return self._run(False, tensors, steps, batch, widths, settings)
        found = _Direct.apply(self, (steps, batch, widths, settings), *tensors)
        return (found,) if isinstance(found, Tensor) else found

    def _infer(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self._run(False, _whole(tensors, absent), *numbers))

    def _train(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self._run(True, _whole(tensors, absent), *numbers))

    def _run(
        self, train: bool, tensors: Tensors, steps: int, batch: int, widths: Sequence[int], settings: Sequence[float]
    ) -> list[Tensor]:
        layout = self.layout
        made = layout.made(tensors, batch, widths, train)
        ready = _dense(tensors, layout.dense)
        pointers = [None if t is None else t.data_ptr() for t in ready]
        addresses = [t.data_ptr() for t in made]
        first = 1 + self.finals
        kept: list[int | None] = list(addresses[first:]) if train else [None] * len(layout.extra)
        kept.insert(layout.output_at, addresses[0])
        pointers += kept
        pointers += addresses[1:first]
        matrices = [tensors[at] for at in layout.matrices]
        self.kernel.call(
            "forward",
            pointers,
            matrices,  # type: ignore[arg-type]
            made[0].dtype,
            steps,
            batch,
            widths,
            settings,
            not train,
        )
        return made

    def _fake_infer(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self.layout.made(_whole(tensors, absent), numbers[1], numbers[2], False))

    def _fake_train(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self.layout.made(_whole(tensors, absent), numbers[1], numbers[2], True))

    # --- gradients ----------------------------------------------------------------------

    def _remember(self, ctx: Any, inputs: Sequence[Any], output: Sequence[Tensor]) -> None:
        ctx.set_materialize_grads(False)
        present, absent, *numbers = inputs
        ctx.numbers = numbers
        ctx.empty = [[] if isinstance(value, list) and not value else None for value in inputs[1:]]
        ctx.absent = absent
        output = output if isinstance(output, (tuple, list)) else (output,)
        extra = output[1 + self.finals :]
        ctx.mark_non_differentiable(*extra)
        ctx.save_for_backward(*self.layout.remembered(_whole(present, absent)), output[0], *extra)

    def _gradient(self, ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        def back(tensors: Tensors, *numbers: Any) -> Any:
            return self.back(*_present(tensors), *numbers)

        found = self._gradients(ctx.saved_tensors, ctx.numbers, grads[: 1 + self.finals], back)
        return ([g for at, g in enumerate(found) if at not in ctx.absent], *ctx.empty)

    def _gradients(
        self, saved: Tensors, numbers: Sequence[Any], grads: Tensors, back: Callable[..., Any]
    ) -> list[Tensor | None]:
        count = len(self.layout.given)
        tensors = saved[:count]
        if torch.is_grad_enabled():
            return self.portable.gradients(tensors, tuple(numbers), grads)
        kept = list(saved[count + 1 :])
        kept.insert(self.layout.output_at, saved[count])
        results = back((*tensors, *kept, *grads), *numbers)
        results = results if isinstance(results, (tuple, list)) else (results,)
        return self._assemble(tensors, kept, results, *numbers[:3])

    def _backward(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self._run_back(_whole(tensors, absent), *numbers))

    def _run_back(
        self, tensors: Tensors, steps: int, batch: int, widths: Sequence[int], settings: Sequence[float]
    ) -> list[Tensor]:
        layout = self.layout
        made = layout.made_back(tensors, widths)
        count = len(layout.given)
        dense = [*layout.dense, *range(count, len(tensors))]
        ready = _dense(tensors, dense)
        pointers = [None if t is None else t.data_ptr() for t in ready]
        results = [t.data_ptr() for t in made[: len(layout.results) + layout.hands_back]]
        place, size = made[-1].data_ptr(), made[-1].element_size()
        summed: list[int | None] = []
        for at in layout.summed_from:
            owner = tensors[at]
            summed.append(None if owner is None else place)
            place += 0 if owner is None else owner.numel() * size
        matrices = [tensors[at] for at in layout.matrices]
        self.kernel.call(
            "backward",
            [*pointers, *results, *summed],
            matrices,  # type: ignore[arg-type]
            made[0].dtype,
            steps,
            batch,
            widths,
            settings,
        )
        return made

    def _fake_backward(self, tensors: list[Tensor], absent: list[int], *numbers: Any) -> Any:
        return returned(self.layout.made_back(_whole(tensors, absent), numbers[2]))


class _Direct(torch.autograd.Function):
    """A kernel with its gradient, without the dispatcher in between."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, numbers: tuple[Any, ...], *tensors: Tensor | None) -> Any:
        results = operator._run(True, tensors, *numbers)
        ctx.set_materialize_grads(False)
        ctx.operator, ctx.numbers = operator, numbers
        count = 1 + operator.finals
        ctx.save_for_backward(*operator.layout.remembered(tensors), results[0], *results[count:])
        return returned(results[:count])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        operator = ctx.operator
        return (None, None, *operator._gradients(ctx.saved_tensors, ctx.numbers, grads, operator._run_back))


_operators: dict[str, Operator] = {}


def operator_of(kernel: Kernel) -> Operator:
    """The operators of a kernel, registered once per process."""
    if kernel.text not in _operators:
        _operators[kernel.text] = Operator(kernel)
    return _operators[kernel.text]


def plainly(tensors: Tensors) -> bool:
    """Whether tensors are plain ones, and nobody compiles, traces or looks on."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() or torch.jit.is_tracing():
        return False
    return PLAIN.issuperset(map(type, tensors))


def _present(tensors: Tensors) -> tuple[list[Tensor], list[int]]:
    """The tensors that are there, and the places of those that are not."""
    return [t for t in tensors if t is not None], [at for at, t in enumerate(tensors) if t is None]


def _whole(tensors: Sequence[Tensor], absent: Sequence[int]) -> list[Tensor | None]:
    """The other way."""
    whole: list[Tensor | None] = list(tensors)
    for at in absent:
        whole.insert(at, None)
    return whole


def _dense(tensors: Tensors, places: Sequence[int]) -> list[Tensor | None]:
    """Tensors as kernels read them: matrices with any strides, those at the places without gaps."""
    ready = list(tensors)
    for at in places:
        tensor = ready[at]
        if tensor is not None and not tensor.is_contiguous():
            ready[at] = tensor.contiguous()
    return ready
