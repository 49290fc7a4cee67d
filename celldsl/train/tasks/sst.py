"""SST: what does a film critic's sentence feel? Socher et al. (EMNLP 2013); five classes, or two without the neutral
ones. As Gao & Oates trained it: whole sentences, a stack of layers under the noise of AWD-LSTM, the answer from the
last word's output.

input (B, T), lengths (B,), target (B,). Words are those of all three parts, with their case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from celldsl.train.errors import TrainError
from celldsl.train.model import Layer, TextModel, Words, activity, stacked
from celldsl.train.rng import generator
from celldsl.train.sets import read_table
from celldsl.train.tasks.task import Batch, Data, Scored, Split, Task
from celldsl.train.text import number, rows
from celldsl.train.vectors import find_vectors, word_table

PARTS = ("train", "validation", "test")
UNESCAPED = {"-LRB-": "(", "-RRB-": ")"}


@dataclass(frozen=True)
class Sst(Task):
    name: ClassVar[str] = "sst"
    reads = ("sst", PARTS)

    classes: int = 5
    """5, or 2: negative against positive."""
    phrases: bool = False
    """Train on every labelled phrase of the trees, not on whole sentences alone."""
    vectors: str = ""
    """A file of word vectors in GloVe's text format; empty: a table from U(-0.05, 0.05)."""
    tune: bool = True
    """Train the file's vectors too."""
    embedding: int = 300
    """Width of the table where no file gives it."""
    input_dropout: float = 0.4
    hidden_dropout: float = 0.25
    """Between layers."""
    output_dropout: float = 0.4
    word_dropout: float = 0.0
    weight_drop: float = 0.5
    alpha: float = 2.0
    """Activation regularisation."""
    beta: float = 1.0
    """Temporal activation regularisation."""

    def __post_init__(self) -> None:
        if self.classes not in (2, 5):
            raise TrainError(f"task sst: classes must be 5 or 2, not {self.classes}")

    def find_data(self, data_dir: str | None) -> None:
        super().find_data(data_dir)
        if self.vectors:
            find_vectors(self.vectors)

    def load(self, data_dir: str | None) -> Data:
        trees = {part: read_table("sst", part, data_dir, ("tree",))["tree"].to_pylist() for part in PARTS}
        labelled = {part: [list(phrases(tree)) for tree in each] for part, each in trees.items()}
        sentences = {part: [found[-1] for found in each] for part, each in labelled.items()}  # the root comes last
        numbers = number(words for part in sentences.values() for _, words in part)
        if self.phrases:
            sentences["train"] = [phrase for found in labelled["train"] for phrase in found]
        parts = {}
        for part, examples in sentences.items():
            if self.classes == 2:
                examples = [(label // 3, words) for label, words in examples if label != 2]
            encoded = rows([words for _, words in examples], numbers)
            parts[part] = Split({**encoded, "target": torch.tensor([label for label, _ in examples])})
        facts: dict[str, Any] = {"words": len(numbers) + 1, "width": self.embedding, "vectors": None}
        initial: Batch = {}
        if self.vectors:
            chance = generator("sst: unknown words")
            initial["words.table"], found = word_table(
                self.vectors, numbers, lambda table: table.uniform_(-0.05, 0.05, generator=chance)
            )
            facts |= {"width": found.pop("width"), "vectors": found}
        return Data(parts["train"], parts["test"], parts["validation"], facts, initial)

    def model(self, layer: Layer, facts: Mapping[str, Any]) -> nn.Module:
        frozen = facts["vectors"] is not None and not self.tune
        words = Words(facts["words"], facts["width"], self.word_dropout, frozen=frozen)
        stack = stacked(
            layer,
            input_dropout=self.input_dropout,
            hidden_dropout=self.hidden_dropout,
            weight_drop=self.weight_drop,
        )
        return TextModel(words, stack, self.classes, output_dropout=self.output_dropout)

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        words = batch["input"][:, : int(batch["lengths"].max())]
        reading = model(words, batch["lengths"])
        loss = F.cross_entropy(reading.logits, batch["target"], reduction="none")
        right = reading.logits.argmax(-1) == batch["target"]
        return Scored(loss, {"accuracy": right}, activity(reading, self.alpha, self.beta))


def phrases(tree: str) -> Iterator[tuple[int, list[str]]]:
    """Every labelled phrase of a tree `(3 (2 It) (4 works))`: its label and words; a phrase after its parts."""
    words: list[str] = []
    opened: list[tuple[int, int]] = []
    for piece in tree.split(" "):
        if piece.startswith("("):
            opened.append((int(piece[1:]), len(words)))
            continue
        word = piece.rstrip(")")
        words.append(UNESCAPED.get(word, word).replace("\\/", "/").replace("\\*", "*"))
        for _ in range(len(piece) - len(word)):
            label, first = opened.pop()
            yield label, words[first:]
