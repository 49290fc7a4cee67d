"""What `celldsl speed` measured, as a table for the terminal and for Markdown, and as a figure."""

from __future__ import annotations

import io
from typing import IO

from celldsl.bench.speed import Measure, Row, SpeedReport

TITLES = ("T, B, m, n", "cell", "variant", "training", "inference", "of peak", "ms", "kept")


def ratio(found: Measure) -> str:
    """`2.55 (2.50 to 2.61)`: how many times faster than nn.LSTM, with the quartiles."""
    return f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"


def cells(row: Row) -> tuple[str, ...]:
    shape = ", ".join(map(str, row.shape))
    if row.train is None or row.infer is None:
        return (shape, row.cell, row.variant, row.why, "", "", "", "")
    share = f"{row.train.peak:.2f} / {row.infer.peak:.2f}"
    times = f"{row.train.milliseconds:.2f} / {row.infer.milliseconds:.2f}"
    kept = "" if row.saved is None else f"{row.saved / 1e6:.1f} MB"
    return (shape, row.cell, row.variant, ratio(row.train), ratio(row.infer), share, times, kept)


def caption(report: SpeedReport) -> str:
    """What the numbers are and where they come from."""
    machine = report.machine
    builds = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.builds.items())
    return (
        "Time of torch.nn.LSTM of the same size over that of the variant: above 1 is faster; median and quartiles of "
        f"rounds in turns, float32, 1 or {report.threads} threads, whichever is better. Peak: a large product, "
        f"{report.peak:.0f} GFLOP/s. torch {machine['versions'].get('torch', '?')}, {machine['processor']}."
        + (f" Kernels built anew in {builds}." if builds else "")
    )


def markdown(report: SpeedReport) -> str:
    """The table in Markdown."""
    lines = [" | ".join(TITLES), " | ".join("---" for _ in TITLES)]
    lines += [" | ".join(cells(row)) for row in report.rows]
    return "\n".join(f"| {line} |" for line in lines) + f"\n\n{caption(report)}\n"


def show(report: SpeedReport, stream: IO[str]) -> None:
    """The table on a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*TITLES, caption=caption(report), caption_justify="left")
    last = ""
    for row in report.rows:
        texts = cells(row)
        if last and texts[0] != last:
            table.add_section()
        table.add_row("" if texts[0] == last else texts[0], *texts[1:])
        last = texts[0]
    Console(file=stream, width=None if stream.isatty() else 160).print(table)


def figure(report: SpeedReport) -> bytes:
    """A PNG: ratios by shape, a panel for training and one for inference."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from celldsl.bench.drawing import COLOURS

    shapes = list(dict.fromkeys(row.shape for row in report.rows))
    series = list(dict.fromkeys((row.cell, row.variant) for row in report.rows))
    drawing = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(drawing)
    for axes, kind in zip(drawing.subplots(2, 1, sharex=True), ("train", "infer"), strict=True):
        for at, (cell, variant) in enumerate(series):
            found = {r.shape: getattr(r, kind) for r in report.rows if (r.cell, r.variant) == (cell, variant)}
            places = [k + (at - (len(series) - 1) / 2) * 0.8 / len(series) for k in range(len(shapes))]
            heights = [found[shape].ratio if found.get(shape) else 0.0 for shape in shapes]
            axes.bar(places, heights, 0.8 / len(series), label=f"{cell} {variant}", color=COLOURS[at % len(COLOURS)])
        axes.axhline(1.0, color="black", linewidth=1)
        axes.set_yscale("log")
        axes.set_ylabel(f"{'training' if kind == 'train' else 'inference'}, times nn.LSTM")
    axes.set_xticks(range(len(shapes)), ["\n".join((f"{t}, {b}", f"{m}, {n}")) for t, b, m, n in shapes])
    axes.set_xlabel("T, B, m, n")
    drawing.axes[0].legend(ncols=4, fontsize=8)
    out = io.BytesIO()
    drawing.savefig(out, format="png", dpi=120)
    return out.getvalue()
