"""A layer on kernels held against the portable layer: outputs, last states, every gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import celldsl
from celldsl.runtime.kernel import cells, modules
from celldsl.runtime.load import load

EXTRA = {"p": 6, "k": 4, "r": 3, "s": 3}  # sizes of dimensions beyond the two


def layers(
    source: str, m: int, n: int, dtype: torch.dtype = torch.float64, **options: Any
) -> tuple[nn.Module, nn.Module]:
    """The portable layer of a spec and the one on kernels, with the same weights."""
    cell = celldsl.compile(source)
    portable_module = load(cell.source("torch"), cell.checked)
    kernel_module = modules.module(cell.checked, portable_module)
    name = kernel_module.__all__[0]
    more = {dim: EXTRA.get(dim, 5) for dim in cell.checked.free_dims if dim not in ("m", "n")}
    torch.manual_seed(0)
    portable = getattr(portable_module, name)(m, n, dtype=dtype, **more, **options)
    for value in portable.parameters():  # biases that start at zero would hide mistakes
        nn.init.uniform_(value, -0.7, 0.7)
    kernel = getattr(kernel_module, name)(m, n, dtype=dtype, **more, **options)
    kernel.load_state_dict(portable.state_dict())
    return portable, kernel


def variant(monkeypatch: Any, name: str) -> None:
    """From now on kernels of one variant only."""
    monkeypatch.setattr(cells, "takes", lambda *_: name == "hoisted")
    monkeypatch.setattr(cells, "CALLS", {})


def inputs(source: str, m: int, *shape: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """One tensor for each input of the cell, of leading dimensions `shape`."""
    checked = celldsl.compile(source).checked
    sizes = {"m": m} | {dim: EXTRA.get(dim, 5) for dim in checked.free_dims if dim not in ("m", "n")}
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(*shape, int(info.shape.width.at({**sizes, "n": m})), generator=generator, dtype=dtype)
        for info in checked.inputs
    ]


def listed(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


def gradients(layer: nn.Module, given: list[Any], state: Any = None) -> dict[str, Tensor]:
    """Everything a run and its backward pass give, by name."""
    leaves = [x.detach().clone().requires_grad_() for x in given]
    first = None
    if state is not None:
        first = [value.detach().clone().requires_grad_() for value in listed(state)]
    passed = None if first is None else first[0] if len(first) == 1 else tuple(first)
    output, last = layer(*leaves, passed)
    found = {"output": output} | {f"last {k}": value for k, value in enumerate(listed(last))}
    generator = torch.Generator().manual_seed(2)
    reached = [value for value in found.values() if value.requires_grad]
    upstream = [torch.randn(v.shape, generator=generator, dtype=v.dtype) for v in reached]
    parameters = dict(layer.named_parameters())
    asked = [*leaves, *(first or []), *parameters.values()]
    grads = torch.autograd.grad(reached, asked, upstream, allow_unused=True)
    names = [f"d input {k}" for k in range(len(leaves))] + [f"d state {k}" for k in range(len(first or []))]
    names += [f"d {name}" for name in parameters]
    for name, value, grad in zip(names, asked, grads, strict=True):
        found[name] = torch.zeros_like(value) if grad is None else grad
    return {name: value.detach() for name, value in found.items()}


def differences(portable: nn.Module, kernel: nn.Module, given: list[Any], state: Any = None) -> dict[str, float]:
    """The largest difference of each result, relative to its size where that is above 1."""
    one, other = gradients(portable, given, state), gradients(kernel, given, state)
    assert one.keys() == other.keys()
    found = {}
    for name, value in one.items():
        assert value.shape == other[name].shape, name
        scale = max(1.0, value.abs().max().item()) if value.numel() else 1.0
        assert torch.equal(value.isnan(), other[name].isnan()), name
        found[name] = (value - other[name]).nan_to_num(0.0).abs().max().item() / scale if value.numel() else 0.0
    return found
