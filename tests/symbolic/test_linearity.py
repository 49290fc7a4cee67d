"""Which recurrences are linear: verdicts of published cells, and each verdict against numbers."""

from __future__ import annotations

import random

import pytest

from celldsl.symbolic import numeric
from celldsl.symbolic.linearity import recurrences
from celldsl.symbolic.lower import lower
from tests.symbolic.evaluate import value_of
from tests.symbolic.specs import ALL, body, shipped

CELLS = {
    "T-RNN": ("z_t = W_z x_t + b_z; f_t = σ(W_f x_t + b_f); h_t = f_t * h_{t-1} + (1 - f_t) * z_t", "diagonal"),
    "minGRU": ("z_t = σ(W_z x_t + b_z); h_t = (1 - z_t) * h_{t-1} + z_t * (W_h x_t + b_h)", "diagonal"),
    "minLSTM": (
        """f_t = σ(W_f x_t + b_f); i_t = σ(W_i x_t + b_i)
        h_t = f_t/(f_t + i_t) * h_{t-1} + i_t/(f_t + i_t) * (W_h x_t + b_h)""",
        "diagonal",
    ),
    "SRU v1": (
        """u_t = W x_t; f_t = σ(W_f x_t + b_f); r_t = σ(W_r x_t + b_r)
        c_t = f_t * c_{t-1} + (1 - f_t) * u_t; h_t = r_t * tanh(c_t) + (1 - r_t) * x_t""",
        "diagonal",
    ),
    "SRU v2": (
        """u_t = W x_t; f_t = σ(W_f x_t + v_f * c_{t-1} + b_f); r_t = σ(W_r x_t + v_r * c_{t-1} + b_r)
        c_t = f_t * c_{t-1} + (1 - f_t) * u_t; h_t = r_t * c_t + (1 - r_t) * x_t""",
        "elementwise",
    ),
    "QRNN fo": (
        """z_t = tanh(W_0 x_t + W_1 x_{t-1} + b_z); f_t = σ(V_0 x_t + V_1 x_{t-1} + b_f)
        o_t = σ(Q_0 x_t + Q_1 x_{t-1} + b_o); c_t = f_t * c_{t-1} + (1 - f_t) * z_t; h_t = o_t * c_t""",
        "diagonal",
    ),
    "RG-LRU": (
        """r_t = σ(W_r x_t + b_r); a_t = exp(-8 r_t * softplus(lam)); s_t = sqrt(1 - a_t^2)
        h_t = a_t * h_{t-1} + s_t * x_t""",
        "diagonal",
    ),
    "linear": ("h_t = U h_{t-1} + W x_t + b", "dense"),
    "IndRNN": ("h_t = relu(W x_t + u * h_{t-1} + b)", "elementwise"),
    "running max": ("h_t = max(h_{t-1} - exp(w), W x_t) + 1", "max-plus"),
    "not tropical": ("h_t = max(2 h_{t-1}, W x_t)", "elementwise"),
    "cancels": ("z_t = σ(W_z x_t); h_t = z_t * h_{t-1} + (1 - z_t) * h_{t-1} + W x_t", "diagonal"),
    "square cancels": ("h_t = (h_{t-1} + W x_t)^2 - h_{t-1}^2 - (W x_t)^2", "diagonal"),
    "square": ("h_t = h_{t-1}^2 + W x_t", "elementwise"),
    "quotient": ("h_t = W x_t / (2 + h_{t-1})", "elementwise"),
    "normalised": ("h_t = layernorm(h_{t-1} + W x_t)", "sequential"),
    "sum of entries": ("h_t = sum(h_{t-1}) * σ(b) + W x_t", "dense"),
    "two back": ("h_t = p * h_{t-1} + q * h_{t-2} + W x_t", "sequential"),
    "EMA of a gate": ("g_t = σ(W x_t); h_t = 0.9 h_{t-1} + 0.1 g_{t-1}", "diagonal"),
}


@pytest.mark.parametrize("name", CELLS)
def test_verdict(name):
    text, kind = CELLS[name]
    found = recurrences(lower(body(text)))
    assert found[-1].kind == kind


def test_shipped_cells_are_sequential():
    for name in ALL:
        assert [r.kind for r in recurrences(lower(shipped(name)))] == ["sequential"]


def test_a_block_of_two_states():
    cell = body(
        """dim k
        m_g = exp(-exp(nu)); l_r = m_g * cos(exp(th)); l_i = m_g * sin(exp(th))
        state a: k, b: k
        a_t = l_r * a_{t-1} - l_i * b_{t-1} + B_r x_t
        b_t = l_i * a_{t-1} + l_r * b_{t-1} + B_i x_t
        y_t = C_r a_t - C_i b_t"""
    )
    (found,) = recurrences(lower(cell))
    assert (found.states, found.kind) == (("a", "b"), "block")
    assert {key: str(a) for key, a in found.coefficients.items()} == {
        ("a", "a"): "l_r",
        ("a", "b"): "-l_i",
        ("b", "a"): "l_i",
        ("b", "b"): "l_r",
    }


