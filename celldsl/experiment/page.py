"""The report as one self-contained HTML page: no script, no font and no image from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from celldsl.bench.drawing import inline
from celldsl.experiment import tables
from celldsl.experiment.plots import Drawn, figures
from celldsl.experiment.report import Report


def render(report: Report, drawn: Sequence[Drawn] | None = None) -> str:
    """The page of a report, in the benchmark's layout. drawn: its figures, if they are drawn already."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("celldsl.experiment", "."), PackageLoader("celldsl.bench", ".")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    every = figures(report) if drawn is None else drawn
    shown = [(each.file, each.title, inline(each.svg.decode())) for each in every]
    return environment.get_template("experiment.html.jinja").render(
        report=report,
        progress=tables.progress(report),
        layout=tables.paper_layout(report),
        full=tables.full(report),
        notes=tables.notes(report),
        failures=tables.failures(report),
        facts=tables.facts(report),
        together=tables.TOGETHER,
        dots=[(title, image) for file, title, image in shown if file == "results.svg"],
        curves=[(title, image) for file, title, image in shown if file != "results.svg"],
    )
