"""Where the statements of a step run, and where their values live.

A step is a row of stages. What a product, or a function of a whole vector, reads must stand complete in memory before
its stage begins; everything else goes lane by lane, in registers, together with all that has the same width. A value
gets a place in memory only if another stage, another width or another step reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from celldsl.check.width import Shape, Width
from celldsl.schedule.cpu_statements import Along, Concat, Gather, Let, Multiply, Statement, Symbol, Take

Kind = Literal[
    "input", "locked", "history", "saved", "scratch", "before", "upstream", "arriving", "leaving", "handed", "result"
]  # fmt: skip
"""What a buffer is for; all but locked, scratch and carried ones have a row for each step and row of the batch.

input: an input's sequence; locked: a mask, the same at all steps of a sequence; history: a carried signal, or the
output; saved: written forward, read backward; scratch: of one step; before: hoisted products; upstream: the output's
cotangent; arriving, leaving: cotangents on their way to earlier steps; handed: cotangents that weight gradients are
made of; result: an input's gradient.
"""


@dataclass(frozen=True)
class Buffer:
    """Rows of memory; a row holds vectors of these shapes one after another. `delay`: of a carried cotangent."""

    name: str
    kind: Kind
    shapes: tuple[Shape, ...]
    delay: int = 0


@dataclass(frozen=True)
class Place:
    """A vector in the rows of a buffer, behind others of the shapes `before`; `delay` steps back."""

    buffer: Buffer
    before: tuple[Shape, ...] = ()
    delay: int = 0


def behind(place: Place, before: tuple[Shape, ...]) -> Place:
    """The place behind vectors of these shapes, which begin at another."""
    return replace(place, before=(*place.before, *before))


@dataclass(frozen=True)
class StackedProduct:
    """Products of one width that read the same operands: `gates` are computed as one. blocks: in how many blocks the
    matrices of each operand are cut."""

    gates: tuple[Multiply, ...]
    operands: tuple[Symbol, ...]
    blocks: tuple[Width | None, ...]


@dataclass(frozen=True)
class Group:
    """What is computed together in one stage: products first, then `body`, lane by lane."""

    shape: Shape
    products: tuple[StackedProduct, ...]
    body: tuple[Let | Gather, ...]

    @property
    def made(self) -> tuple[Symbol, ...]:
        gates = tuple(gate.symbol for product in self.products for gate in product.gates)
        return (*gates, *(s.symbol for s in self.body if isinstance(s, Let)))


@dataclass(frozen=True)
class Stage:
    """Functions of whole vectors, row by row, then the groups."""

    along: tuple[Along, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Steps:
    """One direction of a step. `places`: where to read what is no register; `stores`: where results are written."""

    stages: tuple[Stage, ...]
    places: Mapping[Symbol, Place]
    stores: Mapping[Symbol, tuple[Place, ...]]

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        every = [place.buffer for place in self.places.values()]
        every += [place.buffer for places in self.stores.values() for place in places]
        return tuple(dict.fromkeys(every))

    @property
    def products(self) -> tuple[StackedProduct, ...]:
        return tuple(p for stage in self.stages for group in stage.groups for p in group.products)


def arrange(
    statements: Iterable[Statement],
    leaves: Mapping[Symbol, Place],
    homes: Mapping[Symbol, tuple[Place, ...]],
    shapes: Mapping[Symbol, Shape],
    name: Callable[[Symbol], str],
) -> Steps:
    """Stages and places for the statements of one direction.

    leaves: where to read what the step does not compute; homes: where to write what others read;
    name: a buffer's name for a symbol.
    """
    return _Planner(list(statements), leaves, homes, dict(shapes), name).plan()


@dataclass
class _Planner:
    statements: list[Statement]
    leaves: Mapping[Symbol, Place]
    homes: Mapping[Symbol, tuple[Place, ...]]
    shapes: dict[Symbol, Shape]
    name: Callable[[Symbol], str]
    stage: dict[Symbol, int] = field(default_factory=dict)

    def plan(self) -> Steps:
        self._copy_what_has_no_register()
        self.made = {s.symbol: s for s in self.statements}
        self._assign()
        self._sink()
        self._close_gaps()
        stores = {symbol: list(places) for symbol, places in self.homes.items() if symbol in self.made}
        read = {symbol for statement in self.statements for symbol in statement.reads}
        places = {symbol: place for symbol, place in self.leaves.items() if symbol in read}
        self._give_places(places, stores)
        return Steps(self._stages(), places, {symbol: tuple(found) for symbol, found in stores.items()})

    def _copy_what_has_no_register(self) -> None:
        """Parts of a concatenation, and values wanted in two places, pass through a register on their way."""
        computed = {s.symbol for s in self.statements if isinstance(s, (Let, Multiply, Along))}
        done: list[Statement] = []
        for statement in self.statements:
            if isinstance(statement, Concat):
                parts = []
                for at, part in enumerate(statement.parts):
                    copy = Symbol(f"{part.name}, part {at} of {statement.symbol.name}")
                    self.shapes[copy] = self.shapes[part]
                    done.append(Let(copy, part, self.shapes[part]))
                    parts.append(copy)
                statement = replace(statement, parts=tuple(parts))
            done.append(statement)
        homes: dict[Symbol, tuple[Place, ...]] = {}
        for symbol, places in self.homes.items():
            if symbol not in computed and any(s.symbol == symbol for s in done):
                made = next(s for s in done if s.symbol == symbol)
                if not isinstance(made, Concat):
                    copy = Symbol(f"copy of {symbol.name}")
                    self.shapes[copy] = self.shapes[symbol]
                    done.append(Let(copy, symbol, self.shapes[symbol]))
                    symbol = copy
            homes[symbol] = places
        self.statements, self.homes = done, homes

    # --- stages -------------------------------------------------------------------------

    def _complete(self, symbol: Symbol) -> int:
        """The first stage that can read the whole vector."""
        if symbol not in self.made:
            return 0
        made = self.made[symbol]
        if isinstance(made, Along):
            return self.stage[symbol]
        if isinstance(made, Concat):
            return max(self._complete(part) for part in made.parts)
        if isinstance(made, Take):
            return self._complete(made.operand)
        return self.stage[symbol] + 1

    def _beside(self, symbol: Symbol, shape: Shape) -> int:
        """The first stage in which lanes of this shape can read it."""
        if symbol in self.made and isinstance(self.made[symbol], (Let, Multiply)) and self.shapes[symbol] == shape:
            return self.stage[symbol]
        return self._complete(symbol)

    def _earliest(self, statement: Statement) -> int:
        if isinstance(statement, Let):
            return max((self._beside(read, statement.shape) for read in statement.reads), default=0)
        if isinstance(statement, Gather):
            return self._beside(statement.of, statement.shape)
        if isinstance(statement, Along):
            return max(self._complete(read) for read in statement.reads)
        if isinstance(statement, Multiply):
            return max(self._complete(read) for read in statement.reads)
        return 0

    def _assign(self) -> None:
        for statement in self.statements:
            self.stage[statement.symbol] = self._earliest(statement)

    def _sink(self) -> None:
        """Moves what only later stages read to the first that does, so that it need not be kept in between."""
        for statement in reversed(self.statements):
            symbol = statement.symbol
            readers = [s for s in self.statements if symbol in s.reads]
            beside = all(isinstance(s, (Let, Gather)) and s.shape == self.shapes[symbol] for s in readers)
            if not readers or not beside or symbol in self.homes:
                continue
            light = isinstance(statement, Let) and not any(read in self.made for read in statement.reads)
            if light or isinstance(statement, Multiply):
                self.stage[symbol] = max(self.stage[symbol], min(self.stage[s.symbol] for s in readers))

    def _close_gaps(self) -> None:
        runs = [s for s in self.statements if not isinstance(s, (Concat, Take))]
        used = sorted({self.stage[s.symbol] for s in runs})
        self.stage = {s.symbol: used.index(self.stage[s.symbol]) for s in runs}

    def _stages(self) -> tuple[Stage, ...]:
        found = []
        for number in range(max(self.stage.values(), default=-1) + 1):
            here = [s for s in self.statements if self.stage.get(s.symbol) == number]
            along = tuple(s for s in here if isinstance(s, Along))
            shapes = dict.fromkeys(s.shape for s in here if not isinstance(s, Along))
            found.append(Stage(along, tuple(self._group(shape, here) for shape in shapes)))
        return tuple(found)

    def _group(self, shape: Shape, here: list[Statement]) -> Group:
        stacked: dict[tuple[tuple[Symbol, Width | None], ...], list[Multiply]] = {}
        for statement in here:
            if isinstance(statement, Multiply) and statement.shape == shape:
                terms = tuple(sorted(statement.terms, key=lambda t: (*self._order(t.operand), str(t.blocks))))
                key = tuple((t.operand, t.blocks) for t in terms)
                stacked.setdefault(key, []).append(replace(statement, terms=terms))
        products = tuple(
            StackedProduct(tuple(gates), tuple(o for o, _ in key), tuple(b for _, b in key))
            for key, gates in stacked.items()
        )
        body = tuple(s for s in here if isinstance(s, (Let, Gather)) and s.shape == shape)
        return Group(shape, products, body)

    def _order(self, operand: Symbol) -> tuple[int, str]:
        """Operands that lie side by side in memory follow each other."""
        homes = self.homes.get(operand, ())
        return (len(homes[-1].before) if homes else 0, operand.name)

    # --- memory -------------------------------------------------------------------------

    def _give_places(self, places: dict[Symbol, Place], stores: dict[Symbol, list[Place]]) -> None:
        for concat in (s for s in self.statements if isinstance(s, Concat)):
            own = Buffer(self.name(concat.symbol), "scratch", (self.shapes[concat.symbol],))
            homes = stores.pop(concat.symbol, [Place(own)])
            shapes = tuple(self.shapes[part] for part in concat.parts)
            places[concat.symbol] = homes[0]
            for at, part in enumerate(concat.parts):
                stores.setdefault(part, []).extend(behind(home, shapes[:at]) for home in homes)
        for symbol in self._crossing():
            made = self.made[symbol]
            if isinstance(made, Take):
                places[symbol] = behind(places[made.operand], made.before)
            elif symbol not in places:
                if symbol not in stores:
                    stores[symbol] = [Place(Buffer(self.name(symbol), "scratch", (self.shapes[symbol],)))]
                places[symbol] = stores[symbol][0]

    def _crossing(self) -> Iterable[Symbol]:
        """The values that are read from memory within the step, in order."""
        wanted: set[Symbol] = set()
        for statement in self.statements:
            for read in statement.reads:
                if read not in self.made:
                    continue
                if isinstance(statement, (Along, Multiply, Take)) or isinstance(self.made[read], (Along, Take, Concat)):
                    wanted.add(read)
                elif isinstance(statement, Concat):
                    continue
                elif self.shapes[read] != statement.shape or self.stage[read] != self.stage[statement.symbol]:
                    wanted.add(read)
        return [s.symbol for s in self.statements if s.symbol in wanted]