def test_stages_follow_each_other():
    """GILR-LSTM: the gates read a surrogate state that is scanned first; RWKV-4: two sums under a running maximum."""
    gilr = body(
        """state s: n
        q_t = σ(V_g x_t + c_g); s_t = q_t * s_{t-1} + (1 - q_t) * tanh(V_s x_t + c_s)
        f_t = σ(W_f x_t + U_f s_{t-1}); i_t = σ(W_i x_t + U_i s_{t-1}); g_t = tanh(W_g x_t + U_g s_{t-1})
        c_t = f_t * c_{t-1} + i_t * g_t; h_t = tanh(c_t)"""
    )
    assert [(r.states, r.kind) for r in recurrences(lower(gilr))] == [(("s",), "diagonal"), (("c",), "diagonal")]
    rwkv = body(
        """k_t = K x_t; v_t = V x_t
        s_t = max(s_{t-1} - exp(w), k_t)
        p_t = exp(s_{t-1} - exp(w) - s_t) * p_{t-1} + exp(k_t - s_t) * v_t
        q_t = exp(s_{t-1} - exp(w) - s_t) * q_{t-1} + exp(k_t - s_t)
        h_t = p_t / q_t"""
    )
    assert {r.states: r.kind for r in recurrences(lower(rwkv))} == {
        ("s",): "max-plus",
        ("p",): "diagonal",
        ("q",): "diagonal",
    }


def test_coefficients_are_in_the_authors_names():
    (found,) = recurrences(lower(body(CELLS["minGRU"][0])))
    assert str(found.coefficients["h", "h"]) == "1 - z_t"
    assert str(found.offsets["h"]) == "z_t*(W_h x_t + b_h)"
    assert str(found) == "h: diagonal\n  h_t = (1 - z_t) * h_{t-1} + z_t*(W_h x_t + b_h)"


# --- verdicts against numbers --------------------------------------------------------------


def one_step(cell, sizes, seed, component):
    """The component's new values as a function of its old ones; all else at random, and fixed."""
    generator = random.Random(seed)
    every = numeric.all_sizes(cell, sizes)
    parameters = numeric.random_parameters(cell, sizes, generator)
    inputs = {i.name: [numeric.random_value(i.shape, every, generator)] for i in cell.inputs}
    others = {i.name: numeric.random_value(i.shape, every, generator) for i in cell.states}

    def step(values):
        run = numeric.run(cell, parameters, inputs, sizes, first={**others, **values})
        return {name: run[name][0] for name in component}

    def old():
        return {name: numeric.random_value(cell.signal[name].shape, every, generator) for name in component}

    return step, old


def blend(one, other):
    return {n: [0.3 * a + 0.7 * b for a, b in zip(one[n], other[n], strict=True)] for n in one}


@pytest.mark.parametrize("name", CELLS)
def test_verdict_equals_numbers(name):
    """Linear: a step of a blend is the blend of the steps. Without mixing: entry 0 changes entry 0 alone."""
    cell = body(CELLS[name][0])
    found = recurrences(lower(cell))[-1]
    if found.kind in ("map", "max-plus") or found.lag > 1:
        pytest.skip("no claim about sums of states")
    linear, apart = True, True
    for seed in range(4):
        step, old = one_step(cell, {"m": 3, "n": 3} if "m" in cell.free_dims else {"n": 3}, seed, found.states)
        one, other = old(), old()
        together, separate = step(blend(one, other)), blend(step(one), step(other))
        moved = {n: [v[0] + 0.5, *v[1:]] for n, v in one.items()}
        before, after = step(one), step(moved)
        for n in found.states:
            linear &= all(abs(a - b) < 1e-9 for a, b in zip(together[n], separate[n], strict=True))
            apart &= all(abs(a - b) < 1e-12 for a, b in zip(before[n][1:], after[n][1:], strict=True))
    assert linear == (found.kind in ("diagonal", "block", "dense"))
    assert apart == (found.kind in ("diagonal", "block", "elementwise"))


@pytest.mark.parametrize("name", [n for n in CELLS if CELLS[n][1] == "diagonal"])
def test_coefficients_equal_numbers(name):
    """a = F(1) - F(0) and b = F(0), evaluated where the step leaves the other signals."""
    import torch

    from celldsl.check import cell as checked
    from celldsl.symbolic.form import Product
    from tests.symbolic.evaluate import matrix_of

    cell = body(CELLS[name][0])
    form = lower(cell)
    found = recurrences(form)[-1]
    (state,) = found.states
    sizes = {"m": 3, "n": 3}
    sizes = {k: v for k, v in sizes.items() if k in cell.free_dims}
    generator = random.Random(3)
    every = numeric.all_sizes(cell, sizes)
    parameters = numeric.random_parameters(cell, sizes, generator)
    inputs = {i.name: [numeric.random_value(i.shape, every, generator)] for i in cell.inputs}
    others = {i.name: numeric.random_value(i.shape, every, generator) for i in cell.states}
    zero, one = (
        numeric.run(cell, parameters, inputs, sizes, first={**others, state: [value] * 3}) for value in (0.0, 1.0)
    )
    values = {}
    for symbol, meaning in form.meaning.items():
        if isinstance(meaning, checked.Parameter) and meaning.shape.rank < 2:
            values[symbol] = torch.tensor(parameters[meaning.name], dtype=torch.float64)
        elif isinstance(meaning, checked.Signal):
            source = zero[meaning.name][0] if meaning.delay == 0 else others[meaning.name]
            values[symbol] = torch.tensor(source, dtype=torch.float64)
    matrices = {k: torch.tensor(v, dtype=torch.float64) for k, v in parameters.items()}
    for atom in form.atoms:
        if isinstance(atom, Product) and atom.operand_value.free_symbols <= values.keys():
            values[atom.symbol] = matrix_of(atom.matrix, matrices) @ value_of(atom.operand_value, values)
    a, b = (value_of(e, values).expand(3) for e in (found.coefficients[state, state], found.offsets[state]))
    torch.testing.assert_close(b, torch.tensor(zero[state][0], dtype=torch.float64))
    torch.testing.assert_close(a + b, torch.tensor(one[state][0], dtype=torch.float64))
