"""How parameters and states start: expressions of draws, frozen parameters, states from minus infinity."""

from __future__ import annotations

import math

import build
import pytest
import torch

from celldsl.runtime import oracle

GATES = "h_t = σ(V h_{t-1} + b_f) ⊙ tanh(W x_t + U h_{t-1} + b_i)"


def step(lines: str, m: int = 3, n: int = 40, **options):
    torch.manual_seed(2)
    return build.layer(f"{GATES}\n{lines}", m, n, dtype=torch.float64, **options).layers["l0"]


def test_draws_functions_and_other_parameters():
    found = step("hyper T = 784\ninit b_f = log(uniform(1, T - 1))\ninit b_i = -b_f")
    assert torch.equal(found.b_i, -found.b_f)
    assert 0 <= found.b_f.min() < found.b_f.max() <= math.log(783)
    assert found.b_f.std() > 0.5
    assert step("hyper T = 784\ninit b_f = log(uniform(1, T - 1))", T=3.0).b_f.max() <= math.log(2)


def test_a_formula_in_row_and_column():
    found = step("init U = (2 i + 1) * (clamp(i - j + 1, 0, 1) * ((-1)^(i - j + 1) + 1) - 1)\ninit b_i = 2 i + 1", n=4)
    legendre = [[(2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1)) for j in range(4)] for i in range(4)]
    assert found.U.tolist() == legendre
    assert found.b_i.tolist() == [1, 3, 5, 7]


def test_a_sparse_reservoir_of_a_spectral_radius():
    found = step("init U = spectral(0.9, uniform(1) * bernoulli(0.2))\ninit V = 0.5 * orthogonal")
    assert 0.1 < (found.U != 0).double().mean() < 0.3
    assert torch.linalg.eigvals(found.U).abs().max().item() == pytest.approx(0.9)
    torch.testing.assert_close(4 * found.V @ found.V.T, torch.eye(40, dtype=torch.float64))


def test_zeros_keep_their_radius():
    assert not step("init U = spectral(0.9, uniform(1) * bernoulli(0))", n=3).U.any()


def test_frozen_parameters_are_saved_and_not_trained():
    layer = build.layer("param U: n×n frozen\nparam V: n×n blocks(2) frozen\n" + GATES, 3, 4)
    assert {"layers.l0.U", "layers.l0.V"} <= layer.state_dict().keys()
    assert not {name for name, _ in layer.named_parameters()} & {"layers.l0.U", "layers.l0.V"}
    assert layer.layers["l0"].U.any()
    before = layer.layers["l0"].U.clone()
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    torch.optim.SGD(layer.parameters(), 0.1).step()
    assert torch.equal(layer.layers["l0"].U, before)
    scripted = torch.jit.script(layer)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(scripted(x)[0], layer(x)[0])


def test_bounds_hold_from_the_start_and_after_a_step():
    lines = """
        hyper T = 4
        constrain abs(b_i) <= 2^(1/T)
        constrain b_f >= 0
        constrain U <= 0.01
        init b_f = normal(1)
        init b_i = normal(9)"""
    layer = build.layer(GATES + lines, 3, 40, dtype=torch.float64, num_layers=2, T=2.0)
    for found in layer.layers.values():
        assert found.b_i.abs().max().item() == pytest.approx(math.sqrt(2))
        assert found.b_f.min().item() == 0
        assert found.U.max().item() == pytest.approx(0.01)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 1
    assert layer.layers["l1"].b_i.max() > 2
    layer.constrain_()
    for found in layer.layers.values():
        assert found.b_i.max().item() == pytest.approx(math.sqrt(2))
        assert found.U.max().item() == pytest.approx(0.01)
        assert found.W.max() > 1  # nothing was said about it
    torch.jit.script(layer)


SOFTMAX = """
    i_t = W_i x_t + U_i h_{t-1} + b_i
    m_t = max(m_{t-1} - k, i_t)
    c_t = exp(m_{t-1} - k - m_t) ⊙ c_{t-1} + exp(i_t - m_t) ⊙ tanh(W_c x_t + b_c)
    s_t = exp(m_{t-1} - k - m_t) ⊙ s_{t-1} + exp(i_t - m_t)
    h_t = c_t / s_t
    init m_0 = -inf"""


def test_a_maximum_from_minus_infinity():
    torch.manual_seed(3)
    cell = build.cell(SOFTMAX)
    layer = build.layer(SOFTMAX, 3, 4, dtype=torch.float64)
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    own = dict(layer.layers["l0"].named_parameters())
    results = []
    for output in (layer(x)[0], oracle.run(cell, own, {"x": x}, {"m": 3, "n": 4}).output):
        leaves = [x, *own.values()]
        results.append([output, *torch.autograd.grad(output.square().sum(), leaves, allow_unused=True)])
    for one, other in zip(*results, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
