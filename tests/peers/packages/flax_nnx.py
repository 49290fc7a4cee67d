"""flax.nnx: its cells. The carry of an LSTM is (c, h) there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from tests.peers.packages.jax_peer import JaxPeer
from tests.peers.rows import Peer, Row


def _make(name: str) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        def new() -> Any:
            return getattr(nnx, name)(m, n, rngs=nnx.Rngs(0), dtype=jnp.float64, param_dtype=jnp.float64)

        with jax.enable_x64(True):
            cell = nnx.eval_shape(new)  # its own initial weights are never wanted
        graph, values, rest = nnx.split(cell, nnx.Param, ...)
        flat = nnx.to_flat_state(values)
        names = {".".join(map(str, path)): path for path, _ in flat}

        def step(parameters: dict[str, Any], x: Any, states: tuple[Any, ...]) -> Any:
            own = nnx.from_flat_state([(names[each], nnx.Param(value)) for each, value in parameters.items()])
            carry, output = nnx.merge(graph, own, rest)(states if len(states) > 1 else states[0], x)
            return output, carry if isinstance(carry, tuple) else (carry,)

        return JaxPeer({".".join(map(str, path)): value.shape for path, value in flat}, step)

    return make


RNN = {"dense_i.kernel.T": "W", "dense_i.bias": "b", "dense_h.kernel.T": "U"}
LSTM = {
    f"{name}.{part}": f"{letter}_{gate}"
    for gate, inner, outer in (("i", "ii", "hi"), ("f", "if_", "hf"), ("c", "ig", "hg"), ("o", "io", "ho"))
    for name, part, letter in ((inner, "kernel.T", "W"), (outer, "kernel.T", "U"), (outer, "bias", "b"))
}
FUSED = {
    "dense_i.kernel.T": "W_i W_f W_c W_o",
    "dense_h.kernel.T": "U_i U_f U_c U_o",
    "dense_h.bias": "b_i b_f b_c b_o",
}
GRU = {"dense_i.kernel.T": "W_r W_z W_h", "dense_i.bias": "b_r b_z b_h", "dense_h.kernel.T": "U_r U_z U_h"}

ROWS = [
    Row("rnn", "SimpleCell", _make("SimpleCell"), RNN),
    Row("lstm", "LSTMCell", _make("LSTMCell"), LSTM, "c h"),
    Row("lstm", "OptimizedLSTMCell", _make("OptimizedLSTMCell"), FUSED, "c h"),
    Row("flax_gru", "GRUCell", _make("GRUCell"), GRU),
    Row(
        "gru_reset_after",
        "GRUCell",
        _make("GRUCell"),
        GRU,
        zero="d_h",
    ),
    Row(
        "gru",
        "GRUCell",
        _make("GRUCell"),
        GRU,
        deviates="the reset gate acts after the product, where there is no bias; Flax_GRU is its spec",
    ),
]
