"""Arrays that take a while to make from a data set, kept in the user's cache folder.

A file is named by what it was made from and with, and written beside its place and renamed: any number of processes
may make the same one at once. A damaged file is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
from torch import Tensor

from celldsl.runtime.cache import folder

if TYPE_CHECKING:
    import pyarrow


def cached(name: str, made_from: tuple[object, ...], make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """`make()`, or what it gave when it was last called for the same `made_from`; where nothing can be kept, always
    `make()`."""
    key = hashlib.sha256(repr(made_from).encode()).hexdigest()[:24]
    try:
        place = folder() / "data"
        place.mkdir(exist_ok=True)
    except OSError:
        return make()
    path = place / f"{name}-{key}.safetensors"
    with contextlib.suppress(OSError, ValueError, safetensors.SafetensorError):
        return safetensors.torch.load(path.read_bytes())
    made = make()
    with contextlib.suppress(OSError):
        _write(path, safetensors.torch.save({each: tensor.contiguous() for each, tensor in made.items()}))
    return made


def digest(*tables: pyarrow.Table) -> str:
    """What tells two tables apart: a hash of their contents."""
    found = hashlib.sha256()
    for table in tables:
        for column in table.columns:
            for chunk in column.chunks:
                found.update(f"{chunk.type} {chunk.offset} {len(chunk)}".encode())
                for buffer in chunk.buffers():
                    found.update(buffer if buffer is not None else b"none")
    return found.hexdigest()


def _write(path: Path, content: bytes) -> None:
    handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
