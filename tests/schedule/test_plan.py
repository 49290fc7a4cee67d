"""What is hoisted, stacked and computed once; the schedule as a table."""

from __future__ import annotations

import pytest

from celldsl import library, relatives
from celldsl.check.cell import Signal
from celldsl.schedule import plan_module
from celldsl.schedule.schedule import Compute, Delay, Multiply, Reference, Schedule, Stack
from celldsl.schedule.table import show
from celldsl.source import Source
from celldsl.symbolic import lower


def schedule(spec: str) -> Schedule:
    """Of a shipped cell by name, or of equations."""
    source = Source(f"cell C {{\n{spec}\n}}") if "=" in spec else library.load(spec)
    return plan_module(lower(relatives.check(source)[-1]))


def products(statements: tuple) -> list[str]:
    return [f"{show(s.matrix)} | {show(s.operand)}" for s in statements if isinstance(s, Multiply)]


def computed(statements: tuple) -> list[str]:
    return [s.target.name for s in statements if isinstance(s, Compute) and isinstance(s.target, Signal)]


def test_lstm_as_a_table() -> None:
    assert (
        str(schedule("lstm"))
        == """\
stack    U = [U_i; U_f; U_o; U_c]               (4 n)×n
         W = [W_i; W_f; W_o; W_c]               (4 n)×m
         b = [b_i; b_f; b_o; b_c]               (4 n)-vector
before   wx = W x_t + b                         all steps in one product
step     a_i, a_f, a_o, a_c = U h_{t-1} + wx    one product
         i_t = sigmoid(a_i)                     (1)
         f_t = sigmoid(a_f)                     (2)
         o_t = sigmoid(a_o)                     (3)
         c_t = f_t * c_{t-1} + i_t * tanh(a_c)  (4)
         h_t = o_t * tanh(c_t)                  (5)"""
    )


def test_constant_gates_are_computed_once() -> None:
    """LSTM3: one product a step is left."""
    found = schedule("lstm3")
    assert computed(found.once) == ["i", "f", "o"]
    assert computed(found.step) == ["c", "h"]
    assert products(found.step) == ["U_c | h_{t-1}"]


def test_biases_go_where_every_row_has_one() -> None:
    """LSTM1's gates have no input: the biases of all rows go into the recurrent product. LSTM2 has one bias alone,
    which goes with the input's product."""
    one, two = schedule("lstm1"), schedule("lstm2")
    (loop,) = [s for s in one.step if isinstance(s, Multiply)]
    assert isinstance(loop.addend, Reference)
    stacks = {s.target.name: [show(part) for part in s.parts] for s in one.once if isinstance(s, Stack)}
    assert stacks[loop.addend.name] == ["b_i", "b_f", "b_o", "b_c"]
    assert [s.addend for s in one.before if isinstance(s, Multiply)] == [None]
    (loop,) = [s for s in two.step if isinstance(s, Multiply)]
    assert loop.addend is None
    assert [show(s.addend) for s in two.before if isinstance(s, Multiply)] == ["b_c"]


def test_products_in_sequence() -> None:
    """GRU's candidate needs r before its product; ULSTM's needs z."""
    assert products(schedule("gru").step) == ["U | h_{t-1}", "U_h | r_t * h_{t-1}"]
    assert products(schedule("ulstm").step) == ["U | h_{t-1}", "M | z_t * tanh(c_{t-1})"]
    for name in ("gru", "ulstm"):
        assert len(products(schedule(name).before)) == 1


def test_what_reads_no_state_leaves_the_loop() -> None:
    spec = """
        z_t = tanh(W_z x_t + V_z x_{t-1} + b_z)
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
        h_t = f_t ⊙ h_{t-1} + (1 - f_t) ⊙ z_t"""
    found = schedule(spec)
    assert computed(found.before) == ["z"]
    assert computed(found.step) == ["f", "h"]
    assert products(found.before) == ["W | x_t", "V_z | x_{t-1}"]
    assert [s.delay for s in found.before if isinstance(s, Delay)] == [1]


def test_what_no_recurrence_needs_waits_until_after_the_loop() -> None:
    found = schedule("state s: p\ns_t = tanh(W x_t + U s_{t-1} + b)\ny_t = V s_t + Q s_{t-1} + d\noutput y")
    assert computed(found.step) == ["s"]
    assert computed(found.after) == ["y"]
    assert products(found.after) == ["V | s_t", "Q | s_{t-1}"]
    assert [(signal.name, signal.delay) for signal in found.kept] == [("s", 0), ("s", 1)]


def test_columns_of_a_concatenation() -> None:
    found = schedule("f_t = σ(W_f [h_{t-1}; x_t] + b_f)\nh_t = f_t ⊙ tanh(W_g [h_{t-1}, x_t] + b_g)")
    (step,) = [s for s in found.step if isinstance(s, Multiply)]
    (before,) = [s for s in found.before if isinstance(s, Multiply)]
    assert (show(step.operand), show(before.operand)) == ("h_{t-1}", "x_t")
    stacks = [[show(part) for part in s.parts if part is not None] for s in found.once if isinstance(s, Stack)]
    assert ["W_f[:,0:n]", "W_g[:,0:n]"] in stacks


def test_a_product_that_stands_twice_is_computed_once() -> None:
    found = schedule("h_t = tanh((W x_t) ⊙ (U h_{t-1}) + q ⊙ (U h_{t-1}) + b)")
    assert products(found.step) == ["U | h_{t-1}"]
    assert products(found.before) == ["W | x_t"]


def test_every_name_is_given_once_and_before_it_is_read() -> None:
    """Over all shipped cells: a statement reads only what stands in front of it."""
    for name in library.zoo():
        found = schedule(name)
        known: set[str] = set()
        for statement in found.statements:
            parts = [getattr(statement, part, None) for part in ("value", "operand", "addend", "matrix")]
            parts += list(getattr(statement, "parts", ()))
            read = {n.name for p in parts if p is not None for n in p.walk() if isinstance(n, Reference)}
            assert read <= known, (name, statement)
            targets = getattr(statement, "into", None) or [getattr(statement, "target", None)]
            given = [target.name for target in targets if isinstance(target, Reference)]
            assert not known & set(given), (name, given)
            known.update(given)
        assert sorted(computed(tuple(found.statements))) == sorted(e.target for e in found.cell.steps), name


@pytest.mark.parametrize("name", ["lstm", "gru", "ulstm", "rnn"])
def test_a_schedule_is_plain_data(name: str) -> None:
    assert schedule(name) == schedule(name)
    assert str(schedule(name)).startswith(("stack", "before"))
