"""How torch spells the functions of the language, one row each.

`{0}`, `{1}` … are the arguments, `{n}` the width of the first.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spelling:
    """tensor: of tensors (`constant`: where the argument has no batch); number: of Python numbers (a function of a
    whole vector has none: vectors are tensors)."""

    tensor: str
    constant: str = ""
    number: str = ""


SPELLINGS: dict[str, Spelling] = {
    "sigmoid": Spelling("torch.sigmoid({0})", number="1 / (1 + math.exp(-{0}))"),
    "tanh": Spelling("torch.tanh({0})", number="math.tanh({0})"),
    "relu": Spelling("torch.relu({0})", number="max({0}, 0.0)"),
    # The derivative of F.hardsigmoid is 1/6 in single precision only.
    "hard_sigmoid": Spelling("F.relu6({0} + 3) / 6", number="min(max({0} / 6 + 0.5, 0.0), 1.0)"),
    "hard_tanh": Spelling("F.hardtanh({0})", number="min(max({0}, -1.0), 1.0)"),
    # torch's own is the identity from 20 on, which is off by 2e-9; from 40 on it is exact.
    "softplus": Spelling("F.softplus({0}, threshold=40.0)", number="math.log(1 + math.exp({0}))"),
    "softsign": Spelling("F.softsign({0})", number="{0} / (1 + abs({0}))"),
    "silu": Spelling("F.silu({0})", number="{0} / (1 + math.exp(-{0}))"),
    "gelu": Spelling("F.gelu({0})", number="{0} * (1 + math.erf({0} / math.sqrt(2))) / 2"),
    "elu": Spelling("F.elu({0})", number="max({0}, 0.0) + min(math.expm1({0}), 0.0)"),
    "leaky_relu": Spelling("F.leaky_relu({0}, 0.01)", number="max({0}, 0.01 * {0})"),
    "exp": Spelling("torch.exp({0})", number="math.exp({0})"),
    "log": Spelling("torch.log({0})", number="math.log({0})"),
    "log_sigmoid": Spelling("F.logsigmoid({0})", number="-math.log(1 + math.exp(-{0}))"),
    "sqrt": Spelling("torch.sqrt({0})", number="math.sqrt({0})"),
    "abs": Spelling("torch.abs({0})", number="abs({0})"),
    "sign": Spelling("torch.sign({0})", number="float({0} > 0) - float({0} < 0)"),
    "sin": Spelling("torch.sin({0})", number="math.sin({0})"),
    "cos": Spelling("torch.cos({0})", number="math.cos({0})"),
    "floor": Spelling("torch.floor({0})", number="math.floor({0})"),
    "max": Spelling("torch.maximum({0}, {1})", number="max({0}, {1})"),
    "min": Spelling("torch.minimum({0}, {1})", number="min({0}, {1})"),
    "clamp": Spelling("torch.clamp({0}, {1}, {2})", number="min(max({0}, {1}), {2})"),
    "softmax": Spelling("torch.softmax({0}, dim=-1)"),
    "cumsum": Spelling("torch.cumsum({0}, dim=-1)"),
    "cumax": Spelling("torch.cumsum(torch.softmax({0}, dim=-1), dim=-1)"),
    "layernorm": Spelling("F.layer_norm({0}, [{n}])"),
    "rmsnorm": Spelling("F.rms_norm({0}, [{n}], eps=1e-5)"),
    # The square root is not differentiable at 0; vector_norm takes the subgradient 0 there.
    "norm": Spelling(
        "torch.linalg.vector_norm({0}, dim=-1, keepdim=True)", constant="torch.linalg.vector_norm({0}, dim=-1)"
    ),
    "sum": Spelling("torch.sum({0}, dim=-1, keepdim=True)", constant="torch.sum({0}, dim=-1)"),
    "mean": Spelling("torch.mean({0}, dim=-1, keepdim=True)", constant="torch.mean({0}, dim=-1)"),
    "dot": Spelling("torch.sum({0} * {1}, dim=-1, keepdim=True)", constant="torch.dot({0}, {1})"),
    "outer": Spelling("torch.outer({0}, {1})"),
}
