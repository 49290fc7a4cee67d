"""`celldsl speed`: how fast cells run, against torch.nn.LSTM."""

from __future__ import annotations

import json
import sys
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
@click.option("--variants", default="naive,portable,scripted,cpu", show_default=True, help="What to time.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: all]")
@click.option("-o", "out", type=click.Path(path_type=Path), help="Folder for speed.json, speed.md and speed.png.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, and nothing else.")
def command(
    cells: str,
    shapes: tuple[tuple[int, int, int, int], ...],
    variants: str,
    threads: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Time cells against torch.nn.LSTM of the same size, training and inference.

    A variant is timed only after it has agreed with the portable layer on outputs and every gradient. Takes minutes;
    nothing else should run meanwhile.

    \b
    celldsl speed
    celldsl speed --cells gru,my.cell --shape 28,32,28,50 --variants portable,cpu
    """
    from celldsl.bench import speed, speed_table
    from celldsl.cli.screen import print_json

    report = speed.measure(
        [name.strip() for name in cells.split(",") if name.strip()],
        shapes or speed.SHAPES,
        [name.strip() for name in variants.split(",") if name.strip()],
        threads,
        lambda text: click.echo(text, err=True),
    )
    if out is not None:
        from celldsl.extras import need

        need("bench", "celldsl speed -o")
        out.mkdir(parents=True, exist_ok=True)
        (out / "speed.json").write_text(json.dumps(report.to_json(), indent=2), encoding="utf-8")
        (out / "speed.md").write_text(speed_table.markdown(report), encoding="utf-8")
        (out / "speed.png").write_bytes(speed_table.figure(report))
    if as_json:
        print_json(report.to_json())
    else:
        speed_table.show(report, sys.stdout)
