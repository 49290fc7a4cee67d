"""`celldsl train`: one cell on one task."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import click

from celldsl.runtime.backends import BACKENDS
from celldsl.train.recipes import RECIPES
from celldsl.train.recipes import recipe as make_recipe
from celldsl.train.settings import DEVICES, OPTIMISERS, PRECISIONS, REDUCTIONS, SCHEDULES, Settings
from celldsl.train.tasks import TASKS

GIVEN = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
DEFAULT = {each.name: each.default for each in dataclasses.fields(Settings)}


TABLES = ("task_options", "cell_options", "weight_drop", "zoneout", "init")
"""Settings whose entries are given one by one."""


class Assignment(click.ParamType):
    """`name=value`, the value read as JSON where it is JSON (numbers, true, null) and as text where it is not."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, text = value.partition("=")
        if not equals or not name.isidentifier():
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        try:
            return name, json.loads(text)
        except ValueError:
            return name, text


class Named(Assignment):
    """`NAME=value`, where `*` in the name stands for any letters: `U_*=0.5`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        pattern, equals, text = value.partition("=")
        _, found = super().convert(f"{pattern.replace('*', '_')}{equals}{text}", param, ctx)
        return pattern, found


def setting(flag: str, name: str, help: str, **rest: Any) -> Any:
    """An option for one field of `Settings`, with the default that stands there."""
    return click.option(flag, name, default=DEFAULT[name], show_default=DEFAULT[name] is not None, help=help, **rest)


class Train(click.Command):
    """Its help ends with the recipes, the tasks and their options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from celldsl.train.tasks.describe import options, summary

        with formatter.section("Recipes (--recipe NAME; flags change them)"):
            formatter.write_text(", ".join(RECIPES))
        for task in TASKS:
            with formatter.section(f"Task {task}"):
                formatter.write_text(summary(task))
                found = [(f"{each.name}={each.default}", each.help) for each in options(task)]
                if found:
                    formatter.write_dl(found)


