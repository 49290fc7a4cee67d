"""The published cells once more, in NumPy, from their papers' equations and not from the specs.

A reference is one step of one row: a function of parameters `p`, the input `x` and the states before `s`, which gives
the states after and the output. Parameters and states have the names of the spec, for want of others to meet by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Vector = np.ndarray
Step = Callable[[SimpleNamespace, Vector, SimpleNamespace], Mapping[str, Vector]]


@dataclass(frozen=True)
class Reference:
    """One step, and the number of parameters as a function of the widths, by their names in the spec."""

    step: Step
    params: Callable[..., int]


REFERENCES: dict[str, Reference] = {}


def reference(params: Callable[..., int]) -> Callable[[Step], Step]:
    """Enters the function under its own name, which is that of the spec."""

    def enter(step: Step) -> Step:
        name: str = step.__name__  # type: ignore[attr-defined]
        assert name not in REFERENCES
        REFERENCES[name] = Reference(step, params)
        return step

    return enter


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def tanh(a: Any) -> Any:
    return np.tanh(a)


def relu(a: Any) -> Any:
    return np.maximum(a, 0)
