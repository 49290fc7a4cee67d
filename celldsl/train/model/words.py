"""Words as vectors: a table, of which whole words may be dropped while training, and which may be given and frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Words(nn.Module):
    """forward: word numbers of any shape (…) → their vectors (…, width).

    dropout: the probability with which a word is missing from the table, all its occurrences alike, drawn once per
    call; what is left is scaled by 1 / (1 - dropout). (Gal & Ghahramani 2016; Keras 1's `Embedding(dropout=)`.)
    spread: the table starts from U(-spread, spread).
    frozen: the table is not trained: it holds vectors from elsewhere.
    """

    def __init__(self, words: int, width: int, dropout: float = 0.0, spread: float = 0.05, frozen: bool = False):
        super().__init__()
        self.table = nn.Parameter(torch.empty(words, width).uniform_(-spread, spread), requires_grad=not frozen)
        self.dropout = dropout

    @property
    def width(self) -> int:
        return self.table.shape[1]

    def forward(self, words: Tensor) -> Tensor:
        vectors = F.embedding(words, self.table)
        if not self.training or self.dropout == 0:
            return vectors
        kept = F.dropout(self.table.new_ones(len(self.table)), self.dropout)
        return vectors * kept[words].unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"{self.table.shape[0]}, {self.table.shape[1]}, dropout={self.dropout}"
