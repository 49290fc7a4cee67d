"""The text of a torch module: the views that its templates lay out.

Decisions are made here and in `sequence`; the templates hold what every cell has, word for word.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from functools import cache, cached_property
from pathlib import PurePath

from jinja2 import Environment, PackageLoader, StrictUndefined

from celldsl.check.cell import Cell, Expr, Num, Setting, SignalInfo
from celldsl.check.width import Shape, Width
from celldsl.emit.torch import identifiers, noise
from celldsl.emit.torch.construct import Constructor
from celldsl.emit.torch.initial import constraints, first_values, resets
from celldsl.emit.torch.lines import LIMIT, lines
from celldsl.emit.torch.printer import named, width_text
from celldsl.emit.torch.sequence import Body, Writer, carried
from celldsl.schedule.schedule import Schedule
from celldsl.syntax.write import write
from celldsl.version import __version__


def module(schedule: Schedule) -> str:
    """The text of the module of a schedule."""
    view = View(schedule)
    classes = "".join(_templates().get_template(name).render(v=view) for name in ("cell.jinja", "layer.jinja"))
    helpers = [name for name in _HELPERS if re.search(rf"\b{name}\(", classes)]
    return (
        _templates()
        .get_template("module.jinja")
        .render(v=view, classes=classes, uses_math="math." in classes, helpers=helpers)
    )


_HELPERS = ("blockwise", "block_diagonal", "symmetric", "orthogonal", "spectral")
"""What `structures.jinja` holds, for modules that call it."""


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("celldsl.emit.torch", "."),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )


class View:
    """What the templates read: texts and lists of texts."""

    def __init__(self, schedule: Schedule):
        self.schedule = schedule
        cell = self.cell = schedule.cell
        self.version = __version__
        self.target = schedule.target
        self.source = PurePath(cell.source.name).name if cell.source else "<string>"
        self.hash = fingerprint(cell)
        self.layer = identifiers.class_name(cell.name)
        self.step = f"{self.layer}Cell"
        self.output = f"{cell.output}_t"
        self.equations = _equations(cell)
        words = _escaped(cell.doc or f"{cell.name}: a recurrent cell.")
        self.doc = "\n".join(textwrap.fill(line, LIMIT - 3, break_long_words=False) for line in words.split("\n"))
        self.cites = [textwrap.fill(_escaped(cite), LIMIT, break_long_words=False) for cite in cell.cites]
        self.widths = _widths(cell)

        # Parameters have the first choice of names; what else the class has steps aside.
        scope = identifiers.attributes()
        attributes = {info.name: identifiers.attribute(scope, info.name) for info in cell.parameters}
        for name in schedule.doubled:
            attributes[f"{name}_hh"] = identifiers.attribute(scope, f"{name}_hh")
        self.constructor = Constructor(schedule, self.layer, attributes, scope)
        self.sequence = scope.new("sequence")
        self.initial_state = scope.new("initial_state")
        self.reset_parameters = scope.new("reset_parameters")
        self.constrain = scope.new("constrain_")

        self.writer = Writer(schedule, attributes)
        self.writer.noise = self.noise = scope.new(noise.METHOD)
        self.body: Body = self.writer.body()
        self.inputs = self.body.arguments
        self.input_words = [f"{info.name}_t" for info in cell.inputs]
        self.states = carried(schedule)
        self.state_names = [name.replace("_prev", "") for name in self.body.state]
        self.state_type = "State" if len(self.states) > 1 else "Tensor" if self.states else "Tuple[()]"
        self.state_words = ", ".join(f"{info.name}_{{t-{delay}}}" for info, delay in self.states)
        self.resets = resets(schedule, attributes, self.constructor.hidden_attribute)
        self.constraints = constraints(schedule, attributes)
        self.step_repr = _quoted(self.constructor.shown)
        self.first_state = lines(f"return {', '.join(first_values(schedule, attributes)) or '()'}")

    # --- noise ------------------------------------------------------------------------------

    @cached_property
    def masks(self) -> list[tuple[str, str]]:
        """The name of each mask, and how it is drawn."""

        def attribute(name: str) -> str:
            return identifiers.read(self.writer.attributes[name])

        def width(dim: Width) -> str:
            return width_text(named(dim, self.cell), attribute)[0]

        def rate(value: Expr) -> str:
            if isinstance(value, Setting):
                return attribute(value.name)
            assert isinstance(value, Num)
            return value.text

        return noise.drawn(self.cell.masks, width, rate)

    @property
    def mask_helpers(self) -> set[str]:
        """The functions that `masks` calls; a locked mask is made of another."""
        found = {noise.helper(mask) for mask in self.cell.masks}
        return found | {"dropout_mask"} if "locked_mask" in found else found

    # --- the state: a bare tensor if there is but one, else a tuple -------------------------

    def of(self, k: int, whole: str = "state") -> str:
        """How the k-th tensor is read."""
        return whole if len(self.states) == 1 else f"{whole}[{k}]"

    def of_state(self, text: str) -> str:
        """The same done to each tensor of `state`, which `text` calls `{of}`; `{own}` cuts off what fills up the row of
        a narrow layer."""
        return bundle([text.format(of=self.of(k), own=self._own_width(k)) for k in range(len(self.states))])

    def of_last(self, text: str) -> str:
        return bundle([text.format(of=self.of(k, "last")) for k in range(len(self.states))])

    def of_last_k(self, k: int) -> str:
        return self.of(k, "last")

    @property
    def last_state(self) -> str:
        return bundle(self.body.state)

    @property
    def stacked_states(self) -> str:
        return bundle(
            [
                f"padded(all_{name}, {self._layer_width(k)})" if self._is_ragged(k) else f"torch.stack(all_{name})"
                for k, name in enumerate(self.state_names)
            ]
        )

    def expect_state(self, k: int) -> str:
        """The check of one tensor of the layer's state; its width is the step's to check, where all have one."""
        width = self._layer_width(k) if self._is_ragged(k) else f"{self.of(k)}.size(-1)"
        info, delay = self.states[k]
        name = f"{self.layer}: {_state_word(info, delay)} of all layers"
        return f'expect("{name}", {self.of(k)}, [len(self.layers), batch_sizes[0], {width}])'

    # A state as wide as the input has another width in the layers above the first.

    def _is_ragged(self, k: int) -> bool:
        entering = self.constructor.input_dim
        return entering is not None and entering in self.states[k][0].shape.width.names

    @property
    def is_ragged(self) -> bool:
        return any(self._is_ragged(k) for k in range(len(self.states)))

    def _own_width(self, k: int) -> str:
        width, _ = width_text(self.states[k][0].shape.width, lambda name: f"step.{self.writer.attributes[name]}")
        return f"[:, : {width}]" if self._is_ragged(k) else ""

    def _layer_width(self, k: int) -> str:
        names = {self.constructor.input_dim: "widest_input", self.constructor.hidden_dim: "hidden_size"}
        return width_text(
            self.states[k][0].shape.width, lambda name: f"self.{names.get(name) or self.constructor.local[name]}"
        )[0]

    def if_state(self, text: str) -> str:
        """Behind a value for a state that is None: what stands for any other."""
        return f" if state is None else {self.of_state(text)}" if self.states else ""

    @property
    def state_alias(self) -> str:
        """The type of a state of several tensors."""
        if len(self.states) < 2:
            return ""
        return self.line(0, f"State = Tuple[{', '.join(['Tensor'] * len(self.states))}]", self.state_words)

    # --- layout ----------------------------------------------------------------------------

    def line(self, indent: int, code: str, comment: str = "") -> str:
        """A statement, on several lines if it is long."""
        return "\n".join(" " * indent + line for line in lines(code, comment, indent))

    def text(self, indent: int, words: str) -> str:
        """A sentence of a docstring."""
        margin = " " * indent
        return "\n".join(textwrap.wrap(words, LIMIT, initial_indent=margin, subsequent_indent=margin))

    def _shape(self, shape: Shape, first: str) -> str:
        return self.writer.shape(shape, first)

    def _state_shapes(self, first: str) -> str:
        shapes = [self._shape(info.shape, first) for info, _ in self.states]
        return f"each {shapes[0]}" if len(set(shapes)) == 1 and len(shapes) > 1 else ", ".join(shapes)

    @property
    def state_doc(self) -> str:
        return f"{self.state_words}, {self._state_shapes('B')}" if self.states else "empty"

    @property
    def layer_state_doc(self) -> str:
        if not self.states:
            return "empty"
        padding = (
            " (where layers differ in m, the widest; the others are filled up with zeros)" if self.is_ragged else ""
        )
        return f"{self.state_words}, {self._state_shapes('L, B')}{padding}"

    # --- inputs ----------------------------------------------------------------------------

    def each_input(self, text: str) -> str:
        """`text` for every input, with `{t}` for its name at one step and `{name}` for the sequence."""
        return ", ".join(text.format(t=t, name=name) for t, name in zip(self.input_words, self.inputs, strict=True))

    @cached_property
    def layer_inputs(self) -> list[str]:
        """The inputs as arguments of the layer: the first is `input`, the others have their own names."""
        taken = """self input state record batched T B m flat last signals output name value order back sizes
            batch_sizes outputs k step reverse first found signal values layout"""
        scope = identifiers.variables(*taken.split())
        scope.taken.update(f"all_{name}" for name in self.state_names)
        return ["input", *(scope.new(info.name) for info in self.cell.inputs[1:])]

    def each_layer_input(self, text: str) -> str:
        return ", ".join(text.format(name=name) for name in self.layer_inputs)

    @property
    def layer_names(self) -> str:
        return ", ".join(self.layer_inputs)

    @property
    def step_arguments(self) -> list[str]:
        return [*(f"{t}: Tensor" for t in self.input_words), f"state: Optional[{self.state_type}] = None"]

    @property
    def layer_arguments(self) -> list[str]:
        return [*(f"{name}: Tensor" for name in self.layer_inputs), f"state: Optional[{self.state_type}] = None"]

    @property
    def run_arguments(self) -> list[str]:
        return [*(f"{n}: Tensor" for n in self.layer_inputs), f"state: Optional[{self.state_type}]", "record: bool"]

    @property
    def packed_arguments(self) -> list[str]:
        return [argument.replace(": Tensor", ": PackedSequence") for argument in self.run_arguments]

    @property
    def packed_result(self) -> str:
        return f"Tuple[PackedSequence, {self.state_type}, Dict[str, PackedSequence]]"

    @property
    def run_result(self) -> str:
        return f"Tuple[Tensor, {self.state_type}, Dict[str, Tensor]]"

    def define(self, name: str, arguments: list[str], result: str = "") -> str:
        """The first line of a method, or lines; without `result` it gives an output and a state."""
        result = result or f"Tuple[Tensor, {self.state_type}]"
        inner = ", ".join(["self", *arguments])
        if len(line := f"    def {name}({inner}) -> {result}:") <= LIMIT:
            return line
        if len(inner) <= LIMIT - 8:
            return f"    def {name}(\n        {inner}\n    ) -> {result}:"
        body = "".join(f"        {argument},\n" for argument in ["self", *arguments])
        return f"    def {name}(\n{body}    ) -> {result}:"

    @property
    def make_step(self) -> list[str]:
        call = f"{self.step}(width, hidden_size, device, dtype, {self.constructor.passed})"
        return lines(f'self.layers[f"l{{layer}}{{direction}}"] = {call}', "", 16)

    @property
    def step_inputs(self) -> str:
        return ", ".join(
            f"{t}: {self._shape(info.shape, 'B')}" for t, info in zip(self.input_words, self.cell.inputs, strict=True)
        )

    @property
    def sequence_inputs(self) -> str:
        return ", ".join(
            f"{name}: {self._shape(info.shape, 'N')}" for name, info in zip(self.inputs, self.cell.inputs, strict=True)
        )

    @property
    def output_shape(self) -> str:
        return self._shape(self.cell.signal[self.cell.output].shape, "N")

    @property
    def signal_example(self) -> str:
        names = [equation.target for equation in self.cell.equations if not equation.timeless]
        return f"`{names[0]}_l0`, `{names[-1]}_l1_reverse`"

    # --- checks ----------------------------------------------------------------------------

    @property
    def checks(self) -> list[str]:
        """Sizes as local names; inputs and state have the shapes they must have."""

        def row(info: SignalInfo, rows: str) -> str:
            return f"[{rows}, {self.writer.seq.width(info.shape.width)}]"

        result = [
            f'expect("{self.layer}: {info.name}", {name}, {row(info, "sum(batch_sizes)")})'
            for name, info in zip(self.inputs, self.cell.inputs, strict=True)
        ]
        if self.states:
            first = f"self.{self.initial_state}({self.inputs[0]}, batch_sizes[0])"
            result += lines(f"{', '.join(self.body.state)} = {first} if state is None else state")
        result += [
            f'expect("{self.layer}: {_state_word(info, delay)}", {name}, {row(info, "batch_sizes[0]")})'
            for name, (info, delay) in zip(self.body.state, self.states, strict=True)
        ]
        sizes = {dim.name: self.writer.sizes[dim.name] for dim in self.cell.dims if dim.name in self.writer.sizes}
        sizes.update(self.writer.sizes)
        text = "\n".join([*result, *self.body.lines])
        sizes = {dim: local for dim, local in sizes.items() if re.search(rf"\b{local}\b", text)}
        names, values = list(sizes.values()), [identifiers.read(self.writer.attributes[dim]) for dim in sizes]
        return [f"{', '.join(names)} = {', '.join(values)}", *result] if names else result

    # --- words -----------------------------------------------------------------------------

    @property
    def two_biases_doc(self) -> str:
        names = list(self.schedule.doubled)
        if not names:
            return "two_biases: no bias of this cell stands beside two products, so it changes nothing."
        rest = " and so on" if names[1:] else ""
        return f"two_biases: a second bias as torch.nn has it, {names[0]}_hh beside {names[0]}{rest}."

    @property
    def sizes_doc(self) -> list[str]:
        result = [f"input_size: m, the width of {self.input_words[0]}.", f"hidden_size: n, the width of {self.output}."]
        return result + [f"{self.constructor.local[name]}: the dimension {name}." for name in self.constructor.further]

    @property
    def hypers_doc(self) -> list[str]:
        return [
            f"{self.constructor.local[info.name]}: the setting {info.name} of the equations."
            for info in self.constructor.hypers
        ]


def _quoted(text: str) -> str:
    """A string with places in it; two, one behind the other, where it is long."""
    if len(text) < LIMIT - 20:
        return f'f"{text}"'
    at = text.rindex(", ", 0, LIMIT - 20) + 2
    return f'(\n            f"{text[:at]}"\n            f"{text[at:]}"\n        )'


def bundle(items: list[str], many: str = "({})", none: str = "()") -> str:
    if len(items) == 1:
        return items[0]
    return many.format(", ".join(items)) if items else none


def _state_word(info: SignalInfo, delay: int) -> str:
    return info.name if info.depth == 1 else f"{info.name}_{{t-{delay}}}"


def fingerprint(cell: Cell) -> str:
    """SHA-256 of the cell as `write` writes it, with all that it has from its parent."""
    assert cell.definition is not None
    return hashlib.sha256(write(cell.definition).encode("utf-8")).hexdigest()


def _equations(cell: Cell) -> list[str]:
    """The equations in the author's order, their labels in a column; long ones over several lines."""
    texts = [(write(equation.written), equation.label) for equation in cell.equations]
    plain = [text.removesuffix(f"({label})").rstrip() if label else text for text, label in texts]
    room = LIMIT - 4
    widest = room - 4 - max((len(f"({label})") for _, label in texts if label), default=0)
    column = max((len(text) for text in plain if len(text) <= widest), default=0) + 4
    labelled = [f"{text:<{column}}({label})" if label else text for text, (_, label) in zip(plain, texts, strict=True)]
    return [line for text in map(_escaped, labelled) for line in _wrapped(text, room)]


def _wrapped(text: str, room: int) -> list[str]:
    """A text that fits as it is, blanks and all."""
    return [text] if len(text) <= room else textwrap.wrap(text, room, subsequent_indent="    ")


def _widths(cell: Cell) -> str:
    """`m is the width of x_t, n that of h_t.`"""
    found: dict[str, str] = {}
    for info in (*cell.inputs, cell.signal[cell.output], *cell.signals):
        for name in sorted(info.shape.width.names):
            if info.shape.width.name == name:
                found.setdefault(name, f"{info.name}_t")
    words = [f"{name} is the width of {signal}" for name, signal in found.items()]
    return f"{', '.join(words)}." if words else "All signals are scalars."


def _escaped(text: str) -> str:
    """Text as it may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")
