"""What `celldsl speed` measured, as tables for the terminal and for Markdown, and as a figure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import IO

from celldsl.bench.options import BenchError
from celldsl.bench.speed import Row, SpeedReport
from celldsl.bench.speed_runs import Measure
from celldsl.bench.speed_zoo import NAIVE_BAR, ZooReport, ZooRow

TITLES = ("T, B, m, n", "cell", "variant", "training", "inference", "of peak", "ms", "kept")
ZOO_TITLES = ("T, B, m, n", "cell", "operations", "× nn.LSTM", "at its pace", "× loop", "")


def ratio(found: Measure | None) -> str:
    """`2.55 (2.50 to 2.61)`: how many times faster than nn.LSTM, with the quartiles."""
    return "" if found is None else f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"


def pair(train: str, infer: str) -> str:
    return " / ".join(part or "–" for part in (train, infer))


def size(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f} MB"


def shape_text(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))


def cells(row: Row) -> tuple[str, ...]:
    if row.train is None and row.infer is None:
        return (shape_text(row.shape), row.cell, row.variant, row.why, "", "", "", "")
    both = (row.train, row.infer)
    share = pair(*("" if found is None else f"{found.peak:.2f}" for found in both))
    times = pair(*("" if found is None else f"{found.milliseconds:.2f}" for found in both))
    return (
        shape_text(row.shape),
        row.cell,
        row.variant,
        ratio(row.train),
        ratio(row.infer),
        share,
        times,
        size(row.saved),
    )


def lines(report: SpeedReport) -> list[tuple[str, ...]]:
    """The rows of the table, nn.LSTM first at every shape."""
    found: list[tuple[str, ...]] = []
    for known in report.references:
        share = pair(f"{known.train_peak:.2f}", f"{known.infer_peak:.2f}")
        times = pair(f"{known.train:.2f}", f"{known.infer:.2f}")
        found.append((shape_text(known.shape), "nn.LSTM", "torch", "1", "1", share, times, size(known.saved)))
        found += [cells(row) for row in report.rows if tuple(row.shape) == tuple(known.shape)]
    return found


def caption(report: SpeedReport) -> str:
    """What the numbers are and where they come from."""
    machine = report.machine
    builds = ", ".join(f"{name} {b.cold:.1f} s ({b.warm:.0f} ms from the cache)" for name, b in report.builds.items())
    return (
        "Time of torch.nn.LSTM of the same size over that of the variant: above 1 is faster; median and quartiles of "
        f"rounds in turns, float32, 1 or {report.threads} threads, whichever is better. Of peak and ms: training / "
        f"inference; peak is {report.peak:.0f} GFLOP/s of multiply-adds from registers. Kept: bytes for the backward "
        "pass. "
        f"torch {machine['versions'].get('torch', '?')}, {machine['processor']}."
        + (f" Kernels built anew in {builds}." if builds else "")
    )


def _markdown(titles: Sequence[str], rows: Sequence[Sequence[str]], text: str) -> str:
    every = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every) + f"\n\n{text}\n"


def markdown(report: SpeedReport) -> str:
    """The table in Markdown."""
    return _markdown(TITLES, lines(report), caption(report))


def show(report: SpeedReport, stream: IO[str]) -> None:
    """The table on a terminal."""
    _show(TITLES, lines(report), caption(report), stream)


def _show(titles: Sequence[str], rows: Sequence[tuple[str, ...]], text: str, stream: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles, caption=text, caption_justify="left")
    last = ""
    for row in rows:
        if last and row[0] != last:
            table.add_section()
        table.add_row("" if row[0] == last else row[0], *row[1:])
        last = row[0]
    Console(file=stream, width=None if stream.isatty() else 160).print(table)


def inserted(document: str, mark: str, text: str) -> str:
    """A document with `text` between `<!-- mark -->` and `<!-- /mark -->`. Raises BenchError where they are not."""
    head, begin, rest = document.partition(f"<!-- {mark} -->\n")
    _, end, tail = rest.partition(f"<!-- /{mark} -->")
    if not begin or not end:
        raise BenchError(f"the file has no <!-- {mark} --> and <!-- /{mark} --> to put the table between")
    return f"{head}{begin}\n{text}\n{end}{tail}"


# --- the zoo --------------------------------------------------------------------------------


def zoo_cells(row: ZooRow) -> tuple[str, ...]:
    if row.ratio is None or row.pace is None:
        return (shape_text(row.shape), row.cell, "", "", "", "", row.why)

    def both(values: tuple[float, float] | None) -> str:
        return "" if values is None else pair(*(f"{value:.2f}" for value in values))

    missed = "below a bar" if row.misses else ""
    operations = f"{row.operations:.2f}"
    return (shape_text(row.shape), row.cell, operations, both(row.ratio), both(row.pace), both(row.naive), missed)


def zoo_caption(report: ZooReport) -> str:
    timed = [row for row in report.rows if row.ratio is not None]
    missed = sum(row.misses for row in timed)
    machine = report.machine
    return (
        "Operations: of a step, over nn.LSTM's. Training / inference: how many times faster than nn.LSTM, the same "
        "times the operations (1: as fast as nn.LSTM in proportion to its work), and how many times faster than a loop "
        f"with one product per gate. Bars: 1, and {NAIVE_BAR:.0f}; {missed} of {len(timed)} rows stay below one. "
        f"Medians, float32, 1 or {report.threads} threads. "
        f"torch {machine['versions'].get('torch', '?')}, {machine['processor']}."
    )


def zoo_markdown(report: ZooReport) -> str:
    return _markdown(ZOO_TITLES, [zoo_cells(row) for row in report.rows], zoo_caption(report))


def zoo_show(report: ZooReport, stream: IO[str]) -> None:
    rows = sorted(report.rows, key=lambda row: (row.ratio is None, tuple(row.shape)))
    _show(ZOO_TITLES, [zoo_cells(row) for row in rows], zoo_caption(report), stream)


# --- the figure -----------------------------------------------------------------------------


def figure(report: SpeedReport) -> bytes:
    """A PNG: ratios by shape, a panel for training and one for inference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from celldsl.bench.drawing import COLOURS

    shapes = list(dict.fromkeys(tuple(row.shape) for row in report.rows))
    timed = [row for row in report.rows if row.train or row.infer]
    series = list(dict.fromkeys((row.cell, row.variant) for row in timed))
    drawing = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(drawing)
    for axes, kind in zip(drawing.subplots(2, 1, sharex=True), ("train", "infer"), strict=True):
        for at, (cell, variant) in enumerate(series):
            known = {tuple(r.shape): getattr(r, kind) for r in timed if (r.cell, r.variant) == (cell, variant)}
            there = [k for k, shape in enumerate(shapes) if known.get(shape)]
            places = [k + (at - (len(series) - 1) / 2) * 0.8 / len(series) for k in there]
            heights = [known[shapes[k]].ratio for k in there]
            colour = COLOURS[at % len(COLOURS)]
            hatch = "//" if at >= len(COLOURS) else None
            axes.bar(places, heights, 0.8 / len(series), label=f"{cell} {variant}", color=colour, hatch=hatch)
        axes.axhline(1.0, color="black", linewidth=1)
        axes.set_yscale("log")
        axes.set_ylabel(f"{'training' if kind == 'train' else 'inference'}, times nn.LSTM")
    axes.set_xticks(range(len(shapes)), ["\n".join((f"{t}, {b}", f"{m}, {n}")) for t, b, m, n in shapes])
    axes.set_xlabel("T, B, m, n")
    drawing.axes[0].legend(ncols=5, fontsize=8)
    out = io.BytesIO()
    drawing.savefig(out, format="png", dpi=120)
    return out.getvalue()
