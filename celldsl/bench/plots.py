"""The benchmark's figures: accuracy against epochs, and the time of a step; each drawn from a `Report`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from celldsl.bench.drawing import INK, curve, drawing, line, saved
from celldsl.bench.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def accuracy_png(report: Report) -> bytes:
    """The metric after every epoch on test and training data, mean over seeds with a band, as a PNG."""
    return _drawn(_accuracy, report, "png")


def accuracy_svg(report: Report) -> str:
    """The same figure as SVG."""
    return _drawn(_accuracy, report, "svg").decode()


def time_svg(report: Report) -> str | None:
    """The time of a step over nn.LSTM's, with quartiles, as SVG; None where nothing was timed."""
    if not any(cell.timing for cell in report.cells):
        return None
    return _drawn(_times, report, "svg").decode()


def _drawn(draw: Callable[[Figure, Report], None], report: Report, kind: str) -> bytes:
    with drawing() as figure:
        draw(figure, report)
        return saved(figure, kind)


def _accuracy(figure: Figure, report: Report) -> None:
    from matplotlib.ticker import MaxNLocator

    figure.set_size_inches(10, 4.4)
    axes: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
    trained = [cell for cell in report.cells if cell.runs]
    floor, ceiling = 1.0, 0.0
    for ax, part in zip(axes, ("test", "train"), strict=True):
        for at, cell in enumerate(trained):
            low, high = curve(ax, [getattr(run, part) for run in cell.runs], cell.name, at)
            floor, ceiling = min(floor, low), max(ceiling, high)
        ax.set_title(f"{'test' if part == 'test' else 'training'} {report.metric}", loc="left", fontweight="bold")
        ax.set_xlabel("epoch")
        ax.margins(x=0.02)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if trained and report.metric == "accuracy":
        room = 0.08 * (ceiling - floor)
        axes[0].set_ylim(max(0.0, floor - room), min(1.005, ceiling + room))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(1, min(len(labels), 8)))
    figure.suptitle(_title(report) + "\n", x=0.01, ha="left", fontsize=11)
    figure.get_layout_engine().set(wspace=0.04)  # type: ignore[union-attr, call-arg]


def _times(figure: Figure, report: Report) -> None:
    timed = [cell for cell in report.cells if cell.timing]
    figure.set_size_inches(6.4, 0.9 + 0.42 * len(timed))
    ax: Axes = figure.subplots()
    for at, cell in enumerate(timed):
        timing = cell.timing
        assert timing is not None
        colour, _ = line(report.cells.index(cell))
        ax.barh(at, timing.ratio, height=0.6, color=colour)
        ax.plot([timing.low, timing.high], [at, at], color=INK, linewidth=1.4, solid_capstyle="butt")
        ax.annotate(
            f"{timing.ratio:.2f}", (max(timing.ratio, timing.high), at), (6, 0), textcoords="offset points", va="center"
        )
    ax.axvline(1, color=INK, linewidth=1, linestyle="--")
    ax.set_yticks(range(len(timed)), [cell.name for cell in timed])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.14)
    ax.set_xlim(left=0)
    ax.set_xlabel("time of a training step over torch.nn.LSTM's; the thin line spans the quartiles")
    ax.xaxis.label.set_fontsize(8.5)


def _title(report: Report) -> str:
    told, seeds = report.options, report.options["seeds"]
    band = f", mean and standard deviation over {seeds} seeds" if seeds > 1 else ", one seed"
    return (
        f"{told['task']}: n = {told['hidden']}, batch {told['batch']}, {told['optimiser']}, "
        f"η₀ = {told['lr']:g} ({told['schedule']}){band}"
    )
