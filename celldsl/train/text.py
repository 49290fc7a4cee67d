"""Sentences as rows of numbers: words are numbered from 1, 0 pads behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from celldsl.train.tasks.task import Batch

TOKEN = re.compile(r"\w+(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+(?:[-/.]\w+)*|[^\w\s]", re.IGNORECASE)


def tokens(sentence: str) -> list[str]:
    """A sentence's words and marks, cut as in the Penn Treebank where a rule of one line does: `do n't`, `man 's`."""
    return TOKEN.findall(sentence)


def number(sentences: Iterable[Sequence[str]], first: int = 1) -> dict[str, int]:
    """A number for every word, from `first` on, in the order of appearance."""
    words = dict.fromkeys(word for sentence in sentences for word in sentence)
    return {word: place for place, word in enumerate(words, first)}


def rows(sentences: Sequence[Sequence[str]], numbers: dict[str, int]) -> Batch:
    """`input` (N, T), T the longest sentence's length, and `lengths` (N,)."""
    lengths = [len(sentence) for sentence in sentences]
    filled = np.zeros((len(sentences), max(lengths)), dtype=np.int32)
    for row, sentence in zip(filled, sentences, strict=True):
        row[: len(sentence)] = [numbers[word] for word in sentence]
    return {"input": torch.from_numpy(filled), "lengths": torch.tensor(lengths)}
