"""`celldsl cache`, and kernels built ahead."""

from __future__ import annotations

import json

import pytest

from celldsl.cli.main import main
from celldsl.runtime import cache
from celldsl.runtime.kernel import build


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CELLDSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "FLAGS", tuple("-O0" if flag == "-O2" else flag for flag in build.FLAGS))
    probed, placed = build.why_not, cache.folder  # some tests replace them
    placed.cache_clear()
    probed.cache_clear()
    yield tmp_path / "cache"
    placed.cache_clear()
    probed.cache_clear()


def told(capsys, *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    return capsys.readouterr().out


def test_kernels_built_ahead_are_listed_and_cleared(capsys, own_cache, monkeypatch):
    if build.why_not() is not None:
        pytest.skip("no kernel can be built here")
    assert told(capsys, "cache", "--path") == f"{own_cache}\n"
    lines = told(capsys, "compile", "--target", "cpu", "--build", "indrnn").splitlines()
    assert [line.partition(" in ")[0] for line in lines] == ["indrnn: folded", "indrnn: hoisted"]
    report = json.loads(told(capsys, "cache", "--json"))
    kernels = {(entry["cell"], entry["target"]): entry for entry in report["entries"]}
    entry = kernels["indrnn", "cpu folded"]
    assert entry["bytes"] > 10_000
    assert entry["seconds"] > 0
    assert "-O0" in entry["flags"]
    assert entry["compiler"] == build.compiler()[0]
    assert any("indrnn" in line and "cpu hoisted" in line for line in told(capsys, "cache").splitlines())
    with monkeypatch.context() as patch:  # the next time nothing is built
        patch.setattr(build, "_build", lambda *_: pytest.fail("built again"))
        told(capsys, "compile", "--target", "cpu", "--build", "indrnn")
    assert "MB removed" in told(capsys, "cache", "--clear")
    assert json.loads(told(capsys, "cache", "--json"))["entries"] == []
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_build_needs_the_target(capsys):
    assert main(["compile", "--build", "lstm"]) == 2
    assert "--target cpu" in capsys.readouterr().err
    assert main(["compile"]) == 2
    assert "Missing argument 'SPEC...'" in capsys.readouterr().err


def test_a_cell_without_kernels_is_said(capsys, monkeypatch):
    from celldsl.runtime.kernel import ahead
    from celldsl.schedule.cpu_program import NotForCpu

    def refuse(cell):
        raise NotForCpu("C is a matrix")

    monkeypatch.setattr(ahead, "build_ahead", refuse)
    monkeypatch.setattr(build, "why_not", lambda: None)
    assert told(capsys, "compile", "--target", "cpu", "--build", "gru") == "gru: no kernel: C is a matrix\n"
