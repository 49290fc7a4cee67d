"""Kernels against the portable module, which is held against the oracle elsewhere: outputs, states, every gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from tests.cpu import parity
from tests.cpu.odd import ODD

OPTIMISED = ["lstm", "gru"]
SHIPPED = ["lstm1", "lstm2", "lstm3", "ulstm", "gru_reset_after", "rnn"]
SIZES = [(1, 1, 2, 3), (5, 7, 3, 5), (6, 33, 18, 19)]  # T, B, m, n: B not divisible by a block, n by no lane count
IN_BLOCKS = [(1, 1, 2, 6), (5, 7, 4, 12), (6, 33, 18, 42)]  # n divisible by 2 and by 3, a block by no lane count


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
@pytest.mark.parametrize(
    "name", [*(pytest.param(name, marks=pytest.mark.optimised) for name in OPTIMISED), *SHIPPED, *ODD]
)
def test_everything_equals_the_portable_module(name, variant, monkeypatch):
    parity.variant(monkeypatch, variant)
    source = ODD.get(name, name)
    sizes = IN_BLOCKS if name == "Blocks" else SIZES
    if name == "Stacked":
        sizes = [*sizes, (3, 2, 1, 1)]  # nothing stands behind its slice of the state and the input
    for T, B, m, n in sizes:
        portable, kernel = parity.layers(source, m, n)
        given = parity.inputs(source, m, T, B)
        for state in (None, portable(*given)[1]):
            found = parity.differences(portable, kernel, given, state)
            assert max(found.values()) <= 1e-12, {key: value for key, value in found.items() if value > 1e-12}
        with torch.no_grad():
            torch.testing.assert_close(kernel(*given)[0], portable(*given)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "Delayed", "Stacked", "Blocks"])
def test_lanes_split_over_threads(name, monkeypatch):
    """Large cells: every thread has its lanes, and waits for the others' before each product."""
    from celldsl.runtime.kernel import kernel as module

    parity.variant(monkeypatch, "hoisted")
    monkeypatch.setattr(module, "SPLIT_BYTES", 0)
    monkeypatch.setattr(module, "LEAST_WORK", 1)
    source = ODD.get(name, name)
    for T, B, m, n in [(4, 3, 4, 42), (3, 9, 8, 132)] if name == "Blocks" else [(4, 3, 5, 37), (3, 9, 7, 130)]:
        portable, kernel = parity.layers(source, m, n)
        given = parity.inputs(source, m, T, B)
        found = parity.differences(portable, kernel, given, portable(*given)[1])
        assert max(found.values()) <= 1e-12, found


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm3"])
def test_float32(name):
    portable, kernel = parity.layers(name, 6, 21, dtype=torch.float32)
    given = parity.inputs(name, 6, 9, 13, dtype=torch.float32)
    found = parity.differences(portable, kernel, given)
    assert max(found.values()) <= 2e-5, found


@pytest.mark.parametrize("name", ["lstm", "Delayed", "TwoInputs", "Parts", "Blocks"])
@pytest.mark.parametrize("variant", ["folded", "hoisted"])
def test_packed_sequences_layers_and_directions(name, variant, monkeypatch):
    parity.variant(monkeypatch, variant)
    source = ODD.get(name, name)
    m, n = (4, 6) if name == "Blocks" else (3, 5)
    portable, kernel = parity.layers(source, m, n, num_layers=2 if name == "lstm" else 1, bidirectional=name == "lstm")
    lengths = [4, 7, 1, 3, 7]
    packed = []
    for wide in parity.inputs(source, m, 7, 5):
        wide.requires_grad_()
        packed.append((wide, pack_sequence([wide[:k, b] for b, k in enumerate(lengths)], enforce_sorted=False)))
    results = []
    for layer in (portable, kernel):
        output, last = layer(*(p for _, p in packed))
        tensors = [output.data, *parity.listed(last)]
        weights = [torch.linspace(-1, 1, t.numel(), dtype=t.dtype).view_as(t) for t in tensors]
        grads = torch.autograd.grad(
            tensors, [*(w for w, _ in packed), *layer.parameters()], weights, allow_unused=True, retain_graph=True
        )
        results.append([*tensors, *grads])
    for one, other in zip(*results, strict=True):
        if one is None or other is None:
            assert one is None or not one.any()
            assert other is None or not other.any()
        else:
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_layers_directions_batch_first_dropout_unbatched():
    options = {"num_layers": 3, "bidirectional": True, "batch_first": True, "dropout": 0.3}
    portable, kernel = parity.layers("lstm", 4, 6, **options)
    x = torch.randn(5, 8, 4, dtype=torch.float64)
    torch.manual_seed(3)
    one = portable(x)
    torch.manual_seed(3)
    other = kernel(x)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    portable.eval(), kernel.eval()
    torch.testing.assert_close(portable(x[0]), kernel(x[0]), rtol=0, atol=1e-12)
    state = tuple(torch.randn(6, 5, 6, dtype=torch.float64) for _ in range(2))
    torch.testing.assert_close(portable(x, state), kernel(x, state), rtol=0, atol=1e-12)


