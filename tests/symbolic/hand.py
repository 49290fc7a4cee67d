"""Checked cells built by hand, so that these tests read no spec text.

`cell("RNN", "h", x="m", h="n", W="n m", U="n n", b="n", equations={"h": …})`: widths are names of dimensions,
roles follow from how the signals are read.
"""

from __future__ import annotations

from celldsl.check import cell as checked
from celldsl.check.cell import Cell, DimInfo, Equation, Expr, ParameterInfo, SettingInfo, SignalInfo
from celldsl.check.width import SCALAR, Shape, Width
from celldsl.functions import FUNCTIONS
from celldsl.syntax import tree


class E:
    """An expression under construction: operators build checked nodes with their shapes."""

    def __init__(self, node: Expr):
        self.node = node

    def __add__(self, other):
        return E(_sum(self.node, to_node(other)))

    def __radd__(self, other):
        return E(_sum(to_node(other), self.node))

    def __sub__(self, other):
        other = to_node(other)
        return E(_sum(self.node, checked.Neg(other.shape, operand=other)))

    def __rsub__(self, other):
        return E(_sum(to_node(other), checked.Neg(self.node.shape, operand=self.node)))

    def __neg__(self):
        return E(checked.Neg(self.node.shape, operand=self.node))

    def __mul__(self, other):
        return E(_pair(checked.Mul, self.node, to_node(other)))

    def __rmul__(self, other):
        return E(_pair(checked.Mul, to_node(other), self.node))

    def __truediv__(self, other):
        return E(_pair(checked.Div, self.node, to_node(other)))

    def __rtruediv__(self, other):
        return E(_pair(checked.Div, to_node(other), self.node))

    def __pow__(self, other):
        return E(_pair(checked.Pow, self.node, to_node(other)))

    def __matmul__(self, other):
        left, right = self.node, to_node(other)
        assert left.shape.dims[1] == right.shape.dims[0], f"{left.shape} @ {right.shape}"
        return E(checked.Product(Shape((left.shape.dims[0], *right.shape.dims[1:])), left=left, right=right))

    @property
    def T(self):
        return E(checked.Transpose(Shape(tuple(reversed(self.node.shape.dims))), operand=self.node))


def to_node(value) -> Expr:
    if isinstance(value, E):
        return value.node
    return checked.Num(SCALAR, text=str(value))


def _shape(*nodes: Expr) -> Shape:
    shapes = [node.shape for node in nodes if node.shape.rank]
    assert all(shape == shapes[0] for shape in shapes), shapes
    return shapes[0] if shapes else SCALAR


def _sum(left: Expr, right: Expr) -> Expr:
    terms = (*(left.terms if isinstance(left, checked.Add) else (left,)), right)
    return checked.Add(_shape(left, right), terms=terms)


def _pair(kind, left: Expr, right: Expr) -> Expr:
    return kind(_shape(left, right), left=left, right=right)


def call(name: str, *arguments) -> E:
    nodes = tuple(to_node(argument) for argument in arguments)
    rule = FUNCTIONS[name].rule
    shape = SCALAR if rule in ("reduce", "dot") else _shape(*nodes)
    return E(checked.Call(shape, function=name, arguments=nodes))


def concat(*parts) -> E:
    nodes = tuple(to_node(part) for part in parts)
    total = Width()
    for node in nodes:
        total = total + node.shape.dims[0]
    return E(checked.Concat(Shape((total,)), parts=nodes))


def sigmoid(value) -> E:
    return call("sigmoid", value)


def tanh(value) -> E:
    return call("tanh", value)


def identity(width: str) -> E:
    return E(checked.Identity(shape_of(f"{width} {width}")))


def shape_of(text: str) -> Shape:
    """`n m` a matrix, `n` a vector, `` a scalar; `n/4` and `n+m` are widths too."""

    def width(word: str) -> Width:
        total = Width()
        for part in word.split("+"):
            above, _, below = part.partition("/")
            one = Width.of(int(above) if above.isdigit() else above)
            total = total + (one / int(below) if below else one)
        return total

    return Shape(tuple(width(word) for word in text.split()))


