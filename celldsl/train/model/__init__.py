"""Models around a cell: what it reads, how often, and what is made of it."""

from celldsl.train.model.sequence import Layer, SequenceModel, count, dense, last, read
from celldsl.train.model.words import Words

__all__ = ["Layer", "SequenceModel", "Words", "count", "dense", "last", "read"]
