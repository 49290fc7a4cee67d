"""`celldsl show`: a spec at any stage of the compiler."""

from __future__ import annotations

import click

STAGES = ("source", "tree", "cell", "form", "schedule", "torch", "cpu", "latex")
LANGUAGES = {"torch": "python", "cpu": "cpp", "latex": "latex"}


@click.command()
@click.argument("spec")
@click.option(
    "--stage", type=click.Choice(STAGES), default="source", show_default=True, help="Which form of the cell to print."
)
@click.option("--target", type=click.Choice(["torch", "cpu"]), default="torch", help="Whose schedule.")
def command(spec: str, stage: str, target: str) -> None:
    """Print a spec at one stage of the compiler.

    \b
    source     as its author wrote it
    tree       the syntax tree
    cell       roles, widths and order, as `check` found them
    form       matrix products, and the pointwise map between them
    schedule   what leaves the time loop, what is stacked, saved, recomputed
    torch      the emitted module
    cpu        the C++ of the CPU kernels
    latex      all equations, inherited ones too, for a paper

    \b
    celldsl show lstm1
    celldsl show lstm --stage schedule --target cpu
    """
    from celldsl import driver, library
    from celldsl.cli.screen import print_code

    print_code(driver.stage(library.load(spec), stage, target), LANGUAGES.get(stage, "text"))
