"""Everything that decides a run, in one dataclass that prints to JSON and back.

Two runs of equal settings on one machine's CPU give the same bits. Importing this
module imports no torch, so that a command line can show its help at once.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celldsl.errors import near
from celldsl.train.errors import TrainError

OPTIMISERS = ("rmsprop", "adam", "adamw", "sgd", "nt-asgd", "adagrad")
SCHEDULES = ("constant", "cosine", "step", "decay", "exp-loss")
REDUCTIONS = ("mean", "sum")
PRECISIONS = ("32", "64", "bf16-mixed", "16-mixed", "bf16-true")
DEVICES = ("auto", "cpu", "cuda", "mps")

# What a resumed run may change: where and for how long it goes on. (The cell is compared by its text instead.)
FREE_ON_RESUME = frozenset(
    {"cell", "epochs", "patience", "out", "data_dir", "device", "devices", "threads"}
    | {"checkpoint_steps", "checkpoint_seconds"}
)


@dataclass(frozen=True)
class Settings:
    """One training run. The defaults train an LSTM on `digits` as Lu & Salem (2017) trained theirs on MNIST rows."""

    cell: str = "lstm"
    """A shipped name, a path or the text of a spec; or `torch.nn.LSTM`, `.GRU`, `.RNN`, to compare with."""
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the layer: the spec's `hyper`s and free widths."""
    task: str = "digits"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    """The task's own fields, `{"length": 200}` for `adding`."""
    data_dir: str | None = None
    """A folder with one folder of Parquet files per data set; without it, sets come from the Hugging Face hub."""
    train_limit: int | None = None
    """Train on the first so many examples only (statistics are still those of the whole set)."""
    test_limit: int | None = None

    hidden: int = 50
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    """Between layers, as in torch.nn."""
    recurrent_dropout: float = 0.0
    """On what the cell's matrices multiply, if it depends on a state: one mask for each product and sequence."""
    input_dropout: float = 0.0
    """The same on what depends on the input alone. Lu & Salem (2017) set both to 0.2 on IMDB."""
    locked_input: float = 0.0
    """On each layer's input, one mask a sequence that all gates share; `locked_output` on each layer's output."""
    locked_output: float = 0.0
    weight_drop: Mapping[str, float] = field(default_factory=dict)
    """Dropout of parameters by name, one mask a batch of sequences: `{"U_*": 0.5, "M": 0.5}`."""
    zoneout: Mapping[str, float] = field(default_factory=dict)
    """By the names of states: `{"c": 0.5, "h": 0.05}`, or `{"*": 0.1}`."""
    init: Mapping[str, Any] = field(default_factory=dict)
    """How parameters start, as in the `init` lines of a spec, over which they win: `{"b_f": 1.5}`."""
    gates: str | None = None
    """A function in the place of the cell's sigmoids: `hard_sigmoid`, `keras1_hard_sigmoid`."""
    backend: str = "auto"

    epochs: int = 20
    batch: int = 32
    """Examples per step over all processes together, so that the number of processes changes no result."""
    optimiser: str = "rmsprop"
    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    step_every: int = 10
    """Schedule `step`: epochs between two reductions."""
    step_factor: float = 0.1
    """Schedules `step` and `decay`: what the rate is multiplied by."""
    decay_after: int = 4
    """Schedule `decay`: epochs at the full rate; each one after them multiplies it once more."""
    nonmono: int = 5
    """Optimiser `nt-asgd`: SGD, whose weights are averaged from the first epoch on whose validation loss is above the
    best of all epochs but the last so many."""
    reduction: str = "mean"
    """A step descends the `mean` of its examples' losses, or their `sum`."""
    clip: float | None = None
    """Largest norm of the whole gradient."""
    patience: int | None = None
    """Stop after so many epochs in a row without a better value of the task's metric. Keras 1 waited one epoch more:
    its patience of 25 is 26 here."""

    seed: int = 0
    precision: str = "32"
    device: str = "auto"
    devices: int | None = None
    """Processes of a data-parallel run; torchrun starts them, this only checks that it started as many."""
    threads: int | None = None

    out: str | None = None
    """Folder of metrics, checkpoints and the result; without it the run leaves no trace."""
    checkpoint_steps: int | None = None
    """Checkpoint every so many steps, besides every epoch."""
    checkpoint_seconds: float | None = 30.0
    """Checkpoint every so many seconds, besides every epoch."""
    eval_batch: int | None = None
    """Examples evaluated at once; the task's own number if not given."""

    def check(self) -> None:
        """Raise `TrainError` for the first field that makes no sense, saying what would."""
        _choice("optimiser", self.optimiser, OPTIMISERS)
        _choice("schedule", self.schedule, SCHEDULES)
        _choice("reduction", self.reduction, REDUCTIONS)
        _choice("precision", self.precision, PRECISIONS)
        _choice("device", self.device, DEVICES)
        for name in ("hidden", "layers", "batch", "epochs", "step_every", "decay_after", "nonmono"):
            _whole(name, getattr(self, name))
        for name in ("patience", "devices", "threads", "checkpoint_steps", "train_limit", "test_limit", "eval_batch"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name))
        _number("lr", self.lr, above=0.0)
        _number("step_factor", self.step_factor, above=0.0)
        _number("momentum", self.momentum, least=0.0)
        _number("weight_decay", self.weight_decay, least=0.0)
        for name in ("dropout", "recurrent_dropout", "input_dropout", "locked_input", "locked_output"):
            _number(name, getattr(self, name), least=0.0)
            if getattr(self, name) >= 1:
                raise TrainError(f"{name} must lie in [0, 1), not {getattr(self, name)!r}")
        if self.dropout and self.layers == 1:
            raise TrainError("dropout acts between layers and there is only one: give layers=2 or more, or dropout=0")
        if self.momentum and self.optimiser not in ("sgd", "nt-asgd", "rmsprop"):
            raise TrainError(f"momentum belongs to sgd, nt-asgd and rmsprop, not to {self.optimiser}")
        for name in ("clip", "checkpoint_seconds"):
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), above=0.0)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise TrainError(f"seed must be a whole number from 0 to 2**63 - 1, not {self.seed!r}")
        self.to_json()
        if not self.cell:
            raise TrainError("cell must name a cell: a shipped name, a path, or the text of a spec")

    def to_json(self) -> dict[str, Any]:
        """Plain data: what JSON gives back after a round trip."""
        fields = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}
        try:
            plain: dict[str, Any] = json.loads(json.dumps(fields))
        except (TypeError, ValueError) as error:
            raise TrainError(f"settings must be plain numbers, texts and lists of them: {error}") from error
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """The settings of `to_json`; an unknown field is an error, with the nearest known name."""
        known = [f.name for f in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise TrainError(f"there is no setting {name!r}{_meant(name, known)}")
        return cls(**data)


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The fields in which two runs' settings differ and a resumed run may not, as `name: old -> new`.

    A field that one of them lacks, being older than it, stands at its default there.
    """
    defaults = Settings().to_json()
    one, other = ({**defaults, **settings} for settings in (one, other))
    free = FREE_ON_RESUME
    if one.get("schedule") == "cosine":
        free = free - {"epochs"}  # its rates depend on where it ends
    return [
        f"{name}: {one.get(name)!r} -> {other.get(name)!r}"
        for name in sorted({*one, *other} - free)
        if one.get(name) != other.get(name)
    ]


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _meant(name: str, known: list[str]) -> str:
    guess = near(name, known)
    return f": did you mean {guess!r}?" if guess else f": known are {', '.join(known)}"


def _choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        guess = near(str(value), known)
        meant = f" (did you mean {guess!r}?)" if guess else ""
        raise TrainError(f"{name} must be one of {', '.join(known)}, not {value!r}{meant}")


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TrainError(f"{name} must be a whole number of at least 1, not {value!r}")


def _number(name: str, value: Any, *, above: float | None = None, least: float | None = None) -> None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if good and (above is None or value > above) and (least is None or value >= least):
        return
    bound = f"above {above:g}" if above is not None else f"of at least {least:g}"
    raise TrainError(f"{name} must be a number {bound}, not {value!r}")
