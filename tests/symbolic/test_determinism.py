"""Whatever the hash seed: the same form, adjoint, comparison and claims, to the letter."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
from tests.symbolic.specs import shipped
from tests.symbolic import cells
from celldsl.symbolic.adjoint import derive
from celldsl.symbolic.claims import verify_claims
from celldsl.symbolic.equality import compare
from celldsl.symbolic.intervals import intervals
from celldsl.symbolic.linearity import recurrences
from celldsl.symbolic.lower import lower
for cell in [shipped("ulstm"), cells.reduced(), cells.delayed()]:
    form = lower(cell)
    print(form, derive(form), *recurrences(form), intervals(cell), verify_claims(cell), sep="\\n")
print(compare(shipped("lstm"), shipped("lstm3")))
print(compare(shipped("gru"), shipped("ulstm"), rename=True))
"""


def test_the_hash_seed_does_not_show():
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert "d_in_M = M^T d_a_u" in outputs[0]
