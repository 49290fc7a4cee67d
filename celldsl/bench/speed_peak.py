"""The roofline: how many multiply-adds a second the processor does from registers, on all threads.

A large product of torch's is no measure of it: what library computes it depends on the processor's maker, and on some
it reaches two thirds.
"""

from __future__ import annotations

import ctypes
import time

import torch

SUMS, ROUNDS = 12, 4_000_000

TEXT = """
using namespace celldsl;
extern "C" __attribute__((visibility("default"))) double celldsl_multiply_adds(int64_t rounds, int64_t threads) {
  std::vector<double> results(static_cast<size_t>(threads));
  on_threads(static_cast<int>(threads), [&](int number, int) {
    vec sum[SUMS];
    for (int k = 0; k < SUMS; ++k) sum[k] = broadcast(real(k));
    const vec x = broadcast(real(0.999)), y = broadcast(real(1e-3));
    for (int64_t at = 0; at < rounds; ++at) {
#pragma GCC unroll 12
      for (int k = 0; k < SUMS; ++k) sum[k] = sum[k] * x + y;
    }
    for (int k = 1; k < SUMS; ++k) sum[0] += sum[k];
    results[static_cast<size_t>(number)] = sum[0][0];
  });
  return results[0];
}
extern "C" __attribute__((visibility("default"))) int64_t celldsl_lanes() { return LANES; }
"""


def peak(threads: int) -> float:
    """GFLOP/s of float32. Without a compiler, those of a large product."""
    from celldsl.emit.cpu.module import support_code
    from celldsl.runtime.kernel import build

    support = support_code("support")
    head = "#define CELLDSL_MOST_GATES 1\n#define CELLDSL_MOST_SEGMENTS 1\n"
    try:
        library = build.load(f"{head}{support}{TEXT.replace('SUMS', str(SUMS))}", "peak")
    except build.BuildError:
        return product_peak()
    run, lanes = library.celldsl_multiply_adds, library.celldsl_lanes
    run.restype, lanes.restype = ctypes.c_double, ctypes.c_int64
    best = float("inf")
    for _ in range(6):
        begun = time.perf_counter()
        run(ctypes.c_int64(ROUNDS), ctypes.c_int64(threads))
        best = min(best, time.perf_counter() - begun)
    return 2.0 * SUMS * int(lanes()) * ROUNDS * threads / best / 1e9


def product_peak() -> float:
    """GFLOP/s of a large float32 product of torch's, on torch's threads."""
    size = 1536
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(8):
        begun = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best / 1e9
