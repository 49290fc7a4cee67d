"""Every shipped cell on kernels, both variants, against the portable module: outputs, last states, every gradient.

Sizes are odd and unequal, batches fit no block, and one sequence is a single step.
"""

from __future__ import annotations

import pytest
import torch

import celldsl
from celldsl.runtime import compare
from celldsl.runtime.kernel import build, cells
from tests.cpu import parity

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RUNS = ((1, 1), (5, 7), (3, 29))  # T, B


@pytest.fixture(autouse=True)
def _no_optimisation(monkeypatch):
    monkeypatch.setattr(build, "FLAGS", tuple("-O0" if flag.startswith("-O") else flag for flag in build.FLAGS))


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch):
    from celldsl.runtime.kernel import kernel

    monkeypatch.setattr(kernel, "LEAST_WORK", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", celldsl.zoo())
def test_a_shipped_cell(name, monkeypatch):
    cell = celldsl.compile(name)
    checked = cell.checked
    sizes = compare.sizes_of(checked, 5)
    known = compare.all_sizes(checked, sizes)
    given = {**compare.layer_sizes(checked, sizes), "dtype": torch.float64}
    torch.manual_seed(0)
    portable = cell.rnn(**given, backend="torch").eval()
    kernel = cell.rnn(**given, backend="cpu").eval()
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    with torch.no_grad():  # zeros would hide mistakes
        for value in portable.parameters():
            value.add_(0.2 * random(*value.shape))
    kernel.load_state_dict(portable.state_dict())
    ran = []
    run = cells.run
    monkeypatch.setattr(cells, "run", lambda *values: (ran.append(values), run(*values))[1])
    for variant in ("folded", "hoisted"):
        parity.variant(monkeypatch, variant)
        for steps, batch in RUNS:
            inputs = [random(steps, batch, compare.entries(info, known)) for info in checked.inputs]
            states = [0.5 * random(1, batch, width) for width in compare.state_widths(checked, known)]
            for state in (None, states[0] if len(states) == 1 else tuple(states)):
                found = parity.differences(portable, kernel, inputs, state)
                wrong = {what: error for what, error in found.items() if not error <= 1e-10}
                assert not wrong, (variant, steps, batch, state is not None)
            with torch.no_grad():
                torch.testing.assert_close(kernel(*inputs)[0], portable(*inputs)[0], rtol=1e-10, atol=1e-10)
    assert ran
