"""The Python interface as the README shows it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

import celldsl
from celldsl import relatives
from celldsl.library import load

ROOT = Path(__file__).resolve().parent.parent
torch.set_num_threads(1)

MINE = """cell Mine extends LSTM {
  i_t = 1 - f_t
  claim params = 3 (m n + n^2 + n)
}
"""


# --- where specs come from -----------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling", ["lstm1", "LSTM1", "Lstm1", str(ROOT / "specs" / "lstm1.cell"), ROOT / "specs/lstm1.cell"]
)
def test_a_spec_is_a_name_or_a_path(spelling):
    assert celldsl.compile(spelling).checked == celldsl.compile("lstm1").checked


def test_a_spec_is_text():
    cell = celldsl.compile(MINE)
    assert cell.name == "Mine"
    assert cell.count(m=28, n=50) == 3 * (28 * 50 + 50 * 50 + 50)


def test_standard_input(monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(MINE))
    assert load("-").text == MINE


def test_the_zoo():
    assert {"gru", "gru_reset_after", "lstm", "lstm1", "lstm2", "lstm3", "rnn", "ulstm"} <= set(celldsl.zoo())
    assert celldsl.zoo() == sorted(celldsl.zoo())


def test_the_last_cell_of_a_file_is_meant():
    assert celldsl.compile(MINE + "cell Yours extends Mine { f_t = σ(b_f) }").name == "Yours"


def test_cells_beside_a_file_are_found(tmp_path):
    (tmp_path / "mine.cell").write_text(MINE, encoding="utf-8")
    (tmp_path / "yours.cell").write_text("cell Yours extends Mine { f_t = σ(b_f) }", encoding="utf-8")
    cell = celldsl.compile(tmp_path / "yours.cell")
    assert cell.checked.parent == "Mine"
    alone = celldsl.compile(cell.spec)
    assert alone.checked.equations == cell.checked.equations
    assert alone.checked.parameters == cell.checked.parameters


def test_files_in_a_circle_are_refused(tmp_path):
    (tmp_path / "one.cell").write_text("cell One extends Two { b = b }", encoding="utf-8")
    (tmp_path / "two.cell").write_text("cell Two extends One { b = b }", encoding="utf-8")
    with pytest.raises(celldsl.SpecError, match="refer to each other"):
        celldsl.compile(tmp_path / "one.cell")


def test_the_errors_of_a_file_beside_hide_none_of_ones_own(tmp_path):
    (tmp_path / "p.cell").write_text("cell P { h_t = tanh(W x_t + b }", encoding="utf-8")
    mine = "cell C extends P { b = b }\ncell D {\n h_t = tanhh(W x_t + U h_{t-1})\n claim params = params(P)\n}"
    (tmp_path / "c.cell").write_text(mine, encoding="utf-8")
    with pytest.raises(celldsl.SpecError) as caught:
        celldsl.compile(tmp_path / "c.cell")
    assert [each.code for each in caught.value.diagnostics] == ["unknown-function", "unclosed-bracket"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("lstn1", "did you mean lstm1?"),
        ("quite_another_thing", "celldsl zoo lists"),
        ("specs/lstm9.cell", "no file"),
        ("nowhere/lstm1.cell", "write lstm1 alone"),
        ("", "no spec is named"),
        ("./tests", "is a folder"),
        ("specs", "is a folder"),
        (".", "is a folder"),
    ],
)
def test_what_is_not_there_is_an_error_page(asked, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(celldsl.SpecError, match=says) as caught:
        celldsl.compile(asked)
    assert [diagnostic.severity for diagnostic in caught.value.diagnostics] == ["error"]


def test_what_is_not_text_is_an_error_page(tmp_path):
    (tmp_path / "a.cell").write_bytes(b"cell A { h_t = \xff }")
    with pytest.raises(celldsl.SpecError, match="not UTF-8 text"):
        celldsl.compile(tmp_path / "a.cell")


def test_an_unknown_parent_is_named_with_its_neighbours(tmp_path):
    with pytest.raises(celldsl.SpecError, match="LSTM"):
        celldsl.compile("cell A extends LSMT { i_t = 1 - f_t }")


# --- what a cell answers -------------------------------------------------------------------


def test_formulas():
    import sympy

    m, n = (sympy.Symbol(name, positive=True, integer=True) for name in "mn")
    cell = celldsl.compile("lstm")
    assert sympy.expand(cell.params - 4 * (m * n + n**2 + n)) == 0
    assert cell.state_size == 2 * n
    assert cell.flops.free_symbols == {m, n}
    assert cell.count(m=28, n=50) == 15800
    assert type(cell.count(m=28, n=50)) is int


@pytest.mark.parametrize(("sizes", "says"), [({"m": 3}, "missing n"), ({"m": 3, "n": 4, "k": 5}, "no width k")])
def test_count_wants_the_cells_own_widths(sizes, says):
    with pytest.raises(TypeError, match=says):
        celldsl.compile("lstm").count(**sizes)


def test_names_and_widths():
    cell = celldsl.compile("lstm1")
    assert cell.inputs == {"x": "m"}
    assert list(cell.states.items()) == [("h", "n"), ("c", "n")]
    assert list(cell.intermediates) == ["i", "f", "o"]
    assert cell.parameters["W_c"] == "n×m"
    assert cell.parameters["b_c"] == "n"
    assert cell.doc.startswith("LSTM1")
    assert cell.diagnostics == ()
    assert len(cell.claims) == 4


def test_stages_are_reached_from_the_cell():
    cell = celldsl.compile("lstm")
    assert cell.schedule.cell == cell.checked
    assert cell.form.cell == cell.checked
    assert "class LSTMCell" in cell.source()
    assert r"\begin{align}" in cell.latex()
    assert all(rf"\tag{{{k}}}" in cell.latex() for k in range(1, 6))


def test_latex_of_a_variant_holds_the_inherited_equations_too():
    latex = celldsl.compile("lstm1").latex()
    assert [label for label in range(1, 16) if rf"\tag{{{label}}}" in latex] == [4, 5, 7, 8, 9]


def test_as_people_see_it():
    cell = celldsl.compile("lstm")
    assert repr(cell).startswith("<cell LSTM: inputs x: m, states h: n, c: n, ")
    assert cell._repr_latex_() == cell.latex()
    page = cell._repr_html_()
    assert "<table>" in page
    assert "&amp;" in page  # the alignment marks are escaped


# --- modules -------------------------------------------------------------------------------


def test_a_layer():
    rnn = celldsl.compile("lstm").rnn(28, 50, num_layers=2, bidirectional=True, backend="auto")
    output, (h, c) = rnn(torch.randn(3, 2, 28))
    assert output.shape == (3, 2, 100)
    assert h.shape == c.shape == (4, 2, 50)


def test_a_step():
    output, state = celldsl.compile("lstm").step(28, 50)(torch.randn(2, 28))
    assert output.shape == (2, 50)
    assert len(state) == 2


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("jordan_rnn", {}, "Jordan_RNN needs k by name: k=…"),
        ("jordan_rnn", {"k": 3, "q": 3}, "no width or setting 'q': it has k"),
        ("lstm", {"x": 3}, "no width or setting 'x': it has none"),
    ],
)
def test_widths_and_settings_go_by_name(name, given, says):
    cell = celldsl.compile(name)
    for make in (cell.rnn, cell.step):
        with pytest.raises(TypeError, match=says):
            make(2, 3, **given)


def test_an_unknown_backend_lists_what_there_is():
    with pytest.raises(ValueError, match="'auto', 'cpu', 'torch'"):
        celldsl.compile("lstm").rnn(2, 3, backend="quantum")


def test_layers_are_pickled():
    rnn = celldsl.compile(MINE).rnn(2, 3)
    again = pickle.loads(pickle.dumps(rnn))
    x = torch.randn(4, 1, 2)
    assert torch.equal(rnn(x)[0], again(x)[0])


def test_public_names():
    for name in celldsl.__all__:
        assert getattr(celldsl, name) is not None
    assert set(celldsl.__all__) <= set(dir(celldsl))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        celldsl.nonsense  # noqa: B018


def test_find_knows_the_shipped_cells_in_any_case():
    assert relatives.find("ulstm") is relatives.find("ULSTM")
    assert relatives.find("nothing of the kind") is None


def test_the_spec_of_a_cell_stands_alone():
    text = """
        cell Base { h_t = tanh(W x_t + U h_{t-1}) }
        cell Mine extends Base {
          h_t = tanh(W x_t + U h_{t-1} + b)
          claim params = params(Base) + n
          claim equals RNN
        }"""
    cell = celldsl.compile(text)
    alone = celldsl.compile(cell.spec)
    assert alone.checked.equations == cell.checked.equations
    assert alone.claims == cell.claims
    assert cell.spec.count("cell ") == 2  # Base stands in it, RNN is shipped
