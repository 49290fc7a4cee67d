"""The report as data, table, figure and page, from a report made by hand."""

from __future__ import annotations

import html
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from celldsl.bench import Options, show
from celldsl.bench.drawing import equation_svg
from celldsl.bench.page import render
from celldsl.bench.plots import accuracy_png, accuracy_svg, time_svg
from celldsl.bench.published import published
from celldsl.bench.report import Report, Spread
from celldsl.bench.table import markdown
from tests.bench import hand


def test_spread():
    assert str(Spread.of([0.9, 0.92, 0.94])) == "0.9200 ± 0.0200"
    assert str(Spread.of([0.5])) == "0.5000"


def test_json_and_back():
    told = json.loads(json.dumps(hand.report().to_json(), allow_nan=False))
    assert Report.from_json(told) == hand.report()
    assert told["cells"][0]["last"]["mean"] == pytest.approx(hand.report().cells[0].last.mean)


def test_one_seed_has_no_spread_in_json():
    told = hand.report(hand.cell("A", 0, seeds=1), seeds=1).to_json()
    assert told["cells"][0]["best"]["deviation"] is None
    json.dumps(told, allow_nan=False)


def printed(report: Report) -> str:
    stream = io.StringIO()
    show(report, stream)
    return stream.getvalue()


def test_table_says_what_was_measured():
    told = printed(hand.report())
    first = hand.report().cells[0]
    for text in ("LSTM3", "11,800", str(first.last), "2.80 (2.60 to 3.10)", "4.20 ms", "over 3 seeds"):
        assert text in told
    assert "paper" not in told


def test_table_with_published_numbers():
    told = printed(hand.report(hand.cell("LSTM", 0, published=hand.PUBLISHED), hand.cell("ULSTM", 1)))
    assert "paper" in told
    (row,) = [line for line in told.splitlines() if "│ LSTM " in line]
    assert "0.9816" in row
    (row,) = [line for line in told.splitlines() if "│ ULSTM" in line]
    assert re.search(r"│\s+│", row)


def test_markdown_is_a_table_with_its_command():
    told = markdown(hand.report(hand.cell("LSTM", 0, published=hand.PUBLISHED), hand.cell("ULSTM", 1)))
    lines = told.splitlines()
    columns = {line.count("|") for line in lines[:4]}
    assert columns == {8}
    assert lines[2].startswith("| LSTM | 11,800 |")
    assert "0.9816" in lines[2]
    assert "0.9816" not in lines[3]
    assert f"    {hand.report().command}" in lines


def test_false_claims_stand_in_table_and_page():
    wrong = hand.cell("LSTM", 0, runs=[], timing=None, false=["params = 3 n: expected 3 n, found 4 n"])
    report = hand.report(wrong, hand.cell("LSTM1", 1))
    assert not report.ok
    assert "1 of 31 checks FAIL" in printed(report)
    assert "expected 3 n, found 4 n" in render(report)


def test_figure_is_a_png_of_its_size():
    png = accuracy_png(hand.report())
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (1600, 704)


@pytest.mark.parametrize("epochs", [1, 2, 30])
@pytest.mark.parametrize("seeds", [1, 3])
def test_figures_of_any_length(epochs, seeds):
    report = hand.report(*(hand.cell(f"C{at}", at % 5, seeds, epochs) for at in range(9)), seeds=seeds)
    assert accuracy_svg(report).count("<svg") == 1


def test_runs_that_stopped_early_end_the_mean():
    cell = hand.cell("A", 0)
    short = replace(cell.runs[0], test=cell.runs[0].test[:3], train=cell.runs[0].train[:3])
    assert accuracy_svg(hand.report(replace(cell, runs=[short, *cell.runs[1:]])))


def test_times_only_where_timed():
    assert time_svg(hand.report()) is not None
    assert time_svg(hand.report(hand.cell("A", 0, timing=None))) is None


def test_same_report_same_bytes():
    assert accuracy_svg(hand.report()) == accuracy_svg(hand.report())
    assert render(hand.report()) == render(hand.report())


def test_equations_are_drawn_or_refused():
    assert "<svg" in equation_svg(r"f_t = \sigma(U_f h_{t-1} + \tilde{c}_t) \odot \frac{a}{b}")
    assert equation_svg(r"\undrawable{x}") is None


class Reader(HTMLParser):
    """Collects addresses and checks that tags close in order."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_needs_nothing_else():
    page = render(hand.report())
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.addresses
    assert all(address.startswith("data:") for address in reader.addresses)
    for outside in ("<script", "url(", "http"):
        assert outside not in page


def test_page_escapes_what_specs_say():
    page = render(hand.report())
    assert "made by hand &lt;for tests&gt;" in page
    assert "<for tests>" not in page


def test_page_names_the_source_of_published_numbers():
    assert html.escape(hand.PUBLISHED.source) in render(hand.report(hand.cell("LSTM", 0, published=hand.PUBLISHED)))
    assert "Table" not in render(hand.report())


ROWS = Options(task="mnist-rows")


@pytest.mark.parametrize(
    ("spec", "options", "value"),
    [
        ("lstm", ROWS, 0.9816),
        ("LSTM2", replace(ROWS, lr=0.01), 0.9828),
        ("lstm3", replace(ROWS, lr=1e-5), 0.9399),
        ("lstm1", Options(task="mnist-pixels", hidden=100, lr=1e-4), 0.9799),
        ("ulstm", ROWS, None),
        ("gru", ROWS, None),
        ("lstm", replace(ROWS, hidden=51), None),
        ("lstm", replace(ROWS, optimiser="adam"), None),
        ("lstm", replace(ROWS, schedule="constant"), None),
        ("lstm", replace(ROWS, lr=2e-3), None),
        ("lstm", Options(), None),
        ("mine/lstm.cell", ROWS, None),
    ],
)
def test_published_numbers_only_under_the_papers_settings(spec, options, value):
    found = published(spec, options)
    assert (found.value if found else None) == value
    assert found is None or "1701.03441" in found.source


def test_deviation_of_one_value_is_nan():
    assert math.isnan(Spread.of([1.0]).deviation)
