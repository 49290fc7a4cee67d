"""Whether kernels can multiply in bfloat16 here: by the processor's tiles (AMX), which autocast then gets.

Operands are rounded to bfloat16, sums are float, and everything that is not a product stays float: states lose nothing
over long sequences. Where there are no tiles autocast gets float kernels.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from celldsl.runtime.kernel import build

DEFINES: tuple[str, ...] = ()
"""What libraries are compiled with besides; the tests emulate tiles by plain loops."""

PROBE = """
#ifndef __AMX_BF16__
#error "no AMX for bfloat16"
#endif
#include <immintrin.h>
extern "C" __attribute__((visibility("default"))) int celldsl_tiles() { return 7; }
"""


@lru_cache(maxsize=1)
def why_not() -> str | None:
    """Why kernels cannot multiply in bfloat16 here; None if they can."""
    if build.why_not() is not None:
        return "no kernels can be built here"
    if not {"amx_bf16", "amx_tile", "avx512f"} <= set(build.instructions().split()):
        return "this processor has no tiles for it (AMX)"
    try:
        build.load(PROBE, "probe_bf16")
    except build.BuildError:
        return "the compiler knows no tiles (AMX): g++ 11 or clang++ 12 and later do"
    allow = getattr(torch.cpu, "_init_amx", None)
    if allow is None or not allow():
        return "the system does not let programs use the processor's tiles (AMX)"
    return None
