"""What is printed where: colours on terminals alone, tables that are never cut."""

from __future__ import annotations

import io
import sys

from celldsl.cli.screen import paint, print_table, progress

MESSAGE = """error: widths do not fit
  --> a.cell:2:3
   |
 2 |   h_t = W x_t + c_t
   |         -----   ^^^ p-vector
   = W x_t has width n
help: write it otherwise"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_elsewhere():
    assert paint(MESSAGE, io.StringIO()) == MESSAGE


def test_colours_change_no_character(monkeypatch):
    import click

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    painted = paint(MESSAGE, Terminal())
    assert painted != MESSAGE
    assert click.unstyle(painted) == MESSAGE
    assert click.style("error:", fg="red", bold=True) in painted


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint(MESSAGE, Terminal()) == MESSAGE


def test_table_elsewhere_is_aligned_and_whole():
    stream = io.StringIO()
    print_table(("cell", "paper"), [("a", "x" * 200), ("longer", "y")], stream)
    assert stream.getvalue().splitlines() == ["cell    paper", "a       " + "x" * 200, "longer  y"]


def test_table_without_titles():
    stream = io.StringIO()
    print_table(("", ""), [("a", "b")], stream)
    assert stream.getvalue() == "a  b\n"


def test_a_bar_only_where_a_person_is_looking(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress() as say:
            say("lstm: 1 of 2", 0.0)
        assert ("lstm: 1 of 2" in stream.getvalue()) == shown
