"""Parts of vectors in the programs of kernels: slices are read where they lie, their cotangents are concatenations."""

from __future__ import annotations

import pytest

import celldsl
from celldsl.check.width import Width
from celldsl.schedule import plan_kernels
from celldsl.schedule.cpu_statements import Concat, Take
from celldsl.symbolic import lower
from celldsl.symbolic.algebra import width_of, width_value

STACKED = """
cell Stacked {
  param U: (3 n)×n
  param W: (3 n)×m
  v_t = U h_{t-1} + W x_t + b
  h_t = σ(v_t[1..n]) ⊙ h_{t-1} + tanh(v_t[%s])
}"""


def concats(source: str) -> list[list[str]]:
    """The widths of the parts of each concatenation of the backward program."""
    schedule = plan_kernels(lower(celldsl.compile(source).checked))
    shapes = schedule.programs.shapes
    return [
        [f"{part.name}: {shapes[part].width}" for part in statement.parts]
        for statement in schedule.programs.backward
        if isinstance(statement, Concat)
    ]


def test_cotangents_of_slices_are_put_together_with_zeros_where_nothing_is_read() -> None:
    assert concats(STACKED % "n+1 .. 2n") == [["d_v_1_n: n", "d_v_n_1_2_n: n", "zeros: n"]]
    assert concats(STACKED % "2n+1 .. 3n") == [["d_v_1_n: n", "zeros: n", "d_slice: n"]]


def test_slices_that_overlap_are_placed_one_by_one() -> None:
    found = concats(STACKED % "n .. 2n-1")
    assert [[part.split(": ")[1] for part in parts] for parts in found] == [["n", "2 n"], ["n - 1", "n", "n + 1"]]


def test_a_slice_is_no_work() -> None:
    schedule = plan_kernels(lower(celldsl.compile("haste_layernorm_lstm").checked))
    taken = {s.symbol: s for s in schedule.programs.forward if isinstance(s, Take)}
    assert len(taken) == 4
    starts = [sum((shape.width for shape in s.before), Width()) for s in taken.values()]
    assert [str(start) for start in starts] == ["0", "n", "2 n", "3 n"]
    assert {schedule.forward.places[symbol].buffer.name for symbol in taken} == {"v"}
    assert not any(set(group.made) & set(taken) for stage in schedule.forward.stages for group in stage.groups)


@pytest.mark.parametrize("text", ["0", "3", "n", "n - 1", "3 m n/k + 2", "m/2"])
def test_widths_and_polynomials_are_each_other(text: str) -> None:
    m, n, k = (Width.of(name) for name in "mnk")
    width = {
        "0": Width(),
        "3": Width.of(3),
        "n": n,
        "n - 1": n + Width.of(-1),
        "3 m n/k + 2": m * n / k * 3 + 2,
        "m/2": m / 2,
    }[text]
    assert str(width) == text
    assert width_of(width_value(width)) == width


def test_block_diagonal_matrices_are_products_and_gradients_of_their_blocks() -> None:
    from celldsl.schedule.cpu import takes

    cell = celldsl.compile("flash_lstm").checked
    schedule = plan_kernels(lower(cell))
    (forward,) = schedule.forward.products
    assert dict(zip([str(s) for s in forward.operands], map(str, forward.blocks), strict=True)) == {
        "h_{t-1}": "heads",
        "x_t": "None",
    }
    through = next(p for p in schedule.backward.products if p.blocks[0] is not None)
    assert {str(blocks) for blocks in through.blocks} == {"heads"}
    products = {tuple(str(w.blocks) for w in product.weights) for product in schedule.weight_products}
    assert products == {("heads",), ("None", "None", "None", "None")}
    # 4 (n^2 / heads + m n) reals stand in memory, not 4 (n^2 + m n).
    sizes = {"m": 1, "n": 512, "heads": 8}
    assert not takes(cell, sizes, 4)
    assert takes(cell, {**sizes, "heads": 1}, 4)
    assert "one product, h_1 in heads parts" in str(schedule)
