"""Where chance comes from, and how it is put back.

The data order of an epoch depends on the seed and the epoch alone; the first
weights on the seed alone; noise drawn while training (dropout) comes from the
global generators, whose whole state goes into every checkpoint. One process of a
data-parallel run is one row of that state.
"""

from __future__ import annotations

import hashlib
import random
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor


def mix(*parts: object) -> int:
    """A 63-bit seed made of any parts; unlike sums, (1, 2) and (2, 1) give unrelated ones."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A generator of its own, seeded by `mix(*parts)`."""
    return torch.Generator().manual_seed(mix(*parts))


def seed_all(*parts: object) -> None:
    """Seed the global generators of Python, NumPy and torch (all devices)."""
    seed = mix(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def capture(device: torch.device) -> dict[str, Tensor]:
    """The state of the global generators as tensors of fixed shapes."""
    version, words, gauss = random.getstate()
    state = {
        "python": torch.tensor([version, *words], dtype=torch.int64),
        "python_gauss": torch.tensor([gauss is not None, gauss or 0.0], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    _, keys, position, has_gauss, cached = cast("tuple[Any, ...]", np.random.get_state(legacy=True))
    state["numpy"] = torch.tensor([*keys.tolist(), position, has_gauss], dtype=torch.int64)
    state["numpy_gauss"] = torch.tensor([cached], dtype=torch.float64)
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore(state: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `capture` returned."""
    version, *words = state["python"].tolist()
    has_gauss, gauss = state["python_gauss"].tolist()
    random.setstate((version, tuple(words), gauss if has_gauss else None))
    *keys, position, has_cached = state["numpy"].tolist()
    cached = state["numpy_gauss"].item()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_cached, cached))
    torch.set_rng_state(state["torch"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
