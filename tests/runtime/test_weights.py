"""Weights from and to torch.nn's modules, exact to the bit in the two-bias layout."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

import celldsl
from celldsl.runtime.torch_cells import kind_of, recognise
from celldsl.runtime.weights import from_torch, load_torch, to_torch

torch.set_num_threads(1)

MODULES = {
    "LSTM": lambda **options: nn.LSTM(3, 5, **options),
    "GRU": lambda **options: nn.GRU(3, 5, **options),
    "RNN tanh": lambda **options: nn.RNN(3, 5, **options),
    "RNN relu": lambda **options: nn.RNN(3, 5, nonlinearity="relu", **options),
    "LSTM projected": lambda **options: nn.LSTM(3, 5, proj_size=2, **options),
}


def states(module, batch):
    rows = module.num_layers * (2 if module.bidirectional else 1)
    h = torch.randn(rows, batch, module.proj_size or module.hidden_size, dtype=torch.float64)
    return (h, torch.randn(rows, batch, module.hidden_size, dtype=torch.float64)) if type(module) is nn.LSTM else h


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_module_becomes_a_layer_and_back(name, bias):
    for layers, bidirectional, batch_first in itertools.product((1, 2), (False, True), (False, True)):
        module = MODULES[name](
            num_layers=layers, bidirectional=bidirectional, batch_first=batch_first, bias=bias, dtype=torch.float64
        )
        layer = from_torch(module)
        x = torch.randn(2, 2, 3, dtype=torch.float64)
        state = states(module, 2)
        torch.testing.assert_close(layer(x, state), module(x, state), rtol=0, atol=1e-12)
        again = to_torch(layer)
        assert type(again) is type(module)
        assert again.state_dict().keys() == module.state_dict().keys()
        assert all(torch.equal(again.state_dict()[key], value) for key, value in module.state_dict().items())
        assert sum(p.numel() for p in layer.parameters()) == sum(p.numel() for p in module.parameters())


def test_options_and_mode_are_kept():
    layer = from_torch(nn.GRU(3, 5, num_layers=2, dropout=0.25, batch_first=True).eval())
    assert (layer.dropout, layer.batch_first, layer.training) == (0.25, True, False)
    back = to_torch(layer)
    assert (back.dropout, back.batch_first, back.training) == (0.25, True, False)


def test_shipped_cells_are_recognised():
    assert recognise(celldsl.compile("lstm").checked).kind == kind_of(nn.LSTM(1, 1))
    assert recognise(celldsl.compile("gru_reset_after").checked).kind == kind_of(nn.GRU(1, 1))
    assert recognise(celldsl.compile("rnn").checked).kind == kind_of(nn.RNN(1, 1))
    for name in ("gru", "lstm1", "lstm2", "lstm3", "ulstm"):
        assert recognise(celldsl.compile(name).checked) is None


def test_one_bias_takes_the_sum_of_two():
    module = nn.LSTM(3, 5, dtype=torch.float64)
    layer = celldsl.compile("lstm").rnn(3, 5, dtype=torch.float64)
    load_torch(layer, module)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x)[0], module(x)[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(to_torch(layer)(x)[0], layer(x)[0], rtol=0, atol=1e-12)
    assert torch.equal(layer.layers["l0"].b_f, (module.bias_ih_l0 + module.bias_hh_l0)[5:10])


def test_a_spec_of_other_names_is_recognised():
    text = """cell Renamed {
      forget_t = σ(A h_{t-1} + B x_t + k)
      c_t = input_t ⊙ g_t + c_{t-1} ⊙ forget_t
      g_t = tanh(b + C x_t + D h_{t-1})
      input_t = σ(b_i + W_i x_t + U_i h_{t-1})
      out_t = σ(W_o x_t + U_o h_{t-1} + b_o)
      h_t = tanh(c_t) ⊙ out_t
    }"""
    module = nn.LSTM(3, 5)
    layer = from_torch(module, text)
    assert torch.equal(layer.layers["l0"].A, module.weight_hh_l0[5:10])
    again = to_torch(layer)
    assert all(torch.equal(again.state_dict()[key], value) for key, value in module.state_dict().items())


SAME_NAMES_OTHER_CELL = """cell Sub extends LSTM {
  c_t = f_t * c_{t-1} + tanh(U_c h_{t-1} + W_c x_t + b_c) - i_t
}"""


def test_a_cell_that_is_none_of_torchs_is_refused():
    layer = celldsl.compile(SAME_NAMES_OTHER_CELL).rnn(3, 5)
    with pytest.raises(ValueError, match=r"Sub is no cell of torch\.nn's"):
        to_torch(layer)
    with pytest.raises(ValueError, match=r"Sub is none of torch\.nn's"):
        from_torch(nn.LSTM(3, 5), SAME_NAMES_OTHER_CELL)


def test_another_module_or_size_is_refused():
    layer = celldsl.compile("lstm").rnn(3, 5)
    with pytest.raises(ValueError, match=r"the module is nn\.GRU"):
        load_torch(layer, nn.GRU(3, 5))
    with pytest.raises(ValueError, match="hidden_size: the layer has 5, the module 6"):
        load_torch(layer, nn.LSTM(3, 6))
    with pytest.raises(ValueError, match="num_layers"):
        load_torch(layer, nn.LSTM(3, 5, num_layers=2))
    with pytest.raises(ValueError, match="not one of"):
        from_torch(nn.Linear(3, 5))
