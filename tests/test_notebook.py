"""`%load_ext celldsl` and the `%%cell` magic, in IPython itself."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

SPEC = "cell Mine extends LSTM { i_t = 1 - f_t }\ncell Other { h_t = tanh(W x_t + U h_{t-1}) }"


@pytest.fixture
def shell():
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "celldsl")
    yield shell
    InteractiveShell.clear_instance()


def test_each_cell_is_bound_and_the_last_is_shown(shell):
    shown = shell.run_cell_magic("cell", "it", SPEC)
    assert shown is shell.user_ns["Other"] is shell.user_ns["it"]
    assert shell.user_ns["Mine"].name == "Mine"


def test_it_formats_as_latex_and_html(shell):
    shown = shell.run_cell_magic("cell", "", SPEC)
    data, _ = shell.display_formatter.format(shown)
    assert {"text/latex", "text/html", "text/plain"} <= data.keys()


def test_an_error_is_a_page_and_no_traceback(shell, capsys):
    assert shell.run_cell_magic("cell", "", "cell Bad { h_t = tahn(W x_t + U h_{t-1}) }") is None
    printed = capsys.readouterr()
    assert "tanh" in printed.err
    assert "Traceback" not in printed.err + printed.out


def test_a_name_that_is_none_is_refused(shell, capsys):
    assert shell.run_cell_magic("cell", "not a name", SPEC) is None
    assert "not a name" in capsys.readouterr().err
    assert "Other" not in shell.user_ns
