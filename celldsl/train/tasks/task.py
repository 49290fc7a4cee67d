"""What a task is: its data, the model around the cell, and how an answer is scored.

`Task` holds what most tasks share (one answer to a class at the end of a
sequence); a task overrides what it does otherwise. Every method is called with the
same arguments on every process of a data-parallel run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from celldsl.train.model import Layer, SequenceModel, dense
from celldsl.train.sets import find

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Split:
    """One part of a data set: tensors in memory whose first axis counts the examples."""

    tensors: Batch

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def take(self, index: Tensor) -> Batch:
        """The examples at `index`, of any shape (…): each tensor is (…, its own shape without the first axis)."""
        flat = index.flatten()
        return {name: tensor.index_select(0, flat).unflatten(0, index.shape) for name, tensor in self.tensors.items()}

    def first(self, limit: int | None) -> Split:
        return self if limit is None else Split({name: tensor[:limit] for name, tensor in self.tensors.items()})

    def to(self, device: torch.device) -> Split:
        return Split({name: tensor.to(device) for name, tensor in self.tensors.items()})


@dataclass(frozen=True)
class Data:
    """The parts of a data set. Where there is no validation part, the test part decides which epoch was best, as in the
    papers whose tables these are; `monitor` names the part that does."""

    train: Split
    test: Split
    validation: Split | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the model must know of the data (a vocabulary's size), as plain JSON: kept in checkpoints, so that a model
    is rebuilt without the data."""
    initial: Batch = field(default_factory=dict)
    """First values of parameters that come with the data (word vectors), by the parameters' names in the model."""

    @property
    def monitor(self) -> str:
        return "test" if self.validation is None else "validation"

    def evaluated(self) -> dict[str, Split]:
        """The parts scored after every epoch."""
        return {"test": self.test} if self.validation is None else {"validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class Metric:
    """The number that says which epoch is best."""

    name: str
    higher_is_better: bool = True

    def better(self, new: float, old: float | None) -> bool:
        return old is None or (new > old if self.higher_is_better else new < old)


@dataclass(frozen=True)
class Scored:
    """A batch's score.

    loss: (B,), one per example; training minimises its mean plus `penalty`.
    values: name → (B,), whatever the metrics are made of.
    penalty: a scalar that regularises (activations, say), in training only.
    carry: name → (B, …), what stands beside the next batch's tensors: states of texts that go on.
    """

    loss: Tensor
    values: Batch = field(default_factory=dict)
    penalty: Tensor | None = None
    carry: Batch = field(default_factory=dict)


@dataclass(frozen=True)
class Task(ABC):
    """A task; its dataclass fields are its options. Override `load`, and what else differs."""

    name: ClassVar[str]
    metric: ClassVar[Metric] = Metric("accuracy")
    input_size: ClassVar[int]
    """Width m of what the cell reads at a step."""
    outputs: ClassVar[int]
    reads: ClassVar[tuple[str, tuple[str, ...]] | None] = None
    """The set that `load` reads and its parts; None: it needs none."""
    every_step: ClassVar[bool] = False
    eval_batch: ClassVar[int] = 500
    """Examples evaluated at once: a layer holds a few times B · T · n numbers for every gate."""

    def find_data(self, data_dir: str | None) -> None:
        """Raises TrainError, before anything is read, if the data are seen not to be there."""
        if self.reads is not None:
            find(*self.reads, data_dir)

    @abstractmethod
    def load(self, data_dir: str | None) -> Data:
        """The data, the same at every call. Batches are `input` (B, T, m) and `target` unless a task says otherwise."""

    def model(self, layer: Layer, facts: Mapping[str, Any]) -> nn.Module:
        """The model, freshly initialised from torch's global generator; `facts` are those of the data."""
        readout = dense(layer.width, self.outputs)
        return SequenceModel(nn.Identity(), layer, self.input_size, readout, self.every_step)

    def batches(self, split: Split, size: int, generator: torch.Generator) -> Sequence[Tensor]:
        """The index of every training batch of one epoch, in order; all chance comes from `generator`."""
        return torch.randperm(len(split), generator=generator).split(size)

    def rate_scale(self, index: Tensor) -> float:
        """What the epoch's learning rate is multiplied by for one batch."""
        return 1.0

    def eval_batches(self, part: str, split: Split, size: int | None) -> Sequence[Tensor]:
        """The index of every batch in which the part of that name is evaluated; `size` if the user gave one."""
        return torch.arange(len(split)).split(size or self.eval_batch)

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        """Run the model on a batch, once, and score it: here cross-entropy to a class `target` (B,), and accuracy."""
        logits = model(batch["input"])
        loss = F.cross_entropy(logits, batch["target"], reduction="none")
        return Scored(loss, {"accuracy": logits.argmax(-1) == batch["target"]})

    def summarise(self, values: Batch) -> dict[str, float]:
        """The metrics from all examples' values (float64, in the order they were scored): their means.

        A `loss` among them stands in place of the mean of the examples' losses.
        """
        return {name: value.mean().item() for name, value in values.items()}
