"""`celldsl speed`: parity before time, and what is reported. How fast anything is, is no test."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

import celldsl
from celldsl.bench import BenchError, speed, speed_runs, speed_table, speed_zoo
from celldsl.bench.speed_peers import PEERS, TORCHRECURRENT
from celldsl.bench.speed_runs import Effort
from celldsl.cli.main import main

TINY = (3, 2, 4, 5)
HASTE = Effort(rounds=3, least=3, turn=0.0)


@pytest.fixture(scope="module")
def report():
    return speed.measure(["lstm", "gru"], [TINY], ["naive", "portable"], threads=1, effort=HASTE)


def test_every_variant_is_compared_with_lstm_of_torch(report):
    assert [(row.cell, row.variant) for row in report.rows] == [
        (cell, variant) for cell in ("lstm", "gru") for variant in ("naive", "portable")
    ]
    for row in report.rows:
        for found in (row.train, row.infer):
            assert 0 < found.low <= found.ratio <= found.high
            assert found.milliseconds > 0
            assert 0 < found.peak < 1
        assert row.saved > 3 * 2 * 5 * 4  # at least the states
    (known,) = report.references
    assert known.shape == TINY
    assert known.saved > 0


def test_a_variant_that_disagrees_gets_no_number(monkeypatch):
    runner = speed.Prepared.runner

    def wrong(self, variant, threads):
        found = runner(self, variant, threads)
        if variant == "naive":
            results = found.results
            found.results = lambda: [value * 1.001 for value in results()]
        return found

    monkeypatch.setattr(speed.Prepared, "runner", wrong)
    naive, portable = speed.measure(["lstm"], [TINY], ["naive", "portable"], 1, HASTE).rows
    assert naive.train is None
    assert naive.infer is None
    assert naive.why.startswith("disagrees with the portable layer: output by ")
    assert portable.train is not None


@pytest.mark.parametrize(
    "name",
    [
        "lstm1", "lstm3", "ulstm", "gru", "indrnn", "sru", "minimal_rnn",
        "antisymmetric_rnn", "peephole_lstm", "cfn", "min_gru_log", "phased_lstm",
    ],
)  # fmt: skip
def test_the_naive_loop_computes_the_cell(name):
    prepared = speed.Prepared.of(name, (4, 3, 5, 5))
    assert speed_runs.disagreement(prepared.runner("naive", 1), prepared.expected()) == ""


def test_the_naive_loop_has_one_product_per_gate(monkeypatch):
    prepared = speed.Prepared.of("lstm", TINY)
    runner = prepared.runner("naive", 1)
    with torch.profiler.profile() as profile:
        runner.infer()
    products = [event for event in profile.events() if event.name == "aten::linear"]
    assert len(products) == TINY[0] * 8  # U and W of four gates


def test_a_cell_without_such_sizes_says_so():
    spec = "cell Halves {\n  dim k = n/2\n  param W: k×m\n  param U: n×k\n  h_t = tanh(U tanh(W x_t) + V h_{t-1})\n}\n"
    (row,) = speed.measure([spec], [TINY], ["portable"], 1, HASTE).rows
    assert row.why == "Halves has no whole widths at m = 4, n = 5"
    assert row.why in speed_table.cells(row)


@pytest.mark.parametrize("name", [*TORCHRECURRENT, "lstm"])
def test_peers_agree_where_they_are_installed(name):
    found = False
    prepared = speed.Prepared.of(name, (4, 3, 5, 7))
    for variant, runner in speed.agreeing(prepared, list(PEERS), 1):
        if isinstance(runner, str):
            assert "disagrees" not in runner, (variant, runner)
        else:
            found = True
    if not found:
        pytest.skip("no package that knows this cell is installed")


def test_table_and_figure(report, tmp_path):
    text = speed_table.markdown(report)
    lines = text.splitlines()
    assert lines[0].startswith("| T, B, m, n | cell | variant |")
    assert lines[2].startswith("| 3, 2, 4, 5 | nn.LSTM | torch | 1 | 1 |")
    assert len([line for line in lines if line.startswith("| 3, 2")]) == 5
    assert "1 or 1 threads" in text
    assert json.loads(json.dumps(report.to_json()))["rows"][0]["cell"] == "lstm"
    if importlib.util.find_spec("matplotlib"):
        assert speed_table.figure(report).startswith(b"\x89PNG")


def test_the_table_goes_between_the_marks_of_a_document():
    told = "a\n<!-- speed -->\nold\n<!-- /speed -->\nb\n"
    once = speed_table.inserted(told, "speed", "| new |\n")
    assert once == "a\n<!-- speed -->\n\n| new |\n\n<!-- /speed -->\nb\n"
    assert speed_table.inserted(once, "speed", "| new |\n") == once
    with pytest.raises(BenchError, match="no <!-- zoo -->"):
        speed_table.inserted(told, "zoo", "")


def test_the_page_has_the_table_that_was_measured():
    """docs/speed.md holds what `celldsl speed -o docs/results/speed --into docs/speed.md` wrote."""
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "speed.md").read_text(encoding="utf-8")
    for mark in ("speed", "zoo"):
        file = docs / "results" / "speed" / f"{mark}.md"
        text = file.read_text(encoding="utf-8") if file.is_file() else None
        assert page == (page if text is None else speed_table.inserted(page, mark, text)), mark
        assert f"<!-- {mark} -->" in page


def test_zoo_rows():
    row = speed_zoo.ZooRow("lstm", TINY, 1.0, (2.0, 3.0), (2.0, 3.0), (6.0, 4.0))
    assert row.misses
    assert speed_table.zoo_cells(row)[2:] == ("1.00", "2.00 / 3.00", "2.00 / 3.00", "6.00 / 4.00", "below a bar")
    assert not speed_zoo.ZooRow("lstm", TINY, 0.5, (2.0, 3.0), (1.0, 1.5), (6.0, 5.0)).misses
    report = speed_zoo.ZooReport([row])
    assert "1 of 1 rows stay below one" in speed_table.zoo_markdown(report)


def test_the_zoo_goes_on_where_it_was_stopped(monkeypatch):
    timed = []

    def row(name, shape, threads, effort):
        timed.append(name)
        if len(timed) == 2 and name == "gru":
            raise KeyboardInterrupt
        return speed_zoo.ZooRow(name, shape, 1.0, (2.0, 3.0), (2.0, 3.0), (6.0, 4.0))

    monkeypatch.setattr(speed_zoo, "_row", row)
    kept = []
    with pytest.raises(KeyboardInterrupt):
        speed_zoo.measure(["lstm", "gru"], [TINY], 1, keep=lambda report: kept.append(json.dumps(report.to_json())))
    stopped = speed_zoo.ZooReport.from_json(json.loads(kept[-1]))
    found = speed_zoo.measure(["lstm", "gru"], [TINY], 1, earlier=stopped)
    assert timed == ["lstm", "gru", "gru"]
    assert [row.cell for row in found.rows] == ["lstm", "gru"]
    stopped.machine["processor"] = "another"
    speed_zoo.measure(["lstm"], [TINY], 1, earlier=stopped)
    assert timed[-1] == "lstm"


@pytest.mark.slow
def test_the_command_on_kernels(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- speed -->\n<!-- /speed -->\n")
    words = "speed --cells lstm --shape 4,2,3,5 --variants cpu,portable --contention --threads 1 --json"
    assert main([*words.split(), "-o", str(tmp_path / "out"), "--into", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["variant"] for row in told["rows"]] == ["cpu", "portable", "cpu, busy"]
    assert told["builds"]["lstm"]["cold"] > 10 * told["builds"]["lstm"]["warm"] / 1e3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"speed.json", "speed.md", "speed.png"}
    assert (tmp_path / "out" / "speed.md").read_text() in page.read_text()
    kernel = next(row for row in told["rows"] if row["variant"] == "cpu")
    assert kernel["saved"] <= told["references"][0]["saved"]
    found = speed_zoo.measure(["lstm"], [TINY], 1, HASTE)
    assert found.rows[0].operations == pytest.approx(1.0)
    assert found.rows[0].naive is not None


def test_unknown_variants_are_refused(capsys):
    assert main(["speed", "--variants", "fast"]) == 2
    assert "there is no variant 'fast'" in capsys.readouterr().err
    with pytest.raises(celldsl.SpecError):
        speed.measure(["no_such_cell"], [TINY], ["portable"], 1, HASTE)


def test_an_unknown_cell_is_one_message(capsys):
    assert main(["speed", "--cells", "no_such_cell", "--shape", "3,2,4,5"]) == 1
    told = capsys.readouterr().err
    assert "no spec is named 'no_such_cell'" in told
    assert "Traceback" not in told


def test_without_a_compiler_the_row_says_why_and_the_others_are_timed(monkeypatch):
    from celldsl.runtime.kernel import build

    def none(*_, **__):
        raise build.BuildError("no C++ compiler was found")

    monkeypatch.setattr(build, "library", none)
    build.why_not.cache_clear()
    try:
        report = speed.measure(["lstm"], [TINY], ["cpu", "portable"], 1, HASTE)
    finally:
        build.why_not.cache_clear()
    kernel, portable = report.rows
    assert "no C++ compiler was found" in kernel.why
    assert portable.train is not None
    assert report.builds == {}


def test_the_roofline_is_measured_by_a_loop_of_its_own(monkeypatch):
    from celldsl.bench import speed_peak
    from celldsl.runtime.kernel import build

    monkeypatch.setattr(speed_peak, "product_peak", lambda: -1.0)
    monkeypatch.setattr(speed_peak, "ROUNDS", 100_000)
    assert speed_peak.peak(1) > 0.1

    def none(*_):
        raise build.BuildError("no compiler")

    monkeypatch.setattr(build, "load", none)
    assert speed_peak.peak(1) == -1.0


def test_bfloat16_is_timed_where_it_runs_and_says_why_where_it_does_not(monkeypatch):
    from celldsl.runtime.kernel import bf16

    monkeypatch.setattr(bf16, "why_not", lambda: "no tiles")
    assert "bf16" not in speed.possible()
    report = speed.measure(["lstm"], [TINY], ["bf16"], 1, HASTE)
    assert [(row.variant, row.train, row.why) for row in report.rows] == [("bf16", None, "no tiles")]
    monkeypatch.setattr(bf16, "why_not", lambda: None)
    monkeypatch.setattr(bf16, "DEFINES", ("CELLDSL_EMULATE_TILES",))
    assert "bf16" in speed.possible()
    (row,) = speed.measure(["lstm"], [TINY], ["bf16"], 1, HASTE).rows
    assert row.why == ""
    assert row.train is not None
    assert row.infer is not None
