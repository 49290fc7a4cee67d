"""What a module must survive in torch: scripting, transforms, copies, dtypes; on all shipped cells."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import build
import pytest
import torch
from build import SHIPPED
from torch import Tensor


def tensors(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def make(spec: str, m: int = 3, n: int = 4, **options: Any) -> Any:
    torch.manual_seed(5)
    return build.layer(spec, m, n, **options)


def train(layer: Any, steps: int, m: int = 3) -> list[float]:
    torch.manual_seed(6)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-2)
    x, losses = torch.randn(5, 2, m), []
    for _ in range(steps):
        optimizer.zero_grad()
        output, _ = layer(x)
        # The last state is left out, so that parts of the graph get no gradient.
        loss = (output[-1] - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("spec", SHIPPED)
def test_scripted_module_trains_saves_and_loads(spec: str, options: dict[str, Any]) -> None:
    layer = make(spec, **options)
    scripted = torch.jit.script(copy.deepcopy(layer))
    eager_losses, scripted_losses = train(layer, 6), train(scripted, 6)
    assert scripted_losses == pytest.approx(eager_losses, rel=1e-4)
    assert eager_losses[-1] < eager_losses[0]
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer)
    x = torch.randn(4, 2, 3)
    assert torch.equal(loaded(x)[0], scripted(x)[0])
    assert set(loaded.state_dict()) == set(layer.state_dict())
    assert set(loaded.signals(x)) == set(layer.signals(x))
    assert len(train(loaded, 5)) == 5


@pytest.mark.parametrize("spec", SHIPPED)
def test_scripted_step(spec: str) -> None:
    step = make(spec).layers["l0"]
    scripted = torch.jit.script(step)
    x = torch.randn(2, 3)
    output, state = step(x)
    found, found_state = scripted(x)
    assert torch.equal(found, output)
    assert torch.equal(scripted(x, found_state)[0], step(x, state)[0])


@pytest.mark.parametrize("spec", SHIPPED)
def test_backward_in_eval_mode(spec: str) -> None:
    layer = make(spec, num_layers=2, dropout=0.5).eval()
    x = torch.randn(5, 2, 3, requires_grad=True)
    layer(x)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert x.grad is not None


@pytest.mark.parametrize("spec", SHIPPED)
def test_first_and_second_derivatives(spec: str) -> None:
    layer = make(spec, 2, 2, dtype=torch.float64, two_biases=True)
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        output, last = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))
        return torch.cat([output.flatten(), *(value.flatten() for value in tensors(last))])

    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x, *values), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (x, *values), fast_mode=True)


@pytest.mark.parametrize("spec", SHIPPED)
def test_per_sample_gradients(spec: str) -> None:
    """`vmap` of `grad` over the batch against one backward a sample."""
    layer = make(spec, dtype=torch.float64, num_layers=2)
    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    x = torch.randn(6, 5, 3, dtype=torch.float64)

    def loss(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (sample,))[0].square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for k in range(6):
        layer.zero_grad()
        layer(x[k])[0].square().sum().backward()
        for name, value in layer.named_parameters():
            torch.testing.assert_close(found[name][k], value.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spec", SHIPPED)
def test_an_ensemble_by_vmap(spec: str) -> None:
    layers = [build.layer(spec, 3, 4) for _ in range(3)]
    stacked, _ = torch.func.stack_module_state(layers)
    x = torch.randn(4, 2, 3)
    found = torch.func.vmap(lambda p: torch.func.functional_call(layers[0], p, (x,))[0])(stacked)
    for k, layer in enumerate(layers):
        torch.testing.assert_close(found[k], layer(x)[0])


@pytest.mark.parametrize("spec", SHIPPED)
def test_autocast_to_bfloat16(spec: str) -> None:
    layer, x = make(spec, num_layers=2), torch.randn(5, 2, 3)
    want = layer(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, last = layer(x)
        again, _ = layer(x, last)
    torch.testing.assert_close(output.float(), want, rtol=0.05, atol=0.05)
    assert again.shape == output.shape
    output.float().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in layer.parameters())


@pytest.mark.parametrize("spec", SHIPPED)
def test_copies(spec: str) -> None:
    layer, x = make(spec, num_layers=2, bidirectional=True), torch.randn(5, 2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], layer(x)[0])
        with torch.no_grad():
            next(other.parameters()).add_(1)
        assert not torch.equal(other(x)[0], layer(x)[0])
    fresh = make(spec, num_layers=2, bidirectional=True)
    fresh.reset_parameters()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x)[0], layer(x)[0])


@pytest.mark.parametrize("spec", SHIPPED)
def test_factory_arguments(spec: str) -> None:
    layer = make(spec, dtype=torch.float64, device="cpu", two_biases=True)
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}
    empty = build.layer(spec, 3, 4, device="meta")
    assert {parameter.device.type for parameter in empty.parameters()} == {"meta"}
    assert {value.dtype for value in tensors(layer(torch.zeros(2, 1, 3, dtype=torch.float64))[1])} == {torch.float64}


@pytest.mark.parametrize("spec", SHIPPED)
def test_state_dict_reads_like_the_paper(spec: str) -> None:
    layer = make(spec, num_layers=2)
    names = {info.name for info in build.cell(spec).parameters}
    assert {key.rpartition(".")[2] for key in layer.state_dict()} == names
    assert {key.rpartition(".")[0] for key in layer.state_dict()} == {"layers.l0", "layers.l1"}


def test_second_biases_stand_beside_the_first() -> None:
    one, two = make("lstm"), make("lstm", two_biases=True)
    assert set(two.layers["l0"].state_dict()) - set(one.layers["l0"].state_dict()) == {
        "b_i_hh",
        "b_f_hh",
        "b_o_hh",
        "b_c_hh",
    }
    # In LSTM1 only the candidate sees both the input and the state.
    names = set(make("lstm1", two_biases=True).layers["l0"].state_dict())
    assert {name for name in names if name.endswith("_hh")} == {"b_c_hh"}


@pytest.mark.parametrize("spec", SHIPPED)
def test_initial_values(spec: str) -> None:
    step = build.step(spec, 30, 40, two_biases=True)
    for name, value in step.named_parameters():
        if name == "b_f" and spec.startswith("lstm"):
            assert torch.equal(value, torch.ones(40))
        elif value.dim() == 1 and not name.startswith("d_"):
            assert torch.equal(value, torch.zeros(40)), name
        elif value.dim() == 2:
            bound = (6 / (value.size(0) + value.size(1))) ** 0.5
            assert 0.9 * bound < value.abs().max() <= bound, name


def test_extra_repr() -> None:
    layer = make("lstm", num_layers=2, bidirectional=True, batch_first=True)
    assert "LSTM(\n  3, 4, num_layers=2, batch_first=True, bidirectional=True\n" in repr(layer)
    assert "LSTMCell(3, 4)" in repr(layer)


def test_signals_of_every_layer_and_direction() -> None:
    layer = make("lstm3", num_layers=2, bidirectional=True, batch_first=True)
    x = torch.randn(2, 5, 3)
    signals = layer.signals(x)
    assert len(signals) == 4 * 5
    assert {value.shape for value in signals.values()} == {(2, 5, 4)}
    output, _ = layer(x)
    assert torch.equal(torch.cat([signals["h_l1"], signals["h_l1_reverse"]], -1), output)
    assert layer.signals(x[0])["c_l0"].shape == (5, 4)


class TestErrors:
    """Wrong arguments and shapes are told in the caller's words."""

    @pytest.mark.parametrize("shape", [(5, 2, 4), (5, 4), (3,), (1, 5, 2, 3), (5, 3, 2)])
    def test_input(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"LSTM: expected input \(T, B, 3\) or \(T, 3\), got \["):
            make("lstm")(torch.zeros(shape))
        with pytest.raises(ValueError, match=r"LSTM: expected input \(B, T, 3\)"):
            make("lstm", batch_first=True)(torch.zeros(shape))

    @pytest.mark.parametrize(
        ("h", "c", "message"),
        [
            ((1, 3, 4), (1, 2, 4), r"LSTM: h of all layers: expected shape \[1, 2, 4\], got \[1, 3, 4\]"),
            ((1, 2, 4), (2, 2, 4), r"LSTM: c of all layers: expected shape \[1, 2, 4\], got \[2, 2, 4\]"),
            ((1, 2, 5), (1, 2, 4), r"LSTM: h: expected shape \[2, 4\], got \[2, 5\]"),
            ((2, 4), (1, 2, 4), r"LSTM: h of all layers: expected shape"),
        ],
    )
    def test_state(self, h: tuple[int, ...], c: tuple[int, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            make("lstm")(torch.zeros(5, 2, 3), (torch.zeros(h), torch.zeros(c)))

    def test_step(self) -> None:
        step = make("lstm").layers["l0"]
        with pytest.raises(ValueError, match=r"LSTM: x: expected shape \[2, 3\], got \[2, 5\]"):
            step(torch.zeros(2, 5))
        with pytest.raises(ValueError, match="LSTM: c: expected shape"):
            step(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(2, 3)))

    def test_arguments(self) -> None:
        layer = build.module("lstm").LSTM
        for options in ({"num_layers": 0}, {"dropout": 1.5, "num_layers": 2}, {"dropout": -0.1}):
            with pytest.raises(ValueError, match="LSTM: "):
                layer(3, 4, **options)
        with pytest.raises(ValueError, match="every size must be at least 1"):
            layer(3, 0)
        with pytest.warns(UserWarning, match="acts between layers"):
            layer(3, 4, dropout=0.5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layer(3, 4, num_layers=2, dropout=0.5)

    def test_widths_that_the_equations_fix(self) -> None:
        spec = "h_t = σ(W x_t) ⊙ x_t + h_{t-1}"
        with pytest.raises(ValueError, match="the equations make x_t 4 wide, got input_size=5"):
            build.module(spec).C(5, 4)
        assert build.module(spec).C(4, 4)(torch.zeros(2, 1, 4))[0].shape == (2, 1, 4)

    def test_divisibility(self) -> None:
        spec = "dim r = n / 4\nparam P: n×r\nh_t = tanh(W x_t + P (Q h_{t-1}))"
        with pytest.raises(ValueError, match=r"C: r = n/4 must be a whole number, got n=50"):
            build.module(spec).C(3, 50)
        assert build.module(spec).C(3, 8).layers["l0"].P.shape == (8, 2)


def test_settings_are_arguments_and_attributes() -> None:
    spec = (
        "hyper alpha = 0.5\nhyper k = 2\ndim r = n / k\nparam P: n×r\nh_t = alpha h_{t-1} + tanh(W x_t + P (Q h_{t-1}))"
    )
    layer = build.module(spec).C(3, 8)
    assert (layer.layers["l0"].alpha, layer.layers["l0"].P.shape) == (0.5, (8, 4))
    other = build.module(spec).C(3, 8, alpha=0.0, k=4)
    assert (other.layers["l0"].alpha, other.layers["l0"].P.shape) == (0.0, (8, 2))
    assert "alpha=0.0, k=4" in repr(other)
    with pytest.raises(ValueError, match="r = n/k must be a whole number, got k=3, n=8"):
        build.module(spec).C(3, 8, k=3)


def test_blocks_must_divide_their_widths() -> None:
    with pytest.raises(ValueError, match="C: n/heads must be a whole number, got heads=3, n=8"):
        build.module("hyper heads = 3; param U: n×n blocks(heads); h_t = tanh(W x_t + U h_{t-1})").C(5, 8)
