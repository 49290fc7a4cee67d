"""Every claim of every shipped spec is proved, not only those on counts, which checking looks at."""

from __future__ import annotations

import pytest

import celldsl
from celldsl import relatives
from celldsl.symbolic.claims import verify_claims


@pytest.mark.parametrize("name", celldsl.zoo())
def test_claims_hold(name):
    cell = relatives.find(name)
    for result in verify_claims(cell):
        assert result.ok, (result.text, result.found, result.detail)
