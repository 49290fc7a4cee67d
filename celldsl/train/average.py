"""Averaged SGD with the trigger of Merity, Keskar & Socher (NT-ASGD, arXiv:1708.02182, algorithm 1).

Descent goes on with the weights as they are; a model is evaluated, and kept as the best, with the mean of its weights
over all steps since averaging began.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


class Average:
    """The mean of a model's weights, once it has begun; until then everything here does nothing.

    patience: begin once a loss is above the best of all but the last so many; None: never begin.
    """

    def __init__(self, model: nn.Module, patience: int | None):
        self.model, self.patience = model, patience
        self.begun, self.steps = False, 0
        self.means: dict[str, Tensor] = {}

    def watch(self, losses: Sequence[float]) -> bool:
        """After an epoch: does averaging begin now? `losses`: those of all epochs, the newest last."""
        if self.patience is None or self.begun:
            return False
        *earlier, newest = losses
        self.begun = len(earlier) > self.patience and newest > min(earlier[: -self.patience])
        return self.begun

    @torch.no_grad()
    def add(self) -> None:
        """After a step."""
        if not self.begun:
            return
        self.steps += 1
        for name, weight in self._weights():
            if self.steps == 1:
                self.means[name] = weight.detach().clone()
            else:
                self.means[name].lerp_(weight, 1 / self.steps)  # one pass over memory

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model's weights are the mean."""
        if not self.means:
            yield
            return
        own = {name: weight.detach().clone() for name, weight in self._weights()}
        self._put(self.means)
        try:
            yield
        finally:
            self._put(own)

    def restore(self, means: dict[str, Tensor], steps: int, begun: bool) -> None:
        """Stand where a checkpoint stood."""
        device = next(self.model.parameters()).device
        self.begun, self.steps = begun, steps
        self.means = {name: tensor.to(device) for name, tensor in means.items()}

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, weight in self._weights():
            weight.copy_(values[name])

    def _weights(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
