"""The data flow of one step as a picture: what is read on the left, what the step makes in layers to the right.

A small layered layout: an equation stands one layer behind the last thing it reads, new states and the output in the
last layer; connections over several layers pass through places of their own; within a layer everything is moved towards
the middle of what it is connected with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from celldsl.check.cell import Call, Cell, Expr, Neg, Product, Signal
from celldsl.syntax import tree
from celldsl.syntax.write_names import name_parts

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 74, 34, 148, 52, 14


@dataclass
class Node:
    """A box: an input, a state before or after the step, or an intermediate. A node without `kind` is a place that a
    connection passes."""

    key: str
    layer: int
    kind: str = ""
    label: tuple[str, str] = ("", "")
    function: str = ""
    at: float = 0.0


@dataclass
class Flow:
    """nodes in layers; edges as (from, to, through a matrix); paths: the nodes each edge passes, ends included."""

    layers: list[list[Node]]
    edges: list[tuple[str, str, bool]]
    paths: list[list[Node]] = field(default_factory=list)


def flow(cell: Cell) -> Flow:
    """The boxes and connections of one step, laid out in layers."""
    edges = _edges(cell)
    layers = _layers(cell, edges)
    last = max(layers.values())
    new = {info.name for info in cell.states if info.role == "state"} | {cell.output}
    found: dict[str, Node] = {}
    for key in dict.fromkeys(key for edge in edges for key in edge[:2]):
        name, delay = _split(key)
        kind = _kind(cell, name, delay, new)
        layer = last if kind in ("state", "output") and not _read(key, edges) else layers[key]
        function = _outermost(cell, name) if delay == 0 else ""
        found[key] = Node(key, layer, kind, (name, _time(delay)), function)
    rows: list[list[Node]] = [[] for _ in range(last + 1)]
    for node in found.values():
        rows[node.layer].append(node)
    picture = Flow(rows, edges)
    for source, target, _ in edges:
        path = [found[source]]
        for layer in range(found[source].layer + 1, found[target].layer):
            place = Node(f"{source}>{target}@{layer}", layer)
            rows[layer].append(place)
            path.append(place)
        picture.paths.append([*path, found[target]])
    _arrange(picture)
    return picture


def svg(cell: Cell) -> str:
    """The picture as an `<svg>`, to be styled by classes: `input`, `state`, `old`, `gate`, `output`, `matrix`."""
    picture = flow(cell)
    tall = max(node.at for row in picture.layers for node in row) + HEIGHT + 2 * MARGIN
    wide = (len(picture.layers) - 1) * ACROSS + WIDTH + 2 * MARGIN
    parts = [
        f'<svg class="flow" viewBox="0 0 {wide} {tall:.0f}" width="{wide}" height="{tall:.0f}" role="img" '
        f'aria-label="data flow of {cell.name}">'
    ]
    for (_, _, matrix), path in zip(picture.edges, picture.paths, strict=True):
        parts.append(f'<path class="{"matrix" if matrix else "entry"}" d="{_curve(path)}"/>')
    for node in (node for row in picture.layers for node in row if node.kind):
        x, y = _corner(node)
        parts.append(f'<g class="{node.kind}"><rect x="{x}" y="{y:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>')
        parts.append(f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2 + 5:.1f}">{_label(node)}</text></g>')
    return "".join((*parts, "</svg>"))


# --- what is connected ----------------------------------------------------------------------


def _key(name: str, delay: int) -> str:
    return f"{name}@{delay}"


def _split(key: str) -> tuple[str, int]:
    name, _, delay = key.rpartition("@")
    return name, int(delay)


def _time(delay: int) -> str:
    return "t" if delay == 0 else f"t−{delay}"


def _edges(cell: Cell) -> list[tuple[str, str, bool]]:
    """Who reads whom, and whether through a matrix wherever it does."""
    found: dict[tuple[str, str], bool] = {}
    for equation in cell.steps:
        for signal, matrix in _reads(equation.value, False):
            pair = _key(signal.name, signal.delay), _key(equation.target, 0)
            found[pair] = found.get(pair, False) or matrix
    return [(source, target, matrix) for (source, target), matrix in found.items()]


def _reads(node: Expr, matrix: bool) -> list[tuple[Signal, bool]]:
    if isinstance(node, Signal):
        return [(node, matrix)]
    matrix = matrix or isinstance(node, Product)
    return [found for child in node.children for found in _reads(child, matrix)]


def _read(key: str, edges: list[tuple[str, str, bool]]) -> bool:
    return any(source == key for source, _, _ in edges)


def _layers(cell: Cell, edges: list[tuple[str, str, bool]]) -> dict[str, int]:
    """The number of equations on the longest way to each node."""
    reads: dict[str, list[str]] = {}
    for source, target, _ in edges:
        reads.setdefault(target, []).append(source)
    found: dict[str, int] = {}
    for source, _, _ in edges:
        if source not in reads:
            found[source] = 0
    for name in cell.order:
        key = _key(name, 0)
        if key in reads:
            found[key] = 1 + max(found.get(source, 0) for source in reads[key])
        elif any(key in edge for edge in edges):
            found[key] = 0  # a gate of parameters alone
    return found


def _kind(cell: Cell, name: str, delay: int, new: set[str]) -> str:
    if name in {info.name for info in cell.inputs}:
        return "input"
    if delay:
        return "old"
    if name == cell.output:
        return "output"
    return "state" if name in new else "gate"


def _outermost(cell: Cell, name: str) -> str:
    """The function that a gate is a value of, σ or tanh, if it is one."""
    equation = cell.equation.get(name)
    value = equation.value if equation else None
    while isinstance(value, Neg):
        value = value.operand
    if not isinstance(value, Call):
        return ""
    return {"sigmoid": "σ", "hard_sigmoid": "σ̂", "log_sigmoid": "log σ"}.get(value.function, value.function)


# --- where it stands ------------------------------------------------------------------------


def _arrange(picture: Flow) -> None:
    """Orders each layer by the middle of what its nodes are connected with, back and forth, then sets the heights."""
    near: dict[str, list[Node]] = {}
    for path in picture.paths:
        for one, other in pairwise(path):
            near.setdefault(one.key, []).append(other)
            near.setdefault(other.key, []).append(one)
    for row in picture.layers:
        for number, node in enumerate(row):
            node.at = float(number)
    for sweep in range(12):
        rows = picture.layers[1:] if sweep % 2 == 0 else picture.layers[-2::-1]
        side = -1 if sweep % 2 == 0 else 1
        for row in rows:
            for node in row:
                seen = [other.at for other in near.get(node.key, []) if (other.layer - node.layer) * side > 0]
                node.at = sum(seen) / len(seen) if seen else node.at
            row.sort(key=lambda node: node.at)
            for number, node in enumerate(row):
                node.at = float(number)
    tallest = max(_height(row) for row in picture.layers)
    for row in picture.layers:
        top = (tallest - _height(row)) / 2
        for node in row:
            node.at = top
            top += DOWN if node.kind else DOWN * 0.45


def _height(row: list[Node]) -> float:
    return sum(DOWN if node.kind else DOWN * 0.45 for node in row)


def _corner(node: Node) -> tuple[int, float]:
    return MARGIN + node.layer * ACROSS, MARGIN + node.at


def _curve(path: list[Node]) -> str:
    """Through the middles of the places it passes, level where it enters and leaves."""
    points: list[tuple[float, float]] = []
    x: float
    for number, node in enumerate(path):
        x, y = _corner(node)
        middle = y + (HEIGHT / 2 if node.kind else HEIGHT * 0.2)
        if number > 0:
            points.append((x, middle))
        if number < len(path) - 1:
            points.append((x + WIDTH, middle))
    x, y = points[0]
    text = f"M{x:.0f} {y:.1f}"
    for nx, ny in points[1:]:
        half = (x + nx) / 2
        text += f"C{half:.0f} {y:.1f} {half:.0f} {ny:.1f} {nx:.0f} {ny:.1f}"
        x, y = nx, ny
    return text


def _label(node: Node) -> str:
    """The name with its indices and time below, and the function it is a value of."""
    word, below = name_parts(tree.Name(node.label[0]), "unicode")
    indices = ",".join([*below, node.label[1]])
    function = f'<tspan class="function">{node.function} </tspan>' if node.function else ""
    return f'{function}<tspan>{word}</tspan><tspan class="index" dy="4">{indices}</tspan>'
