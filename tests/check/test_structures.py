"""Structured parameters: what is stored, what it counts, and what their products are."""

from __future__ import annotations

import pytest
import sympy

from celldsl.symbolic import counts
from celldsl.symbolic.equality import compare
from celldsl.symbolic.lower import lower
from tests.check.specs import cell_of

DECLARED = {
    "diagonal": ("diagonal", {"U": "n-vector"}, "n"),
    "blocks": ("blocks(k)", {"U": "k×(n/k)×(n/k)"}, "n**2/k"),
    "lowrank": ("lowrank(k)", {"U_left": "n×k", "U_right": "k×n"}, "2*n*k"),
    "symmetric": ("symmetric", {"U": "(n^2/2 + n/2)-vector"}, "n*(n + 1)/2"),
    "orthogonal": ("orthogonal", {"U": "(n^2/2 - n/2)-vector"}, "n*(n - 1)/2"),
}


def rnn(structure: str, term: str = "U h_{t-1}", more: str = ""):
    dim = "dim k; " if "(k)" in structure else ""
    return cell_of(f"{dim}param U: n×n {structure}; h_t = tanh(W x_t + {term}); {more}")


def formula(text: str, cell) -> sympy.Expr:
    names = {name: sympy.Symbol(name, positive=True, integer=True) for name in ("m", "n", "k")}
    return sympy.expand(sympy.sympify(text, names))


@pytest.mark.parametrize("kind", DECLARED)
def test_only_the_free_numbers_are_stored_and_counted(kind: str):
    structure, stored, size = DECLARED[kind]
    cell = rnn(structure)
    assert {i.name: str(i.shape) for i in cell.parameters if i.name != "W"} == stored
    assert {i.structure[0] for i in cell.parameters if i.structure} == {kind}
    assert sympy.expand(counts.parameter_count(cell) - formula(f"m*n + {size}", cell)) == 0


@pytest.mark.parametrize(
    ("kind", "work"), [("diagonal", "n"), ("blocks", "2*n**2/k"), ("lowrank", "4*n*k"), ("symmetric", "2*n**2")]
)
@pytest.mark.parametrize("term", ["U h_{t-1}", "U^T h_{t-1}"])
def test_products_do_no_work_on_zeros(kind: str, work: str, term: str):
    cell = rnn(DECLARED[kind][0], term)
    assert sympy.expand(counts.flops(cell) - formula(f"2*m*n + {work} + 2*n", cell)) == 0


@pytest.mark.parametrize(
    ("structure", "term", "other"),
    [
        ("diagonal", "U h_{t-1}", "h_t = tanh(W x_t + U ⊙ h_{t-1})"),
        ("diagonal", "U^T h_{t-1}", "h_t = tanh(W x_t + U ⊙ h_{t-1})"),
        ("lowrank(k)", "U h_{t-1}", "dim k; param U_left: n×k; h_t = tanh(W x_t + U_left (U_right h_{t-1}))"),
        ("lowrank(k)", "U^T h_{t-1}", "dim k; param U_left: n×k; h_t = tanh(W x_t + (U_left U_right)^T h_{t-1})"),
        ("symmetric", "U^T h_{t-1}", "param U: n×n symmetric; h_t = tanh(W x_t + U h_{t-1})"),
    ],
)
def test_cells_that_are_one(structure: str, term: str, other: str):
    assert compare(rnn(structure, term), cell_of(other)).equal


def test_cells_that_are_not_one():
    one = rnn("blocks(2)")
    assert compare(one, rnn("blocks(2)", "U^T h_{t-1}")).verdict == "different"
    assert compare(one, cell_of("h_t = tanh(W x_t + U h_{t-1})")).verdict == "different"


def test_a_shared_parameter_has_the_structure_of_the_one_it_is():
    cell = cell_of("param U: n×n diagonal; share V = U; z_t = σ(V h_{t-1}); h_t = tanh(W x_t + U (z_t ⊙ h_{t-1}))")
    assert {i.name: str(i.shape) for i in cell.parameters} == {"U": "n-vector", "W": "n×m"}


def test_init_lines_fit_the_matrix_or_its_factors():
    cell = rnn("lowrank(k)", more="init U = orthogonal; init U_right = normal(0.1)")
    assert cell.parameter["U_left"].init.kind == "orthogonal"
    assert cell.parameter["U_right"].init.kind == "normal"
    for structure, number in (("diagonal", 1), ("orthogonal", 0)):
        cell = rnn(structure, more="init U = identity")
        assert (cell.parameter["U"].init.kind, *cell.parameter["U"].init.arguments) == ("constant", number)


def test_the_form_names_the_matrix_as_its_author_does():
    assert "U h_{t-1}" in {str(product) for product in lower(rnn("blocks(2)")).products}
