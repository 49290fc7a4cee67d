"""The solver: unknown widths are found, contradictions refused, and reasons traced back to where they stand."""

from __future__ import annotations

from itertools import pairwise

from celldsl.check.unify import Solver, is_possible
from celldsl.check.width import Width
from celldsl.source import Source

SOURCE = Source("a b c d", "test.cell")
HERE, THERE = SOURCE.span(0, 1), SOURCE.span(2, 3)
N, M = Width.of("n"), Width.of("m")


def test_a_stack_leaves_the_other_part():
    solver = Solver()
    part = solver.unknown()
    assert solver.equate(part + M, N + M, HERE)
    assert solver.resolve(part) == N


def test_chains_of_unknowns():
    solver = Solver()
    row = [solver.unknown() for _ in range(50)]
    for one, other in pairwise(row):
        assert solver.equate(one, other, HERE)
    assert solver.equate(row[25], N, HERE)
    assert all(solver.resolve(each) == N for each in row)


def test_what_cannot_be_is_refused_and_changes_nothing():
    solver = Solver()
    unknown = solver.unknown()
    assert not solver.equate(N, M, HERE)
    assert not solver.equate(N, N + unknown, HERE)
    assert solver.resolve(unknown) == unknown
    assert not solver.equate(unknown + 3, Width.of(3), HERE)
    assert solver.equate(unknown + 3, Width.of(5), HERE)
    assert solver.resolve(unknown) == Width.of(2)


def test_a_width_is_positive():
    assert is_possible(N - M)
    assert not is_possible(Width())
    assert not is_possible(-N)
    assert not is_possible(Width.of(-2))


def test_the_reason_is_the_nearest_one():
    solver = Solver()
    declared = solver.site(N, "`h` is declared", THERE)
    far = solver.site(N, "`c` is declared", HERE)
    between, mine = solver.unknown(), solver.unknown()
    for one, other in ((mine, between), (between, declared), (declared, far)):
        assert solver.equate(one, other, HERE)
    reason = solver.reason(mine)
    assert reason is not None
    assert (reason.phrase, reason.span) == ("`h` is declared", THERE)
    assert solver.reason(solver.unknown()) is None


def test_ranks():
    solver = Solver()
    var = solver.shaped()
    assert var.rank == 0
    fresh = type(var)()
    assert solver.give_rank(fresh, 2, HERE, "a matrix")
    assert len(fresh.dims) == 2
    assert not solver.give_rank(fresh, 1, THERE, "a vector")
    assert solver.give_rank(solver.broken(), 1, HERE, "")
