"""Large temporary tensors, made once and used again.

The C library gives memory of more than 32 MB back to the system at once, and maps it anew, page by page and zeroed, at
the next call; at sizes where that happens it costs as much as several time steps. A tensor's memory is used again only
when no tensor stands on it any more, whoever held one: graphs that are kept, hooks, users.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

LEAST = 1 << 24
"""Bytes from which memory is kept; below, the C library keeps it itself."""
MOST = 4
"""How many are kept, the last ones used."""


class Reused:
    """Memory that is lent again once nobody uses it. Thread-safe."""

    def __init__(self) -> None:
        self._kept: list[torch.UntypedStorage] = []
        self._lock = threading.Lock()

    def empty(self, like: Tensor, shape: Sequence[int]) -> Tensor:
        """A tensor of the shape, and of the dtype of `like`, that holds anything."""
        if type(like) not in PLAIN or not like.is_cpu:  # sizes may be symbols
            return like.new_empty(tuple(shape))
        size = math.prod(shape) * like.element_size()
        if size < LEAST:
            return like.new_empty(tuple(shape))
        with self._lock:
            found = next((s for s in reversed(self._kept) if size <= s.nbytes() <= 2 * size and _users(s) == 1), None)
            if found is None:
                found = torch.empty(size, dtype=torch.uint8).untyped_storage()
            others = [s for s in self._kept if s is not found]
            self._kept = [*others[-(MOST - 1) :], found]
            return like.new_empty(0).detach().set_(found, 0, (math.prod(shape),), (1,)).view(tuple(shape))


def _users(storage: torch.UntypedStorage) -> int:
    """How many tensors and handles stand on a storage; ours is one."""
    count: Any = getattr(torch._C, "_storage_Use_Count", None)
    return 2 if count is None else int(count(storage._cdata))


PLAIN = (Tensor, torch.nn.Parameter)
REUSED = Reused()


def product(x: Tensor, matrix: Tensor) -> Tensor:
    """`x` (…, m) times the transpose of `matrix` (w, m), where nothing is traced or transformed: (…, w)."""
    if x[..., 0].numel() * matrix.shape[0] * x.element_size() < LEAST:
        return torch.nn.functional.linear(x, matrix)
    if torch.is_grad_enabled() and (x.requires_grad or matrix.requires_grad):
        found: Tensor = _Product.apply(x, matrix)  # type: ignore[no-untyped-call]
        return found
    return _multiplied(x, matrix)


def _multiplied(x: Tensor, matrix: Tensor) -> Tensor:
    rows = x.reshape(-1, x.shape[-1])
    out = REUSED.empty(x, (rows.shape[0], matrix.shape[0]))
    torch.mm(rows, matrix.t(), out=out)
    return out.view(*x.shape[:-1], matrix.shape[0])


class _Product(torch.autograd.Function):
    """The product of all steps into memory that is used again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(x, matrix)
        return _multiplied(x.detach(), matrix.detach())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, matrix = ctx.saved_tensors
        d_x = grad @ matrix if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return d_x, None
        return d_x, grad.reshape(-1, grad.shape[-1]).t() @ x.reshape(-1, x.shape[-1])
