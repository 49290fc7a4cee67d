"""A layer that computes its sequences by kernels, and by the portable module whatever kernels cannot.

`KernelLayer` stands in front of an emitted layer. It takes over sequences of float32 or float64 on the CPU; recorded
signals, other devices and dtypes and TorchScript stay with the portable code, vmap and other function transforms with
torch operations. Under autocast products are of bfloat16 where the processor has tiles for it, else all is float32; the
results have the dtype that the portable code gives. Noise while training is drawn as the portable code draws it.
Everything else, parameters and state dict included, is the emitted layer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from celldsl.check.cell import SignalInfo
from celldsl.runtime.kernel import cells
from celldsl.runtime.kernel.cells import CellKernels, Rows


class KernelLayer(nn.Module):
    """Put in front of an emitted layer's class; `spec` is the cell's text, which compiles by itself."""

    spec: str = ""
    layers: nn.ModuleDict
    input_size: int
    batch_first: bool
    bidirectional: bool
    dropout: float

    @property
    def kernels(self) -> CellKernels:
        return cells.of(self.spec)

    def run(self, *arguments: Any) -> Any:
        """As the portable `run`: (inputs…, state, record) -> output, last state, signals."""
        *inputs, state, record = arguments
        if record or not self._suits(inputs) or not self._shaped(inputs):
            return super().run(*arguments)  # type: ignore[misc]
        batched = inputs[0].dim() == 3
        ordered = inputs
        if self.batch_first or not batched:
            ordered = [self.steps_first(x, batched) for x in inputs]  # type: ignore[operator]
        steps, batch, _ = ordered[0].shape
        states = self._listed(state)
        if states is not None and not batched:
            states = [value.unsqueeze(1) for value in states]
        output, last = self._through(ordered, Rows(None, steps, batch), None, states)
        if not batched:
            return output.squeeze(1), self._bundled([value.squeeze(1) for value in last]), {}
        return output.transpose(0, 1) if self.batch_first else output, self._bundled(last), {}

    def run_layers(self, *arguments: Any) -> Any:
        """As the portable `run_layers`; packed sequences come here."""
        *inputs, batch_sizes, state, record = arguments
        if record or not batch_sizes or not self._suits(inputs) or inputs[0].size(-1) != self.input_size:
            return super().run_layers(*arguments)  # type: ignore[misc]
        rows = Rows(torch.tensor(batch_sizes), len(batch_sizes), batch_sizes[0])
        flat, last = self._through(list(inputs), rows, batch_sizes, self._listed(state))
        return flat, self._bundled(last), {}

    def _through(
        self, inputs: list[Tensor], rows: Rows, batch_sizes: list[int] | None, states: list[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers and directions; inputs (T, B, width), (N, width) if packed; states (L, B, width)."""
        if not torch.is_autocast_enabled("cpu"):
            return self._computed(inputs, rows, batch_sizes, states, False)
        narrow = torch.get_autocast_dtype("cpu") is torch.bfloat16 and cells.narrow()
        given = [*inputs, *(states or [])]
        dtype = inputs[0].dtype if all(x.dtype is inputs[0].dtype for x in given) else torch.float32
        first = None if states is None else [value.float() for value in states]
        with torch.autocast("cpu", enabled=False):
            output, last = self._computed([x.float() for x in inputs], rows, batch_sizes, first, narrow)
            return output.to(dtype), [value.to(dtype) for value in last]

    def _computed(
        self,
        inputs: list[Tensor],
        rows: Rows,
        batch_sizes: list[int] | None,
        states: list[Tensor] | None,
        narrow: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        """The same for one dtype, autocast apart. narrow: products in bfloat16."""
        kernels = self.kernels
        portable = not torch.compiler.is_compiling() and _in_transform()
        noisy = self._draws()
        turn = _backwards(batch_sizes) if batch_sizes is not None and self.bidirectional else None
        lasts: list[Sequence[Tensor]] = []
        outputs: list[Tensor] = []
        if states is not None:
            self._expect(states, rows.batch)
        for k, (name, step) in enumerate(self.layers.items()):
            reverse = name.endswith("_reverse")
            first: list[Tensor | None] = [None] * kernels.carried
            if states is not None:
                first = list(states) if len(self.layers) == 1 else self._of_layer(states, k, inputs)
            if states is None and kernels.starts_elsewhere:
                begun = step.initial_state(inputs[0], rows.batch)  # type: ignore[operator]
                first = [begun] if isinstance(begun, Tensor) else list(begun)
            turned = partial(_reversed, rows=rows, turn=turn) if reverse else None
            taken = inputs if turned is None else [turned(x) for x in inputs]
            noise = noisy and step.training
            output, last = cells.run(self.spec, step, taken, rows, first, portable, noise, turned, narrow)
            lasts.append(last)
            outputs.append(_reversed(output, rows, turn) if reverse else output)
            if reverse or not self.bidirectional:
                joined = torch.cat(outputs, dim=-1) if self.bidirectional else outputs[0]
                outputs.clear()
                if self.dropout > 0 and k + 1 < len(self.layers):
                    joined = functional.dropout(joined, self.dropout, self.training)
                inputs = [joined, *inputs[1:]]
        if len(lasts) == 1:
            return inputs[0], list(lasts[0])
        return inputs[0], [_together(values) for values in zip(*lasts, strict=True)]

    # --- states -------------------------------------------------------------------------

    def _listed(self, state: Any) -> list[Tensor] | None:
        if state is None:
            return None
        return [state] if isinstance(state, Tensor) else list(state)

    def _bundled(self, values: list[Tensor]) -> Any:
        return values[0] if len(values) == 1 else tuple(values)

    def _order(self) -> list[SignalInfo]:
        """The signal of each tensor of the state."""
        states = self.kernels.cell.states
        deepest = max((info.depth for info in states), default=0)
        return [info for delay in range(1, deepest + 1) for info in states if info.depth >= delay]

    def _of_layer(self, states: list[Tensor], k: int, inputs: list[Tensor]) -> list[Tensor | None]:
        """The state of one layer; that of a carried input may be wider in upper layers."""
        widths = {info.name: x.size(-1) for info, x in zip(self.kernels.cell.inputs, inputs, strict=True)}
        return [
            state[k].narrow(-1, 0, widths.get(info.name, state.size(-1)))
            for state, info in zip(states, self._order(), strict=True)
        ]

    def _expect(self, states: list[Tensor], batch: int) -> None:
        kernels, order = self.kernels, self._order()
        if len(order) != len(states):
            raise ValueError(f"{kernels.cell.name}: expected a state of {len(order)} tensors, got {len(states)}")
        first = next(iter(self.layers.values()))
        sizes = kernels.sizes({name: getattr(first, name) for name in kernels.keys})
        for value, info in zip(states, order, strict=True):
            width = int(info.shape.width.at(sizes)) if info.shape.rank else 1
            if info.role == "input":
                width = value.size(-1)
            if list(value.shape) != [len(self.layers), batch, width]:
                raise ValueError(
                    f"{kernels.cell.name}: {info.name} of all layers: expected shape "
                    f"{[len(self.layers), batch, width]}, got {list(value.shape)}"
                )

    # --- when ---------------------------------------------------------------------------

    def _suits(self, inputs: Any) -> bool:
        if not cells.suits(inputs, self.layers.values(), torch.is_autocast_enabled("cpu")):
            return False
        if self._draws() and (self.kernels.noisy is None or (not torch.compiler.is_compiling() and _in_transform())):
            return False
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        return not (traced and torch.onnx.is_in_onnx_export())

    def _draws(self) -> bool:
        """Whether some step draws masks: then all do that are training, as in the portable code."""
        kernels = self.kernels
        return any(step.training and kernels.draws(step) for step in self.layers.values())

    def _shaped(self, inputs: list[Tensor]) -> bool:
        """Whether the inputs are sequences that belong together. Where not, the portable code says why."""
        shape = inputs[0].shape
        if len(shape) not in (2, 3) or 0 in shape or shape[-1] != self.input_size:
            return False
        return len(inputs) == 1 or all(x.shape[:-1] == shape[:-1] for x in inputs)

    def __prepare_scriptable__(self) -> nn.Module:
        """What torch.jit.script compiles: the portable layer with the same parameters."""
        order = type(self).__mro__
        portable: Any = order[order.index(KernelLayer) + 1]
        twin: nn.Module = portable.__new__(portable)
        twin.__dict__ = dict(self.__dict__)
        return twin


def _together(values: Sequence[Tensor]) -> Tensor:
    """One tensor of all layers' states; a narrower one (of an input, which is wider in upper layers) is filled up."""
    widest = max(value.size(-1) for value in values)
    return torch.cat([functional.pad(v, [0, widest - v.size(-1)]) if v.size(-1) < widest else v for v in values])


def _in_transform() -> bool:
    """Whether a transform of torch.func (vmap, grad, …) is at work."""
    interpreter = getattr(torch._C._functorch, "peek_interpreter_stack", None)
    return interpreter is not None and interpreter() is not None


def _reversed(sequence: Tensor, rows: Rows, turn: Tensor | None) -> Tensor:
    """Each sequence of the batch, last step first."""
    if turn is not None:
        return sequence.index_select(0, turn)
    return sequence.flip(0)


def _backwards(batch_sizes: list[int]) -> Tensor:
    """Row (t, r) of packed sequences -> row (length of r - 1 - t, r)."""
    sizes = torch.tensor(batch_sizes)
    offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)[:-1]])
    lengths = (sizes.unsqueeze(0) > torch.arange(batch_sizes[0]).unsqueeze(1)).sum(1)
    found = [offsets[lengths[:size] - 1 - t] + torch.arange(size) for t, size in enumerate(batch_sizes)]
    return torch.cat(found)
