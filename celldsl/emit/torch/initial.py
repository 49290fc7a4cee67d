"""How parameters and states start."""

from __future__ import annotations

from celldsl.check.cell import Expr, Index, InitCall, Parameter, ParameterInfo, Setting, SignalInfo
from celldsl.emit.torch.identifiers import read
from celldsl.emit.torch.lines import lines
from celldsl.emit.torch.printer import INITS, Printer
from celldsl.emit.torch.sequence import carried
from celldsl.schedule.schedule import Kind, Schedule

_CALLS = {
    "zeros": "nn.init.zeros_({})",
    "ones": "nn.init.ones_({})",
    "constant": "nn.init.constant_({}, {a})",
    "uniform": "nn.init.uniform_({}, {a}, {b})",
    "normal": "nn.init.normal_({}, {a}, {b})",
    **INITS,
    "default": "nn.init.uniform_({}, -bound, bound)",
}

_OF_MATRICES = frozenset(INITS)
"""What starts each block of a block-diagonal matrix by itself."""


def resets(schedule: Schedule, attributes: dict[str, str], hidden_size: str) -> list[str]:
    """The statements of `reset_parameters`, one for each way to start; second biases start at zero."""
    printer = _printer(schedule, attributes)
    groups: dict[str, list[str]] = {}
    for info in schedule.cell.parameters:
        name = read(attributes[info.name])
        init = info.init or _default(info)
        if init.kind == "expression":
            continue
        is_cut = info.shape.rank == 3 and init.kind in _OF_MATRICES
        groups.setdefault(_call(init, printer), []).append(f"*{name}.detach()" if is_cut else name)
    result: list[str] = []
    if _CALLS["default"] in groups:
        result.append(f"bound = 1 / math.sqrt({read(hidden_size)})")
    for call, names in groups.items():
        result += _all(call, names)
    result += _expressions(schedule, attributes)
    if schedule.doubled:
        seconds = [read(attributes[f"{name}_hh"]) for name in schedule.doubled]
        result += ["if self.two_biases:", *(f"    {line}" for line in _all(_CALLS["zeros"], seconds))]
    return result


def _expressions(schedule: Schedule, attributes: dict[str, str]) -> list[str]:
    """Starting values that are expressions, each after those it is made of."""
    waiting = {
        info.name: info.init.arguments[0]
        for info in schedule.cell.parameters
        if info.init is not None and info.init.kind == "expression"
    }
    result = ["with torch.no_grad():"] if waiting else []
    while waiting:
        name = next(
            name
            for name, value in waiting.items()
            if isinstance(value, Expr)
            and not any(isinstance(node, Parameter) and node.name in waiting for node in value.walk())
        )
        own, value = read(attributes[name]), waiting.pop(name)
        assert isinstance(value, Expr)
        found = [f"{'ij'[axis]} = {_places(own, axis, value.shape.rank)}" for axis in _axes(value)]
        text = _printer(schedule, attributes, own).text(value)
        if len(text) + len(own) < 95:
            found.append(f"{own}.copy_({text})")
        else:  # in parts: each draw by itself
            printer = _printer(schedule, attributes, own)
            printer.bind = _Drawn(found)
            found += [*lines(f"value = {printer.text(value)}", "", 12), f"{own}.copy_(value)"]
        result += [f"    {line}" for line in found]
    return result


class _Drawn:
    """Gives a name to each draw, on a line of its own."""

    def __init__(self, found: list[str]):
        self.found, self.count = found, 0

    def __call__(self, text: str) -> str:
        self.count += 1
        name = "drawn" if self.count == 1 else f"drawn_{self.count}"
        self.found.append(f"{name} = {text}")
        return name


def _axes(value: Expr) -> list[int]:
    return sorted({node.axis for node in value.walk() if isinstance(node, Index)})


def _places(name: str, axis: int, rank: int) -> str:
    """The row or the column of each entry."""
    return f"torch.arange({name}.size({axis})).to({name}){'[:, None]' if axis + 1 < rank else ''}"


def _all(call: str, names: list[str]) -> list[str]:
    if len(names) == 1 and names[0].startswith("*"):
        return [f"for block in {names[0][1:]}:", f"    {call.format('block')}"]
    if len(names) == 1:
        return [call.format(names[0])]
    head = f"for value in ({', '.join(names)}):"
    if len(head) > 100:
        return ["for value in (", *(f"    {name}," for name in names), "):", f"    {call.format('value')}"]
    return [head, f"    {call.format('value')}"]


def _call(init: InitCall, printer: Printer) -> str:
    """The call that starts a parameter, with `{}` for the parameter."""
    kind, numbers = init.kind, init.arguments
    if kind == "constant" and numbers == (0,):
        kind, numbers = "zeros", ()
    call = _CALLS[kind]
    for letter, number in zip("ab", numbers, strict=False):
        text = printer.text(number) if isinstance(number, Expr) else repr(float(number))
        call = call.replace(f"{{{letter}}}", text)
    return call


def _default(info: ParameterInfo) -> InitCall:
    """Where the spec says nothing: Glorot for matrices and blocks, zero for biases, U(±1/√n) for other vectors and
    scalars."""
    if info.shape.rank >= 2:
        return InitCall("glorot")
    return InitCall("zeros") if info.bias else InitCall("default")


def constraints(schedule: Schedule, attributes: dict[str, str]) -> list[str]:
    """The statements of `constrain_`: each parameter with bounds is brought back between them."""
    printer = _printer(schedule, attributes)
    result: list[str] = []
    for info in schedule.cell.parameters:
        if info.bounds is not None:
            words = [
                f"{side}={printer.text(value)}"
                for side, value in zip(("min", "max"), info.bounds, strict=True)
                if value
            ]
            result += lines(f"{read(attributes[info.name])}.clamp_({', '.join(words)})")
    return result


def first_values(schedule: Schedule, attributes: dict[str, str]) -> list[str]:
    """The first value of every tensor of the state: (batch, width) each, made like `x`."""
    printer = _printer(schedule, attributes)

    def first(info: SignalInfo) -> str:
        width = printer.width(info.shape.width)
        if info.initial is None:
            return f"x.new_zeros(batch, {width})"
        if info.initial == "learned":
            return f"{read(attributes[f'{info.name}_0'])}.expand(batch, {width})"
        if schedule.kind(info.initial) == Kind.NUMBER:
            return f"x.new_full((batch, {width}), {printer.text(info.initial)})"
        return printer.stretched(info.initial, info.shape.width)

    return [first(info) for info, _ in carried(schedule)]


def _printer(schedule: Schedule, attributes: dict[str, str], like: str = "x") -> Printer:
    return Printer(
        schedule,
        lambda expr: read(attributes[_name(expr)]),
        lambda dim: read(attributes[dim]),
        "batch",
        like,
    )


def _name(expr: Expr) -> str:
    assert isinstance(expr, Parameter | Setting)
    return expr.name
