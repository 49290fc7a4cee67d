"""The benchmark as a table for the terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from celldsl.bench.report import CellReport, Report, Timing

if TYPE_CHECKING:
    from rich.table import Table


def ratio(timing: Timing) -> str:
    """`1.83 (1.79 to 1.90)`: time over nn.LSTM's, with the quartiles."""
    return f"{timing.ratio:.2f} ({timing.low:.2f} to {timing.high:.2f})"


def shown(cell: CellReport, has_published: bool) -> list[str]:
    """One cell's row."""
    if cell.false:
        failed = [f"{len(cell.false)} of {cell.checks} checks FAIL: not trained"]
        return [cell.name, cell.formula, *failed, "", *([""] if has_published else []), "", ""]
    row = [cell.name, f"{cell.parameters:,}", str(cell.last), str(cell.best)]
    if has_published:
        row.append(f"{cell.published.value:.4f}" if cell.published else "")
    timed = [ratio(cell.timing), f"{cell.timing.milliseconds:.2f} ms"] if cell.timing else ["", ""]
    return [*row, *timed]


def caption(report: Report) -> str:
    """What the numbers are, in one sentence or two."""
    told, shape, seeds = report.options, report.shape, report.options["seeds"]
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    size = f"T={shape['T']}, B={shape['B']}, m={shape['m']}, n={shape['n']}"
    reference = f" of {report.reference.milliseconds:.2f} ms" if report.reference else ""
    return (
        f"{told['task']}, {told['epochs']} epochs, {spread}; time of a training step of the layer over "
        f"torch.nn.LSTM's{reference} ({size}), median and quartiles, below 1 is faster; "
        f"torch {report.machine['versions']['torch']}, {report.machine['processor']}"
    )


def titles(report: Report) -> tuple[str, ...]:
    paper = ("paper",) if any(cell.published for cell in report.cells) else ()
    return (
        "cell",
        "parameters",
        f"test {report.metric}, last epoch",
        "best epoch",
        *paper,
        "time / nn.LSTM",
        "per step",
    )


def table(report: Report) -> Table:
    """A rich table of the whole report."""
    from rich.table import Table

    drawn = Table(*titles(report), caption=caption(report), caption_justify="left", header_style="bold")
    for column in drawn.columns[1:]:
        column.justify = "right"
    has_published = any(cell.published for cell in report.cells)
    for cell in report.cells:
        drawn.add_row(*shown(cell, has_published), style="red" if cell.false else None)
    return drawn


def markdown(report: Report) -> str:
    """The table, what it shows, the command that remakes it, and the figure that lies beside it, as Markdown."""
    has_published = any(cell.published for cell in report.cells)
    rows = [titles(report), *(shown(cell, has_published) for cell in report.cells)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    sources = sorted({f'"paper": {cell.published.source}.' for cell in report.cells if cell.published})
    about = [f"{caption(report)}.", '"best epoch" is chosen on the test data, as in papers without a validation set.']
    figure = f"![{report.metric} against epochs on test and training data](accuracy.png)"
    return "\n".join([*lines, "", *about, *sources, "", f"    {report.command}", "", figure, ""])


def show(report: Report, stream: IO[str]) -> None:
    """Print the table, at least so wide elsewhere than on a terminal that no number is cut."""
    from rich.console import Console

    wide = None if stream.isatty() else 140
    Console(file=stream, width=wide, highlight=False, markup=False).print(table(report))
