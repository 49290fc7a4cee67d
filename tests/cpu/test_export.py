"""Kernels in programs that torch writes to files: exported, packaged, loaded by a process that never saw the layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from celldsl.runtime.kernel import build
from celldsl.runtime.kernel.ahead import register
from tests.cpu import parity

LENGTHS = ((6, 4), (11, 3), (2, 9))
"""T and B: those traced with, and two unseen pairs."""

LOADER = """
import sys, torch
from celldsl.runtime.kernel import build
from celldsl.runtime.kernel.ahead import register
build.FLAGS = {flags}
register("lstm")
program = {loader}(sys.argv[1]){module}
for x, y in torch.load(sys.argv[2]):
    torch.testing.assert_close(program(x), y, rtol=0, atol=1e-5)
"""


def cases(layer: torch.nn.Module) -> list[tuple[Tensor, tuple]]:
    found = []
    for t, b in LENGTHS:
        x = torch.randn(t, b, 3)
        output, state = layer(x)
        found.append((x, (output, state)))
    return found


def exported(layer: torch.nn.Module) -> torch.export.ExportedProgram:
    dims = {0: torch.export.Dim("T", min=2), 1: torch.export.Dim("B", min=2)}
    return torch.export.export(layer, (torch.randn(*LENGTHS[0], 3),), dynamic_shapes={"input": dims})


def loads(code: str, *paths: Path) -> None:
    words = [sys.executable, "-c", code, *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]


@torch.no_grad()
def test_an_exported_program_is_read_by_another_process(tmp_path):
    layer = parity.layers("lstm", 3, 5, dtype=torch.float32)[1].eval()
    program = exported(layer)
    names = {node.target.name() for node in program.graph.nodes if "celldsl" in str(node.target)}
    assert names <= set(register("lstm"))
    assert len(names) == 1
    torch.export.save(program, tmp_path / "lstm.pt2")
    torch.save(cases(layer), tmp_path / "cases.pt")
    loads(
        LOADER.format(loader="torch.export.load", module=".module()", flags=build.FLAGS),
        tmp_path / "lstm.pt2",
        tmp_path / "cases.pt",
    )


@pytest.mark.slow
@torch.no_grad()
def test_aotinductor_packages_a_kernel(tmp_path):
    layer = parity.layers("lstm", 3, 5, dtype=torch.float32)[1].eval()
    path = torch._inductor.aoti_compile_and_package(exported(layer), package_path=str(tmp_path / "lstm.pt2"))
    torch.save(cases(layer), tmp_path / "cases.pt")
    loads(
        LOADER.format(loader="torch._inductor.aoti_load_package", module="", flags=build.FLAGS),
        Path(path),
        tmp_path / "cases.pt",
    )
