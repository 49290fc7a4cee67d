"""Is a cell what its spec says, and its module what the cell says?

`verify` checks every claim symbolically, the formula of its size against the built module's own count, and the module
against the oracle, against its own scripted form, and against `torch.nn` where the cell is one of torch's: outputs,
states and every gradient. The result is a table as data; the command line draws it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from celldsl.formulas import plain
from celldsl.runtime import compare, weights
from celldsl.runtime.torch_cells import recognise
from celldsl.runtime.trial import CASES, Case, Trial
from celldsl.symbolic import counts
from celldsl.symbolic.claims import verify_claims
from celldsl.syntax import tree

if TYPE_CHECKING:
    import sympy

    from celldsl.api import CompiledCell

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
"""The largest deviation that passes, relative to the larger of 1 and the tensor's own largest entry."""
ROOM = 8
"""How many times the interpreter's own rounding a module may err, where that is more: functions of kernels are within
three units in the last place where torch's are within one, and products add in another order."""


@dataclass(frozen=True)
class Row:
    """One thing that was checked.

    check: what against what (`claim`, `size`, `oracle`, `noise`, `script`, `torch.nn`).
    subject: the formula, or the case.
    expected, found: both sides, as text; detail: where they differ, and who is responsible.
    """

    check: str
    subject: str
    expected: str
    found: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """All rows of one cell."""

    cell: str
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"cell": self.cell, "ok": self.ok, "rows": [asdict(row) for row in self.rows]}


def verify(cell: CompiledCell) -> Report:
    """Check everything that can be checked of a compiled cell; what is false is a row, not an error."""
    rows = [*claim_rows(cell), *guarded("size", size_rows(cell))]
    for dtype in TOLERANCE:
        for case in CASES:
            rows += guarded("oracle", against_oracle(cell, case, dtype))
    rows += guarded("noise", noise_rows(cell))
    rows += guarded("script", script_rows(cell))
    rows += guarded("torch.nn", torch_rows(cell))
    return Report(cell.name, tuple(rows))


