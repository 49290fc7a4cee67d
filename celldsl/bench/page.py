"""The benchmark as one self-contained HTML page: no script, no font and no image from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from celldsl.bench import table
from celldsl.bench.drawing import equation_svg, inline
from celldsl.bench.plots import accuracy_svg, time_svg
from celldsl.bench.report import CellReport, Report

_TAG = re.compile(r"\s*\\(?:tag\{(?P<tag>[^{}]*)\}|quad\s*\((?P<quad>[^()]*)\))\s*$")


def render(report: Report) -> str:
    """The page of a report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("celldsl.bench", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    times = time_svg(report)
    has_published = any(cell.published for cell in report.cells)
    return environment.get_template("page.html.jinja").render(
        report=report,
        titles=table.titles(report),
        rows=[(cell, table.shown(cell, has_published)) for cell in report.cells],
        caption=table.caption(report),
        accuracy=inline(accuracy_svg(report)),
        times=inline(times) if times else None,
        cells=[(cell, _equations(cell)) for cell in report.cells],
        sources=sorted({cell.published.source for cell in report.cells if cell.published}),
        facts=_facts(report),
    )


def _equations(cell: CellReport) -> list[dict[str, Any]]:
    """Each equation as a drawing (or text, where it cannot be drawn) and its label."""
    told = []
    for equation in cell.equations:
        tag = _TAG.search(equation.latex)
        drawn = equation_svg(_TAG.sub("", equation.latex).replace("&=", "="))
        label = (tag["tag"] or tag["quad"]) if tag and drawn else ""  # the text has its own
        told.append({"image": inline(drawn) if drawn else None, "text": equation.text, "label": label})
    return told


def _facts(report: Report) -> list[tuple[str, str]]:
    """The settings and the machine, as lines of a table."""
    told, machine = report.options, report.machine
    facts = [
        ("task", told["task"]),
        ("cells", ", ".join(told["cells"])),
        ("seeds", ", ".join(map(str, range(told["seeds"])))),
        ("epochs", str(told["epochs"])),
        ("hidden width n", str(told["hidden"])),
        ("batch", str(told["batch"])),
        ("optimiser", f"{told['optimiser']}, η₀ = {told['lr']:g}, schedule {told['schedule']}"),
        ("processor", f"{machine['processor']} ({', '.join(machine['features']) or 'features not known'})"),
        ("cores", f"{machine['cores']}; trained on {machine['threads']} thread{'s' * (machine['threads'] > 1)}"),
        ("system", machine["system"]),
        ("versions", ", ".join(f"{name} {version}" for name, version in machine["versions"].items())),
        ("took", f"{report.seconds:.0f} s"),
    ]
    if machine.get("gpu"):
        facts.insert(-3, ("GPU", machine["gpu"]))
    return facts
