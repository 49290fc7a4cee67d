"""From text to a verified module, for cells that use each feature of the language, and for hostile names."""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl.runtime import verify
from celldsl.runtime.trial import Case, Trial

torch.set_num_threads(1)

CELLS = {
    "names of SymPy": "h_t = tanh(E x_t + N h_{t-1} + pi) * σ(Q x_t + O h_{t-1} + zeta + S x_t + I h_{t-1} + beta)",
    "names of Python": "h_t = tanh(lambda x_t + class h_{t-1} + self) * σ(import x_t + None h_{t-1} + print)",
    "names of torch": "torch_t = tanh(weight x_t + nn h_{t-1} + layers)\n h_t = torch_t + math h_{t-1} + F * torch_t",
    "names of modules": "h_t = tanh(forward x_t + training h_{t-1} + state_dict) * σ(parameters x_t + to)",
    "names of arguments": "state_t = σ(input x_t + V state_{t-1})\n output_t = state_t\n h_t = output_t + h_{t-1}",
    "far delays": "h_t = tanh(U h_{t-1} + V h_{t-2} + W x_t + A x_{t-1} + B x_{t-3} + b)",
    "scalars": "param p: scalar\n a_t = W x_t + U h_{t-1}\n s_t = sum(a_t)\n h_t = s_t * tanh(a_t) + p * h_{t-1}",
    "first values": "init h_0 = learned; init c_0 = 0.5\n c_t = b * c_{t-1} + W x_t\n h_t = tanh(U h_{t-1} + c_{t-1})",
    "a projection": "state c: p\n i_t = σ(W x_t + U h_{t-1})\n c_t = i_t * c_{t-1} + V x_t\n h_t = R (i_t * tanh(c_t))",
    "two inputs": "input x: m, s: k\n h_t = tanh(W x_t + V s_t + U h_{t-1} + b)",
    "x as wide as h": "r_t = σ(W x_t + U h_{t-1})\n h_t = r_t * h_{t-1} + (1 - r_t) * x_t",
    "stacked vectors": "f_t = σ(W [h_{t-1}; x_t] + b)\n h_t = f_t * h_{t-1} + (1 - f_t) * tanh(V [x_t, f_t])",
    "derived parameters": "hyper gamma = 0.01\n A = U - U^T - gamma I\n h_t = h_{t-1} + tanh(A h_{t-1} + W x_t + b)",
    "a setting that is a width": "hyper k = 3\n dim r = n / k\n param P: r×n\n h_t = tanh(P^T P h_{t-1} + W x_t)",
    "another output": "state h: n\n h_t = tanh(W x_t + U h_{t-1})\n y_t = tanh(V h_t)",
    "no state": "h_t = tanh(W x_t + b)",
    "vectors as wholes": "h_t = tanh(g * layernorm(W x_t) + U softmax(h_{t-1}) + cumax(h_{t-1}) + dot(h_{t-1}, p))",
    "functions": "h_t = hard_sigmoid(W x_t + U h_{t-1}) + gelu(b) * elu(W x_t) + min(h_{t-1}, silu(W x_t))",
}


@pytest.mark.parametrize("name", CELLS)
def test_the_module_is_what_the_equations_say(name):
    cell = celldsl.compile(f"cell Made {{\n {CELLS[name]}\n}}")
    rows = [*verify.size_rows(cell), *verify.script_rows(cell)]
    for case in (Case(5, 3, state=True), Case(4, 2, state=False, layers=2, bidirectional=True)):
        rows += verify.against_oracle(cell, case, torch.float64)
    rows += verify.against_oracle(cell, Case(3, 2, state=True), torch.float32)
    assert [row for row in rows if not row.ok] == []
    assert len(rows) >= 8


@pytest.mark.parametrize("name", ["names of SymPy", "names of Python", "names of torch"])
def test_state_dicts_read_like_the_paper(name):
    cell = celldsl.compile(f"cell Made {{\n {CELLS[name]}\n}}")
    keys = cell.rnn(3, 4).state_dict()
    for key, parameter in zip(keys, cell.parameters, strict=True):  # `class_`: saved TorchScript cannot read `class`
        assert key.removeprefix("layers.l0.") in (parameter, f"{parameter}_")


def test_a_cell_may_have_any_name():
    for name in ("Tensor", "None", "torch", "Cell", "import"):
        cell = celldsl.compile(f"cell {name} {{ h_t = tanh(W x_t + U h_{{t-1}}) }}")
        trial = Trial.of(cell, Case(2, 2, state=True), torch.float64)
        assert verify.compare.difference(trial.by_module(), trial.by_oracle())[0] <= 1e-12


def test_settings_are_arguments():
    cell = celldsl.compile(f"cell Made {{\n {CELLS['derived parameters']}\n}}")
    one, other = cell.rnn(3, 4), cell.rnn(3, 4, gamma=0.5)
    other.load_state_dict(one.state_dict())
    x = torch.randn(5, 2, 3)
    assert not torch.equal(one(x)[0], other(x)[0])
