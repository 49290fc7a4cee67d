"""Correlations."""

from __future__ import annotations

import torch
from torch import Tensor


def pearson(one: Tensor, other: Tensor) -> float:
    """Pearson's r of two samples (N,); 0 where one of them does not vary."""
    one, other = one - one.mean(), other - other.mean()
    norm = (one.square().sum() * other.square().sum()).sqrt().item()
    return (one * other).sum().item() / norm if norm > 0 else 0.0


def spearman(one: Tensor, other: Tensor) -> float:
    """Spearman's ρ: Pearson's r of the ranks, equals having the mean of theirs."""
    return pearson(_ranks(one), _ranks(other))


def _ranks(values: Tensor) -> Tensor:
    _, place, count = torch.unique(values, sorted=True, return_inverse=True, return_counts=True)
    return (count.cumsum(0).double() - (count.double() - 1) / 2)[place]
