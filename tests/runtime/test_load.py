"""Emitted text becomes real modules: found by name, shared between processes, whole or not there at all."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import celldsl
from celldsl.runtime import cache
from celldsl.runtime.load import cell_of, load

TEXT = """
import torch
from torch import Tensor, nn


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x * self.a
"""

SPEC = "cell Twice { h_t = 2 x_t + 0 h_{t-1} }"
CELL = celldsl.compile(SPEC).checked


def python(code: str, **environment: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_text_same_module():
    assert load(TEXT, CELL) is load(TEXT, CELL)
    assert load(TEXT, CELL) is not load(TEXT + "\n", CELL)


def test_it_is_a_file_that_torchscript_reads():
    module = load(TEXT, CELL)
    assert Path(module.__file__).read_text(encoding="utf-8") == TEXT
    scripted = torch.jit.script(module.Twice())
    assert torch.equal(scripted(torch.ones(2)), torch.full((2,), 2.0))


def test_pickle_goes_to_another_process(tmp_path):
    layer = load(TEXT, CELL).Twice()
    file = tmp_path / "layer.pickle"
    file.write_bytes(pickle.dumps(layer))
    code = f"""
        import pickle, pathlib
        layer = pickle.loads(pathlib.Path({str(file)!r}).read_bytes())
        print(type(layer).__name__, layer.a.tolist())
    """
    assert python(code, CELLDSL_CACHE=str(cache.folder())) == "Twice [1.0, 1.0]\n"


def test_many_processes_may_write_at_once(tmp_path):
    code = f"""
        import celldsl
        from celldsl.runtime.load import load
        cell = celldsl.compile({SPEC!r}).checked
        for k in range(20):
            assert load({TEXT!r} + "#" * k, cell).Twice is not None
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "CELLDSL_CACHE": str(tmp_path)}
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        _, problem = process.communicate(timeout=120)
        assert process.returncode == 0, problem
    assert len(list(tmp_path.glob("*.py"))) == 20
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_a_damaged_file_is_written_anew(tmp_path):
    path = tmp_path / "cell.py"
    cache.write(path, "whole")
    path.write_text("half")
    cache.write(path, "whole")
    assert path.read_text() == "whole"


def test_hostile_names_stay_inside_the_cache():
    module = load(TEXT, replace(CELL, name="../../Évil name; import os"))
    assert Path(module.__file__).parent == cache.folder()


def test_a_shipped_cell_is_a_module_of_the_package():
    layer = celldsl.compile("lstm").rnn(2, 3)
    assert type(layer).__module__ == "celldsl.generated.lstm"
    assert cell_of(layer) == celldsl.compile("lstm").checked


def test_a_layer_knows_its_cell():
    cell = celldsl.compile("cell Other { h_t = tanh(W x_t + U h_{t-1}) }")
    assert cell_of(cell.rnn(2, 3)) is cell.checked
    assert cell_of(torch.nn.Linear(2, 3)) is None


def test_a_cache_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        cache._usable(tmp_path / "file" / "folder")


def test_without_a_home_the_temporary_folder_serves(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    code = "from celldsl.runtime import cache; print(cache.folder())"
    environment = {name: str(blocked) for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME")}
    environment |= {"TMPDIR": str(tmp_path), "CELLDSL_CACHE": ""}
    assert python(code, **environment).startswith(str(tmp_path))
