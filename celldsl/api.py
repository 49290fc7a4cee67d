"""The Python interface: `compile(source)` and what a `CompiledCell` answers.

A `CompiledCell` holds a checked cell and takes each later step on first use: asking for widths needs neither SymPy nor
torch, asking for `params` needs SymPy, building a layer needs torch.
"""

from __future__ import annotations

import html
import inspect
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celldsl import library, relatives, show
from celldsl.check.cell import Cell, SignalInfo
from celldsl.errors import Diagnostic
from celldsl.formulas import plain
from celldsl.source import Source
from celldsl.syntax import tree

if TYPE_CHECKING:
    import sympy
    from torch import nn

    from celldsl.schedule import Schedule
    from celldsl.symbolic import Form


def compile(source: str | Path | Source) -> CompiledCell:
    """Compile a cell: spec text, a path, or the name of a shipped spec in any case.

    Of a source with several cells the last one is compiled; the others serve it. Raises SpecError, whose
    `diagnostics` hold every error of the source.
    """
    return CompiledCell(relatives.check(library.load(source))[-1])


def zoo() -> list[str]:
    """The names of the shipped specs."""
    return library.zoo()


class CompiledCell:
    """A cell that has passed every check. `compile` makes it."""

    def __init__(self, checked: Cell):
        self.checked = checked

    # --- what the equations say ---------------------------------------------------------

    @property
    def name(self) -> str:
        return self.checked.name

    @property
    def doc(self) -> str:
        return self.checked.doc

    @property
    def cites(self) -> tuple[str, ...]:
        return self.checked.cites

    @property
    def claims(self) -> tuple[tree.Claim, ...]:
        return self.checked.claims

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings; a cell with errors is never compiled."""
        return self.checked.warnings

    @property
    def inputs(self) -> dict[str, str]:
        """Names of the inputs -> widths, in the order `forward` takes them."""
        return _widths(self.checked.inputs)

    @property
    def states(self) -> dict[str, str]:
        """Names of the carried signals -> widths, in the order of the state tuple."""
        return _widths(self.checked.states)

    @property
    def intermediates(self) -> dict[str, str]:
        """Names of gates, candidates and whatever else is computed within a step -> widths."""
        return _widths(self.checked.intermediates)

    @property
    def parameters(self) -> dict[str, str]:
        """Names of the trained parameters -> shapes: `n×m` a matrix, `n` a vector, `1` a scalar."""
        shapes = {info.name: info.shape for info in self.checked.parameters}
        return {
            name: str(shape) if shape.rank > 1 else "".join(map(str, shape.dims)) or "1"
            for name, shape in shapes.items()
        }

    @cached_property
    def params(self) -> sympy.Expr:
        """The number of parameters in the widths, one bias a gate."""
        from celldsl.symbolic import counts

        return counts.parameter_count(self.checked)

    @cached_property
    def flops(self) -> sympy.Expr:
        """Floating-point operations of one step for one batch row, in the widths."""
        from celldsl.symbolic import counts

        return counts.flops(self.checked)

    @cached_property
    def state_size(self) -> sympy.Expr:
        """Numbers carried from step to step for one batch row, in the widths."""
        from celldsl.symbolic import counts

        return counts.state_size(self.checked)

    def count(self, **sizes: int) -> int:
        """The number of parameters at given widths, `count(m=28, n=50)`; settings that are widths have defaults.

        Raises TypeError for a width that is missing or is none of this cell's.
        """
        dims, settings = self.checked.free_dims, [info for info in self.checked.settings if info.is_width]
        unknown = sorted(sizes.keys() - {*dims, *(info.name for info in settings)})
        missing = [name for name in dims if name not in sizes]
        if unknown or missing:
            problem = f"no width {', '.join(unknown)}" if unknown else f"missing {', '.join(missing)}"
            raise TypeError(f"{self.name}.count({', '.join(f'{name}=…' for name in dims)}): {problem}")
        values = {info.name: int(info.value) for info in settings} | sizes
        found = self.params.subs({symbol: values[symbol.name] for symbol in self.params.free_symbols})
        if not found.is_Integer:
            raise ValueError(f"{self.name} has no whole number of parameters at {sizes}: {found}")
        return int(found)

    # --- the stages ---------------------------------------------------------------------

    @cached_property
    def form(self) -> Form:
        """The symbolic form: matrix products and the pointwise map between them."""
        from celldsl.symbolic import lower

        return lower(self.checked)

    @property
    def schedule(self) -> Schedule:
        """What is hoisted out of time, stacked, fused and saved; prints as a table."""
        from celldsl.schedule import plan_module

        return plan_module(self.form)

    def source(self, target: str = "torch") -> str:
        """The text of the emitted module."""
        from celldsl.emit import emit
        from celldsl.schedule import plan

        return emit(plan(self.form, target), target)

    @cached_property
    def spec(self) -> str:
        """The cell as spec text that compiles by itself, whatever it extends written out."""
        return relatives.whole(self.checked)

    def latex(self) -> str:
        """All equations, inherited ones too, as an `align` environment."""
        return show.latex(self.checked)

    # --- variants -----------------------------------------------------------------------

    def variant(self, **options: Any) -> CompiledCell:
        """The cell with regularisers and details that its paper has not, as another cell whose equations say so.

        recurrent_dropout=0.2, input_dropout=0.2: masks on what matrices multiply, one a product and sequence.
        locked_input=0.4, locked_output=0.4: one mask a sequence on the whole input or output.
        weight_drop={"U_*": 0.5}: one mask of a parameter for a batch of sequences. zoneout=0.1 for all states, or
        {"c": 0.5, "h": 0.05}. init={"b_f": 1.5, "U_*": "orthogonal"}: as in `init` lines.
        gates="hard_sigmoid", "keras1_hard_sigmoid", …: in the place of every sigmoid.
        Raises TypeError for another option, ValueError and SpecError for values that do not suit the cell.
        """
        from celldsl.transform import variant

        key = repr(sorted(options.items()))
        if key not in self._variants:
            changed = variant(self.checked, **options)
            self._variants[key] = self if changed is self.checked else CompiledCell(changed)
        return self._variants[key]

    @cached_property
    def _variants(self) -> dict[str, CompiledCell]:
        return {}

    # --- modules ------------------------------------------------------------------------

    def rnn(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        two_biases: bool = False,
        backend: str = "auto",
        **sizes_and_settings: Any,
    ) -> nn.Module:
        """A layer over time with the conventions of `torch.nn.LSTM`.

        `layer(x, state=None)` gives `(output, state)`; `layer.signals(x)` the sequence of every signal. Dimensions
        beyond the two, and settings (`hyper`), are given by name, as are the options of `variant`, which leave names of
        parameters and states as they are; two_biases lays out biases as torch.nn does.
        Raises ValueError for sizes that do not fit the equations and for an unknown backend, TypeError for a width or
        setting that is missing or is none of this cell's, RuntimeError for a backend that cannot run here, or not
        this cell.
        """
        cell, sizes_and_settings = self._with_options(sizes_and_settings)
        layer, _ = cell._classes(backend)
        _check_names(self.name, layer, sizes_and_settings)
        return layer(
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            two_biases=two_biases,
            **sizes_and_settings,
        )

    def step(
        self,
        input_size: int,
        hidden_size: int,
        device: Any = None,
        dtype: Any = None,
        *,
        two_biases: bool = False,
        backend: str = "auto",
        **sizes_and_settings: Any,
    ) -> nn.Module:
        """A single step: `step(x_t, state=None)` gives `(output, state)`, x_t of shape (B, m) or (m,). See `rnn`."""
        cell, sizes_and_settings = self._with_options(sizes_and_settings)
        _, step = cell._classes(backend)
        _check_names(self.name, step, sizes_and_settings)
        return step(input_size, hidden_size, device, dtype, two_biases=two_biases, **sizes_and_settings)

    def _with_options(self, keywords: dict[str, Any]) -> tuple[CompiledCell, dict[str, Any]]:
        """The variant that keywords ask for, and the others; widths and settings of the cell itself go first."""
        from celldsl.transform import OPTIONS

        own = {*self.checked.free_dims, *self.checked.setting}
        options = {name: keywords[name] for name in OPTIONS if name in keywords and name not in own}
        rest = {name: value for name, value in keywords.items() if name not in options}
        return (self.variant(**options) if options else self), rest

    def _classes(self, backend: str) -> tuple[Any, Any]:
        """The emitted classes: layer and step."""
        from celldsl.emit.torch.identifiers import class_name
        from celldsl.runtime.backends import choose

        chosen = choose(backend)
        key = chosen.name, backend == "auto"  # only `auto` may fall back
        if key not in self._modules:
            self._modules[key] = chosen.module(self.checked, self.source("torch"), backend == "auto")
        name = class_name(self.name)
        return getattr(self._modules[key], name), getattr(self._modules[key], f"{name}Cell")

    @cached_property
    def _modules(self) -> dict[tuple[str, bool], Any]:
        return {}

    # --- as people see it ---------------------------------------------------------------

    def __repr__(self) -> str:
        parts = [
            f"{role} {_listed(names)}" for role, names in (("inputs", self.inputs), ("states", self.states)) if names
        ]
        return f"<cell {self.name}: {', '.join(parts)}, {plain(self.params)} parameters>"

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_html_(self) -> str:
        rows = [
            ("inputs", _listed(self.inputs)),
            ("states", _listed(self.states)),
            ("intermediates", _listed(self.intermediates)),
            ("parameters", f"{plain(self.params)}: {_listed(self.parameters)}"),
            ("FLOPs per step", plain(self.flops)),
            ("cite", "; ".join(self.cites)),
        ]
        table = "".join(
            f"<tr><th>{html.escape(title)}</th><td>{html.escape(text)}</td></tr>" for title, text in rows if text
        )
        return (
            f"<div><strong>{html.escape(self.name)}</strong> {html.escape(self.doc)}\n"
            f"{html.escape(self.latex(), quote=False)}\n<table>{table}</table></div>"
        )


def _check_names(cell: str, module: type, given: dict[str, Any]) -> None:
    """Raise TypeError where the widths and settings given by name are not those that a module takes."""
    parameters = inspect.signature(module).parameters.values()
    own = {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "two_biases"}
    for name in given:
        if name not in own:
            there = f"it has {', '.join(own)}" if own else "it has none"
            raise TypeError(f"{cell} has no width or setting {name!r}: {there}")
    missing = [name for name, each in own.items() if each.default is each.empty and name not in given]
    if missing:
        raise TypeError(f"{cell} needs {' and '.join(missing)} by name: {', '.join(f'{name}=…' for name in missing)}")


def _widths(infos: tuple[SignalInfo, ...]) -> dict[str, str]:
    return {info.name: str(info.shape.width) for info in infos}


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"{name}: {width}" for name, width in names.items())
