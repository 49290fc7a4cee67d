"""Names of equations that Python, torch or the module itself use for something else."""

from __future__ import annotations

from pathlib import Path

import build
import torch
from cells import CELLS
from torch import nn

from celldsl.emit.torch import identifiers


def test_every_attribute_of_a_module_is_known() -> None:
    public = {name for name in (*dir(nn.Module), *vars(nn.Module())) if not name.startswith("_")}
    assert public <= identifiers.MODULE_ATTRIBUTES


def test_every_global_of_an_emitted_module_is_known() -> None:
    for spec in (CELLS["delays"], CELLS["numbers"], "lstm"):
        own = {name for name in vars(build.module(spec)) if not name.startswith("__")}
        classes = {name for name in own if isinstance(getattr(build.module(spec), name), type)}
        own -= {name for name in classes if getattr(build.module(spec), name).__module__ == build.module(spec).__name__}
        assert own <= identifiers.MODULE_GLOBALS


def test_parameters_keep_their_names() -> None:
    keys = set(build.step(CELLS["awkward_names"]).state_dict())
    # Those of nn.Module itself, and those that saved TorchScript cannot name, get an underscore.
    assert keys == {"F", "torch_", "lambda", "batch_sizes", "parameters_", "b", "class_", "forward_", "self", "weight"}


def test_keywords_survive_saving_as_torchscript(tmp_path: Path) -> None:
    layer = build.layer(CELLS["awkward_names"])
    torch.jit.script(layer).save(str(tmp_path / "layer.pt"))
    loaded = torch.jit.load(str(tmp_path / "layer.pt"))
    x = torch.randn(4, 2, 5)
    torch.testing.assert_close(loaded(x)[0], layer(x)[0])
    assert set(loaded.state_dict()) == set(layer.state_dict())


def test_settings_that_are_also_arguments_of_the_layer() -> None:
    layer = build.layer(CELLS["awkward_names"], dropout_=0.25)
    step = layer.layers["l0"]
    assert (layer.dropout, step.dropout, step.lambda_2, step.training_) == (0.0, 0.25, 0.25, 0.5)


def test_parameters_called_as_methods_and_sizes_of_the_step() -> None:
    spec = """
        h_t = tanh(sequence x_t + initial_state h_{t-1} + reset_parameters + input_size)
        s_t = h_t ⊙ full + s_{t-1} ⊙ σ(step)
        output h"""
    layer = build.layer(spec, 3, 3, dtype=torch.float64)
    step = layer.layers["l0"]
    assert set(step.state_dict()) == {"sequence", "initial_state", "reset_parameters", "input_size", "full", "step"}
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    wanted = torch.tanh(x @ step.sequence.t() + h @ step.initial_state.t() + step.reset_parameters + step.input_size)
    torch.testing.assert_close(step(x, (h, h))[0], wanted)
    layer.reset_parameters()
    assert torch.jit.script(layer)(x)[0].shape == (2, 3)


def test_classes_step_aside_for_what_they_use() -> None:
    assert identifiers.class_name("Tensor") == "Tensor_"
    assert identifiers.class_name("LSTM") == "LSTM"
