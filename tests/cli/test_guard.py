"""Whatever goes wrong, a user sees one clear message and an exit code, never a traceback."""

from __future__ import annotations

import errno
import subprocess
import sys

import click
import pytest

from celldsl.cli import main as cli
from celldsl.cli.main import COMMANDS, main
from celldsl.errors import CelldslError


@pytest.fixture
def failing(monkeypatch):
    """Make `celldsl zoo` raise what a test gives."""

    def install(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setattr(cli.Commands, "get_command", lambda self, ctx, name: command)

    return install


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name, capsys):
    assert main([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Usage: celldsl" in told
    assert name in ("zoo", "doctor") or f"celldsl {name} " in told.split("[OPTIONS]", 1)[1]


def test_version(capsys):
    import celldsl

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"celldsl {celldsl.__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chek"], "Did you mean 'check'?"),
        (["check"], "Missing argument"),
        (["check", "--format", "xml", "lstm"], "'xml' is not one of"),
        (["train", "--epochs", "many"], "not a valid integer"),
        (["train", "--task", "digit"], "'digit' is not one of"),
        (["train", "--task-option", "length"], "name=value"),
        (["compile", "lstm", "--target", "toch"], "there is no target 'toch'"),
        (["verify"], "--all"),
        (["new", "2cells"], "no name for a cell"),
    ],
)
def test_wrong_usage_is_exit_code_2(words, told, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (CelldslError("it is not so"), 1, "error: it is not so\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "out/lstm.py"),
            1,
            "error: out/lstm.py: Permission denied\n",
        ),
        (OSError("no space left"), 1, "error: no space left\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            ModuleNotFoundError("No module named 'sklearn.datasets'", name="sklearn.datasets"),
            1,
            "error: this needs scikit-learn, which is not installed: pip install 'celldsl[train]'\n",
        ),
    ],
)
def test_errors_become_one_line(error, code, told, failing, capsys):
    failing(error)
    assert main(["zoo"]) == code
    assert capsys.readouterr().err.lstrip("\n") == told


def test_an_error_with_an_exit_status_of_its_own(failing, capsys):
    error = CelldslError("stopped")
    error.exit_status = 143
    failing(error)
    assert main(["zoo"]) == 143


def test_our_own_mistakes_are_not_hidden(failing):
    failing(ModuleNotFoundError("No module named 'celldsl.nothing'", name="celldsl.nothing"))
    with pytest.raises(ModuleNotFoundError):
        main(["zoo"])


def test_debug_shows_the_traceback(failing, capsys, monkeypatch):
    monkeypatch.setenv("CELLDSL_DEBUG", "1")
    failing(CelldslError("it is not so"))
    assert main(["zoo"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_closed_pipe_is_no_error():
    """`celldsl zoo | head -1`: the reader goes away after the first line."""
    script = "from celldsl.cli.main import main; import click, sys; sys.exit(main(['doctor', '--json']))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        complaint = process.stderr.read().decode()
    assert complaint == ""
    assert process.returncode == 141
