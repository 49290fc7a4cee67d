"""IMDB: is a film review for or against? Maas et al. (ACL 2011); in Keras' form, as Lu & Salem's Table III has it.

Keras' word numbers, rebuilt from the text: 0 pads, 1 starts a review, 2 is a rare word, and the r-th commonest word of
the training reviews is r + 3. Words that training never has are left out. A review is its last `length` numbers (or its
first), with padding in front (or behind). input (B, length), target (B,), 1 for a good review.

Keras reads padding like words. With `masking` no step is spent on it: numbers stand in front and `lengths` (B,) goes
along, whatever side `padding` names.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from celldsl.train.cached import cached, digest
from celldsl.train.errors import TrainError
from celldsl.train.model import Layer, SequenceModel, Words, dense
from celldsl.train.rng import generator
from celldsl.train.sets import read_table, stamp
from celldsl.train.tasks.task import Batch, Data, Scored, Split, Task

START, RARE, SHIFT = 1, 2, 3
BLANKS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))  # Keras' filters: not the apostrophe


@dataclass(frozen=True)
class Imdb(Task):
    name: ClassVar[str] = "imdb"
    reads = ("imdb", ("train", "test"))
    outputs: ClassVar[int] = 1

    words: int = 20_000
    """Numbers in use, the three special ones among them: the table's rows."""
    length: int = 80
    padding: str = "pre"
    """`pre` (Keras) or `post` (as the paper's text has it)."""
    truncating: str = "pre"
    """Which end of a long review is cut: `pre` keeps its last words, `post` its first."""
    masking: bool = False
    embedding: int = 128
    word_dropout: float = 0.2
    """Probability with which a word is missing from the table for a batch."""

    def __post_init__(self) -> None:
        for option in ("padding", "truncating"):
            if getattr(self, option) not in ("pre", "post"):
                raise TrainError(f"task imdb: {option} must be pre or post, not {getattr(self, option)!r}")
        if self.words <= SHIFT or self.length < 1:
            raise TrainError("task imdb: words must be above 3 and length at least 1")
        if not 0 <= self.word_dropout < 1:
            raise TrainError(f"task imdb: word_dropout must lie in [0, 1), not {self.word_dropout}")

    def load(self, data_dir: str | None) -> Data:
        form = (self.words, self.length, self.padding, self.truncating, self.masking)
        parts = _load(data_dir, form, tuple(stamp("imdb", part, data_dir) for part in ("train", "test")))
        return Data(train=Split(parts["train"]), test=Split(parts["test"]))

    def model(self, layer: Layer, facts: Mapping[str, Any]) -> nn.Module:
        table = Words(self.words, self.embedding, self.word_dropout)
        return SequenceModel(table, layer, self.embedding, dense(layer.width, 1))

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        logits = model(batch["input"], batch.get("lengths"))[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, batch["target"], reduction="none")
        return Scored(loss, {"accuracy": (logits > 0) == (batch["target"] > 0.5)})


def split_words(text: str) -> list[str]:
    """A review's words as Keras' Tokenizer finds them."""
    return [word for word in text.lower().translate(BLANKS).split(" ") if word]


def rank_words(reviews: Iterable[list[str]]) -> dict[str, int]:
    """Every word's rank by frequency, from 1; among equals the alphabet decides."""
    counts: Counter[str] = Counter()
    for review in reviews:
        counts.update(review)
    return {word: rank for rank, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)), 1)}


def encode(review: list[str], ranks: Mapping[str, int], words: int, length: int, truncating: str) -> list[int]:
    """A review's numbers, the start among them, cut to `length`; of a long review only what is kept is looked up."""
    ends = truncating == "pre"
    known = (ranks[word] + SHIFT for word in (reversed(review) if ends else review) if word in ranks)
    kept = [number if number < words else RARE for number in itertools.islice(known, length if ends else length - 1)]
    if not ends:
        return [START, *kept]
    kept.reverse()
    return kept if len(kept) == length else [START, *kept]


def fit(numbers: list[list[int]], length: int, padding: str, masking: bool) -> Batch:
    """Rows of one length: `input` (N, length), and with masking `lengths` (N,)."""
    front = padding == "pre" and not masking
    pads = [[0] * (length - len(each)) for each in numbers]
    rows = [[*pad, *each] if front else [*each, *pad] for pad, each in zip(pads, numbers, strict=True)]
    input = torch.from_numpy(np.array(rows, dtype=np.int32))
    return {"input": input, "lengths": torch.tensor([len(each) for each in numbers])} if masking else {"input": input}


@functools.lru_cache(maxsize=2)
def _load(data_dir: str | None, form: tuple[int, int, str, str, bool], stamps: object) -> dict[str, Batch]:
    """Both parts, encoded once for all processes and runs."""
    tables = {part: read_table("imdb", part, data_dir, ("text", "label")) for part in ("train", "test")}

    words, length, padding, truncating, masking = form

    def make() -> dict[str, Tensor]:
        texts = {part: table["text"].to_pylist() for part, table in tables.items()}
        ranks = rank_words(map(split_words, texts["train"]))  # split twice: all words at once would be 700 MB
        made: dict[str, Tensor] = {}
        for part, each in texts.items():
            numbers = [encode(split_words(text), ranks, words, length, truncating) for text in each]
            rows = fit(numbers, length, padding, masking)
            made |= {f"{part}.{name}": tensor for name, tensor in rows.items()}
        return made

    made = cached("imdb", ("words 1", form, digest(*tables.values())), make)
    parts: dict[str, Batch] = {}
    for part, table in tables.items():
        target = torch.tensor(table["label"].to_pylist(), dtype=torch.float32)
        rows = {name.partition(".")[2]: tensor for name, tensor in made.items() if name.startswith(f"{part}.")}
        # The set is sorted by label. In this order, the same always, the first so many are a fair sample.
        order = torch.randperm(len(target), generator=generator("imdb", part))
        parts[part] = {name: tensor[order] for name, tensor in {**rows, "target": target}.items()}
    return parts
