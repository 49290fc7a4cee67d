"""Images as the papers feed them: every pixel standardised by the training set."""

from __future__ import annotations

import torch
from torch import Tensor


def standardise(train: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """(x - mean) / (std + 1e-6) for every pixel apart, with the training set's mean and standard deviation, as float32.

    Lu & Salem's script does this on raw 0-255 values. A pixel that is constant in training is 0 everywhere here: the
    script's formula would turn the one MNIST test image that is not blank there into 2.4e7.
    """
    mean, std = train.double().mean(0), train.double().std(0, correction=0)
    constant = std == 0

    def scale(images: Tensor) -> Tensor:
        scaled = torch.empty(images.shape, dtype=torch.float32)
        for start in range(0, len(images), 10_000):  # in blocks: doubles of all of MNIST would be 376 MB
            block = (images[start : start + 10_000].double() - mean) / (std + 1e-6)
            scaled[start : start + 10_000] = block.masked_fill(constant, 0.0).float()
        return scaled

    return tuple(scale(images) for images in (train, *others))
