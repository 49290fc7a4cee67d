"""The constructors: arguments, sizes and their checks, parameters."""

from __future__ import annotations

import keyword
import re

from celldsl.check.cell import Setting, SettingInfo
from celldsl.check.width import Width
from celldsl.emit.torch import identifiers
from celldsl.emit.torch.identifiers import Scope, assign
from celldsl.emit.torch.lines import lines
from celldsl.emit.torch.printer import fraction, named, width_text
from celldsl.schedule.schedule import Schedule


class Constructor:
    """What `__init__` of the step and of the layer are made of.

    `input_size` is the width of the first input, `hidden_size` the output's. Where the equations leave one of them
    no choice, it is an argument all the same, and checked.
    """

    def __init__(self, schedule: Schedule, layer: str, attributes: dict[str, str], scope: Scope):
        self.cell = schedule.cell
        self.layer = layer
        self.attributes = attributes
        self.doubled = schedule.doubled
        cell = self.cell
        self.arguments = identifiers.variables(
            *("input_size", "hidden_size", "num_layers", "batch_first", "bidirectional", "device", "dtype"),
            *("dropout", "two_biases", "parameter", "width", "layers", "layer", "step", "direction", "directions"),
            *(
                "run",
                "run_packed",
                "run_layers",
                "signals",
                "widest_input",
                "steps_first",
                "restored",
                "reset_parameters",
                "constrain_",
            ),
            *identifiers.MODULE_ATTRIBUTES,
        )
        free = list(cell.free_dims)
        self.input_width = cell.inputs[0].shape.width
        self.output_width = cell.signal[cell.output].shape.width
        hidden = self.output_width.name
        self.hidden_dim = hidden if hidden in free else None
        entering = self.input_width.name
        self.input_dim = entering if entering in free and entering != self.hidden_dim else None
        self.further = [name for name in free if name not in (self.input_dim, self.hidden_dim)]
        self.hypers = [info for info in cell.settings if info.kind == "hyper"]

        self.local = {name: self.arguments.new(name) for name in (*free, *(info.name for info in self.hypers))}
        self.input_attribute = scope.new("input_size")
        self.hidden_attribute = scope.new("hidden_size")
        scope.taken.update(keyword.kwlist)
        for name in self.further:
            attributes[name] = scope.new(name)
        if self.input_dim:
            attributes[self.input_dim] = self.input_attribute
        if self.hidden_dim:
            attributes[self.hidden_dim] = self.hidden_attribute
        for info in cell.settings:
            attributes[info.name] = scope.new(info.name)
        self.derived = [dim for dim in cell.dims if dim.value is not None]
        for dim in self.derived:
            self.local[dim.name] = self.arguments.new(dim.name)
            attributes[dim.name] = scope.new(dim.name)

    # --- arguments -------------------------------------------------------------------------

    @property
    def keywords(self) -> list[str]:
        """The keyword arguments behind `*`, with their types and defaults."""
        sizes = [f"{self.local[name]}: int" for name in self.further]
        hypers = [f"{self.local[info.name]}: {_type(info)} = {_value(info)}" for info in self.hypers]
        return [*sizes, *hypers, "two_biases: bool = False"]

    @property
    def passed(self) -> str:
        """The same, as the layer passes them on to each step."""
        return ", ".join(f"{name}={name}" for name in [*self.further_arguments, "two_biases"])

    @property
    def further_arguments(self) -> list[str]:
        """The keyword arguments that the layer keeps as attributes of the same name."""
        return [self.local[name] for name in (*self.further, *(info.name for info in self.hypers))]

    @property
    def shown(self) -> str:
        """What `extra_repr` of the step shows."""
        names = [self.input_attribute, self.hidden_attribute]
        text = ", ".join(f"{{self.{name}}}" for name in names)
        for name in (*self.further, *(info.name for info in self.hypers)):
            text += f", {self.local[name]}={{{identifiers.read(self.attributes[name])}}}"
        return text

    # --- statements ------------------------------------------------------------------------

    def width(self, width: Width) -> str:
        return width_text(named(width, self.cell), self.local.__getitem__)[0]

    @property
    def sizes(self) -> list[str]:
        """Sizes as local names and attributes, and everything that may be wrong with them."""
        given = [(self.input_dim, "input_size"), (self.hidden_dim, "hidden_size")]
        result: list[str] = []
        asked = ["input_size", "hidden_size", *(self.local[name] for name in self.further)]
        asked += [self.local[info.name] for info in self.hypers if info.is_width]
        result.append(f"if min({', '.join(asked)}) < 1:")
        got = ", ".join(f"{{{name}=}}" for name in asked)
        result += _error(f"{self.layer}: every size must be at least 1, got {got}")
        if not self.input_dim:
            result += self._fixed("input_size", self.input_width, self.cell.inputs[0].name)
        if not self.hidden_dim:
            result += self._fixed("hidden_size", self.output_width, self.cell.output)
        for dim in self.derived:
            assert dim.value is not None
            result += self._divisible(dim.value, dim.name)
            result.append(f"{self.local[dim.name]} = {width_text(dim.value, self.local.__getitem__)[0]}")
            result += self._positive(dim.value, self.local[dim.name], dim.name)
        for name in dict.fromkeys(mask.rate.name for mask in self.cell.masks if isinstance(mask.rate, Setting)):
            if self.cell.setting[name].kind == "hyper":
                result.append(f"if not 0 <= {self.local[name]} < 1:")
                got = f"{{{self.local[name]}=}}"
                result += _error(f"{self.layer}: {name} must be a probability below 1, got {got}")
        known = [dim.value for dim in self.derived]
        for width in self._widths():
            if width not in known:
                result += self._divisible(width, "")
                result += self._positive(width, self.width(width), "")
        attributes = [(self.input_attribute, "input_size"), (self.hidden_attribute, "hidden_size")]
        attributes += [(self.attributes[name], self.local[name]) for name in self.further]
        attributes += [(self.attributes[dim.name], self.local[dim.name]) for dim in self.derived]
        for info in self.cell.settings:
            if info.kind == "const" and info.name not in self.cell.read_settings:
                continue  # it says how often something is repeated, or what is claimed
            value = self.local[info.name] if info.kind == "hyper" else _value(info)
            attributes.append((self.attributes[info.name], value))
        result += [assign(attribute, value) for attribute, value in attributes]
        text = "\n".join([*result, *self.parameters])
        local = [(self.local[name], argument) for name, argument in given if name]
        local = [(name, argument) for name, argument in local if re.search(rf"\b{name}\b", text)]
        if local:
            result.insert(0, f"{', '.join(name for name, _ in local)} = {', '.join(value for _, value in local)}")
        return [*result, "self.two_biases = two_biases"]

    def _widths(self) -> list[Width]:
        # The n(n+1)/2 numbers of a symmetric matrix are always a whole number, and n(n-1)/2 may be none.
        counted = [info for info in self.cell.parameters if (info.structure or ("",))[0] not in _TRIANGLES]
        shapes = [info.shape for info in counted] + [info.shape for info in self.cell.signals]
        return list(dict.fromkeys(dim for shape in shapes for dim in shape.dims))

    def _fixed(self, argument: str, width: Width, signal: str) -> list[str]:
        wanted = self.width(width)
        return [
            f"if {argument} != {wanted}:",
            f'    wide = f"the equations make {signal}_t {{{wanted}}} wide"',
            f'    raise ValueError(f"{self.layer}: {{wide}}, got {{{argument}=}}")',
        ]

    def _divisible(self, width: Width, name: str) -> list[str]:
        numerator, denominator = fraction(width)
        if denominator == Width.of(1):
            return []
        above, below = (width_text(part, self.local.__getitem__) for part in (numerator, denominator))
        brackets = [text if " " not in text else f"({text})" for text, _ in (above, below)]
        rule = f"{name} = {width}" if name else str(width)
        got = ", ".join(f"{{{self.local[part]}=}}" for part in sorted(width.names))
        return [
            f"if {brackets[0]} % {brackets[1]} != 0:",
            *_error(f"{self.layer}: {rule} must be a whole number, got {got}"),
        ]

    def _positive(self, width: Width, local: str, name: str) -> list[str]:
        if all(coefficient > 0 for _, coefficient in width.terms):
            return []
        rule = f"{name} = {width}" if name else str(width)
        got = ", ".join(f"{{{self.local[part]}=}}" for part in sorted(width.names))
        return [
            f"if {local} < 1:",
            *_error(f"{self.layer}: {rule} must be at least 1, got {got}"),
        ]

    @property
    def parameters(self) -> list[str]:
        """A frozen parameter is a buffer: saved, and never trained."""
        result = []
        for info in self.cell.parameters:
            value = f"parameter({', '.join(self.width(dim) for dim in info.shape.dims)})"
            name = self.attributes[info.name]
            result.append(f'self.register_buffer("{name}", {value}.detach())' if info.frozen else assign(name, value))
        return result

    @property
    def second_biases(self) -> list[str]:
        return [
            assign(self.attributes[f"{name}_hh"], f"parameter({self.width(self.cell.parameter[name].shape.width)})")
            for name in self.doubled
        ]


_TRIANGLES = ("symmetric", "orthogonal")


def _error(message: str) -> list[str]:
    return [f"    {line}" for line in lines(f'raise ValueError(f"{message}")', "", 12)]


def _type(info: SettingInfo) -> str:
    return "int" if info.is_width else "float"


def _value(info: SettingInfo) -> str:
    if info.is_width or "/" in info.text:
        return info.text.replace("/", " / ")
    return info.text if any(char in info.text for char in ".eE") else f"{info.text}.0"
