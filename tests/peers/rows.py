"""What a comparison is made of: a row of a package's table, and how its tensors are filled from a spec's parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

Array = np.ndarray
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Answer:
    """What a package computes. Sequences are (T, B, width), states (B, width); gradients by the package's own names."""

    output: Array
    states: tuple[Array, ...]
    gradients: Arrays
    d_x: Array
    d_states: tuple[Array, ...]


class Peer(Protocol):
    """A cell of a package at given sizes, whatever the package's framework: arrays in, arrays out."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Its trained tensors, by the package's names."""
        ...

    def run(self, weights: Arrays, x: Array, states: tuple[Array, ...], cotangents: tuple[Array, ...]) -> Answer:
        """The whole sequence from `states`, several inputs side by side in x; the gradients are those of the sum of
        results times cotangents, of which the output's comes first."""
        ...


@dataclass(frozen=True)
class Row:
    """One spec and one class of a package.

    make: the peer for (m, n). weights: for each of the package's tensors the parameters that stand in it, one under
    the other, in equal blocks: names of the spec, `-b` for the opposite sign, a number for a constant, `I` for the
    identity. A key ends in `.T` where the package stores the transpose, in `[i]` for one row of a stacked tensor.
    states: the spec's states in the package's order. settings: of our layer. zero: our parameters that the package
    lacks. deviates: why the package does not compute the paper's cell. positive: it takes states above zero alone.
    tolerance: of outputs, states and gradients.
    """

    cell: str
    peer: str
    make: Callable[[int, int], Peer]
    weights: Mapping[str, str]
    states: str = "h"
    sizes: tuple[int, int] = (3, 5)
    settings: Mapping[str, Any] = field(default_factory=dict)
    zero: str = ""
    deviates: str = ""
    positive: bool = False
    tolerance: float = 1e-12


_KEY = re.compile(r"(?P<name>.*?)(\[(?P<at>\d+)\])?(?P<transposed>\.T)?$")


@dataclass(frozen=True)
class Block:
    """One block of rows of a package's tensor: what stands in it, and where. A constant has no parameter."""

    tensor: str
    index: int | None
    transposed: bool
    number: int
    count: int
    what: str

    @property
    def parameter(self) -> str:
        return "" if self.what == "I" or self.what[0].isdigit() else self.what.removeprefix("-")

    @property
    def sign(self) -> int:
        return -1 if self.what.startswith("-") else 1

    def of(self, tensors: Mapping[str, Array]) -> Array:
        """The block as a view into the package's tensor."""
        whole = tensors[self.tensor]
        if self.index is not None:
            whole = whole[self.index]
        if self.transposed:
            whole = whole.T
        if self.count == 1:
            return whole
        rows, rest = divmod(whole.shape[0], self.count)
        assert rest == 0, (self.tensor, whole.shape, self.count)
        return whole[self.number * rows : (self.number + 1) * rows]


def blocks(row: Row) -> list[Block]:
    """All blocks of a row's tensors."""
    found = []
    for key, content in row.weights.items():
        match = _KEY.match(key)
        assert match is not None
        index = None if match["at"] is None else int(match["at"])
        parts = content.split()
        for number, what in enumerate(parts):
            found.append(Block(match["name"], index, bool(match["transposed"]), number, len(parts), what))
    return found


def fill(row: Row, shapes: Mapping[str, tuple[int, ...]], parameters: Mapping[str, Array]) -> Arrays:
    """The package's tensors, filled from our parameters. Every tensor has to be spoken of, and every entry."""
    tensors = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    for block in blocks(row):
        place = block.of(tensors)
        if block.parameter:
            place[...] = block.sign * np.reshape(parameters[block.parameter], place.shape)
        else:
            place[...] = np.eye(*place.shape) if block.what == "I" else float(block.what)
    left = [name for name, tensor in tensors.items() if np.isnan(tensor).any()]
    assert not left, f"{row.peer}: nothing is said of {left}"
    return tensors


def gather(row: Row, gradients: Mapping[str, Array]) -> Arrays:
    """The package's gradients under our names; those of its constants are left out."""
    found: Arrays = {}
    for block in blocks(row):
        if block.parameter:
            part = block.sign * np.array(block.of(gradients))
            found[block.parameter] = found[block.parameter] + part if block.parameter in found else part
    return found


def constants(row: Row, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many of the package's trained entries are held at a constant, for the spec to have nothing like them."""
    tensors = {name: np.zeros(shape) for name, shape in shapes.items()}
    return sum(block.of(tensors).size for block in blocks(row) if not block.parameter)
