"""MNIST, an image as a sequence: of 28 rows (`mnist-rows`) or of 784 single pixels (`mnist-pixels`).

LeCun, Bottou, Bengio & Haffner (1998): 60,000 images to train, 10,000 to test. Lu & Salem's Tables II and I.
input (B, 28, 28) or (B, 784, 1), target (B,).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from celldsl.train.images import standardise
from celldsl.train.sets import read_images, stamp
from celldsl.train.tasks.task import Data, Split, Task


@dataclass(frozen=True)
class MnistRows(Task):
    name: ClassVar[str] = "mnist-rows"
    input_size: ClassVar[int] = 28
    outputs: ClassVar[int] = 10

    def load(self, data_dir: str | None) -> Data:
        stamps = tuple(stamp("mnist", part, data_dir) for part in ("train", "test"))
        train, train_labels, test, test_labels = _load(data_dir, stamps)
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


@functools.lru_cache(maxsize=1)
def _load(data_dir: str | None, stamps: object) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decoded and standardised once per process, however many runs there are."""
    train, train_labels = read_images("mnist", "train", data_dir)
    test, test_labels = read_images("mnist", "test", data_dir)
    train, test = standardise(train, test)
    return train, train_labels, test, test_labels
