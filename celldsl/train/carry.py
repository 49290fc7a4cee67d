"""What one batch leaves to the next: the states of texts that go on. A checkpoint has them of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from celldsl.train.fabric import total
from celldsl.train.tasks.task import Batch

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def gather(fabric: Fabric, carried: Batch) -> Batch:
    """Every process' rows, each at its place in the batch, complete on every process. A collective call."""
    if not carried:
        return {}
    rows = int(total(fabric, torch.tensor(len(next(iter(carried.values()))), device=fabric.device)))
    whole = {}
    for name, tensor in carried.items():
        filled = tensor.new_zeros((rows, *tensor.shape[1:]))
        filled[fabric.global_rank :: fabric.world_size] = tensor
        whole[name] = total(fabric, filled)
    return whole


def scatter(fabric: Fabric, whole: Batch) -> Batch:
    """This process' rows again."""
    mine = slice(fabric.global_rank, None, fabric.world_size)
    return {name: tensor[mine].clone().to(fabric.device) for name, tensor in whole.items()}
