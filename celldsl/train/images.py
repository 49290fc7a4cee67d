"""Images as the papers feed them: standardised by the training set."""

from __future__ import annotations

import torch
from torch import Tensor

STANDARDS = ("pixel", "pixel-raw", "all", "unit")


def standardise(train: Tensor, *others: Tensor, by: str = "pixel") -> tuple[Tensor, ...]:
    """(x - mean) / (std + 1e-6) with the training set's mean and standard deviation, as float32.

    by `pixel`: every pixel with its own, as Lu & Salem's script does on raw 0-255 values; but a pixel that is constant
    in training is 0 everywhere here. `pixel-raw`: the script's formula to the letter, which turns two such pixels of
    the one MNIST test image that is not blank there into 2.4e7. `all`: one mean and deviation for all pixels. `unit`:
    x / 255, nothing taken from the training set.
    """
    if by == "unit":
        return tuple(images.float() / 255 for images in (train, *others))
    if by == "all":
        mean, std = train.double().mean(), train.double().std(correction=0)
    else:
        mean, std = train.double().mean(0), train.double().std(0, correction=0)
    constant = (std == 0) & torch.tensor(by != "pixel-raw")

    def scale(images: Tensor) -> Tensor:
        scaled = torch.empty(images.shape, dtype=torch.float32)
        for start in range(0, len(images), 10_000):  # in blocks: doubles of all of MNIST would be 376 MB
            block = (images[start : start + 10_000].double() - mean) / (std + 1e-6)
            scaled[start : start + 10_000] = block.masked_fill(constant, 0.0).float()
        return scaled

    return tuple(scale(images) for images in (train, *others))
