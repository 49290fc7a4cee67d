"""The scores of many batches, put together in the order of the data whoever computed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from celldsl.train.fabric import total
from celldsl.train.tasks.task import Batch, Scored

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Scores:
    """Losses and values of examples, each at its place. Nothing waits for the device until `gather`."""

    def __init__(self) -> None:
        self.places: list[Tensor] = []
        self.columns: dict[str, list[Tensor]] = {}
        self.total = 0
        """Examples scored so far by all processes."""

    def add(self, scored: Scored, size: int, counted: int, rank: int, world: int) -> None:
        """Add this process' part of a batch of `size` examples; the first `counted` of it count."""
        self.places.append(torch.arange(self.total + rank, self.total + size, world)[:counted])
        for name, value in {"loss": scored.loss, **scored.values}.items():
            self.columns.setdefault(name, []).append(value.detach()[:counted])
        self.total += size

    def gather(self, fabric: Fabric) -> Batch:
        """Every column, (total,) in float64, complete on every process. A collective call."""
        places = torch.cat(self.places)
        columns = {}
        for name, parts in self.columns.items():
            whole = torch.zeros(self.total, dtype=torch.float64)
            whole[places] = torch.cat(parts).cpu().double()
            columns[name] = total(fabric, whole)
        return columns

    @classmethod
    def restore(cls, columns: Batch, total: int, rank: int) -> Scores:
        """The scores a checkpoint holds; the first process takes them all."""
        scores = cls()
        scores.total = total
        count = total if rank == 0 else 0
        if total:
            scores.places.append(torch.arange(count))
            scores.columns = {name: [column[:count]] for name, column in columns.items()}
        return scores
