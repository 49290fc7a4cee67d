"""Checkpoints: one safetensors file whose header carries the JSON; no pickle, so loading one runs no code.

One file, because two cannot be replaced at once. It is written beside its place,
flushed to the disk and renamed over the old one: whenever the machine stops, the
old or the new checkpoint is there, whole. A checksum over tensors and JSON tells
damage that a readable header would hide.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from celldsl.train.errors import CheckpointError

FORMAT = 1


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: named tensors (of any device) and plain JSON data."""
    held = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts, ensure_ascii=False)
    metadata = {"format": str(FORMAT), "facts": text, "crc32": str(_checksum(held, text))}
    write_atomically(path, safetensors.torch.save(held, metadata))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the JSON data of a checkpoint; CheckpointError if it is missing or damaged."""
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} is damaged ({error}); delete it to start over") from error
    if metadata.get("format") != str(FORMAT) or "facts" not in metadata:
        raise CheckpointError(f"{path} is no checkpoint of this version of celldsl's trainer")
    if metadata.get("crc32") != str(_checksum(tensors, metadata["facts"])):
        raise CheckpointError(f"checkpoint {path} is damaged (its checksum is wrong); delete it to start over")
    return tensors, json.loads(metadata["facts"])


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content so that a reader, or a crash, sees all of the old or all of the new."""
    beside = path.with_name(path.name + ".tmp")
    with open(beside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    with contextlib.suppress(OSError):  # some systems cannot flush a folder; the rename is atomic all the same
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def pack_optimiser(optimiser: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors named `<parameter's number>.<name>` and the rest as plain data."""
    state = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                numbers[f"{index}.{name}"] = value
    return tensors, {"numbers": numbers, "groups": state["param_groups"]}


def unpack_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Put back what `pack_optimiser` took apart. How it computes stays its own: another device may have written it."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*facts["numbers"].items(), *tensors.items()]:
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = [
        {**theirs, **{how: own[how] for how in ("fused", "foreach") if how in own}}
        for theirs, own in zip(facts["groups"], optimiser.param_groups, strict=True)
    ]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix/`, without it."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + "/")}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, their names behind `prefix/`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _checksum(tensors: Mapping[str, Tensor], text: str) -> int:
    crc = zlib.crc32(text.encode())
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        content: Any = tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy()
        crc = zlib.crc32(content, crc)
    return crc