def guarded(check: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; a module that cannot even be built or run is one more, and a false one."""
    try:
        yield from rows
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        yield Row(check, "the module runs", "a result", type(error).__name__, False, first)


# --- claims and sizes ----------------------------------------------------------------------


def claim_rows(cell: CompiledCell) -> Iterator[Row]:
    for result in verify_claims(cell.checked):
        yield Row("claim", result.text, plain(result.expected), plain(result.found), result.ok, result.detail)


def size_rows(cell: CompiledCell) -> Iterator[Row]:
    """The formulas of both bias layouts against modules that are built, at sizes of our own and those of the claims."""
    checked = cell.checked
    claimed = [dict(claim.at) for claim in checked.claims if isinstance(claim, tree.ClaimCount) and claim.at]
    claimed = [sizes for sizes in claimed if sizes.keys() == set(checked.free_dims)]
    ours = [compare.sizes_of(checked, start) for start in (1, 5, 12)]
    for two_biases, formula in ((False, cell.params), (True, counts.two_bias_count(checked))):
        if two_biases and formula == cell.params:
            continue
        for sizes in (*ours, *(sizes for place, sizes in enumerate(claimed) if sizes not in claimed[:place])):
            layer = cell.rnn(**compare.layer_sizes(checked, sizes), two_biases=two_biases)
            expected = _number(formula, cell, sizes)
            found = sum(parameter.numel() for parameter in layer.parameters())
            shown = ", ".join(f"{name}={sizes[name]}" for name in checked.free_dims)
            subject = f"{plain(formula)} at {shown}" + (", two biases" if two_biases else "")
            detail = "" if expected == found else _odd_parameters(cell, sizes, layer, two_biases)
            yield Row("size", subject, str(expected), str(found), expected == found, detail)


def _number(formula: sympy.Expr, cell: CompiledCell, sizes: Mapping[str, int]) -> int:
    widths = {info.name: int(info.value) for info in cell.checked.settings if info.is_width} | dict(sizes)
    return int(formula.subs({symbol: widths[symbol.name] for symbol in formula.free_symbols}))


def _odd_parameters(cell: CompiledCell, sizes: Mapping[str, int], layer: Any, two_biases: bool) -> str:
    """The parameters whose numbers of entries are not what the equations say."""
    expected = {row.name: _number(row.count, cell, sizes) for row in counts.parameter_table(cell.checked)}
    if two_biases:
        expected |= {f"{name}_hh": expected[name] for name in counts.doubled_biases(cell.checked)}
    found = {name.rpartition(".")[2]: value.numel() for name, value in layer.named_parameters()}
    odd = [name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)]
    return ", ".join(f"{name}: {found.get(name, 'none')} for {expected.get(name, 'none')}" for name in odd)


# --- the module against other computations of the same -------------------------------------


def against_oracle(cell: CompiledCell, case: Case, dtype: torch.dtype) -> Iterator[Row]:
    """The module beside the slow interpreter; nothing for a case that the cell does not have.

    In single precision both are held against the interpreter in double precision. Where the equations themselves
    magnify rounding, the module may err `ROOM` times as much as the interpreter does; in double precision, as much as
    the interpreter's single precision tells.
    """
    if case.two_biases and not counts.doubled_biases(cell.checked):
        return
    trial = Trial.of(cell, case, dtype)
    double = trial.to(torch.float64) if dtype == torch.float32 else trial
    found, expected = trial.by_module(), double.by_oracle()
    yield _compared("oracle", trial, found, expected, _limit(trial, found, expected, dtype))


def _limit(
    trial: Trial, found: compare.Trace, expected: compare.Trace, dtype: torch.dtype, masks: compare.Masks | None = None
) -> float:
    """The tolerance; what the equations themselves make of rounding, where it is missed and that is more."""
    limit = TOLERANCE[dtype]
    if compare.difference(found, expected)[0] <= limit:
        return limit
    if masks is not None:
        masks = {key: {name: mask.float() for name, mask in drawn.items()} for key, drawn in masks.items()}
    rounding, _ = compare.difference(trial.to(torch.float32).by_oracle(masks), expected)
    return max(limit, ROOM * rounding * torch.finfo(dtype).eps / torch.finfo(torch.float32).eps)


def noise_rows(cell: CompiledCell) -> Iterator[Row]:
    """While training: the module, and its scripted form, beside the interpreter with the masks that a seed draws."""
    if not cell.checked.masks:
        return
    for case in CASES:
        if case.two_biases:
            continue
        trial = Trial.of(cell, case, torch.float64)
        torch.manual_seed(case.steps)
        masks = trial.masks()
        expected = trial.by_oracle(masks)
        modules = [trial.layer, scripted(trial.layer)] if case.layers > 1 or case is CASES[0] else [trial.layer]
        for module in modules:
            torch.manual_seed(case.steps)
            found = trial.by(module, dict(module.named_parameters()))
            limit = _limit(trial, found, expected, torch.float64, masks)
            yield _compared("noise", trial, found, expected, limit)


def script_rows(cell: CompiledCell) -> Iterator[Row]:
    """TorchScript rewrites a module while it runs, so that its third run is the one that counts."""
    for case in (Case(5, 3, state=True), Case(3, 2, state=False, layers=2, bidirectional=True)):
        trial = Trial.of(cell, case, torch.float64)
        module = scripted(trial.layer)
        for _ in range(3):
            found = trial.by(module, dict(module.named_parameters()))
        yield _compared("script", trial, found, trial.by_module(), TOLERANCE[torch.float64])


def scripted(layer: torch.nn.Module) -> torch.nn.Module:
    """The TorchScript form of a layer after a turn through a file, as it is shipped.

    What is loaded goes when nobody uses it any more. What `torch.jit.script` gives never goes, nor do the graphs that
    were optimised for it, some 40 MB a cell.
    """
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(layer), file)
    file.seek(0)
    loaded: torch.nn.Module = torch.jit.load(file)
    return loaded


def torch_rows(cell: CompiledCell) -> Iterator[Row]:
    """Beside torch's own module with the same weights, in its two-bias layout, where gradients match one to one."""
    match = recognise(cell.checked)
    if match is None:
        return
    sizes = None
    if match.kind.projection:  # torch wants the output narrower than the cell state
        sizes = {name: 5 + 2 * place for place, name in enumerate(cell.checked.free_dims)}
    for case in (Case(7, 3, True, two_biases=True), Case(4, 2, True, layers=2, bidirectional=True, two_biases=True)):
        for dtype in TOLERANCE:
            trial = Trial.of(cell, case, dtype, sizes=sizes)
            module = weights.to_torch(trial.layer, cell.spec)
            found, expected = trial.by_module(), trial.by(module, dict(module.named_parameters()))
            for key in trial.layer.layers:
                prefix = f"d layers.{key}."
                own = {name.removeprefix(prefix): found.pop(name) for name in list(found) if name.startswith(prefix)}
                like = {name: getattr(module, f"{name}_{key}") for name in ("weight_ih", "weight_hh")}
                found |= {f"d {name}_{key}": value for name, value in weights.pack(own, match, like).items()}
            yield _compared(match.kind.title, trial, found, expected, TOLERANCE[dtype])


def _compared(check: str, trial: Trial, found: compare.Trace, expected: compare.Trace, limit: float) -> Row:
    deviation, where = compare.difference(found, expected)
    ok = deviation <= limit
    return Row(check, str(trial), f"<= {limit:.0e}", f"{deviation:.1e}", ok, "" if ok else f"largest in {where}")
