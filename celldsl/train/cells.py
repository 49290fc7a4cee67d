"""From the name of a cell to the layer that a model is built around.

A cell is a spec, compiled here and recompiled from its text when a run resumes;
or one of torch's own layers, for comparison under the same loop.
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from celldsl.check.cell import Cell, Expr, Parameter, Product, Signal
from celldsl.train.errors import TrainError
from celldsl.train.model import Layer
from celldsl.train.settings import Settings
from celldsl.transform import OPTIONS

TORCH = {"torch.nn.LSTM": nn.LSTM, "torch.nn.GRU": nn.GRU, "torch.nn.RNN": nn.RNN}


@dataclass(frozen=True)
class TrainedCell:
    """The cell of a run: its name, the text it can be compiled from again, and its layer."""

    name: str
    text: str
    layer: Layer

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def find_cell(settings: Settings, text: str | None = None) -> TrainedCell:
    """Compile the settings' cell, or `text` in its place (a checkpoint's own copy of the spec).

    Raises SpecError for a spec that does not compile, TrainError for an unknown layer of torch.
    """
    width = settings.hidden * (2 if settings.bidirectional else 1)
    options: dict[str, Any] = {
        "num_layers": settings.layers,
        "bidirectional": settings.bidirectional,
        "dropout": settings.dropout,
        "batch_first": True,
        **settings.cell_options,
    }
    variant = {name: getattr(settings, name) for name in OPTIONS if getattr(settings, name)}
    source = settings.cell if text is None else text
    if source.startswith("torch."):
        if source not in TORCH:
            raise TrainError(f"no layer {source!r} to compare with; there are {', '.join(TORCH)}")
        if variant:
            raise TrainError(f"{source} has no {', '.join(variant)}: these change the equations of a spec")
        kind = TORCH[source]
        _known_options(source, kind, settings)

        def torchs(m: int, **changes: Any) -> nn.Module:
            return kind(m, **{"hidden_size": settings.hidden, **options, **changes})

        layer = Layer(torchs, width, settings.bidirectional, settings.layers, ("weight_hh",))
        return TrainedCell(source, source, layer)

    import celldsl

    cell = celldsl.compile(source)

    def make(m: int, **changes: Any) -> nn.Module:
        every = {"hidden_size": settings.hidden, **options, **changes}
        try:
            changed = cell.variant(**variant)
            layer: nn.Module = changed.rnn(m, every.pop("hidden_size"), backend=settings.backend, **every)
        except ValueError as error:
            raise TrainError(str(error)) from error
        except TypeError as error:  # a cell_option the layer does not know, or one it needs and was not given
            raise TrainError(f"{error} (in cell_options; --cell-option name=value on the command line)") from error
        return layer

    found = Layer(make, width, settings.bidirectional, settings.layers, recurrent_matrices(cell.checked))
    return TrainedCell(cell.name, cell.spec, found)


KERNELS = ("32", "64", "bf16-mixed")
"""The precisions that kernels compute in; the last is autocast."""


def backend_of(model: nn.Module, precision: str, device: torch.device) -> str:
    """What runs a model's layers while it trains: "cpu", its kernels, or "torch"."""
    from celldsl.runtime.kernel.layer import KernelLayer

    kernels = any(isinstance(module, KernelLayer) for module in model.modules())
    return "cpu" if kernels and device.type == "cpu" and precision in KERNELS else "torch"


def recurrent_matrices(cell: Cell) -> tuple[str, ...]:
    """The parameters by which a cell multiplies something made of a state, as matrices: LSTM's U_i, U_f, U_o, U_c."""
    states = {info.name for info in cell.signals if info.role == "state"}
    made: set[str] = set()  # signals of this step that a state went into
    found: list[str] = []

    def remembers(expr: Expr) -> bool:
        return any(
            isinstance(node, Signal) and (node.name in made or (node.delay > 0 and node.name in states))
            for node in expr.walk()
        )

    for equation in cell.steps:
        for node in equation.value.walk():
            if isinstance(node, Product) and remembers(node.right):
                found += [part.name for part in node.left.walk() if isinstance(part, Parameter)]
        if remembers(equation.value):
            made.add(equation.target)
    return tuple(dict.fromkeys(found))


def _known_options(name: str, kind: type[nn.Module], settings: Settings) -> None:
    known = inspect.signature(nn.RNNBase.__init__).parameters
    for option in settings.cell_options:
        if option not in known or (option == "nonlinearity" and kind is not nn.RNN):
            raise TrainError(f"{name} has no option {option!r}")
