"""The derived backward pass against torch.autograd through the oracle, over several steps, in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from celldsl.check.cell import ParameterInfo
from celldsl.runtime import oracle
from celldsl.symbolic.adjoint import Transposed, derive
from celldsl.symbolic.algebra import dim_symbol, parameter_symbol, signal_symbol
from celldsl.symbolic.lower import lower
from tests.symbolic import cells
from tests.symbolic.evaluate import forward_step, matrix_of, run_statement

torch.set_num_threads(1)
SIZES = {"m": 3, "n": 4, "p": 5}
STEPS, BATCH = 3, 2


def random_of(shape, *lead, generator):
    size = [*lead, *(int(dim.at(SIZES)) for dim in shape.dims)]
    return torch.randn(size, dtype=torch.float64, generator=generator) * 0.7


def without_derived(cell):
    """The cell with its derived parameters as parameters: the adjoint's own view of them."""
    derived = tuple(ParameterInfo(e.target, e.value.shape) for e in cell.derived)
    equations = tuple(e for e in cell.equations if not e.timeless)
    names = {e.target for e in equations}
    order = tuple(name for name in cell.order if name in names)
    used = {n.name for e in equations for n in e.value.walk() if type(n).__name__ == "Parameter"}
    parameters = tuple(p for p in (*cell.parameters, *derived) if p.name in used)
    return replace(cell, equations=equations, order=order, parameters=parameters)


def all_cells():
    return [without_derived(cell) for cell in (*cells.all_shipped(), *cells.odd())]


@pytest.mark.parametrize("cell", all_cells(), ids=lambda cell: cell.name)
def test_adjoint_equals_autograd(cell):
    generator = torch.Generator().manual_seed(1)
    parameters = {p.name: random_of(p.shape, generator=generator).requires_grad_() for p in cell.parameters}
    inputs = {
        info.name: random_of(info.shape, STEPS, BATCH, generator=generator).requires_grad_() for info in cell.inputs
    }
    deepest = max((info.depth for info in cell.states), default=0)
    state = [
        (random_of(i.shape, BATCH, generator=generator) if i.shape.rank else torch.zeros(BATCH, 1)).requires_grad_()
        for delay in range(1, deepest + 1)
        for i in cell.states
        if i.depth >= delay
    ]
    run = oracle.run(cell, parameters, inputs, SIZES, state=state)
    weight = torch.randn(run.output.shape, dtype=torch.float64, generator=generator)
    final = [torch.randn(s.shape, dtype=torch.float64, generator=generator) for s in run.state]
    loss = (run.output * weight).sum() + sum((s * w).sum() for s, w in zip(run.state, final, strict=True))
    wanted = [*parameters.values(), *inputs.values(), *state]
    expected = torch.autograd.grad(loss, wanted, allow_unused=True)
    expected = [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, expected, strict=True)]

    found = backward(cell, parameters, inputs, state, run, weight, final)
    for name, (one, other) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11, msg=lambda m, name=name: f"{name}: {m}")


