"""SICK: how alike are two sentences, from 1 to 5? Marelli et al. (LREC 2014); in the form of Tai, Socher & Manning
(2015), as Gao & Oates trained it.

One cell reads both sentences; see `Siamese` for what is made of their ends. The target is a distribution over 1 … 5
whose mean is the score y: p(⌊y⌋) = ⌈y⌉ - y, p(⌈y⌉) = y - ⌊y⌋, and the loss KL(p ‖ answer), by default divided by 5, as
the authors' call does. An answer's score is its mean. input (B, 2, T), lengths (B, 2), target (B, 5), score (B,).

Words are those of all three parts, with their case. Their vectors are `vectors`' and stay, or, without a file, begin at
random and are trained. (The authors' loop takes its first step after 26 pairs and leaves the last 24 of an epoch out;
here a step is a batch.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from celldsl.train.errors import TrainError
from celldsl.train.model import Layer, Siamese, Words
from celldsl.train.rng import generator
from celldsl.train.sets import read_table
from celldsl.train.statistics import pearson, spearman
from celldsl.train.tasks.task import Batch, Data, Metric, Scored, Split, Task
from celldsl.train.text import number, rows, tokens
from celldsl.train.vectors import find_vectors, word_table

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Sick(Task):
    name: ClassVar[str] = "sick"
    reads = ("sick", PARTS)
    metric: ClassVar[Metric] = Metric("pearson")
    outputs: ClassVar[int] = 5

    vectors: str = ""
    """A file of word vectors in GloVe's text format; empty: a table from U(-0.05, 0.05), trained along."""
    tune: bool = False
    """Train the file's vectors too."""
    embedding: int = 300
    """Width of the table where no file gives it."""
    compare: int = 50
    """Width of the layer that compares."""
    sigmoid: bool = False
    """Sigmoid in that layer (Tai et al.) in place of ReLU."""
    kl: str = "mean"
    """`mean` over the 5 entries, or their `sum`, the divergence itself."""

    def __post_init__(self) -> None:
        if self.kl not in ("mean", "sum"):
            raise TrainError(f"task sick: kl must be mean or sum, not {self.kl!r}")

    def find_data(self, data_dir: str | None) -> None:
        super().find_data(data_dir)
        if self.vectors:
            find_vectors(self.vectors)

    def load(self, data_dir: str | None) -> Data:
        names = ("sentence_A", "sentence_B", "relatedness_score")
        tables = {part: read_table("sick", part, data_dir, names) for part in PARTS}
        pairs = {
            part: [tokens(text) for name in names[:2] for text in table[name].to_pylist()]
            for part, table in tables.items()
        }
        numbers = number(sentence for part in pairs.values() for sentence in part)
        parts = {}
        for part, table in tables.items():
            both = rows(pairs[part], numbers)  # all first sentences, then all second ones
            score = torch.tensor(table[names[2]].to_pylist(), dtype=torch.float64)
            if not bool(((score >= 1) & (score <= 5)).all()):
                raise TrainError(f"sick/{part}: a relatedness_score lies outside 1 to 5")
            paired = {name: torch.stack(tensor.chunk(2), dim=1) for name, tensor in both.items()}
            parts[part] = Split({**paired, "target": spread(score).float(), "score": score.float()})
        facts: dict[str, Any] = {"words": len(numbers) + 1, "width": self.embedding, "vectors": None}
        initial: Batch = {}
        if self.vectors:
            chance = generator("sick: unknown words")
            initial["words.table"], found = word_table(
                self.vectors, numbers, lambda table: table.normal_(-0.05, 0.05, generator=chance)
            )
            facts |= {"width": found.pop("width"), "vectors": found}
        return Data(parts["train"], parts["test"], parts["validation"], facts, initial)

    def model(self, layer: Layer, facts: Mapping[str, Any]) -> nn.Module:
        frozen = facts["vectors"] is not None and not self.tune
        words = Words(facts["words"], facts["width"], frozen=frozen)
        return Siamese(words, layer, self.compare, self.outputs, self.sigmoid)

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        lengths = batch["lengths"].transpose(0, 1)
        words = batch["input"].transpose(0, 1)[:, :, : int(lengths.max())]
        answer = model(words, lengths)
        loss = F.kl_div(answer, batch["target"], reduction="none").sum(1)
        if self.kl == "mean":
            loss = loss / self.outputs
        scale = torch.arange(1, self.outputs + 1, device=answer.device, dtype=answer.dtype)
        given = (answer.detach().exp() * scale).sum(1)
        return Scored(loss, {"given": given, "score": batch["score"]})

    def summarise(self, values: Batch) -> dict[str, float]:
        given, score = values["given"], values["score"]
        mse = (given - score).square().mean().item()
        return {"pearson": pearson(given, score), "spearman": spearman(given, score), "mse": mse}


def spread(score: Tensor) -> Tensor:
    """Scores (N,) from 1 to 5 as distributions (N, 5) over the two whole numbers beside each."""
    low = score.floor()
    place, part = low.long() - 1, score - low
    target = F.one_hot(place, 5) * (1 - part)[:, None]
    return target + F.one_hot((place + 1).clamp(max=4), 5) * part[:, None]
