"""Models around a cell: what it reads, how often, and what is made of it."""

from celldsl.train.model.sequence import Layer, SequenceModel, begin_from, count, dense, last, read
from celldsl.train.model.stack import Locked, Stack, WeightDrop, stacked
from celldsl.train.model.text import Reading, Siamese, TextModel, activity
from celldsl.train.model.words import Words

__all__ = [
    "Layer",
    "Locked",
    "Reading",
    "SequenceModel",
    "Siamese",
    "Stack",
    "TextModel",
    "WeightDrop",
    "Words",
    "activity",
    "begin_from",
    "count",
    "dense",
    "last",
    "read",
    "stacked",
]
