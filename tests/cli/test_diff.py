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
    assert "names: f is 1 - f; h̃ is n;" in out
    assert "h̃_t: U_h (f_t ⊙ h_{t-1}) → (1 - f_t) ⊙ (U_h h_{t-1} + d_n)" in out
    assert "parameters: 2 m n + 2 n² + 2 n - (2 m n + 2 n² + 3 n) = -n" in out
    assert "numbers carried: both n" in out


def test_long_sides_stand_under_each_other(capsys):
    _, out = told(capsys, "darts_rnn", "antisymmetric_rnn")
    at = next(n for n, line in enumerate(out.splitlines()) if "h_t:" in line)
    first, second = out.splitlines()[at : at + 2]
    assert second.lstrip().startswith("→ ")
    assert first.index("(s_{1,t}") == second.index("→") + 2


def test_greff_variants_are_told_by_what_they_lack(capsys):
    _, out = told(capsys, "greff_nog", "peephole_lstm")
    assert "  from Greff_NOG to Peephole_LSTM:" in out
    assert [line.split(":")[0].strip() for line in out.splitlines() if "→" in line] == ["o_t"]


def test_names_are_told_to_programs_too(capsys):
    report = json.loads(told(capsys, "lstm", "peephole_lstm", "--json")[1])
    assert report["names"]["h"] == "y"
    assert [(d["name"], d["a"], d["b"]) for d in report["differences"]] == [
        ("i", "", "p_i ⊙ c_{t-1}"),
        ("f", "", "p_f ⊙ c_{t-1}"),
        ("o", "", "p_o ⊙ c_t"),
    ]
