"""Settings that every test runs under: one thread, and nothing written into the user's own cache."""

from __future__ import annotations

import os
import tempfile

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small products: threads only slow them down
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CELLDSL_BACKEND", "torch")  # kernels are built where they are what is tested: tests/cpu

# Compiled modules land in a folder that outlives no run; pytest-xdist's workers inherit it from the first process.
if "CELLDSL_CACHE" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="celldsl-tests-")
    os.environ["CELLDSL_CACHE"] = _cache.name

# A machine that does other work meanwhile is no fault of a test.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_terminal_summary(terminalreporter):
    """How many cells were compared with other people's implementations, and with which."""
    compared: dict[str, list[tuple[str, str]]] = {}
    for report in terminalreporter.getreports("passed"):
        for key, value in report.user_properties:
            if key == "peer":
                package, _, cell, verdict = value
                compared.setdefault(package, []).append((cell, verdict))
    if not compared:
        return
    every = {cell for found in compared.values() for cell, verdict in found if verdict == "equal"}
    parts = []
    for package, found in compared.items():
        equal = len({cell for cell, verdict in found if verdict == "equal"})
        other = len({cell for cell, verdict in found if verdict != "equal"})
        parts.append(f"{package} {equal}" + (f" (and {other} that it computes otherwise)" if other else ""))
    terminalreporter.write_line(f"{len(every)} cells equal to other implementations: {', '.join(parts)}")
