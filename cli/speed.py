"""`celldsl speed`: how fast cells run, against torch.nn.LSTM."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Shape(click.ParamType):
    """`T,B,m,n`."""

    name = "T,B,m,n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            sizes = ()
        if len(sizes) != 4 or min(sizes) < 1:
            self.fail(f"{value!r} is not four positive numbers T,B,m,n", param, ctx)
        return sizes


@click.command()
@click.option("--cells", default="lstm,lstm1,lstm3", show_default=True, help="Specs, with commas between.")
@click.option("--shape", "shapes", type=Shape(), multiple=True, help="A shape instead of the eight; may be repeated.")
@click.option(
    "--variants", help="What to time: naive, portable, scripted, cpu, bf16, jax, onnxruntime, torchrecurrent.  [all]"
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: all]")
@click.option("--quick", is_flag=True, help="The first two shapes, the kernels alone, fewer rounds.")
@click.option(
    "--contention", is_flag=True, help="Time the kernels a second time beside a process that keeps a core busy."
)
@click.option(
    "--zoo",
    "whole_zoo",
    is_flag=True,
    help="Every shipped cell at the first two shapes; an hour and more. The same -o goes on.",
)
@click.option("-o", "out", type=click.Path(path_type=Path), help="Folder for speed.json, speed.md and speed.png.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A Markdown file; the table replaces what stands between its <!-- speed --> marks (with --zoo: zoo).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def command(
    cells: str,
    shapes: tuple[tuple[int, int, int, int], ...],
    variants: str | None,
    threads: int | None,
    quick: bool,
    contention: bool,
    whole_zoo: bool,
    out: Path | None,
    into: Path | None,
    as_json: bool,
) -> None:
    """Time cells against torch.nn.LSTM of the same size, training and inference.

    A variant is timed only after it has agreed with the portable layer on outputs and gradients. Takes about ten
    minutes; nothing else should run meanwhile. Peers (JAX, ONNX Runtime, torchrecurrent) are timed where installed.

    \b
    celldsl speed --contention -o docs/results/speed --into docs/speed.md
    celldsl speed --cells gru,my.cell --shape 28,32,28,50 --variants portable,cpu
    celldsl speed --quick
    """
    from celldsl.bench import speed, speed_runs, speed_table, speed_zoo
    from celldsl.cli.screen import print_json, progress
    from celldsl.extras import need

    if out is not None and not whole_zoo:
        need("bench", "celldsl speed -o")
    named = [name.strip() for name in cells.split(",") if name.strip()]
    with progress() as say:
        if whole_zoo:
            from celldsl.library import zoo

            given = click.get_current_context().get_parameter_source("cells")
            every = zoo() if given is click.core.ParameterSource.DEFAULT else named
            found = speed_zoo.measure(
                every,
                shapes or speed_zoo.SHAPES,
                threads,
                say=say,
                earlier=_earlier(out),
                keep=lambda r: _write(out, "zoo", r.to_json(), speed_table.zoo_markdown(r), None),
            )
        else:
            default = ("cpu",) if quick else (*speed.possible(), *speed.PEERS)
            chosen = [name.strip() for name in variants.split(",") if name.strip()] if variants else default
            try:
                report = speed.measure(
                    named,
                    shapes or (speed.SHAPES[:2] if quick else speed.SHAPES),
                    chosen,
                    threads,
                    speed_runs.QUICK if quick else None,
                    contention,
                    say,
                )
            except ValueError as error:
                raise click.UsageError(str(error)) from error
    if whole_zoo:
        text = speed_table.zoo_markdown(found)
        _write(out, "zoo", found.to_json(), text, None)
        shown: Callable[[], None] = lambda: speed_table.zoo_show(found, sys.stdout)  # noqa: E731
        result = found.to_json()
    else:
        text = speed_table.markdown(report)
        _write(out, "speed", report.to_json(), text, lambda: speed_table.figure(report))
        shown = lambda: speed_table.show(report, sys.stdout)  # noqa: E731
        result = report.to_json()
    if into is not None:
        told = into.read_text(encoding="utf-8")
        into.write_text(speed_table.inserted(told, "zoo" if whole_zoo else "speed", text), encoding="utf-8")
    print_json(result) if as_json else shown()


def _earlier(out: Path | None) -> Any:
    """The zoo's report in the folder, if one is there: an hour's work that was stopped goes on from it."""
    from celldsl.bench.speed_zoo import ZooReport

    try:
        return None if out is None else ZooReport.from_json(json.loads((out / "zoo.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(out: Path | None, stem: str, report: Any, text: str, figure: Callable[[], bytes] | None) -> None:
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (out / f"{stem}.md").write_text(text, encoding="utf-8")
    if figure is not None:
        (out / f"{stem}.png").write_bytes(figure())
