"""The report as tables: the paper's own layout, then every group in full; as plain rows and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from celldsl.bench.report import Spread
from celldsl.experiment.given import several
from celldsl.experiment.report import Group, Report, difference

Rows = list[list[str]]
NAMES = {"lr": "η₀", "hidden": "n", "cell": "cell"}


def number(value: float) -> str:
    """Four places below 10, two above: an accuracy, a perplexity."""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def spread(value: Spread | None) -> str:
    if value is None:
        return ""
    return number(value.mean) + ("" if math.isnan(value.deviation) else f" ± {number(value.deviation)}")


def signed(value: float | None) -> str:
    return "" if value is None else ("+" if value >= 0 else "−") + number(abs(value))


def label(group: Group, report: Report, without: Sequence[str] = ()) -> str:
    """`LSTM1`, `ULSTM, n = 120`: the cell and whatever axes more than one value was taken of."""
    told = [group.cell]
    for axis, value in group.axes.items():
        values = {str(each.axes.get(axis)) for each in report.groups}
        if axis != "cell" and axis not in without and len(values) > 1:
            told.append(f"{axis_name(axis)} = {shown(value)}")
    return ", ".join(told)


def axis_name(axis: str) -> str:
    return NAMES.get(axis, axis.rpartition(".")[2])


def shown(value: object) -> str:
    """A value of an axis as the papers print it: 0.25, 1e-3, lstm."""
    if not isinstance(value, float) or not 0 < abs(value) < 0.1:
        return f"{value:g}" if isinstance(value, float) else str(value)
    mantissa, _, exponent = f"{value:e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def columns(report: Report) -> list[object]:
    """The values of the axis that the paper's table has in its columns, largest first; [None] where it has none."""
    if report.columns is None:
        return [None]
    values = list(dict.fromkeys(group.axes.get(report.columns) for group in report.groups))
    numbers = all(isinstance(value, (int, float)) for value in values)
    return sorted(values, reverse=True) if numbers else values  # type: ignore[type-var]


def paper_layout(report: Report) -> Rows:
    """The paper's table: a cell's row of ours, below it the paper's; a column per value of `columns`."""
    if report.columns is None:
        return []
    heads = columns(report)
    without = [report.columns]
    rows = [["", "", *(f"{axis_name(report.columns)} = {shown(value)}" for value in heads)]]
    names = list(dict.fromkeys(label(group, report, without) for group in report.groups))
    for name in names:
        found = {g.axes.get(report.columns): g for g in report.groups if label(g, report, without) == name}
        cells = [found.get(head) for head in heads]
        rows.append(
            [name, "ours", *(spread(each.spread(report.metric)) + _mark(each) if each else "" for each in cells)]
        )
        if any(each and each.published is not None for each in cells):
            published = (each.published if each else None for each in cells)
            rows.append(["", "paper", *(number(value) if value is not None else "" for value in published)])
    return rows


def full(report: Report) -> Rows:
    """Every group: parameters, metric, the paper's number, the difference, epochs, time, share of it in the model."""
    paper = any(group.published is not None for group in report.groups)
    also = [name for name in report.also if any(group.spread(name) for group in report.groups)]
    titles = ["cell", *([axis_name(report.columns)] if report.columns else []), "parameters", f"test {report.metric}"]
    titles += ["paper", "difference"] if paper else []
    rows = [[*titles, *also, "seeds", "epochs", "best epoch", "s/epoch", "in model"]]
    without = [report.columns] if report.columns else []
    for group in report.groups:
        row = [label(group, report, without), *([shown(group.axes[report.columns])] if report.columns else [])]
        row += [
            f"{group.parameters['layer']:,}" if group.parameters else "",
            spread(group.spread(report.metric)) + _mark(group),
        ]
        if paper:
            row.append(number(group.published) if group.published is not None else "")
            row.append(signed(difference(group, report.metric)))
        row += [spread(group.spread(name)) for name in also]
        runs = group.measured
        row += [str(len(runs)) if len(runs) == len(group.runs) else f"{len(runs)} of {len(group.runs)}"]
        sooner = f" of {report.ends['epochs']}" if any(run.cut(report.ends) for run in runs) else ""
        row += [_range([run.epochs for run in runs]) + sooner, _range([run.best_epoch for run in runs])]
        pace, share = group.seconds_per_epoch, group.model_share
        row += [f"{pace:.2f}" if pace is not None else "", f"{share:.0%}" if share is not None else ""]
        rows.append(row)
    return rows


