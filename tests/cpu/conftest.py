"""Kernels are built here: with little optimisation, which is quick, unless a test is about the real flags."""

from __future__ import annotations

import pytest

from celldsl.runtime.kernel import build


@pytest.fixture(autouse=True)
def _quick_builds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = build.why_not()
    if reason is not None:
        pytest.skip(f"no kernel can be built here: {reason}")
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(build, "FLAGS", tuple("-O1" if flag == "-O2" else flag for flag in build.FLAGS))
