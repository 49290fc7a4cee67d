"""Word vectors from a file in GloVe's text format: a line per word, the word and its numbers, blanks between.

Pennington, Socher & Manning (2014), https://nlp.stanford.edu/projects/glove/. A word may itself hold blanks (some of
the 840B file do), so numbers are counted from the end. A first line of two whole numbers (word2vec's header) is passed
over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from celldsl.train.cached import cached
from celldsl.train.errors import TrainError


def find_vectors(file: str) -> Path:
    """Where the file is. Raises TrainError if there is none."""
    path = Path(file).expanduser()
    if not path.is_file():
        raise TrainError(f"vectors: there is no file {file!r}; it must be text in GloVe's format")
    return path


def read_vectors(file: str, numbers: Mapping[str, int]) -> tuple[Tensor, Tensor]:
    """Vectors (V, d) of the words by their numbers, and which of them (V,) the file has; the others' are 0.

    What was found is kept in the cache folder, since the whole file is large. Raises TrainError for a file that cannot
    be read.
    """
    path = find_vectors(file)
    stat = path.stat()
    made_from = (str(path.resolve()), stat.st_size, stat.st_mtime_ns, sorted(numbers.items()))
    found = cached("vectors", made_from, lambda: _read(path, numbers))
    return found["vectors"], found["known"]


def word_table(
    file: str, numbers: Mapping[str, int], draw: Callable[[Tensor], Tensor]
) -> tuple[Tensor, dict[str, Any]]:
    """A table (V, d) with the file's vectors, what `draw` fills in for words it lacks, and zeros at 0; and what a
    report should say of it."""
    vectors, known = read_vectors(file, numbers)
    table = torch.where(known[:, None], vectors, draw(torch.empty_like(vectors)))
    table[0] = 0.0
    facts = {"file": Path(file).name, "known": int(known.sum()), "unknown": len(numbers) - int(known.sum())}
    return table, {"width": vectors.shape[1], **facts}


def _read(path: Path, numbers: Mapping[str, int]) -> dict[str, Tensor]:
    wanted = {word.encode(): place for word, place in numbers.items()}
    size = max(numbers.values()) + 1
    vectors: Any = None
    known = torch.zeros(size, dtype=torch.bool)
    with open(path, "rb") as stream:
        for row, line in enumerate(stream, 1):
            fields = line.rstrip().split(b" ")
            if row == 1 and len(fields) == 2:
                continue
            if vectors is None:
                vectors = np.zeros((size, len(fields) - 1), dtype=np.float32)
            width = vectors.shape[1]
            place = wanted.get(fields[0] if len(fields) == width + 1 else b" ".join(fields[:-width]))
            if place is None:
                continue
            try:
                vectors[place] = [float(field) for field in fields[-width:]]
            except ValueError as error:
                raise TrainError(
                    f"vectors: {path}, line {row}: expected a word and {width} numbers ({error})"
                ) from None
            known[place] = True
    if vectors is None or vectors.shape[1] < 1:
        raise TrainError(f"vectors: {path} holds no vectors; it must be text in GloVe's format")
    return {"vectors": torch.from_numpy(vectors), "known": known}