@click.command(cls=Train)
@click.argument("cell", default="lstm")
@click.option("--recipe", type=click.Choice(list(RECIPES)), help="Start from published settings.")
@setting("--task", "task", "What to learn.", type=click.Choice(list(TASKS)))
@setting(
    "--data", "data_dir", "Folder with one folder of Parquet files per data set.", type=click.Path(), metavar="DIR"
)
@click.option("--task-option", "task_options", multiple=True, type=Assignment(), help="An option of the task (repeat).")
@click.option(
    "--vectors",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Word vectors in GloVe's text format, for the tasks that read words (sick, sst).",
)
@click.option("--cell-option", "cell_options", multiple=True, type=Assignment(), help="A setting of the cell (repeat).")
@setting("--hidden", "hidden", "Width of the hidden state.", type=int)
@setting("--layers", "layers", "Layers, one above the other.", type=int)
@click.option("--bidirectional", is_flag=True, help="Read the sequence both ways.")
@setting("--dropout", "dropout", "Dropout between layers.", type=float)
@setting("--recurrent-dropout", "recurrent_dropout", "Dropout of recurrent operands, a mask a gate.", type=float)
@setting("--input-dropout", "input_dropout", "Dropout of input operands, a mask a gate.", type=float)
@setting("--locked-input", "locked_input", "Dropout of each layer's input, a mask a sequence.", type=float)
@setting("--locked-output", "locked_output", "Dropout of each layer's output, a mask a sequence.", type=float)
@click.option("--weight-drop", multiple=True, type=Named(), metavar="NAME=P", help="Dropout of parameters (repeat).")
@click.option("--zoneout", multiple=True, type=Named(), metavar="STATE=P", help="Zoneout of states (repeat).")
@click.option("--init", multiple=True, type=Named(), metavar="NAME=VALUE", help="How parameters start (repeat).")
@setting("--gates", "gates", "A function in the place of sigmoid: hard_sigmoid, keras1_hard_sigmoid.", type=str)
@setting("--backend", "backend", "What runs the cell.", type=click.Choice(["auto", *BACKENDS]))
@setting("--epochs", "epochs", "Epochs at most.", type=int)
@setting("--batch-size", "batch", "Examples per step.", type=int)
@setting("--optimizer", "optimiser", "How to descend.", type=click.Choice(OPTIMISERS))
@setting("--lr", "lr", "Learning rate; η0 of exp-loss.", type=float)
@setting("--momentum", "momentum", "For sgd and rmsprop.", type=float)
@setting("--weight-decay", "weight_decay", "Weight decay.", type=float)
@setting(
    "--schedule",
    "schedule",
    "The rate over epochs; exp-loss is Lu & Salem's η0·exp(loss).",
    type=click.Choice(SCHEDULES),
)
@setting("--step-every", "step_every", "Epochs between two reductions of schedule step.", type=int)
@setting("--step-factor", "step_factor", "What schedules step and decay multiply the rate by.", type=float)
@setting("--decay-after", "decay_after", "Epochs at the full rate in schedule decay.", type=int)
@setting("--nonmono", "nonmono", "Epochs that nt-asgd looks back.", type=int)
@setting(
    "--reduction", "reduction", "A step descends its examples' mean loss or their sum.", type=click.Choice(REDUCTIONS)
)
@setting("--clip", "clip", "Largest norm of the gradient.", type=float)
@setting("--patience", "patience", "Stop after so many epochs without a better one.", type=int)
@setting("--train-limit", "train_limit", "Train on the first so many examples only.", type=int)
@setting("--test-limit", "test_limit", "Test on the first so many examples only.", type=int)
@setting("--eval-batch", "eval_batch", "Examples tested at once; the task's own number if not given.", type=int)
@setting("--seed", "seed", "Seed of weights and order.", type=int)
@setting("--precision", "precision", "Number format.", type=click.Choice(PRECISIONS))
@setting("--device", "device", "Where to run.", type=click.Choice(DEVICES))
@setting("--devices", "devices", "Processes that torchrun was asked for; checked, not started.", type=int)
@setting("--threads", "threads", "CPU threads; torch's own choice if not given.", type=int)
@setting("--checkpoint-steps", "checkpoint_steps", "Checkpoint every so many steps too.", type=int)
@setting("--checkpoint-seconds", "checkpoint_seconds", "Checkpoint every so many seconds too.", type=float)
@setting("-o", "out", "Folder for metrics, checkpoints and the result.", type=click.Path(), metavar="DIR")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the -o folder, to the same bits.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else, on standard output.")
@click.option("--quiet", is_flag=True, help="Say nothing while it runs.")
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str | None,
    vectors: str | None,
    resume: bool,
    as_json: bool,
    quiet: bool,
    **fields: Any,
) -> None:
    """Train CELL, a path or a shipped name, on a task.

    torch.nn.LSTM, torch.nn.GRU and torch.nn.RNN are cells here too, to compare with.

    \b
    celldsl train lstm1
    celldsl train my.cell --task adding --task-option length=200 --hidden 128
    celldsl train lstm --task mnist-rows --data DIR --schedule exp-loss -o runs/lstm --resume
    celldsl train ulstm --recipe gao-oates-sick --data DIR --vectors glove.840B.300d.txt
    """
    from celldsl.cli.screen import print_json
    from celldsl.extras import need
    from celldsl.train import Progress, terminal_progress, train

    need("train", "training")
    fields |= {name: dict(fields[name]) for name in TABLES}
    if vectors:
        fields["task_options"]["vectors"] = vectors
    if recipe:
        given = {name: value for name, value in fields.items() if ctx.get_parameter_source(name) in GIVEN}
        given["task_options"] = fields["task_options"]  # --vectors may have added to it
        settings = make_recipe(recipe, **given)
    else:
        settings = Settings(**fields)
    result = train(settings, resume=resume, progress=Progress() if quiet else terminal_progress())
    if as_json:
        print_json(result.to_json())
    else:
        best = f"best test {result.metric} {result.best:.4f} (epoch {result.best_epoch} of {len(result.rows)})"
        speed = f"last {result.last:.4f}, {result.seconds_per_epoch:.2f} s per epoch"
        click.echo(f"{result.cell} on {result.task}: {best}, {speed}")
        if settings.out:
            print(f"written to {settings.out}", file=sys.stderr)