def test_an_input_that_is_carried_grows_with_the_layers():
    portable, kernel = parity.layers(ODD["Delayed"], 4, 6, num_layers=2, bidirectional=True)
    x = torch.randn(9, 3, 4, dtype=torch.float64)
    whole, last = portable(x)
    torch.testing.assert_close(kernel(x), (whole, last), rtol=0, atol=1e-12)
    torch.testing.assert_close(kernel(x, last), portable(x, last), rtol=0, atol=1e-12)


def test_chunks_equal_the_whole():
    _, kernel = parity.layers("gru", 4, 6)
    x = torch.randn(9, 3, 4, dtype=torch.float64)
    whole, last = kernel(x)
    first, state = kernel(x[:4])
    second, end = kernel(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(end, last, rtol=0, atol=1e-14)


def test_two_biases_and_the_weights_of_torch():
    from celldsl.runtime.weights import from_torch

    _, kernel = parity.layers("lstm", 4, 6, two_biases=True)
    reference = nn.LSTM(4, 6, dtype=torch.float64)
    kernel.load_state_dict(from_torch(reference, "lstm").state_dict())
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(kernel(x), reference(x), rtol=0, atol=1e-12)


def test_wrong_shapes_raise_as_the_portable_module_does():
    portable, kernel = parity.layers("lstm", 4, 6)
    for bad in (torch.randn(5, 3, 7).double(), torch.randn(0, 3, 4).double(), torch.randn(4).double()):
        messages = []
        for layer in (portable, kernel):
            with pytest.raises(ValueError) as caught:
                layer(bad)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
    with pytest.raises(ValueError, match="expected shape"):
        kernel(torch.randn(5, 3, 4).double(), (torch.zeros(1, 2, 6).double(), torch.zeros(1, 3, 6).double()))


@pytest.mark.parametrize("variant", ["folded", "hoisted"])
@pytest.mark.parametrize("name", ["lstm", "Delayed", "Projected", "Parts", "Repeats", "Blocks"])
def test_nothing_is_read_before_it_is_written(name, variant, monkeypatch):
    """Every buffer, the kernel's own and torch's, begins as NaN."""
    from celldsl.runtime.kernel import kernel as module

    monkeypatch.setattr(module, "DTYPES", {torch.float64: ("CELLDSL_DOUBLE", "CELLDSL_POISON")})
    torch.use_deterministic_algorithms(True)  # fills new tensors with NaN
    try:
        parity.variant(monkeypatch, variant)
        source = ODD.get(name, name)
        m, n = (4, 6) if name == "Blocks" else (3, 5)
        portable, kernel = parity.layers(source, m, n)
        kernel.spec = kernel.spec + "\n"  # kernels of its own, built with the poison
        given = parity.inputs(source, m, 4, 9)
        found = parity.differences(portable, kernel, given)
        assert max(found.values()) <= 1e-12, found
    finally:
        torch.use_deterministic_algorithms(False)


def test_nan_and_infinity_go_through_as_in_torch():
    portable, kernel = parity.layers("lstm", 3, 5)
    for value in (float("nan"), float("inf"), -float("inf")):
        x = torch.randn(4, 6, 3, dtype=torch.float64)
        x[1, 2, 0] = value
        one, other = portable(x)[0], kernel(x)[0]
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12, equal_nan=True)
