"""`celldsl diff` of shipped cells: the shortest account, under their own names and others."""

from __future__ import annotations

import json

import pytest

from celldsl.cli.main import main


def told(capsys, *words: str) -> tuple[int, str]:
    code = main(["diff", *words])
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ("greff_np", "lstm", "R_z is U_c"),
        ("gru", "gru_chung", "U_z is -U_z"),
        ("lstm", "torch_lstm", "b_c is b_c + d_c"),
    ],
)
def test_one_cell_under_other_names(capsys, a, b, how):
    code, out = told(capsys, a, b)
    assert code == 1  # as they are named, they are not one
    assert "equal" in out.splitlines()[0]
    assert how in out
    assert "--rename" in out
    assert told(capsys, a, b, "--rename")[0] == 0
    assert json.loads(told(capsys, a, b, "--json")[1])["up_to_names"]["equal"]


def test_flax_has_another_minimal_gated_unit(capsys):
    code, out = told(capsys, "mgu", "flax_mgu")
    assert code == 1
    assert "different" in out
    assert "(1 - f_t) ⊙ h_{t-1} + f_t ⊙ h̃_t" in out
    assert "parameters: 2 m n + 2 n² + 2 n - (2 m n + 2 n² + 3 n) = -n" in out
    assert "numbers carried: both n" in out


def test_columns_stand_under_each_other_whatever_the_names(capsys):
    _, out = told(capsys, "gru", "gru_reset_after")
    lines = out.splitlines()[1:3]
    assert lines[0].index("U_h (r_t") == lines[1].index("r_t ⊙ (U_h")
    assert "differ" not in out.splitlines()[3]


def test_greff_variants_are_told_by_what_they_lack(capsys):
    _, out = told(capsys, "greff_nog", "peephole_lstm")
    places = [line for line in out.splitlines()[1:] if "Greff_NOG" in line]
    assert [line.split() for line in places] == [["o:", "Greff_NOG", "1"]]
