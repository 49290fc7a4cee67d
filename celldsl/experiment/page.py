"""The report as one self-contained HTML page: no script, no font and no image from elsewhere."""

from __future__ import annotations

from celldsl.bench.drawing import inline
from celldsl.experiment import tables
from celldsl.experiment.plots import against_paper, curves
from celldsl.experiment.report import Report


def render(report: Report) -> str:
    """The page of a report, in the benchmark's layout."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("celldsl.experiment", "."), PackageLoader("celldsl.bench", ".")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    dots = against_paper(report)
    return environment.get_template("experiment.html.jinja").render(
        report=report,
        progress=tables.progress(report),
        layout=tables.paper_layout(report),
        full=tables.full(report),
        notes=tables.notes(report),
        failures=tables.failures(report),
        facts=tables.facts(report),
        dots=inline(dots.decode()) if dots else None,
        curves=[(title, inline(figure.decode())) for title, figure in curves(report)],
    )
