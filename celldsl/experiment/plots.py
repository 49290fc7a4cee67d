"""The figures: the metric against epochs, on training and test data, for every value of the paper's columns; and our
numbers beside the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from celldsl.bench.drawing import INK, curve, drawing, line, saved
from celldsl.experiment.report import Group, Report, Run
from celldsl.experiment.tables import axis_name, columns, label, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Drawn:
    """One figure as SVG, the name of its file, and what it shows."""

    file: str
    title: str
    svg: bytes


def figures(report: Report) -> list[Drawn]:
    """All figures of a report: ours against the paper's first, then the curves."""
    dots = against_paper(report)
    beside = any(group.published is not None for group in report.groups)
    shows = f"test {report.metric}, ours and the paper's" if beside else f"test {report.metric} of every run"
    drawn = [Drawn("results.svg", shows, dots)] if dots else []
    for title, svg in curves(report):
        value = title.rpartition(" ")[2]
        *others, last = (PARTS[part] for part in _parts(run for group in report.groups for run in group.measured))
        on = f"{', '.join(others)} and {last}" if others else last
        about = f"{report.metric} against epochs on {on} data"
        drawn.append(Drawn(f"curves{f'-{value}' if value else ''}.svg", f"{about}, {title}" if title else about, svg))
    return drawn


def curves(report: Report, kind: str = "svg") -> list[tuple[str, bytes]]:
    """One figure per value of the columns, with its title (`η₀ = 0.001`, or empty); none where nothing was trained."""
    found = []
    for head in columns(report):
        groups = [group for group in _of(report, head) if group.measured]
        if groups:
            title = f"{axis_name(report.columns)} = {shown(head)}" if report.columns else ""
            with drawing() as figure:
                _curves(figure, report, groups, title)
                found.append((title, saved(figure, kind)))
    return found


def against_paper(report: Report, kind: str = "svg") -> bytes | None:
    """Our mean and spread as a dot with a bar, every run as a tick, the paper's number as a diamond; a panel per value
    of the columns. None where nothing was trained."""
    heads = [head for head in columns(report) if any(group.measured for group in _of(report, head))]
    if not heads:
        return None
    with drawing() as figure:
        _dots(figure, report, heads)
        return saved(figure, kind)


def _of(report: Report, head: object) -> list[Group]:
    return [group for group in report.groups if report.columns is None or group.axes.get(report.columns) == head]


def _labels(report: Report) -> list[str]:
    """Every curve's name once: its place decides its colour, in all figures."""
    without = [report.columns] if report.columns else []
    return list(dict.fromkeys(label(group, report, without) for group in report.groups))


def _curves(figure: Figure, report: Report, groups: Sequence[Group], title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    names, without = _labels(report), [report.columns] if report.columns else []
    runs = [run for group in groups for run in group.measured]
    parts = _parts(runs)
    figure.set_size_inches(5.2 * max(2, len(parts)), 4.0)
    panels: Sequence[Axes] = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    seen: list[float] = []
    for ax, part in zip(panels, parts, strict=True):
        for group in groups:
            name = label(group, report, without)
            drawn = [run.curves[part] for run in group.measured if part in run.curves]
            if drawn:
                seen += curve(ax, drawn, name, names.index(name))
        ax.set_title(f"{PARTS[part]} {report.metric}", loc="left", fontweight="bold")
        ax.set_xlabel("epoch")
        ax.margins(x=0.02)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    room = 0.08 * (max(seen) - min(seen)) or 0.01
    panels[0].set_ylim(min(seen) - room, max(seen) + room)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, min(len(labels), 6)))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.get_layout_engine().set(wspace=0.04)  # type: ignore[union-attr, call-arg]


def _parts(runs: Iterable[Run]) -> list[str]:
    """The parts of the data on which runs were scored, in PARTS' order."""
    there = {part for run in runs for part in run.curves}
    return [part for part in PARTS if part in there]


def _dots(figure: Figure, report: Report, heads: Sequence[object]) -> None:
    names, without = _labels(report), [report.columns] if report.columns else []
    figure.set_size_inches(10.4, 1.3 + 0.36 * len(names))
    panels: Sequence[Axes] = figure.subplots(1, len(heads), sharey=True, squeeze=False)[0]
    for ax, head in zip(panels, heads, strict=True):
        for group in _of(report, head):
            at = names.index(label(group, report, without))
            _dot(ax, group, report.metric, at)
        if report.columns:
            ax.set_title(f"{axis_name(report.columns)} = {shown(head)}", loc="left", fontweight="bold")
        ax.set_xlabel(f"test {report.metric}")
        ax.grid(axis="y", visible=False)
        ax.locator_params(axis="x", nbins=4)
        ax.margins(x=0.12)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    if any(group.published is not None for group in report.groups):
        panels[0].plot([], [], "D", markerfacecolor="none", color=INK, markersize=6, label="paper")
    several = any(len(group.measured) > 1 for group in report.groups)
    ours = "ours: mean, deviation, runs" if several else "ours"
    panels[0].plot([], [], "o", color=INK, markersize=6, label=ours)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)


def _dot(ax: Axes, group: Group, metric: str, at: int) -> None:
    colour, _ = line(at)
    spread = group.spread(metric)
    if spread:
        deviation = 0.0 if math.isnan(spread.deviation) else spread.deviation
        ax.plot([spread.mean - deviation, spread.mean + deviation], [at, at], color=colour, linewidth=2.2, alpha=0.5)
        values = [run.values[metric] for run in group.measured]
        if len(values) > 1:
            ax.plot(values, [at] * len(values), "|", color=colour, markersize=9)
        ax.plot([spread.mean], [at], "o", color=colour, markersize=6.5)
    if group.published is not None:
        ax.plot([group.published], [at], "D", markerfacecolor="none", color=INK, markersize=6.5)