def backward(cell, parameters, inputs, state, run, weight, final):
    """Gradients of parameters, inputs and first states, by the adjoint's statements alone."""
    adjoint = derive(lower(cell))
    matrices = {name: value.detach() for name, value in parameters.items()}
    fixed = {parameter_symbol(name): value for name, value in matrices.items() if value.dim() < 2}
    fixed |= {parameter_symbol(s.name): torch.tensor(float(s.value), dtype=torch.float64) for s in cell.settings}
    fixed |= {dim_symbol(name): torch.tensor(float(size)) for name, size in SIZES.items()}

    def past(name, t):
        """A signal's value at step t; before the first step, the state that was given."""
        if t >= 0:
            source = inputs[name] if name in inputs else run.signals[name]
            return source[t].detach()
        return initial[name, -t].detach()

    order = [(info.name, d) for d in range(1, 1 + max((i.depth for i in cell.states), default=0))
             for info in cell.states if info.depth >= d]  # fmt: skip
    initial = dict(zip(order, state, strict=True))
    # Cotangents of every signal's value at step t, gathered from later steps; negative t: the first states.
    gathered = {(i.name, t): 0 for i in cell.signals for t in range(-max(i.depth, 1), STEPS)}
    for t in range(STEPS):
        gathered[cell.output, t] = gathered[cell.output, t] + weight[t]
    for (name, delay), value in zip(order, final, strict=True):
        gathered[name, STEPS - delay] = gathered[name, STEPS - delay] + value

    steps: list[dict] = []
    grads = {name: torch.zeros_like(value) for name, value in matrices.items()}
    for t in reversed(range(STEPS)):
        values = dict(fixed)
        for symbol in adjoint.form.meaning:
            meaning = adjoint.form.meaning[symbol]
            if type(meaning).__name__ == "Signal" and (meaning.delay or meaning.name in inputs):
                values[symbol] = past(meaning.name, t - meaning.delay)
        forward_step(adjoint.tape, values, matrices)
        for name in cell.equation:
            torch.testing.assert_close(
                values[signal_symbol(name, 0)].expand_as(run.signals[name][t]), run.signals[name][t].detach()
            )
        for name, symbol in adjoint.given.items():
            values[symbol] = gathered[name, t] + torch.zeros_like(run.signals[name][t])
        for when in ("before", "step", "after"):
            for statement in adjoint.phase(when):
                run_statement(statement, values, matrices, {})
        for (name, delay), symbol in adjoint.earlier.items():
            gathered[name, t - delay] = gathered[name, t - delay] + values[symbol]
        for name, symbol in adjoint.inputs.items():
            gathered[name, t] = gathered[name, t] + values[symbol]
        steps.append(values)

    once = dict(steps[0])
    sums = {s.of: [v[s.of] for v in steps] for s in adjoint.phase("once") if hasattr(s, "of")}
    for statement in adjoint.phase("once"):
        run_statement(statement, once, matrices, sums)
    for w in adjoint.weights:
        outer = 0
        for values in steps if w.phase == "step" else [once]:
            cotangent, operand = values[w.cotangent], values[w.operand]
            if cotangent.dim() == 1:
                outer = outer + torch.outer(cotangent, operand)
            else:
                outer = outer + cotangent.mT @ operand.expand(cotangent.shape[0], -1)
        matrix = w.product.matrix
        if type(matrix).__name__ == "Transpose":
            grads[matrix.operand.name] = grads[matrix.operand.name] + outer.mT
        else:
            grads[matrix.name] = grads[matrix.name] + outer
    for name, symbol in adjoint.vectors.items():
        grads[name] = grads[name] + once[symbol].reshape(grads[name].shape)
    sequences = [
        torch.stack([gathered[n, t] + torch.zeros_like(v[t]) for t in range(STEPS)]) for n, v in inputs.items()
    ]
    firsts = [gathered[name, -delay] + torch.zeros_like(s) for (name, delay), s in zip(order, state, strict=True)]
    return [*grads.values(), *sequences, *firsts]


def test_lstm_reads_as_by_hand():
    text = str(derive(lower(cells.lstm())))
    for line in (
        "d_a_i = d_i*i_t*(1 - i_t)",
        "d_c = d_tanh_c*(1 - tanh_c**2) + g_c",
        "d_h_1 = U_c^T d_a_c + U_o^T d_a_o + U_f^T d_a_f + U_i^T d_a_i",
        "d(W_i) += d_a_i x_t^T",
    ):
        assert line in text
    assert text.count("= tanh(c_t)") == 1
    assert "sigmoid(" not in text


def test_products_of_the_inputs_leave_the_loop():
    adjoint = derive(lower(cells.lstm()))
    assert [str(s.symbol) for s in adjoint.phase("after")] == ["d_x"]
    assert isinstance(adjoint.phase("after")[0], Transposed)


def test_output_maps_come_before_the_loop_and_constant_gates_once():
    adjoint = derive(lower(cells.constant_gates()))
    assert [str(s.symbol) for s in adjoint.phase("before")] == ["d_sigmoid_V_c", "d_V_c", "back_c"]
    assert [str(s.symbol) for s in adjoint.phase("step")] == ["d_c", "d_c_1"]
    once = {str(s.symbol) for s in adjoint.phase("once")}
    assert {"sum_g", "total_b_g", "sum_k"} <= once
    step_reads = {str(symbol) for s in adjoint.phase("once") for symbol in s.reads}
    assert "tanh_u" not in step_reads


def test_saved_values_are_named():
    adjoint = derive(lower(cells.lstm()))
    assert [str(s) for s in adjoint.saved] == ["h_{t-1}", "x_t", "i_t", "f_t", "o_t", "c_{t-1}", "tanh_a_c", "tanh_c"]


def test_two_derivations_are_equal():
    assert str(derive(lower(cells.reduced()))) == str(derive(lower(cells.reduced())))


def test_names_avoid_the_authors():
    from tests.symbolic.hand import cell, sigmoid

    def equations(N):
        return {"a_h": sigmoid(N.W @ N.x), "h": sigmoid(N.a_h + N.U @ N.h_1 + N.d_h)}

    odd = cell("Clash", "h", {"x": "m", "a_h": "n", "h": "n"}, {"W": "n m", "U": "n n", "d_h": "n"}, equations)
    adjoint = derive(lower(odd))
    made = [str(s.symbol) for s in adjoint.statements]
    assert len(made) == len(set(made))
    assert not {"a_h", "d_h"} & set(made)


def test_matrix_of_reads_transposes():
    product = lower(cells.reduced()).products[1]
    U = torch.eye(3).double() + torch.ones(3, 3).triu()
    assert torch.equal(matrix_of(product.matrix, {"U": U}), U.mT)
