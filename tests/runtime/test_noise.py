"""Emitted noise: masks drawn from torch's generator, and what the modules do with them."""

from __future__ import annotations

import pickle

import pytest
import torch

import celldsl
from celldsl.runtime import compare, verify

torch.set_num_threads(1)

CELLS = {
    "each step": "h_t = tanh(W dropout(x_t, 0.3) + U dropout(h_{t-1}, 0.4) + b)",
    "locked": "hyper p = 0.4\n h_t = tanh(W locked_dropout(x_t, p) + U locked_dropout(h_{t-1}, p) + b)",
    "zoneout": "a_t = tanh(W x_t + U h_{t-1})\n h_t = zoneout(a_t, h_{t-1}, 0.3)",
    "parameters": "U' = dropout(U, 0.5)\n h_t = tanh(W x_t + U' h_{t-1} + dropout(b, 0.2))",
    "scalars": "s_t = dropout(sum(x_t), 0.5)\n h_t = tanh(s_t * (W x_t) + U h_{t-1} + b)",
    "no input": "g_t = σ(b)\n i_t = dropout(g_t, 0.5)\n h_t = i_t * tanh(W x_t + U h_{t-1})\n y_t = dropout(h_t, 0.5)",
    "taken names": "a_t = tanh(W x_t + masks)\n h_t = tanh(dropout(a_t, 0.5) + noise h_{t-1} + mask_h)",
}


def compiled(name: str) -> celldsl.api.CompiledCell:
    return celldsl.compile(f"cell Noisy {{\n {CELLS[name]}\n}}")


@pytest.mark.parametrize("name", CELLS)
def test_same_masks_same_outputs_and_gradients(name):
    rows = list(verify.noise_rows(compiled(name)))
    assert len(rows) == 7
    assert [row for row in rows if not row.ok] == []


@pytest.mark.parametrize("name", ["locked", "zoneout", "parameters"])
def test_evaluation_is_what_the_equations_say(name):
    cell = compiled(name)
    rows = list(verify.against_oracle(cell, verify.CASES[0], torch.float64))
    assert [row for row in rows if not row.ok] == []


def test_masks_have_their_means_and_their_values():
    cell = celldsl.compile("""cell Noisy {
        U' = dropout(U, 0.5)
        a_t = tanh(W locked_dropout(x_t, 0.25) + U' dropout(h_{t-1}, 0.2))
        h_t = zoneout(a_t, h_{t-1}, 0.1)
    }""")
    layer = cell.rnn(400, 100, dtype=torch.float64, backend="torch")
    torch.manual_seed(0)
    masks = compare.draw(layer, 50, 6)["l0"]
    assert {name: tuple(mask.shape) for name, mask in masks.items()} == {
        "mask_U_prime": (100, 100),
        "mask_a": (300, 400),
        "mask_a_2": (300, 100),
        "mask_h": (300, 100),
    }
    for name, values, mean in (
        ("mask_U_prime", {0.0, 2.0}, 1),
        ("mask_a", {0.0, 1 / 0.75}, 1),
        ("mask_a_2", {0.0, 1 / 0.8}, 1),
        ("mask_h", {0.0, 1.0}, 0.1),
    ):
        assert set(masks[name].unique().tolist()) == values
        assert masks[name].mean().item() == pytest.approx(mean, abs=0.05)
    locked = masks["mask_a"].view(50, 6, 400)
    assert (locked == locked[0]).all()
    assert not (locked[0, 0] == locked[0, 1]).all()
    stepped = masks["mask_a_2"].view(50, 6, 100)
    assert not (stepped[0] == stepped[1]).all()
    layer.eval()
    for name, mask in compare.draw(layer, 50, 6)["l0"].items():
        assert mask.shape == masks[name].shape
        assert mask.unique().tolist() == [0.1 if name == "mask_h" else 1.0]


def test_a_seed_repeats_a_run_and_another_does_not():
    layer = compiled("locked").rnn(5, 7, num_layers=2, bidirectional=True)
    x = torch.randn(6, 3, 5)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(layer(x)[0])
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_packed_sequences_see_the_rows_of_their_own_masks():
    """Each sequence of a pack, alone, with its rows of the masks that the pack draws."""
    cell = compiled("locked")
    layer = cell.rnn(4, 6, dtype=torch.float64)
    lengths = [5, 4, 2]
    sequences = [torch.randn(length, 4, dtype=torch.float64) for length in lengths]
    packed = torch.nn.utils.rnn.pack_sequence(sequences)
    torch.manual_seed(5)
    output, _ = layer(packed)
    torch.manual_seed(5)
    masks = layer.layers["l0"].noise(packed.data, packed.batch_sizes.tolist())
    rows, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    for row, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        own = {
            name: torch.nn.utils.rnn.pad_packed_sequence(packed._replace(data=mask))[0][:length, row : row + 1]
            for name, mask in masks.items()
        }
        found = compare.run_layer(cell.checked, layer, [sequence.unsqueeze(1)], None, {"m": 4, "n": 6}, {"l0": own})
        assert torch.allclose(rows[:length, row], found.output[:, 0], rtol=0, atol=1e-12)


def test_chunks_are_the_whole_in_evaluation_and_draw_anew_in_training():
    layer = compiled("zoneout").rnn(4, 6, dtype=torch.float64).eval()
    x = torch.randn(8, 2, 4, dtype=torch.float64)
    whole, last = layer(x)
    first, state = layer(x[:3])
    second, state = layer(x[3:], state)
    assert torch.allclose(torch.cat([first, second]), whole, rtol=0, atol=1e-12)
    assert torch.allclose(state, last, rtol=0, atol=1e-12)
    layer.train()
    assert not torch.equal(layer(x)[0], layer(x)[0])


def test_a_setting_is_the_rate_and_is_checked():
    cell = compiled("locked")
    layer = cell.rnn(4, 6, p=0.0)
    x = torch.randn(5, 2, 4)
    trained = layer(x)[0]
    assert torch.equal(trained, layer.eval()(x)[0])
    for wrong in (1.0, -0.1, 2.0):
        with pytest.raises(ValueError, match="p must be a probability below 1, got p="):
            cell.rnn(4, 6, p=wrong)


def test_layers_with_noise_pickle_and_keep_their_mode():
    layer = pickle.loads(pickle.dumps(compiled("zoneout").rnn(4, 6)))
    x = torch.randn(5, 2, 4)
    torch.manual_seed(0)
    first = layer(x)[0]
    torch.manual_seed(0)
    assert torch.equal(layer(x)[0], first)
