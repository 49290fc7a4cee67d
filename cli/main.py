"""The `celldsl` command: the group, and the guard that turns every error into one clear message and an exit code.

A command's module is imported when that command runs (or when help is printed), and imports torch and SymPy only
inside its function: `celldsl check` stays fast. `CELLDSL_DEBUG=1` shows tracebacks.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from celldsl.errors import CelldslError, SpecError, near
from celldsl.extras import missing
from celldsl.version import __version__

COMMANDS = (
    "new",
    "check",
    "compile",
    "verify",
    "show",
    "diff",
    "train",
    "bench",
    "experiment",
    "speed",
    "zoo",
    "cache",
    "doctor",
)

FAILED, INTERRUPTED, PIPE_CLOSED = 1, 130, 141


class PipeClosed(Exception):
    """The reader of our output (`| head`) has what it wanted. No OSError, which click would answer by itself."""


class Commands(click.Group):
    """The commands in the order a newcomer meets them, each imported on first use."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise PipeClosed from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"celldsl.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            guess = near(args[0], COMMANDS)
            hint = f" Did you mean '{guess}'?" if guess else ""
            ctx.fail(f"There is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Specs are given by path or by the name of a shipped one (any case); - reads standard input.",
)
@click.version_option(__version__, "--version", message="celldsl %(version)s")
def group() -> None:
    """Recurrent cells from the equations of their papers.

    \b
    celldsl check lstm.cell         is it right?
    celldsl show lstm --stage torch the module it becomes
    celldsl verify lstm lstm1       are its claims true?
    celldsl bench                   train the shipped cells and compare
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 1 (it failed), 2 (wrong usage), 130 (interrupted)."""
    try:
        code = group.main(args=None if argv is None else list(argv), prog_name="celldsl", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return _end("interrupted", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (PipeClosed, BrokenPipeError):
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except SpecError as error:
        return _end(str(error), FAILED)
    except CelldslError as error:
        return _end(f"error: {error}", getattr(error, "exit_status", FAILED))
    except ModuleNotFoundError as error:
        line = missing(error)
        if line is None:
            raise
        return _end(f"error: {line}", FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _end(f"error: {where}{error.strerror or error}", FAILED)


def _end(message: str, code: int) -> int:
    if os.environ.get("CELLDSL_DEBUG") and sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
    from celldsl.cli.screen import paint

    click.echo(paint(message, sys.stderr), err=True)
    return code
