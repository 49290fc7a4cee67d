"""The text of a kernel: what its library in the cache is found by."""

from __future__ import annotations

import os
import subprocess
import sys

TEXT = """
import hashlib, celldsl
from celldsl.emit.cpu import emit
from celldsl.schedule import plan_kernels
from celldsl.symbolic import lower
print(hashlib.sha256(emit(plan_kernels(lower(celldsl.compile("lstm").checked))).encode()).hexdigest())
"""


def test_every_process_writes_the_same_text():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TEXT], env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE
        )
        for seed in ("1", "3")
    ]
    one, other = (run.communicate()[0] for run in runs)
    assert one == other
    assert one.strip()
