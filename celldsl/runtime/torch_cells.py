"""The recurrent modules of `torch.nn`, written as cells.

Each says where torch packs the parameters of its gates, so that a cell which is one of them up to names, recognised by
`recognise`, can exchange weights with the module (`weights`) and be compared with it (`verify`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import nn

from celldsl import relatives
from celldsl.check.cell import Cell
from celldsl.check.width import Width
from celldsl.source import Source
from celldsl.symbolic.equality import Pair, compare


@dataclass(frozen=True)
class Gate:
    """The parameters of one block of rows in torch's tensors; `d` is a bias beside the state's product alone."""

    W: str
    U: str
    b: str
    d: str | None = None


@dataclass(frozen=True)
class Kind:
    """One of torch's modules as a cell; `gates` stand in the order in which torch packs them."""

    name: str
    module: type[nn.RNNBase]
    options: Mapping[str, Any]
    text: str
    gates: tuple[Gate, ...]
    bias: bool = True
    projection: str | None = None

    @property
    def title(self) -> str:
        options = [f"{name}={value!r}" for name, value in self.options.items()]
        options += ["proj_size=…"] if self.projection else []
        options += [] if self.bias else ["bias=False"]
        return f"nn.{self.module.__name__}({', '.join(options)})"

    @property
    def spec(self) -> str:
        """The cell, as spec text."""
        biases = ", ".join(name for gate in self.gates for name in (gate.b, gate.d) if name)
        bare = "" if self.bias else f"cell {self.name}_without_bias extends {self.name} {{ drop {biases} }}"
        return f"cell {self.name} {{\n{self.text}\n}}\n{bare}"

    def make(self, layer: Any, hidden_size: int) -> nn.RNNBase:
        """A module of torch's like a layer. `hidden_size` is torch's; with a projection the layer's is its output."""
        sizes = {"input_size": layer.input_size, "hidden_size": hidden_size}
        if self.projection:
            sizes["proj_size"] = layer.hidden_size
        like = next(layer.parameters())
        return self.module(
            **sizes,
            **self.options,
            num_layers=layer.num_layers,
            bias=self.bias,
            batch_first=layer.batch_first,
            dropout=layer.dropout,
            bidirectional=layer.bidirectional,
            device=like.device,
            dtype=like.dtype,
        )


_RNN = "h_t = {function}(W x_t + U h_{{t-1}} + b)"

_LSTM = """
  i_t = σ(U_i h_{t-1} + W_i x_t + b_i)
  f_t = σ(U_f h_{t-1} + W_f x_t + b_f)
  o_t = σ(U_o h_{t-1} + W_o x_t + b_o)
  c_t = f_t * c_{t-1} + i_t * tanh(U_c h_{t-1} + W_c x_t + b_c)
"""

_GRU = """
  r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
  z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
  h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ tanh(W_h x_t + b_h + r_t ⊙ (U_h h_{t-1} + d_h))
"""


def _kinds() -> Iterator[Kind]:
    """Every module of torch's, with biases and without."""
    lstm = tuple(Gate(f"W_{gate}", f"U_{gate}", f"b_{gate}") for gate in "ifco")
    gru = (Gate("W_r", "U_r", "b_r"), Gate("W_z", "U_z", "b_z"), Gate("W_h", "U_h", "b_h", "d_h"))
    rnn = (Gate("W", "U", "b"),)
    for bias in (True, False):
        for function in ("tanh", "relu"):
            text = _RNN.format(function=function)
            yield Kind(f"RNN_{function}", nn.RNN, {"nonlinearity": function}, text, rnn, bias)
        yield Kind("LSTM", nn.LSTM, {}, _LSTM + "h_t = o_t * tanh(c_t)", lstm, bias)
        projected = f"state c: p\n{_LSTM} h_t = R (o_t * tanh(c_t))"
        yield Kind("LSTM_projected", nn.LSTM, {}, projected, lstm, bias, projection="R")
        yield Kind("GRU_reset_after", nn.GRU, {}, _GRU, gru, bias)


@lru_cache(maxsize=1)
def _references() -> tuple[tuple[Kind, Cell], ...]:
    """The kinds with their checked cells."""
    return tuple((kind, relatives.check(Source(kind.spec))[-1]) for kind in _kinds())


@dataclass(frozen=True)
class Match:
    """A cell that is one of torch's; `places` maps the parameters of the kind's own cell to this one's."""

    kind: Kind
    cell: Cell
    places: Mapping[str, Pair]


@lru_cache(maxsize=64)
def recognise(cell: Cell) -> Match | None:
    """The module of torch's that computes what this cell does, if there is one: proved, up to names."""
    for kind, reference in _references():
        if _matrix_entries(reference) != _matrix_entries(cell):  # no renaming changes these; a proof takes longer
            continue
        found = compare(reference, cell, rename=True)
        if found.equal and all(pair.part.columns is None and not pair.part.transposed for pair in found.pairs):
            return Match(kind, cell, {pair.part.name: pair for pair in found.pairs})
    return None


def _matrix_entries(cell: Cell) -> Width:
    shapes = [info.shape.dims for info in cell.parameters if info.shape.rank == 2]
    return sum((rows * columns for rows, columns in shapes), Width())


def kind_of(module: nn.RNNBase) -> Kind:
    """The kind of a module of torch's."""
    for kind in _kinds():
        if (
            type(module) is kind.module
            and module.bias == kind.bias
            and bool(module.proj_size) == (kind.projection is not None)
            and all(getattr(module, name) == value for name, value in kind.options.items())
        ):
            return kind
    raise ValueError(f"{type(module).__name__} is not one of torch.nn.LSTM, nn.GRU and nn.RNN")
