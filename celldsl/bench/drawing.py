"""What all figures share: colours, look, a curve with its spread, saving, and equations as drawings.

Everything is drawn with matplotlib, in memory. Colours keep their cell from figure to figure and are told apart by
people who see red and green alike (Okabe and Ito's set, with line styles beyond it).
"""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


@contextmanager
def drawing() -> Iterator[Figure]:
    """An empty figure; what is drawn and saved inside this context has the common look."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_LOOK):
        yield Figure(layout="constrained")


def saved(figure: Figure, kind: str) -> bytes:
    """The figure as `png` or `svg`, the same bytes every time."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(buffer, format=kind, dpi=160, metadata=metadata)
    return buffer.getvalue()


def inline(svg: str) -> str:
    """An SVG as the address of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def line(at: int) -> tuple[str, str]:
    """Colour and style of the curve of number `at`."""
    return COLOURS[at % len(COLOURS)], STYLES[at // len(COLOURS) % len(STYLES)]


def curve(ax: Axes, curves: Sequence[Sequence[float]], label: str, at: int) -> tuple[float, float]:
    """Draw the mean of several runs over epochs, with their standard deviation as a band.

    Returns the range worth seeing, which leaves out the steep start. An early stop ends the mean, else it would jump.
    """
    length = min(map(len, curves))
    columns = list(zip(*(each[:length] for each in curves), strict=True))
    epochs = range(1, length + 1)
    mean = [statistics.fmean(column) for column in columns]
    colour, style = line(at)
    ax.plot(epochs, mean, style, color=colour, linewidth=1.8, label=label, marker="" if length > 1 else "o")
    if len(curves) > 1:
        spread = [statistics.stdev(column) for column in columns]
        lower = [middle - each for middle, each in zip(mean, spread, strict=True)]
        upper = [middle + each for middle, each in zip(mean, spread, strict=True)]
        ax.fill_between(epochs, lower, upper, color=colour, alpha=0.15, linewidth=0)
    seen = mean[length // 6 :]
    return min(seen), max(seen)


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
        return saved(figure, "svg").decode()
