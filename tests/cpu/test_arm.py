"""Kernels on 64-bit ARM: built by a cross compiler, run by an emulator, and compared with the portable layer.

A layer of this process is computed by a program of that processor: the memory that a call points to goes there in a
file, and comes back in one. Needs `aarch64-linux-gnu-g++` and `qemu-aarch64` (Debian: g++-aarch64-linux-gnu and
qemu-user).
"""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess

import pytest
import torch
from torch import Tensor

from celldsl.runtime.kernel import kernel
from celldsl.runtime.kernel.kernel import Kernel
from tests.cpu import parity
from tests.cpu.odd import ODD

COMPILER, EMULATOR, ROOT = "aarch64-linux-gnu-g++", "qemu-aarch64", "/usr/aarch64-linux-gnu"

MAIN = r"""
#include <cstdio>
template <class T> static T take(FILE* f) { T v; if (fread(&v, sizeof v, 1, f) != 1) std::abort(); return v; }
int main(int, char** words) {
  FILE* f = fopen(words[1], "rb");
  const bool backward = take<int64_t>(f);
  std::vector<std::vector<char>> memory(take<int64_t>(f));
  for (auto& block : memory) {
    block.resize(take<int64_t>(f));
    if (fread(block.data(), 1, block.size(), f) != block.size()) std::abort();
  }
  std::vector<void*> tensors(take<int64_t>(f));
  for (auto& p : tensors) {
    const int64_t block = take<int64_t>(f), offset = take<int64_t>(f);
    p = block < 0 ? nullptr : memory[block].data() + offset;
  }
  std::vector<int64_t> numbers(take<int64_t>(f));
  for (auto& n : numbers) n = take<int64_t>(f);
  std::vector<double> settings(take<int64_t>(f));
  for (auto& s : settings) s = take<double>(f);
  fclose(f);
  const int failed = (backward ? celldsl_backward : celldsl_forward)(tensors.data(), numbers.data(), settings.data());
  f = fopen(words[1], "wb");
  for (auto& block : memory) fwrite(block.data(), 1, block.size(), f);
  fclose(f);
  return failed;
}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason=f"no {COMPILER} or {EMULATOR}"),
]


class Elsewhere:
    """Runs a process's kernel calls as programs of the other processor."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.blocks, self.programs, self.calls = folder, {}, {}, 0
        address = Tensor.data_ptr

        def noted(tensor: Tensor) -> int:
            self.blocks[address(tensor)] = tensor
            return address(tensor)

        monkeypatch.setattr(torch.Tensor, "data_ptr", noted)
        monkeypatch.setattr(kernel, "_run", self.run)
        whole = Kernel._plan

        def plan(mine: Kernel, direction, *rest):
            # Packed weights have other sizes there: a vector has fewer lanes.
            found = whole(mine, direction, *rest)
            program = self.program(mine, rest[2])
            return found._replace(run=(program, direction == "backward"), packed=4 * found.packed + 4096)

        monkeypatch.setattr(Kernel, "_plan", plan)

    def program(self, mine: Kernel, dtype: torch.dtype) -> str:
        key = (mine.text, dtype)
        if key not in self.programs:
            source = self.folder / f"kernel{len(self.programs)}.cpp"
            source.write_text(mine.text + MAIN, encoding="utf-8")
            target = source.with_suffix("")
            defines = [f"-D{d}" for d in kernel.DTYPES[dtype]]
            flags = [
                "-std=c++17",
                "-O1",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-Wall",
                "-Wextra",
                "-Werror",
                *defines,
            ]
            command = [COMPILER, *flags, str(source), "-o", str(target)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=280)
            assert done.returncode == 0, done.stderr[:3000]
            self.programs[key] = str(target)
        return self.programs[key]

    def run(self, plan, table, numbers) -> None:
        self.calls += 1
        pointers = [p or 0 for p in table]
        used: dict[int, tuple[int, int]] = {}  # address -> number, bytes
        places = []
        for p in pointers:
            start = next((a for a, t in self.blocks.items() if a <= p < a + t.untyped_storage().nbytes()), None)
            if not p or start is None:
                places.append((-1, 0))
                continue
            used.setdefault(start, (len(used), self.blocks[start].untyped_storage().nbytes()))
            places.append((used[start][0], p - start))
        file = self.folder / "call"
        program, backward = plan.run
        with open(file, "wb") as out:
            out.write(struct.pack("<2q", backward, len(used)))
            for address, (_, size) in used.items():
                out.write(struct.pack("<q", size) + ctypes.string_at(address, size))
            out.write(struct.pack("<q", len(places)) + b"".join(struct.pack("<2q", *place) for place in places))
            out.write(struct.pack(f"<{1 + len(numbers)}q", len(numbers), *numbers))
            out.write(struct.pack(f"<q{len(plan.settings)}d", len(plan.settings), *plan.settings))
        subprocess.run([EMULATOR, "-L", ROOT, program, str(file)], check=True, timeout=120)
        data, at = file.read_bytes(), 0
        for address, (_, size) in used.items():
            ctypes.memmove(address, data[at : at + size], size)
            at += size


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
@pytest.mark.parametrize("name", ["lstm", "gru", "Delayed"])
def test_kernels_run_on_arm(name, variant, tmp_path, monkeypatch):
    parity.variant(monkeypatch, variant)
    source = ODD.get(name, name)
    portable, layer = parity.layers(source, 3, 7)
    given = parity.inputs(source, 3, 3, 5)
    elsewhere = Elsewhere(tmp_path, monkeypatch)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    found = parity.differences(portable, layer, given, portable(*given)[1])
    assert elsewhere.calls >= 2
    assert max(found.values()) < 1e-12, found
