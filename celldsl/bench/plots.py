"""The figures: accuracy against epochs, the time of a step, and equations as drawings.

Everything is drawn from a `Report` with matplotlib, in memory. Colours keep their cell from figure to figure and are
told apart by people who see red and green alike (Okabe and Ito's set, with line styles beyond it).
"""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from celldsl.bench.report import CellReport, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")
INK, FAINT = "#1f2933", "#d9e0e6"

_LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 1.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "svg.hashsalt": "celldsl",
    "mathtext.fontset": "cm",
}


def accuracy_png(report: Report) -> bytes:
    """The metric after every epoch on test and training data, mean over seeds with a band, as a PNG."""
    with _figure(_accuracy, report) as figure:
        return _saved(figure, "png")


def accuracy_svg(report: Report) -> str:
    """The same figure as SVG."""
    with _figure(_accuracy, report) as figure:
        return _saved(figure, "svg").decode()


def time_svg(report: Report) -> str | None:
    """The time of a step over nn.LSTM's, with quartiles, as SVG; None where nothing was timed."""
    if not any(cell.timing for cell in report.cells):
        return None
    with _figure(_times, report) as figure:
        return _saved(figure, "svg").decode()


def equation_svg(latex: str) -> str | None:
    """One equation as SVG without any page around it; None where matplotlib's TeX does not know a command of it."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.mathtext import MathTextParser

    if r"\frac" not in latex:  # growing brackets come out smaller than plain ones where nothing is tall
        latex = latex.replace(r"\left", "").replace(r"\right", "")
    written = f"${latex}$"
    with matplotlib.rc_context(_LOOK | {"font.size": 13}):
        try:
            width, height, depth, _, _ = MathTextParser("path").parse(written, dpi=72)
        except ValueError:
            return None
        figure = Figure(figsize=(width / 72, height / 72))
        figure.text(0, depth / height, written)
        return _saved(figure, "svg").decode()


@contextmanager
def _figure(draw: Callable[[Figure, Report], None], report: Report) -> Iterator[Figure]:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_LOOK):
        figure = Figure(layout="constrained")
        draw(figure, report)
        yield figure


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()


def _accuracy(figure: Figure, report: Report) -> None:
    from matplotlib.ticker import MaxNLocator

    figure.set_size_inches(10, 4.4)
    axes: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
    trained = [cell for cell in report.cells if cell.runs]
    floor, ceiling = 1.0, 0.0
    for ax, part in zip(axes, ("test", "train"), strict=True):
        for at, cell in enumerate(trained):
            low, high = _curve(ax, cell, part, at)
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


def _curve(ax: Axes, cell: CellReport, part: str, at: int) -> tuple[float, float]:
    """Draw one cell; returns the range worth seeing, which leaves out the steep start."""
    curves = [getattr(run, part) for run in cell.runs]
    length = min(map(len, curves))  # an early stop ends the mean, else it would jump
    columns = list(zip(*(curve[:length] for curve in curves), strict=True))
    epochs = range(1, length + 1)
    mean = [statistics.fmean(column) for column in columns]
    colour, style = COLOURS[at % len(COLOURS)], STYLES[at // len(COLOURS) % len(STYLES)]
    ax.plot(epochs, mean, style, color=colour, linewidth=1.8, label=cell.name, marker="" if length > 1 else "o")
    if len(curves) > 1:
        spread = [statistics.stdev(column) for column in columns]
        lower = [middle - each for middle, each in zip(mean, spread, strict=True)]
        upper = [middle + each for middle, each in zip(mean, spread, strict=True)]
        ax.fill_between(epochs, lower, upper, color=colour, alpha=0.15, linewidth=0)
    seen = mean[length // 6 :]
    return min(seen), max(seen)


def _times(figure: Figure, report: Report) -> None:
    timed = [cell for cell in report.cells if cell.timing]
    figure.set_size_inches(6.4, 0.9 + 0.42 * len(timed))
    ax: Axes = figure.subplots()
    for at, cell in enumerate(timed):
        timing = cell.timing
        assert timing is not None
        colour = COLOURS[report.cells.index(cell) % len(COLOURS)]
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
