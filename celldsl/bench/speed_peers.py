"""Other implementations of the same equations, timed where their packages are installed.

JAX: `lax.scan` over the LSTM's step, compiled, in training and inference. ONNX Runtime: its LSTM, in inference.
torchrecurrent: the package's own layer. Weights are those of our layer, and results are compared before any time is
taken.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from celldsl.bench.speed_runs import PARITY_STEPS, Runner, layer_runner

GATES = "ifoc"
TORCHRECURRENT = {
    "janet": ("JANET", "W_f W_c", "U_f U_c", "b_f b_c"),
    "light_ru": ("LightRU", "W_h W_f", "U_f", "b_h b_f"),
    "mgu": ("MGU", "W_f W_h", "U_f U_h", "b_f b_h"),
    "nbrc": ("NBR", "U_a U_c U", "W_a W_c", "b_a b_c 0"),
    "ran": ("RAN", "W_cx W_ix W_fx", "W_ih W_fh", "b_i b_f"),
    "star": ("STAR", "W_z W_x", "W_h", "b_z b_k"),
    "ugrnn": ("UGRNN", "W_cx W_gx", "W_ch W_gh", "b_c b_g"),
}
"""Spec -> the package's layer, and what stands in its three tensors."""


def _weights(layer: nn.Module) -> dict[str, Tensor]:
    return {name.rpartition(".")[2]: value.detach() for name, value in layer.named_parameters()}


def _stacked(weights: dict[str, Tensor], names: Sequence[str]) -> Tensor:
    n = next(iter(weights.values())).shape[0]
    return torch.cat([torch.zeros(n) if name == "0" else weights[name] for name in names])


def jax(cell: str, layer: nn.Module, inputs: Sequence[Tensor], upstream: Tensor, threads: int) -> Runner:
    """The LSTM by lax.scan: the input's products in one, the state's stacked."""
    _only("lstm", cell)
    _need("jax")
    import jax
    import jax.numpy as jnp
    import numpy as np

    weights = _weights(layer)
    given = [jnp.asarray(_stacked(weights, [f"{kind}_{gate}" for gate in GATES]).numpy()) for kind in ("U", "W", "b")]
    x, up = jnp.asarray(inputs[0].detach().numpy()), jnp.asarray(upstream.numpy())

    def run(x: Any, u: Any, w: Any, b: Any) -> Any:
        n = u.shape[1]

        def step(carry: Any, wx: Any) -> Any:
            h, c = carry
            i, f, o, z = jnp.split(h @ u.T + wx, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(z)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((x.shape[1], n), x.dtype)
        return jax.lax.scan(step, (zero, zero), x @ w.T + b)[1]

    infer = jax.jit(run)
    train = jax.jit(jax.value_and_grad(lambda *a: (run(*a) * up[: len(a[0])]).sum(), argnums=(0, 1, 2, 3)))

    def results() -> list[Tensor]:
        output = infer(x[:PARITY_STEPS], *given)
        grads = train(x[:PARITY_STEPS], *given)[1]
        return [torch.from_numpy(np.array(value)) for value in (output, grads[0])]

    return Runner(
        lambda: jax.block_until_ready(train(x, *given)),
        lambda: jax.block_until_ready(infer(x, *given)),
        results,
        threads,
        own_threads=True,
    )


def onnxruntime(cell: str, layer: nn.Module, inputs: Sequence[Tensor], upstream: Tensor, threads: int) -> Runner:
    """ONNX's LSTM operator, in inference."""
    _only("lstm", cell)
    _need("onnxruntime")
    _need("onnx")
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = _weights(layer)
    order = "iofc"  # as ONNX has them
    n = weights["b_i"].shape[0]
    bias = _stacked(weights, [f"b_{gate}" for gate in order])
    constants = {
        "W": _stacked(weights, [f"W_{gate}" for gate in order]).unsqueeze(0),
        "R": _stacked(weights, [f"U_{gate}" for gate in order]).unsqueeze(0),
        "B": torch.cat([bias, torch.zeros_like(bias)]).unsqueeze(0),
    }
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["X", "W", "R", "B"], ["Y"], hidden_size=n)],
        "lstm",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["T", *inputs[0].shape[1:]])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.contiguous().numpy(), name) for name, value in constants.items()],
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {"X": inputs[0].detach().numpy()}

    def results() -> list[Tensor]:
        return [torch.from_numpy(session.run(None, {"X": given["X"][:PARITY_STEPS]})[0][:, 0])]

    return Runner(None, lambda: session.run(None, given), results, threads, own_threads=True)


def torchrecurrent(cell: str, layer: nn.Module, inputs: Sequence[Tensor], upstream: Tensor, threads: int) -> Runner:
    """The package's layer of the same equations."""
    if cell not in TORCHRECURRENT:
        raise ValueError("torchrecurrent has it under no name known here")
    _need("torchrecurrent")
    import torchrecurrent

    name, *tensors = TORCHRECURRENT[cell]
    weights = _weights(layer)
    m, n = inputs[0].shape[-1], upstream.shape[-1]
    theirs = getattr(torchrecurrent, name)(m, n, recurrent_bias=False)
    own = dict(theirs.named_parameters())
    with torch.no_grad():
        for key, content in zip(("weight_ih", "weight_hh", "bias_ih"), tensors, strict=True):
            own[f"cells.0.{key}"].copy_(_stacked(weights, content.split()))
        if "cells.0.beta" in own:
            own["cells.0.beta"].fill_(1.0)
    runner = layer_runner(lambda x: theirs(x)[0], [*inputs, *theirs.parameters()], inputs, upstream)
    every = runner.results
    runner.results = lambda: every()[: 1 + len(inputs)]  # its weights are named and stacked in its own way
    return runner


def _only(expected: str, cell: str) -> None:
    if cell != expected:
        raise ValueError(f"written for {expected} alone")


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{package} is not installed")


Peer = Callable[[str, nn.Module, Sequence[Tensor], Tensor, int], Runner]
PEERS: dict[str, Peer] = {"jax": jax, "onnxruntime": onnxruntime, "torchrecurrent": torchrecurrent}
