"""Kernels are built quickly here: unoptimised, and with the standard headers that all begin with read once a session.

Tests marked `optimised`, and slow ones, build with the flags that users get. Both kinds of build compile the same text.
"""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from importlib import resources

import pytest

from celldsl.runtime.kernel import build

QUICK = tuple("-O0" if flag == "-O2" else flag for flag in build.FLAGS)


@pytest.fixture(autouse=True)
def _quick_builds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = build.why_not()
    if reason is not None:
        pytest.skip(f"no kernel can be built here: {reason}")
    if not any(request.node.get_closest_marker(mark) for mark in ("slow", "optimised")):
        monkeypatch.setattr(build, "FLAGS", (*QUICK, *precompiled()))


@lru_cache(maxsize=1)
def precompiled() -> tuple[str, ...]:
    """Flags that take the headers of a kernel, which cost as much as its own text, from one compiled file; none where
    this compiler makes no such file. A build of other flags reads the headers themselves."""
    support = (resources.files("celldsl.emit.cpu") / "support.hpp").read_text(encoding="utf-8")
    headers, found, _ = support.partition("\nnamespace celldsl {")
    assert found
    flags = [*QUICK, *build.NATIVE, *build.OPENMP]
    digest = hashlib.sha256("\n".join([headers, *flags, build._identity()]).encode()).hexdigest()[:20]
    path = build.folder() / f"headers_{digest}.hpp"
    made = path.with_suffix(".hpp.gch")
    with build._locked(path.with_suffix(".lock")):
        if not made.is_file():
            path.write_text(headers + "\n", encoding="utf-8")
            unfinished = path.with_suffix(".tmp")
            command = [*build.compiler(), *flags, "-x", "c++-header", str(path), "-o", str(unfinished)]
            if subprocess.run(command, capture_output=True).returncode:
                return ()
            unfinished.replace(made)
    return ("-include", str(path))
