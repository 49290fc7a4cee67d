"""flax.linen: the cells of Flax's older interface. The carry of an LSTM is (c, h) there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen
from flax.traverse_util import flatten_dict, unflatten_dict

from tests.peers.packages.jax_peer import JaxPeer
from tests.peers.rows import Peer, Row


def _make(name: str) -> Callable[[int, int], Peer]:
    def make(m: int, n: int) -> Peer:
        cell = getattr(linen, name)(features=n, dtype=jnp.float64, param_dtype=jnp.float64)

        def new() -> Any:
            x = jnp.zeros((1, m))
            return cell.init(jax.random.key(0), cell.initialize_carry(jax.random.key(0), x.shape), x)

        with jax.enable_x64(True):
            start = jax.eval_shape(new)["params"]

        def step(parameters: dict[str, Any], x: Any, states: tuple[Any, ...]) -> Any:
            values = {"params": unflatten_dict(parameters, sep=".")}
            carry, output = cell.apply(values, states if len(states) > 1 else states[0], x)
            return output, carry if isinstance(carry, tuple) else (carry,)

        return JaxPeer({key: value.shape for key, value in flatten_dict(start, sep=".").items()}, step)

    return make


LSTM = {
    f"{side}{name}.{part}": f"{letter}_{gate}"
    for name, gate in (("i", "i"), ("f", "f"), ("g", "c"), ("o", "o"))
    for side, part, letter in (("i", "kernel.T", "W"), ("h", "kernel.T", "U"), ("h", "bias", "b"))
}
GRU = {
    f"{side}{name}.{part}": f"{letter}_{gate}"
    for name, gate in (("r", "r"), ("z", "z"), ("n", "h"))
    for side, part, letter in (("i", "kernel.T", "W"), ("i", "bias", "b"), ("h", "kernel.T", "U"))
} | {"hn.bias": "d_h"}
MGU = {
    "if.kernel.T": "W_f",
    "if.bias": "b_f",
    "hf.kernel.T": "U_f",
    "in.kernel.T": "W_n",
    "in.bias": "b_n",
    "hn.kernel.T": "U_n",
    "hn.bias": "d_n",
}
PAPER_MGU = {key: name.replace("_n", "_h") for key, name in MGU.items()} | {"hn.bias": "0"}

ROWS = [
    Row("rnn", "SimpleCell", _make("SimpleCell"), {"i.kernel.T": "W", "i.bias": "b", "h.kernel.T": "U"}),
    Row("lstm", "LSTMCell", _make("LSTMCell"), LSTM, "c h"),
    Row("lstm", "OptimizedLSTMCell", _make("OptimizedLSTMCell"), LSTM, "c h"),
    Row("gru_reset_after", "GRUCell", _make("GRUCell"), GRU),
    Row("flax_mgu", "MGUCell", _make("MGUCell"), MGU),
    Row(
        "mgu",
        "MGUCell",
        _make("MGUCell"),
        PAPER_MGU,
        deviates="the gate acts after the product, and one keeps the state (flax issue 4608); Flax_MGU is its spec",
    ),
]
