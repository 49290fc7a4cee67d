"""Data sets by name: Parquet files of a folder, or the Hugging Face hub.

A folder holds one folder per set, in it `train.parquet`, `test.parquet`, … with the
hub's columns. Both ways end in the same Arrow table.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from celldsl.train.errors import TrainError

if TYPE_CHECKING:
    import pyarrow

HUB = {"mnist": "ylecun/mnist", "imdb": "stanfordnlp/imdb", "ptb": "ptb_text_only", "sick": "RobZamp/sick"}
FIX = "give a folder that holds it with data_dir (--data DIR)"


def find(name: str, parts: Sequence[str], data_dir: str | None) -> None:
    """Raises TrainError if parts of a set are seen not to be there. Nothing is read, and the hub is not asked."""
    for part in parts:
        if data_dir is None:
            _hub(name)
        else:
            _file(name, part, data_dir)


def read_table(name: str, part: str, data_dir: str | None, columns: Sequence[str]) -> pyarrow.Table:
    """The columns of one part (`train`, `test`, …) of a set; TrainError names what is missing and what to do."""
    return _from_hub(name, part, columns) if data_dir is None else _from_folder(name, part, data_dir, columns)


def stamp(name: str, part: str, data_dir: str | None) -> tuple[int, int] | None:
    """What changes when a part's file changes, for callers that keep what they read."""
    if data_dir is None or not (path := Path(data_dir, name, f"{part}.parquet")).is_file():
        return None
    return path.stat().st_mtime_ns, path.stat().st_size


def read_images(name: str, part: str, data_dir: str | None) -> tuple[Tensor, Tensor]:
    """Images (N, height, width) as uint8 and labels (N,)."""
    import numpy as np
    from PIL import Image

    table = read_table(name, part, data_dir, ("image", "label"))
    where = f"{name}/{part}"
    images: list[Any] = []
    for row, cell in enumerate(table.column("image").to_pylist()):
        try:
            with Image.open(io.BytesIO(cell["bytes"])) as image:
                images.append(np.asarray(image.convert("L")))
        except (OSError, TypeError, KeyError) as error:
            raise TrainError(f"{where}: the image in row {row} cannot be read: {error}") from error
        if images[-1].shape != images[0].shape:
            raise TrainError(f"{where}: images differ in size: {images[0].shape} and, in row {row}, {images[-1].shape}")
    if not images:
        raise TrainError(f"{where}: there is no row in it")
    return torch.from_numpy(np.stack(images)), torch.tensor(table.column("label").to_pylist(), dtype=torch.int64)


def _from_folder(name: str, part: str, data_dir: str, columns: Sequence[str]) -> pyarrow.Table:
    import pyarrow
    import pyarrow.parquet

    path = _file(name, part, data_dir)
    try:
        found = pyarrow.parquet.read_schema(path).names
        for column in columns:
            if column not in found:
                raise TrainError(f"{path} has no column {column!r}; it has {', '.join(found)}")
        return pyarrow.parquet.read_table(path, columns=list(columns))
    except (pyarrow.ArrowException, OSError) as error:
        raise TrainError(f"{path} is no Parquet file that can be read: {error}") from error


def _file(name: str, part: str, data_dir: str) -> Path:
    root = Path(data_dir)
    path = root / name / f"{part}.parquet"
    if not root.is_dir():
        raise TrainError(f"data_dir {str(root)!r} is no folder")
    if not path.is_file():
        raise TrainError(f"{path} is missing: data_dir must hold one folder per set, here {name}/{part}.parquet")
    return path


def _hub(name: str) -> str:
    if name not in HUB:
        raise TrainError(f"set {name!r} has no home on the Hugging Face hub in this form; {FIX}")
    return HUB[name]


def _from_hub(name: str, part: str, columns: Sequence[str]) -> pyarrow.Table:
    hub = _hub(name)
    try:
        import datasets
    except ImportError:
        raise TrainError(
            f"{hub} comes from the Hugging Face hub, which needs `pip install datasets`; or {FIX}"
        ) from None
    try:
        data = datasets.load_dataset(hub, split=part)
    except Exception as error:  # the hub's client raises errors of many libraries, none of them its own
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrainError(f"{hub} could not be had from the Hugging Face hub ({first}); {FIX}") from error
    for column in columns:
        if column not in data.column_names:
            raise TrainError(f"{hub} has no column {column!r}; it has {', '.join(data.column_names)}")
        if isinstance(data.features[column], datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
    return data.select_columns(list(columns)).with_format("arrow")[:]
