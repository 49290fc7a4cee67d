"""Every function of the language as torch spells it: values against `math`, derivatives against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import build
import pytest
import torch
from torch import Tensor

from celldsl.emit.torch.functions import SPELLINGS
from celldsl.functions import FUNCTIONS


def softmax(v: list[float]) -> list[float]:
    top = max(v)
    parts = [math.exp(a - top) for a in v]
    return [part / sum(parts) for part in parts]


def cumsum(v: list[float]) -> list[float]:
    return [math.fsum(v[: k + 1]) for k in range(len(v))]


def layernorm(v: list[float]) -> list[float]:
    mean = math.fsum(v) / len(v)
    scale = math.sqrt(math.fsum((a - mean) ** 2 for a in v) / len(v) + 1e-5)
    return [(a - mean) / scale for a in v]


def rmsnorm(v: list[float]) -> list[float]:
    scale = math.sqrt(math.fsum(a * a for a in v) / len(v) + 1e-5)
    return [a / scale for a in v]


ELEMENTWISE: dict[str, Callable[..., float]] = {
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "hard_sigmoid": lambda a: min(max(a + 3, 0), 6) / 6,
    "hard_tanh": lambda a: min(max(a, -1), 1),
    "softplus": lambda a: max(a, 0) + math.log1p(math.exp(-abs(a))),
    "softsign": lambda a: a / (1 + abs(a)),
    "silu": lambda a: a / (1 + math.exp(-a)),
    "gelu": lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2,
    "elu": lambda a: a if a > 0 else math.expm1(a),
    "leaky_relu": lambda a: a if a > 0 else 0.01 * a,
    "exp": math.exp,
    "log": math.log,
    "log_sigmoid": lambda a: -(max(-a, 0) + math.log1p(math.exp(-abs(a)))),
    "sqrt": math.sqrt,
    "abs": abs,
    "sign": lambda a: math.copysign(1, a) if a else 0.0,
    "sin": math.sin,
    "cos": math.cos,
    "floor": math.floor,
    "max": max,
    "min": min,
    "clamp": lambda a, low, high: min(max(a, low), high),
}
WHOLE: dict[str, Callable[..., list[float]]] = {
    "softmax": softmax,
    "cumsum": cumsum,
    "cumax": lambda v: cumsum(softmax(v)),
    "layernorm": layernorm,
    "rmsnorm": rmsnorm,
    "norm": lambda v: [math.sqrt(math.fsum(a * a for a in v))] * len(v),
    "sum": lambda v: [math.fsum(v)] * len(v),
    "mean": lambda v: [math.fsum(v) / len(v)] * len(v),
    "dot": lambda v, w: [math.fsum(a * b for a, b in zip(v, w, strict=True))] * len(v),
}
POINTS = [-37.5, -3.4, -2.5, -1.1, -0.3, 0.0, 0.2, 0.9, 1.7, 2.6, 3.6, 23.5, 45.0]
POSITIVE = {"log", "sqrt"}


def test_every_row_is_spelled_and_tried() -> None:
    assert set(SPELLINGS) == set(FUNCTIONS) == set(ELEMENTWISE) | set(WHOLE) | {"outer"}


def points(name: str) -> list[float]:
    return [abs(a) + 0.01 for a in POINTS] if name in POSITIVE else POINTS


def arguments(name: str, first: str, second: str) -> str:
    return {"max": f"{first}, {second}", "min": f"{first}, {second}", "clamp": f"{first}, -1, 2"}.get(name, first)


def run(spec: str, x: Tensor) -> Tensor:
    return build.layer(spec, x.size(-1), x.size(-1), dtype=torch.float64)(x)[0]


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@pytest.mark.parametrize("where", ["before the loop", "in the loop"])
def test_elementwise(name: str, where: str) -> None:
    """`c ⊙ h` keeps the call in the loop; without it, it is computed for all steps together."""
    argument = "x_t" if where == "before the loop" else "(x_t + 0 h_{t-1})"
    spec = f"h_t = {name}({arguments(name, argument, '(0.5 x_t)')}) + 0 h_{{t-1}}"
    x = torch.tensor(points(name), dtype=torch.float64).view(1, 1, -1).requires_grad_()
    found = run(spec, x)
    more = {"max": lambda a: (0.5 * a,), "min": lambda a: (0.5 * a,), "clamp": lambda a: (-1.0, 2.0)}
    wanted = [ELEMENTWISE[name](a, *more.get(name, lambda a: ())(a)) for a in points(name)]
    torch.testing.assert_close(found.flatten(), torch.tensor(wanted, dtype=torch.float64), rtol=1e-14, atol=1e-14)

    (gradient,) = torch.autograd.grad(found.sum(), x)
    step = 1e-6

    def value(a: float) -> float:
        return ELEMENTWISE[name](a, *more.get(name, lambda a: ())(a))

    for a, slope in zip(points(name), gradient.flatten().tolist(), strict=True):
        if a == 0 or (name == "floor" and a == int(a)):
            continue  # at a kink or a step
        assert slope == pytest.approx((value(a + step) - value(a - step)) / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("where", ["before the loop", "in the loop"])
def test_of_whole_vectors(name: str, where: str) -> None:
    argument = "x_t" if where == "before the loop" else "(x_t + 0 h_{t-1})"
    call = f"dot({argument}, 2 x_t)" if name == "dot" else f"{name}({argument})"
    spec = f"h_t = {call} + 0 x_t + 0 h_{{t-1}}"
    x = torch.tensor([[0.3, -1.2, 2.1, 0.7], [1.5, 0.1, -0.4, -2.0]], dtype=torch.float64).view(1, 2, 4)
    x.requires_grad_()
    found = run(spec, x)
    rows = x.detach().view(2, 4).tolist()
    wanted = [WHOLE[name](v, [2 * a for a in v]) if name == "dot" else WHOLE[name](v) for v in rows]
    torch.testing.assert_close(found[0], torch.tensor(wanted, dtype=torch.float64), rtol=1e-13, atol=1e-13)
    assert torch.autograd.gradcheck(lambda x: run(spec, x), (x,))


@pytest.mark.parametrize("name", sorted({*ELEMENTWISE, *WHOLE} - {"max", "min", "clamp", "dot"}))
def test_of_parameters_once_a_sequence(name: str) -> None:
    """A function of parameters alone has no batch: a vector stays one, a sum has no dimension at all."""
    spec = f"g = {name}(p)\nparam p: n\nh_t = h_{{t-1}} + x_t + g ⊙ x_t"
    layer = build.layer(spec, 3, 3, dtype=torch.float64)
    vector = [0.4, 1.2, 2.3]
    with torch.no_grad():
        layer.layers["l0"].p.copy_(torch.tensor(vector))
    wanted = WHOLE[name](vector) if name in WHOLE else [ELEMENTWISE[name](a) for a in vector]
    found = layer(torch.ones(1, 2, 3, dtype=torch.float64))[0][0, 1] - 1
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_of_numbers(name: str) -> None:
    """A function of a setting is a Python number, scripted or not."""
    spec = f"hyper a = 0.7\nh_t = h_{{t-1}} + {name}({arguments(name, 'a', '0.2')}) x_t"
    layer = build.layer(spec, 2, 2, dtype=torch.float64)
    more = {"max": (0.2,), "min": (0.2,), "clamp": (-1.0, 2.0)}.get(name, ())
    x = torch.ones(1, 1, 2, dtype=torch.float64)
    for run_it in (layer, torch.jit.script(layer)):
        assert run_it(x)[0][0, 0, 0].item() == pytest.approx(ELEMENTWISE[name](0.7, *more), rel=1e-12)


def test_ties_give_half_to_each() -> None:
    x = torch.zeros(1, 1, 2, dtype=torch.float64, requires_grad=True)
    for name in ("max", "min"):
        (gradient,) = torch.autograd.grad(run(f"h_t = {name}(x_t, 0) + 0 h_{{t-1}}", x).sum(), x)
        assert gradient.flatten().tolist() == [0.5, 0.5]


def test_outer_of_parameters() -> None:
    spec = "A = outer(u, v)\nparam u: n\nparam v: n\nh_t = tanh(A h_{t-1} + W x_t)"
    layer = build.layer(spec, 3, 2, dtype=torch.float64)
    step, h, x = layer.layers["l0"], torch.randn(1, 2, dtype=torch.float64), torch.randn(1, 3, dtype=torch.float64)
    wanted = torch.tanh(step.u * (step.v * h).sum() + x @ step.W.t())
    torch.testing.assert_close(step(x, h)[0], wanted)
