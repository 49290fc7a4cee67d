"""Penn Treebank: say the next word. Mikolov's version (2010), 10,000 words, one text of sentences that end in `<eos>`.

As Merity, Keskar & Socher (AWD-LSTM, arXiv:1708.02182) have it by default; Zaremba, Sutskever & Vinyals' small setting
(arXiv:1409.2329) by options. The text is cut into B rows of equal length that are read side by side, a chunk of T words
at a time, each chunk from the state the one before left. input, target (B, T), one the other's next word.

With `random_bptt` the length of a chunk is drawn: N(bptt, 5), one time in twenty N(bptt / 2, 5), at least 5; the
learning rate is scaled by length / bptt. `perplexity` is exp of the mean loss per word. Read in one row (`test_rows`
= 1), as the authors do, test takes its time after every epoch.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from celldsl.train.errors import TrainError
from celldsl.train.model import Layer, TextModel, Words, activity, stacked
from celldsl.train.sets import read_table, stamp
from celldsl.train.tasks.task import Batch, Data, Metric, Scored, Split, Task
from celldsl.train.text import number

END, UNKNOWN = "<eos>", "<unk>"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Ptb(Task):
    name: ClassVar[str] = "ptb"
    reads = ("ptb", PARTS)
    metric: ClassVar[Metric] = Metric("perplexity", higher_is_better=False)
    every_step: ClassVar[bool] = True

    embedding: int = 400
    tied: bool = True
    """The readout's matrix is the words' table; the last layer is then as wide as that."""
    input_dropout: float = 0.4
    hidden_dropout: float = 0.25
    """Between layers."""
    output_dropout: float = 0.4
    word_dropout: float = 0.1
    weight_drop: float = 0.5
    locked: bool = True
    """One mask for all words of a chunk; if not, one a word (Zaremba et al.)."""
    alpha: float = 2.0
    """Activation regularisation."""
    beta: float = 1.0
    """Temporal activation regularisation."""
    bptt: int = 70
    random_bptt: bool = True
    sum_steps: bool = False
    """Descend the sum over a chunk's words in place of their mean."""
    uniform: float = 0.0
    """Every parameter starts from U(-uniform, uniform); 0: the table from U(-0.1, 0.1), the cell as its spec says."""
    validation_rows: int = 10
    test_rows: int = 1

    def __post_init__(self) -> None:
        for option in ("embedding", "bptt", "validation_rows", "test_rows"):
            if getattr(self, option) < 1:
                raise TrainError(f"task ptb: {option} must be at least 1, not {getattr(self, option)}")

    def load(self, data_dir: str | None) -> Data:
        streams, words = _load(data_dir, tuple(stamp("ptb", part, data_dir) for part in PARTS))
        parts = [Split({"input": stream[:-1], "target": stream[1:]}) for stream in streams]
        return Data(parts[0], parts[2], parts[1], {"words": words})

    def model(self, layer: Layer, facts: Mapping[str, Any]) -> nn.Module:
        if layer.bidirectional:
            raise TrainError("task ptb: a layer that reads both ways has seen the next word; leave bidirectional off")
        words = Words(facts["words"], self.embedding, self.word_dropout, spread=0.1)
        stack = stacked(
            layer,
            last=self.embedding if self.tied else None,
            input_dropout=self.input_dropout,
            hidden_dropout=self.hidden_dropout,
            weight_drop=self.weight_drop,
            locked=self.locked,
        )
        model = TextModel(
            words,
            stack,
            facts["words"],
            output_dropout=self.output_dropout,
            locked=self.locked,
            every_step=True,
            tied=self.tied,
        )
        nn.init.uniform_(model.readout.weight, -0.1, 0.1)
        nn.init.zeros_(model.readout.bias)
        if self.uniform:
            for parameter in model.parameters():
                nn.init.uniform_(parameter, -self.uniform, self.uniform)
        return model

    def batches(self, split: Split, size: int, generator: torch.Generator) -> Sequence[Tensor]:
        lengths = self._lengths(len(split) // size, generator) if self.random_bptt else self.bptt
        return chunks(len(split), size, lengths)

    def rate_scale(self, index: Tensor) -> float:
        return index.shape[1] / self.bptt if self.random_bptt else 1.0

    def eval_batches(self, part: str, split: Split, size: int | None) -> Sequence[Tensor]:
        return chunks(len(split), size or (self.test_rows if part == "test" else self.validation_rows), self.bptt)

    def score(self, model: nn.Module, batch: Batch) -> Scored:
        state = [batch[name] for name in sorted(batch) if name.startswith("state.")]
        reading = model(batch["input"], state=state)
        target = batch["target"]
        loss = F.cross_entropy(reading.logits.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
        values = {"nats": loss.sum(1), "words": torch.full_like(target[:, 0], target.shape[1])}
        carry = {f"state.{place:03}": part.detach() for place, part in enumerate(reading.state)}
        over = loss.sum(1) if self.sum_steps else loss.mean(1)
        return Scored(over, values, activity(reading, self.alpha, self.beta), carry)

    def summarise(self, values: Batch) -> dict[str, float]:
        nats = values["nats"].sum() / values["words"].sum()
        return {"loss": nats.item(), "perplexity": nats.exp().item()}

    def _lengths(self, steps: int, generator: torch.Generator) -> list[int]:
        lengths = []
        while steps > 0:
            mean = self.bptt if torch.rand((), generator=generator) < 0.95 else self.bptt / 2
            drawn = int(mean + 5 * torch.randn((), generator=generator))
            lengths.append(min(max(5, drawn), steps))
            steps -= lengths[-1]
        return lengths


def chunks(size: int, rows: int, lengths: int | list[int]) -> Sequence[Tensor]:
    """A text of so many words as places (rows, T) of consecutive chunks; what fills no whole column is left out."""
    if size < rows:
        raise TrainError(f"task ptb: {size} words cannot be cut into {rows} rows")
    places = torch.arange(size // rows * rows).view(rows, -1)
    return places.split(lengths, dim=1)


@functools.lru_cache(maxsize=1)
def _load(data_dir: str | None, stamps: object) -> tuple[list[Tensor], int]:
    """The three parts' words as numbers, and how many words there are."""
    texts = []
    for part in PARTS:
        sentences = read_table("ptb", part, data_dir, ("sentence",))["sentence"].to_pylist()
        texts.append([word for sentence in sentences for word in (*sentence.split(" "), END) if word])
    numbers = number(texts[:1], first=0)
    unknown = numbers.get(UNKNOWN)
    streams = []
    for part, text in zip(PARTS, texts, strict=True):
        found = [numbers.get(word, unknown) for word in text]
        if None in found:
            word = text[found.index(None)]
            raise TrainError(f"ptb/{part}: the word {word!r} is not in train, and train has no {UNKNOWN}")
        streams.append(torch.tensor(found))
    return streams, len(numbers)
