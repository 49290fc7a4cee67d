"""scikit-learn's handwritten digits by rows: 1,797 real 8 × 8 images, ten classes, no download.

E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998 (its test part).
input (B, 8, 8), target (B,). Of every class each fifth example is for testing: 1,442 for training, 355 for testing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from celldsl.train.errors import TrainError
from celldsl.train.images import standardise
from celldsl.train.tasks.task import Data, Split, Task


@dataclass(frozen=True)
class Digits(Task):
    name: ClassVar[str] = "digits"
    input_size: ClassVar[int] = 8
    outputs: ClassVar[int] = 10

    def load(self, data_dir: str | None) -> Data:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise TrainError("task digits needs scikit-learn: pip install scikit-learn") from None
        bunch = load_digits()
        images, labels = torch.as_tensor(bunch.images), torch.as_tensor(bunch.target).long()
        seen = torch.nn.functional.one_hot(labels).cumsum(0)  # (N, 10): how many of each class up to here
        test = seen.gather(1, labels[:, None])[:, 0] % 5 == 0
        train_images, test_images = standardise(images[~test], images[test])
        return Data(
            train=Split({"input": train_images, "target": labels[~test]}),
            test=Split({"input": test_images, "target": labels[test]}),
        )