def notes(report: Report) -> list[str]:
    """What the tables do not say by themselves."""
    told = []
    if report.reduced:
        told.append(f"Reduced: {'; '.join(report.reduced)}. The paper's numbers are at full scale.")
    if report.changed:
        told.append(f"Not as in the file: {'; '.join(report.changed)}.")
    if sooner := _sooner(report):
        told.append(sooner)
    best = "highest" if report.higher_is_better else "lowest"
    if report.monitor == "test":
        told.append(
            f"The number of a run is its {best} on the test data over all epochs, as in the paper; it flatters."
        )
    elif report.monitor:
        told.append(
            f"The number of a run is that on the test data at the epoch that is best on the {report.monitor} data."
        )
    if any(len(group.measured) > 1 for group in report.groups):
        told.append("Mean ± sample standard deviation over seeds.")
    if any(run.status == "diverged" for group in report.groups for run in group.runs):
        told.append("†: with a run that diverged, of which the best epoch before that counts.")
    if any(run.status in ("begun", "running") and run.epochs for group in report.groups for run in group.runs):
        told.append("‡: with a run that has not ended, of which the best epoch so far counts.")
    if report.source and any(group.published is not None for group in report.groups):
        told.append(f"“paper”: {report.source}.")
    if any(group.model_share is not None for group in report.groups):
        told.append("“in model”: the share of training time spent in forward, backward and update.")
    return told


def _sooner(report: Report) -> str:
    """Which of our numbers beside the paper's are of runs that ended sooner than the file says; "" if none is."""
    beside = [group for group in report.groups if group.published is not None and group.measured]
    cut = {id(group): [run for run in group.measured if run.cut(report.ends)] for group in beside}
    runs = [run for each in cut.values() for run in each]
    if not runs:
        return ""
    done = _range([run.epochs for run in runs])
    whole = all(len(cut[id(group)]) == len(group.measured) for group in beside)
    whose = "" if whole else f", for {'; '.join(label(group, report) for group in beside if cut[id(group)])}"
    return f"The paper's numbers are of up to {report.ends['epochs']} epochs, ours beside them of {done}{whose}."


TOGETHER = "In this order, into one folder:"
"""Above several commands."""


def failures(report: Report) -> list[tuple[str, str]]:
    """The points that came to no result, with their reasons."""
    return [(run.name, f"{run.status}: {run.reason}") for group in report.groups for run in group.runs if run.reason]


def progress(report: Report) -> str:
    """`12 finished, 1 failed, 3 waiting`."""
    return ", ".join(f"{count} {status}" for status, count in report.points.items())


def facts(report: Report) -> list[tuple[str, str]]:
    """The settings and the machines, as lines of a table."""
    told = [(name, several(values, shown)) for name, values in report.settings.items()]
    for axis in report.axes:
        values = dict.fromkeys(shown(group.axes.get(axis)) for group in report.groups)
        if axis == "seed":
            values = dict.fromkeys(str(run.seed) for group in report.groups for run in group.runs)
        told.append((axis, ", ".join(values)))
    told += [(f"data: {name}", _data(value)) for name, value in report.data.items()]
    told.append(("runs", progress(report)))
    for each in report.machines:
        hardware, versions = each["hardware"], each["versions"]
        where = [hardware["processor"], *([hardware["gpu"]] if "gpu" in hardware else [])]
        threads, processes = hardware["threads"], hardware["processes"]
        where.append(f"threads a run: {threads}" + (f" in each of {processes} processes" if processes > 1 else ""))
        told.append((f"hardware of {each['runs']} run{'s' * (each['runs'] != 1)}", "; ".join(where)))
        told.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return told


def markdown(report: Report, figures: Sequence[tuple[str, str]] = ()) -> str:
    """The whole report as Markdown. figures: the title and the file of each, beside it."""
    lines = [f"# {report.title}", ""]
    lines += [report.about, ""] if report.about else []
    lines += [f"Paper: {report.paper}.", ""] if report.paper else []
    layout = paper_layout(report)
    if layout:
        lines += [*_markdown(layout, 2), ""]
    lines += [*_markdown(full(report), 1), "", *(f"{note}  " for note in notes(report)), ""]
    for title, file in figures:
        lines += [f"![{title}]({file})", ""]
    failed = failures(report)
    if failed:
        lines += ["## Runs without a result", "", *(f"- `{name}`: {reason}" for name, reason in failed), ""]
    if report.decisions:
        lines += ["## Decisions", "", *(f"- {decision}" for decision in report.decisions), ""]
    lines += ["## How this was made", "", *([TOGETHER, ""] if len(report.commands) > 1 else [])]
    lines += [*(f"    {command}" for command in report.commands), ""]
    lines += [*_markdown([["", ""], *([name, text] for name, text in facts(report))], 2), ""]
    return "\n".join(lines)


def _markdown(rows: Rows, texts: int) -> list[str]:
    """A table whose first so many columns are text and the others numbers."""
    lines = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * texts + "---:|" * (len(rows[0]) - texts))
    return lines


def _data(value: object) -> str:
    """`10000`; `glove.txt, known 9000, unknown 20`; `none` where no file of vectors was given."""
    if isinstance(value, Mapping):
        return ", ".join(each if name == "file" else f"{name} {each}" for name, each in value.items())
    return "none" if value is None else str(value)


def _mark(group: Group) -> str:
    kinds = {run.status for run in group.measured}
    return (" †" if "diverged" in kinds else "") + (" ‡" if kinds & {"begun", "running"} else "")


def _range(values: Sequence[int]) -> str:
    if not values:
        return ""
    return str(values[0]) if min(values) == max(values) else f"{min(values)}–{max(values)}"
