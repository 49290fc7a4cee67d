"""`celldsl new`: a commented starter spec."""

from __future__ import annotations

import re
from pathlib import Path

import click

STARTER = '''\
# {name}: what a reader should know about this cell before the equations.
#
#   celldsl check {file}      is it right? (all mistakes at once, each with its place)
#   celldsl verify {file}     are its claims true?
#   celldsl compile {file}    the PyTorch module, {module}
#
# This starter is the minimal gated unit. Replace its equations by yours: write them as the paper prints them, in
# ASCII, Unicode or LaTeX ($$f_t = \\sigma(W_f x_t + U_f h_{{t-1}} + b_f)$$ will do). `celldsl show lstm` shows another.
cell {name} {{
  """One sentence for the generated module's documentation."""
  # cite "Author & Author 2017, arXiv:0000.00000, eqs. (1)-(3)"

  # What carries a time is a signal (x_t is the input, h_t the output); what carries none is a parameter.
  # Roles and widths follow from the equations; nothing needs to be declared.
  f_t = sigmoid(W_f x_t + U_f h_{{t-1}} + b_f)                (1)
  g_t = tanh(W_h x_t + U_h (f_t * h_{{t-1}}) + b_h)           (2)
  h_t = (1 - f_t) * h_{{t-1}} + f_t * g_t                     (3)

  # How parameters start; without these lines matrices are Glorot uniform and biases zero.
  init b_f = 1
  init U_* = orthogonal

  # What you believe of the cell; `celldsl verify` checks it. m is the width of x, n that of h.
  claim params = 2 (m n + n^2 + n)
  claim 0 < f_t < 1
}}
'''


@click.command()
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; NAME in lower case, .cell, if not given."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(name: str, output: Path | None, force: bool) -> None:
    """Write a commented starter spec called NAME.

    Example: celldsl new MyCell
    """
    from celldsl.files import write_text

    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise click.BadParameter(
            f"{name!r} is no name for a cell: letters, digits and _, a letter first", param_hint="NAME"
        )
    path = output or Path(f"{name.lower()}.cell")
    write_text(path, STARTER.format(name=name, file=path.name, module=f"{path.stem}.py"), force=force)
    click.echo(f"wrote {path}; next: celldsl check {path}")
