"""Settings that every test runs under: one thread, and nothing written into the user's own cache."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small products: threads only slow them down
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CELLDSL_BACKEND", "torch")  # kernels are built where they are what is tested: tests/cpu

# Compiled modules land in a folder that outlives no run; pytest-xdist's workers inherit it from the first process.
if "CELLDSL_CACHE" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="celldsl-tests-")
    os.environ["CELLDSL_CACHE"] = _cache.name
