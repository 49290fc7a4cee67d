"""The oracle against loops written by hand and against torch's own functions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import celldsl
from celldsl.functions import FUNCTIONS
from celldsl.runtime import oracle

torch.set_num_threads(1)


def checked(text: str):
    return celldsl.compile(text).checked


def parameters(cell, sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        info.name: torch.randn(
            [int(dim.at(sizes)) for dim in info.shape.dims],
            generator=generator,
            dtype=torch.float64,
            requires_grad=True,
        )
        for info in cell.parameters
    }


def sequence(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_lstm_is_torchs_lstm():
    cell, sizes = checked("lstm"), {"m": 3, "n": 5}
    p, x = parameters(cell, sizes), sequence(7, 2, 3)
    state = sequence(2, 2, 5, seed=2)
    module = torch.nn.LSTM(3, 5, dtype=torch.float64)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.cat([p[f"W_{gate}"] for gate in "ifco"]))
        module.weight_hh_l0.copy_(torch.cat([p[f"U_{gate}"] for gate in "ifco"]))
        module.bias_ih_l0.copy_(torch.cat([p[f"b_{gate}"] for gate in "ifco"]))
        module.bias_hh_l0.zero_()
    found = oracle.run(cell, p, {"x": x}, sizes, tuple(state))
    output, (h, c) = module(x, (state[:1], state[1:]))
    torch.testing.assert_close(found.output, output, rtol=0, atol=1e-14)
    torch.testing.assert_close(found.state, (h[0], c[0]), rtol=0, atol=1e-14)
    assert found.signals.keys() == {"x", "i", "f", "o", "c", "h"}
    assert found.signals["c"].shape == (7, 2, 5)
    gradient = torch.autograd.grad(found.output.sum(), p["U_f"])[0]
    expected = torch.autograd.grad(output.sum(), module.weight_hh_l0)[0][5:10]
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-13)


def test_old_values_are_old_and_reach_back_as_far_as_read():
    cell = checked("cell D { state h: n\n input x: n\n h_t = 2 h_{t-1} + 3 h_{t-2} + 5 x_{t-1} + x_t }")
    x = sequence(6, 2, 4)
    older, old, before = sequence(3, 2, 4, seed=3)
    # The state: h one step back, x one step back, then h two steps back.
    found = oracle.run(cell, {}, {"x": x}, {"n": 4}, (old, before, older))
    rows = []
    for t in range(6):
        new = 2 * old + 3 * older + 5 * before + x[t]
        older, old, before = old, new, x[t]
        rows.append(new)
    torch.testing.assert_close(found.output, torch.stack(rows))
    torch.testing.assert_close(found.state, (old, before, older))


def test_two_halves_are_the_whole():
    cell, sizes = checked("cell D { h_t = tanh(U h_{t-1} + V h_{t-2} + W x_t + A x_{t-1}) }"), {"m": 3, "n": 4}
    p, x = parameters(cell, sizes), sequence(6, 2, 3)
    whole = oracle.run(cell, p, {"x": x}, sizes)
    first = oracle.run(cell, p, {"x": x[:2]}, sizes)
    second = oracle.run(cell, p, {"x": x[2:]}, sizes, first.state)
    torch.testing.assert_close(torch.cat([first.output, second.output]), whole.output)
    torch.testing.assert_close(second.state, whole.state)


def test_first_values():
    cell = checked("cell D { init h_0 = 0.5; init c_0 = learned\n c_t = c_{t-1} + W x_t\n h_t = h_{t-1} + c_{t-1} }")
    sizes = {"m": 1, "n": 2}
    p = parameters(cell, sizes) | {"c_0": torch.tensor([3.0, 4.0], dtype=torch.float64)}
    found = oracle.run(cell, p, {"x": sequence(1, 2, 1)}, sizes)
    assert found.output[0].tolist() == [[3.5, 4.5], [3.5, 4.5]]


def test_scalars_stretch():
    cell = checked("cell S { a_t = W x_t\n s_t = sum(a_t)\n h_t = s_t * a_t + s_t + h_{t-1} }")
    sizes = {"m": 3, "n": 4}
    p, x = parameters(cell, sizes), sequence(1, 2, 3)
    found = oracle.run(cell, p, {"x": x}, sizes)
    a = x[0] @ p["W"].T
    s = a.sum(-1, keepdim=True)
    torch.testing.assert_close(found.output[0], s * a + s)
    assert found.signals["s"].shape == (1, 2, 1)


def test_settings_derived_parameters_and_widths():
    cell = checked("""
        cell A {
          hyper gamma = 0.5
          const two = 2
          dim r = n / 2
          param P: r×n
          A = U - U^T - gamma I
          h_t = tanh(A h_{t-1} + two * W x_t + P^T P b) + 1/sqrt(n) * h_{t-1}
        }""")
    sizes = {"m": 3, "n": 4}
    p, x, h = parameters(cell, sizes | {"r": 2}), sequence(1, 2, 3), sequence(2, 4, seed=5)
    found = oracle.run(cell, p, {"x": x}, sizes, (h,), settings={"gamma": 0.25})
    a = p["U"] - p["U"].T - 0.25 * torch.eye(4, dtype=torch.float64)
    expected = torch.tanh(h @ a.T + 2 * x[0] @ p["W"].T + p["P"].T @ p["P"] @ p["b"]) + h / 2
    torch.testing.assert_close(found.output[0], expected)


def test_constant_gates_and_stacks():
    cell = checked("cell C { g_t = σ(b)\n h_t = g_t * h_{t-1} + W [h_{t-1}; x_t] }")
    sizes = {"m": 3, "n": 4}
    p, x, h = parameters(cell, sizes), sequence(1, 2, 3), sequence(2, 4, seed=5)
    found = oracle.run(cell, p, {"x": x}, sizes, (h,))
    expected = torch.sigmoid(p["b"]) * h + torch.cat([h, x[0]], -1) @ p["W"].T
    torch.testing.assert_close(found.output[0], expected)
    assert found.signals["g"].shape == (1, 2, 4)


ELSEWHERE = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # the derivative of F.hardsigmoid is 1/6 in single precision
    "hard_tanh": F.hardtanh,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "silu": F.silu,
    "gelu": F.gelu,
    "elu": F.elu,
    "leaky_relu": F.leaky_relu,
    "exp": torch.exp,
    "log_sigmoid": F.logsigmoid,
    "abs": torch.abs,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "floor": torch.floor,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softmax": lambda x: F.softmax(x, -1),
    "cumsum": lambda x: torch.cumsum(x, -1),
    "cumax": lambda x: torch.cumsum(F.softmax(x, -1), -1),
    "layernorm": lambda x: F.layer_norm(x, x.shape[-1:]),
    "rmsnorm": lambda x: F.rms_norm(x, x.shape[-1:], eps=1e-5),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1, keepdim=True).expand_as(x),
    "sum": lambda x: x.sum(-1, keepdim=True).expand_as(x),
    "mean": lambda x: x.mean(-1, keepdim=True).expand_as(x),
}
P, Q = sequence(2, 5, seed=6)
TWO = {
    "max": ("max(x_t, 2 h_{t-1})", torch.maximum),
    "min": ("min(x_t, 2 h_{t-1})", torch.minimum),
    "clamp": ("clamp(x_t, -0.5, 0.25) + 0 h_{t-1}", lambda x, h: torch.clamp(x, -0.5, 0.25)),
    "dot": ("dot(x_t, 2 h_{t-1}) * x_t", lambda x, h: (x * h).sum(-1, keepdim=True) * x),
    "outer": ("outer(p, q) x_t + 0 h_{t-1}", lambda x, h: P * (x * Q).sum(-1, keepdim=True)),
}


def test_every_function_is_compared_below():
    assert ELSEWHERE.keys() | TWO.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_functions_are_torchs(name):
    cell = checked(f"cell One {{ input x: n\n h_t = 0 h_{{t-1}} + {name}(x_t) }}")
    x = 2 * sequence(1, 3, 5)
    if name in {"log", "sqrt"}:
        x = x.abs()
    x.requires_grad_()
    found, expected = oracle.run(cell, {}, {"x": x}, {"n": 5}).output[0], ELSEWHERE[name](x[0])
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(
        torch.autograd.grad(found.pow(2).sum(), x, allow_unused=True)[0],
        torch.autograd.grad(expected.pow(2).sum(), x, allow_unused=True)[0],
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("name", sorted(TWO))
def test_functions_of_two(name):
    formula, expected = TWO[name]
    cell = checked(f"cell Two {{ input x: n\n h_t = {formula} }}")
    x, h = sequence(1, 3, 5), sequence(3, 5, seed=4)
    found = oracle.run(cell, {"p": P, "q": Q}, {"x": x}, {"n": 5}, (h,)).output[0]
    torch.testing.assert_close(found, expected(x[0], 2 * h))
