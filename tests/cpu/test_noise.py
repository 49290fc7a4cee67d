"""Kernels while training with noise, against the portable layer under the same seed."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import celldsl
from celldsl.runtime import compare
from celldsl.runtime.kernel import ahead, modules
from celldsl.runtime.kernel.cells import CellKernels
from celldsl.runtime.kernel.noise import draw, draws
from celldsl.runtime.load import load
from celldsl.schedule.cpu_noise import masked
from celldsl.train import train
from celldsl.train.progress import Lines
from tests.cpu import parity
from tests.train.helpers import plain, quick

SHIPPED = ["awd_lstm", "haste_lstm", "recurrent_dropout_lstm", "variational_lstm", "zoneout_lstm"]
CHANGED: dict[str, tuple[str, dict[str, Any]]] = {
    "keras": ("lstm", {"recurrent_dropout": 0.2, "input_dropout": 0.3, "gates": "keras1_hard_sigmoid"}),
    "recurrent": ("ulstm", {"recurrent_dropout": 0.4}),
    "around": ("lstm1", {"locked_input": 0.3, "locked_output": 0.4}),
    "zoneout": ("gru", {"zoneout": 0.3}),
    "weight drop": ("lstm3", {"weight_drop": {"U_*": 0.5}}),
    "all": ("lstm", {"recurrent_dropout": 0.2, "locked_output": 0.3, "weight_drop": {"*": 0.4}, "zoneout": {"c": 0.1}}),
}
ODD = {
    "each step": "h_t = tanh(W dropout(x_t, 0.3) + U dropout(h_{t-1}, 0.4) + b)",
    "vectors": "U' = dropout(U, 0.5)\n b' = dropout(b, 0.3)\n h_t = tanh(W x_t + U' h_{t-1} + b' + dropout(c, 0.2))",
    "scalars": "s_t = dropout(mean(x_t), 0.5)\n q_t = locked_dropout(mean(h_{t-1}), 0.4)\n"
    " h_t = tanh(s_t * (W x_t) + q_t * (U h_{t-1}) + b)",
    "constant gate": "g_t = σ(b)\n i_t = dropout(g_t, 0.5)\n h_t = i_t * tanh(W x_t + U h_{t-1})\n"
    " y_t = locked_dropout(h_t, 0.5)",
    "taken names": "a_t = tanh(W x_t + masks)\n h_t = tanh(dropout(a_t, 0.5) + noise h_{t-1} + mask_h)",
    "parts": "h_t = tanh(W dropout([h_{t-1}; x_t], 0.3) + V locked_dropout([x_t; h_{t-1}], 0.3) + b)",
}
EVERY = [*SHIPPED, *CHANGED, *ODD]
HOISTED = ["awd_lstm", "variational_lstm", "keras", "all", "each step", "parts"]


def compiled(name: str) -> celldsl.api.CompiledCell:
    if name in CHANGED:
        source, options = CHANGED[name]
        return celldsl.compile(source).variant(**options)
    return celldsl.compile(f"cell Noisy {{\n {ODD[name]}\n}}" if name in ODD else name)


def layers(name: str, m: int, n: int, **options: Any) -> tuple[nn.Module, nn.Module]:
    """The portable layer and the one on kernels, with the same weights; the latter cannot compute otherwise."""
    cell = compiled(name)
    portable_module = load(cell.source("torch"), cell.checked)
    kernel_module = modules.module(cell.checked, portable_module)
    kind = kernel_module.__all__[0]
    options = {"dtype": torch.float64, **options}
    portable = getattr(portable_module, kind)(m, n, **options)
    for value in portable.parameters():
        nn.init.uniform_(value, -0.7, 0.7)
    kernel = getattr(kernel_module, kind)(m, n, **options)
    kernel.load_state_dict(portable.state_dict())

    def refuse(*_: Any) -> None:
        raise AssertionError("the portable code ran")

    for step in kernel.layers.values():
        step.sequence = refuse
    return portable, kernel


def seeded(layer: nn.Module, given: list[Any], state: Any = None) -> dict[str, torch.Tensor]:
    torch.manual_seed(11)
    found = parity.gradients(layer, given, state)
    return found | {"the generator": torch.get_rng_state()}


def assert_same(portable: nn.Module, kernel: nn.Module, given: list[Any], state: Any = None) -> None:
    one, other = seeded(portable, given, state), seeded(kernel, given, state)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-11, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize(
    ("name", "variant"), [*((name, "folded") for name in EVERY), *((name, "hoisted") for name in HOISTED)]
)
def test_everything_equals_the_portable_module(name, variant, monkeypatch):
    parity.variant(monkeypatch, variant)
    for T, B, m, n in [(1, 1, 2, 3), (6, 9, 5, 19)]:
        portable, kernel = layers(name, m, n)
        x = torch.randn(T, B, m, dtype=torch.float64)
        assert_same(portable, kernel, [x])
        assert_same(portable, kernel, [x], portable(x)[1])
        with torch.no_grad():
            torch.manual_seed(4)
            expected = portable(x)[0]
            assert not torch.equal(portable(x)[0], expected) or T == 1
            torch.manual_seed(4)
            torch.testing.assert_close(kernel(x)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_layers_and_directions_draw_their_own_masks_in_order(name):
    options = {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "batch_first": True}
    portable, kernel = layers(name, 5, 7, **options)
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    assert_same(portable, kernel, [x], portable(x)[1])


@pytest.mark.parametrize("name", EVERY)
def test_packed(name):
    lengths = [7, 7, 4, 2, 1]
    sequences = [torch.randn(length, 5, dtype=torch.float64) for length in lengths]
    packed = pack_sequence(sequences)

    def results(layer: nn.Module) -> list[torch.Tensor]:
        torch.manual_seed(12)
        data = packed.data.clone().requires_grad_()
        output, last = layer(PackedSequence(data, packed.batch_sizes))
        every = [output.data, *parity.listed(last)]
        sum((value * torch.arange(1.0, value.shape[-1] + 1)).sin().sum() for value in every).backward()
        return [*every, data.grad, *(p.grad for p in layer.parameters())]

    for options in ({}, {"num_layers": 2, "bidirectional": True}):
        portable, kernel = layers(name, 5, 9, **options)
        for one, other in zip(results(portable), results(kernel), strict=True):
            torch.testing.assert_close(other, one, rtol=1e-11, atol=1e-11)


def test_two_threads_take_their_rows_of_a_mask():
    portable, kernel = layers("keras", 16, 32)
    x = torch.randn(12, 50, 16, dtype=torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_same(portable, kernel, [x])
    finally:
        torch.set_num_threads(before)


def test_masks_are_drawn_once_for_a_sequence_and_not_repeated():
    given = masked(compiled("keras").checked)
    found = draws(given.masks, {"m": 5, "n": 7}, {})
    drawn = draw(found, torch.zeros(6, 3, 5), 3)
    assert sorted(tuple(mask.shape) for mask in drawn.values()) == [(3, 5)] * 4 + [(3, 7)] * 4
    assert all(info.noise == "sequence" for info in given.cell.inputs[1:])


@pytest.mark.parametrize("name", EVERY)
def test_a_seed_draws_the_masks_of_the_portable_module(name):
    cell = compiled(name).checked
    portable, _ = layers(name, 5, 7)
    step = portable.layers["l0"]
    torch.manual_seed(3)
    expected = compare.draw(portable, 6, 3)["l0"]
    rates = {info.name: getattr(step, info.name) for info in cell.settings if info.kind == "hyper"}
    sizes = {"m": 5, "n": 7}
    sizes |= {dim.name: int(dim.value.at(sizes)) for dim in cell.dims if dim.value is not None}
    torch.manual_seed(3)
    drawn = draw(draws(masked(cell).masks, sizes, rates), torch.zeros(6, 3, 5, dtype=torch.float64), 3)
    for mask, one, other in zip(cell.masks, expected.values(), drawn.values(), strict=True):
        if mask.per == "sequence":
            other = other.repeat(6, 1)
        assert torch.equal(one, other.reshape(one.shape))


def test_rates_may_change_between_runs():
    portable, kernel = layers("variational_lstm", 5, 7)
    x = torch.randn(4, 3, 5, dtype=torch.float64)
    for rates in ((0.25, 0.25), (0.6, 0.0), (0.0, 0.0), (0.1, 0.7)):
        for layer in (portable, kernel):
            step = layer.layers["l0"]
            step.p_x, step.p_h = rates
        one, other = seeded(portable, [x]), seeded(kernel, [x])
        for name in one.keys() - {"the generator"}:
            torch.testing.assert_close(other[name], one[name], rtol=1e-11, atol=1e-11)


def test_evaluation_draws_nothing():
    portable, kernel = layers("keras", 5, 7)
    portable.eval()
    kernel.eval()
    before = torch.get_rng_state()
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(kernel(x)[0], portable(x)[0], rtol=1e-12, atol=1e-12)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layer_in_evaluation_beside_one_in_training():
    portable, kernel = layers("zoneout_lstm", 5, 5, num_layers=2)
    for layer in (portable, kernel):
        layer.layers["l0"].eval()
    assert_same(portable, kernel, [torch.randn(4, 3, 5, dtype=torch.float64)])


@pytest.mark.parametrize("name", ["keras", "each step", "awd_lstm"])
def test_gradients_of_gradients(name):
    portable, kernel = layers(name, 3, 4)
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)

    def second(layer: nn.Module) -> list[torch.Tensor]:
        torch.manual_seed(5)
        parameters = list(layer.parameters())
        (first,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
        found = torch.autograd.grad(first.pow(2).sum(), [x, *parameters], allow_unused=True)
        return [torch.zeros(()) if g is None else g for g in found]

    for one, other in zip(second(portable), second(kernel), strict=True):
        torch.testing.assert_close(other, one.expand_as(other), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["keras", "each step", "awd_lstm"])
def test_under_compile(name):
    """The graph draws the masks, as eager code does, and calls the operator."""
    portable, kernel = layers(name, 5, 7, num_layers=2, bidirectional=True)
    kernel.compile(fullgraph=True, backend="aot_eager")
    assert_same(portable, kernel, [torch.randn(6, 3, 5, dtype=torch.float64)])


def test_under_vmap_the_portable_module_serves():
    portable, _ = layers("keras", 5, 7)
    kernel = compiled("keras").rnn(5, 7, dtype=torch.float64)
    kernel.load_state_dict(portable.state_dict())
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    results = []
    for layer in (portable, kernel):
        torch.manual_seed(6)
        results.append(torch.vmap(lambda value, layer=layer: layer(value)[0], randomness="different")(x))
    torch.testing.assert_close(results[1], results[0], rtol=1e-12, atol=1e-12)


def test_masks_get_no_gradient_and_no_copies():
    """A mask is read where it lies: nothing of its width is saved for it, nothing of it handed back."""
    schedule = CellKernels(compiled("keras").checked).noisy.folded.schedule
    locked = [b for b in schedule.backward.buffers if b.kind == "locked"]
    assert len(locked) == 8
    assert set(schedule.programs.gradients.values()) == {"x"}
    assert not {buffer.name for buffer in schedule.saved} & {buffer.name for buffer in locked}
    assert "mask_i, drawn before, one for each sequence" in str(schedule)


@pytest.mark.slow
def test_kernels_with_noise_are_built_ahead():
    """Both variants, with and without."""
    assert len(list(ahead.build_ahead(compiled("zoneout_lstm").checked))) == 4


NOISY_RUN: dict[str, Any] = {
    "cell": "lstm",
    "recurrent_dropout": 0.2,
    "input_dropout": 0.2,
    "weight_drop": {"U_*": 0.5},
    "zoneout": {"*": 0.1},
    "gates": "keras1_hard_sigmoid",
    "optimiser": "adam",
    "lr": 1e-2,
}


def test_a_run_of_the_trainer_says_what_computes_and_gives_the_same_numbers():
    losses = []
    for backend, told in (("torch", "parameters, cpu\n"), ("cpu", "parameters, cpu kernels\n")):
        stream = io.StringIO()
        result = train(quick(**NOISY_RUN, epochs=1, backend=backend), progress=Lines(stream))
        losses.append(result.curve("train", "loss")[-1])
        assert told in stream.getvalue()
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_a_run_of_the_trainer_resumes_to_the_same_bits(tmp_path):
    settings = {**NOISY_RUN, "backend": "cpu"}
    whole = train(quick(**settings, epochs=2))
    out = str(tmp_path / "run")
    train(quick(**settings, epochs=1, out=out))
    resumed = train(quick(**settings, epochs=2, out=out), resume=True)
    assert plain(resumed.rows) == plain(whole.rows)