class Names:
    """The signals, parameters and settings of a cell: `N.h` at t, `N.h_1` at t-1, `N.W`."""

    def __init__(self, signals: dict[str, str], parameters: dict[str, str], settings: dict[str, str]):
        for name, text in signals.items():
            for delay in range(4):
                node = checked.Signal(shape_of(text), name=name, delay=delay)
                setattr(self, name if delay == 0 else f"{name}_{delay}", E(node))
        for name, text in parameters.items():
            setattr(self, name, E(checked.Parameter(shape_of(text), name=name)))
        for name in settings:
            setattr(self, name, E(checked.Setting(SCALAR, name=name)))


def cell(
    name: str,
    output: str,
    signals: dict[str, str],
    parameters: dict[str, str],
    equations,
    timeless=None,
    settings: dict[str, str] | None = None,
    initial: dict | None = None,
    claims: tuple = (),
    relatives: tuple[Cell, ...] = (),
    inits: dict | None = None,
) -> Cell:
    """equations(N) -> {target: value}; timeless(N) likewise for derived parameters, whose shapes stand in
    `parameters` too."""
    settings, initial = settings or {}, initial or {}
    names = Names(signals, parameters, settings)
    derived = {target: to_node(value) for target, value in (timeless(names) if timeless else {}).items()}
    steps = {target: to_node(value) for target, value in equations(names).items()}
    depth = dict.fromkeys(signals, 0)
    for node in (n for value in steps.values() for n in value.walk()):
        if isinstance(node, checked.Signal):
            depth[node.name] = max(depth[node.name], node.delay)
    infos = []
    for signal, text in signals.items():
        role = "input" if signal not in steps else "state" if depth[signal] else "intermediate"
        start = initial.get(signal, 0 if role == "state" else None)
        start = to_node(start) if isinstance(start, (int, float)) else start
        infos.append(SignalInfo(signal, shape_of(text), role, depth[signal], start))
    bias = _biases(list(steps.values()) + list(derived.values()))
    params = tuple(
        ParameterInfo(p, shape_of(text), bias=p in bias) for p, text in parameters.items() if p not in derived
    )
    written = {
        target: tree.Equation(target=tree.Name(target, None if target in derived else 0), value=tree.Name("…"))
        for target in (*derived, *steps)
    }
    every = tuple(Equation(t, v, True, None, written[t]) for t, v in derived.items()) + tuple(
        Equation(t, v, False, None, written[t]) for t, v in steps.items()
    )
    dims = sorted(
        {d for info in infos for d in info.shape.size.names} | {d for p in params for d in p.shape.size.names}
    )
    return Cell(
        name=name,
        doc="",
        cites=(),
        dims=tuple(DimInfo(dim) for dim in dims),
        settings=tuple(SettingInfo(s, "hyper", text) for s, text in settings.items()),
        signals=tuple(infos),
        parameters=params,
        equations=every,
        order=_order(derived, steps),
        output=output,
        claims=claims,
        relatives=relatives,
    )


def _order(derived: dict[str, Expr], steps: dict[str, Expr]) -> tuple[str, ...]:
    done: list[str] = []

    def visit(target: str) -> None:
        if target in done:
            return
        for node in {**derived, **steps}[target].walk():
            if isinstance(node, checked.Signal) and node.delay == 0 and node.name in steps:
                visit(node.name)
            if isinstance(node, checked.Parameter) and node.name in derived:
                visit(node.name)
        done.append(target)

    for target in (*derived, *steps):
        visit(target)
    return tuple(done)


def _biases(values: list[Expr]) -> set[str]:
    """Parameters that only ever stand alone as a term of a sum."""
    alone: set[str] = set()
    other: set[str] = set()

    def visit(node: Expr, term: bool) -> None:
        if isinstance(node, checked.Parameter):
            (alone if term else other).add(node.name)
        for child in node.children:
            visit(child, isinstance(node, checked.Add))

    for value in values:
        visit(value, False)
    return alone - other
