"""MNIST, an image as a sequence: of 28 rows (`mnist-rows`), of 784 single pixels (`mnist-pixels`), or of these in
another order, the same for all images (`mnist-permuted`; Le, Jaitly & Hinton 2015).

LeCun, Bottou, Bengio & Haffner (1998): 60,000 images to train, 10,000 to test. Lu & Salem's Tables II and I.
input (B, 28, 28) or (B, 784, 1), target (B,).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from celldsl.train.errors import TrainError
from celldsl.train.images import STANDARDS, standardise
from celldsl.train.rng import generator
from celldsl.train.sets import read_images, stamp
from celldsl.train.tasks.task import Data, Split, Task


@dataclass(frozen=True)
class MnistRows(Task):
    name: ClassVar[str] = "mnist-rows"
    reads = ("mnist", ("train", "test"))
    input_size: ClassVar[int] = 28
    outputs: ClassVar[int] = 10

    standardise: str = "pixel"
    """`pixel`: each by its own mean and deviation, those constant in training 0; `pixel-raw`: these too, as the paper's
    code has it (one test image then holds 2.4e7); `all`: one mean and deviation; `unit`: pixels from 0 to 1."""

    def __post_init__(self) -> None:
        if self.standardise not in STANDARDS:
            raise TrainError(
                f"task {self.name}: standardise must be one of {', '.join(STANDARDS)}, not {self.standardise!r}"
            )

    def load(self, data_dir: str | None) -> Data:
        stamps = tuple(stamp("mnist", part, data_dir) for part in ("train", "test"))
        train, train_labels, test, test_labels = _load(data_dir, stamps, self.standardise)
        shape = (-1, 784 // self.input_size, self.input_size)
        return Data(
            train=Split({"input": train.reshape(shape), "target": train_labels}),
            test=Split({"input": test.reshape(shape), "target": test_labels}),
        )


@dataclass(frozen=True)
class MnistPixels(MnistRows):
    name: ClassVar[str] = "mnist-pixels"
    input_size: ClassVar[int] = 1
    eval_batch: ClassVar[int] = 100


@dataclass(frozen=True)
class MnistPermuted(MnistPixels):
    name: ClassVar[str] = "mnist-permuted"

    order: int = 0
    """Seed of the order of pixels."""

    def load(self, data_dir: str | None) -> Data:
        data = super().load(data_dir)
        order = torch.randperm(784, generator=generator("mnist-permuted", self.order))

        def permuted(part: Split) -> Split:
            return Split({**part.tensors, "input": part.tensors["input"][:, order]})

        return Data(train=permuted(data.train), test=permuted(data.test))


@functools.lru_cache(maxsize=1)
def _load(data_dir: str | None, stamps: object, by: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decoded and standardised once per process, however many runs there are."""
    train, train_labels = read_images("mnist", "train", data_dir)
    test, test_labels = read_images("mnist", "test", data_dir)
    train, test = standardise(train, test, by=by)
    return train, train_labels, test, test_labels
