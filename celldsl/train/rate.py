"""Learning rates and optimisers by name.

A rate is a function of the epoch and of the last epoch's training loss alone, so
that a resumed run needs no schedule state.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from celldsl.train.settings import Settings

if TYPE_CHECKING:
    import torch


def rate(settings: Settings, epoch: int, last_loss: float | None) -> float:
    """The learning rate of an epoch (counted from 0), constant within it.

    `exp-loss` is Lu & Salem's η = η0·exp(C) (arXiv:1701.03441): C is the mean training loss of the epoch before, and it
    is always η0 that is multiplied, so nothing compounds. The first epoch, which has no loss before it, runs at η0 (the
    authors' script has a fixed 1e-3 there, which their IMDB curves at η0 = 1e-5 contradict). A loss too large for exp
    gives an infinite rate, at which the trainer stops.
    """
    base = settings.lr
    if settings.schedule == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
    if settings.schedule == "step":
        return base * settings.step_factor ** (epoch // settings.step_every)
    if settings.schedule == "decay":
        return base * settings.step_factor ** max(epoch + 1 - settings.decay_after, 0)
    if settings.schedule == "exp-loss" and last_loss is not None:
        try:
            return base * math.exp(last_loss)
        except OverflowError:
            return math.inf
    return base


def make_optimiser(
    settings: Settings, parameters: Iterable[torch.nn.Parameter], device: str = "cpu"
) -> torch.optim.Optimizer:
    """The optimiser of the settings. `rmsprop` has Keras 1's constants: ρ = 0.9, ε = 1e-8, no centring.

    `nt-asgd` is SGD here; `average.py` does the averaging.

    device: the type of the device that the parameters are on, or will be.

    The rate given here is replaced at the start of every epoch. On a CPU each step goes once over its memory (`fused`),
    which on a large table of words takes a third of the time. RMSprop has no such kernel, and on a GPU a fused step
    would keep gradients from being clipped at precision 16-mixed: there `foreach` walks all parameters in a few calls.
    """
    import torch

    lr, decay, momentum, name = settings.lr, settings.weight_decay, settings.momentum, settings.optimiser
    if name == "rmsprop":
        return torch.optim.RMSprop(
            parameters, lr=lr, alpha=0.9, eps=1e-8, weight_decay=decay, momentum=momentum, foreach=True
        )
    parameters = list(parameters)
    # torch's fused kernels walk weights and gradients as they lie in memory, whatever their strides.
    fused = device == "cpu" and all(each.is_contiguous() for each in parameters)
    foreach = not fused
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=fused, foreach=foreach)
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay, fused=fused, foreach=foreach)
    if name == "adagrad":
        return torch.optim.Adagrad(parameters, lr=lr, weight_decay=decay, fused=fused, foreach=foreach)
    return torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=momentum, fused=fused, foreach=foreach)
