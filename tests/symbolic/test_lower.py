"""The symbolic form: atoms, the pointwise map, and names that are just names."""

from __future__ import annotations

import sympy

from celldsl.symbolic.algebra import CLASSES, dim_symbol, parameter_symbol, signal_symbol
from celldsl.symbolic.form import Opaque, Product
from celldsl.symbolic.lower import lower
from tests.symbolic import cells
from tests.symbolic.hand import call, cell, sigmoid


def test_products_are_atoms_and_the_rest_is_pointwise():
    form = lower(cells.lstm())
    assert [str(p) for p in form.products][:2] == ["U_i h_{t-1}", "W_i x_t"]
    line = form.line["c"]
    assert [atom.symbol.name for atom in line.atoms] == ["U_c h_{t-1}", "W_c x_t"]
    c_1, f, i = signal_symbol("c", 1), signal_symbol("f", 0), signal_symbol("i", 0)
    inner = sum((atom.symbol for atom in line.atoms), parameter_symbol("b_c"))
    assert line.value == f * c_1 + i * CLASSES["tanh"](inner)


def test_an_operand_may_read_values_of_the_step_and_earlier_atoms():
    form = lower(cells.projected())
    product = next(p for p in form.products if p.symbol.name.startswith("R"))
    assert product.operand_value == signal_symbol("o", 0) * CLASSES["tanh"](signal_symbol("c", 0))
    form = lower(cells.reduced())
    kinds = [type(atom) for atom in form.line["a"].atoms]
    assert kinds == [Opaque, Product, Opaque]  # concat, then A times it, then softmax


def test_equal_products_are_one_atom():
    def equations(N):
        return {"h": sigmoid(N.U @ N.h_1) * (N.U @ N.h_1) + N.W @ N.x}

    form = lower(cell("Twice", "h", {"x": "m", "h": "n"}, {"U": "n n", "W": "n m"}, equations))
    assert len(form.products) == 2


def test_names_of_sympy_and_python_are_just_names():
    names = ["S", "I", "N", "E", "pi", "beta", "lambda", "zoo", "Q", "gamma"]

    def equations(N):
        total = N.h_1
        for name in names:
            total = total + getattr(N, name)
        return {"h": total}

    parameters = dict.fromkeys(names, "n")
    form = lower(cell("Names", "h", {"x": "n", "h": "n"}, parameters, equations))
    for name in parameters:
        assert parameter_symbol(name) in form.line["h"].value.free_symbols
    assert str(parameter_symbol("__class__")) == "__class__"


def test_a_signal_and_a_width_of_one_name_differ():
    assert dim_symbol("n") != parameter_symbol("n")


def test_stabilised_exponentials_stay_as_written():
    exp = CLASSES["exp"]

    def equations(N):
        return {"h": call("exp", N.x - N.h_1) * call("exp", N.h_1)}

    form = lower(cell("Stable", "h", {"x": "n", "h": "n"}, {}, equations))
    x, h = signal_symbol("x", 0), signal_symbol("h", 1)
    assert form.line["h"].value == exp(x - h) * exp(h)


def test_literals_are_exact_and_keep_their_text():
    def equations(N):
        return {"h": N.h_1 * "0.96" + N.x * "1e-5"}

    form = lower(cell("Literal", "h", {"x": "n", "h": "n"}, {}, equations))
    assert form.literals == {sympy.Rational(24, 25): "0.96", sympy.Rational(1, 100000): "1e-5"}


def test_large_and_broken_powers_are_not_multiplied_out():
    def equations(N):
        return {"h": N.x**0.5 + N.h_1**1000000 + call("tanh", N.x) ** 2}

    form = lower(cell("Powers", "h", {"x": "n", "h": "n"}, {}, equations))
    for text in ("power(x_t, 1/2)", "power(h_{t-1}, 1000000)", "tanh(x_t)**2"):
        assert text in str(form)


def test_derivatives_stay_in_terms_of_the_value():
    a = sympy.Symbol("a")
    s = CLASSES["sigmoid"](a)
    assert s.diff(a) == s * (1 - s)
    assert CLASSES["tanh"](2 * a).diff(a) == 2 * (1 - CLASSES["tanh"](2 * a) ** 2)


def test_derived_matrices_stand_in_the_table():
    text = str(lower(cells.antisymmetric()))
    assert "A = U - U^T - gamma * I" in text
    assert "lam = exp(-exp(nu))" in text


def test_the_table_is_the_same_every_time():
    once, again = str(lower(cells.reduced())), str(lower(cells.reduced()))
    assert once == again
    assert "h_t = o_t*tanh(c_t)" in str(lower(cells.lstm()))
