"""Where a run computes: device, precision and processes, by Lightning Fabric.

Several processes are started by torchrun, never from here: a library that restarts
its caller's script surprises. Lightning is imported late; it takes seconds.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from celldsl.train.errors import TrainError
from celldsl.train.settings import Settings

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def start(settings: Settings) -> Fabric:
    """A launched Fabric; TrainError where the machine cannot do what the settings ask."""
    processes, here = 1, 1
    if "LOCAL_RANK" in os.environ:  # torchrun's mark
        processes = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    if settings.devices is not None and settings.devices != processes:
        raise TrainError(
            f"devices={settings.devices}, but this run has {processes} process{'es' if processes > 1 else ''}: "
            f"start it with `torchrun --nproc-per-node {settings.devices} …`"
        )
    if settings.batch < processes:
        raise TrainError(f"batch={settings.batch} cannot be shared by {processes} processes: it counts all together")
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainError("device=cuda, but torch finds no CUDA device; device=cpu or auto runs anywhere")
    if device == "mps" and not torch.backends.mps.is_available():
        raise TrainError("device=mps, but torch finds none; device=cpu or auto runs anywhere")
    from lightning.fabric import Fabric

    precision = {"32": "32-true", "64": "64-true"}.get(settings.precision, settings.precision)
    try:
        with warnings.catch_warnings():  # Lightning advises on multi-processing that is not used here
            warnings.simplefilter("ignore")
            fabric = Fabric(
                accelerator=device,
                devices=here,
                num_nodes=processes // here,
                strategy="ddp" if processes > 1 else "auto",
                precision=precision,  # type: ignore[arg-type]
            )
            fabric.launch()
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise TrainError(f"precision={settings.precision} on {device}: {error}") from error
    return fabric


def shard(fabric: Fabric, index: Tensor) -> tuple[Tensor, int]:
    """This process' examples of a batch and how many of them count.

    Every process must run every batch, since gradients meet in backward; one for which none is left runs the batch's
    first example and counts none.
    """
    part = index[fabric.global_rank :: fabric.world_size]
    return (part, len(part)) if len(part) else (index[:1], 0)


def total(fabric: Fabric, tensor: Tensor) -> Tensor:
    """The sum over all processes, on the CPU of each. A collective call."""
    if fabric.world_size == 1:
        return tensor.cpu()
    return cast(Tensor, fabric.all_reduce(tensor, reduce_op="sum")).cpu()


def of_all(fabric: Fabric, tensor: Tensor) -> Tensor:
    """(n,) of every process → (processes, n), on the CPU of each. A collective call."""
    filled = tensor.new_zeros((fabric.world_size, *tensor.shape))
    filled[fabric.global_rank] = tensor
    return total(fabric, filled)


@contextlib.contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute with so many threads inside, with as many as before after it."""
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Inside, numbers below 1.2e-38 count as 0, where the processor can do that.

    Saturated gates and RMSprop's means of words that do not come up decay to such numbers, with which a processor
    computes up to a hundred times slower: an LSTM on SICK took forty times as long in its 80th step as in its first.
    """
    before = (torch.tensor(1e-38) * 0.01).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
