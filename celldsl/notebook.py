"""`%load_ext celldsl` in a notebook, then cells of the notebook that are specs:

    %%cell
    cell Mine extends LSTM {
      i_t = 1 - f_t
    }

Each cell of the spec is compiled and bound to its own name; the last one is shown. What is wrong is printed as the
command line prints it, without a traceback.
"""

from __future__ import annotations

import sys
from typing import Any

from celldsl import relatives
from celldsl.api import CompiledCell
from celldsl.errors import SpecError
from celldsl.source import Source


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext celldsl`."""

    def cell(line: str, body: str) -> CompiledCell | None:
        """%%cell [variable]: compile the spec below; the last cell is bound to `variable` too."""
        variable = line.strip()
        if variable and not variable.isidentifier():
            print(f"%%cell {variable}: give one variable, or none", file=sys.stderr)
            return None
        source = Source(body, "<notebook>")
        try:
            compiled = [CompiledCell(checked) for checked in relatives.check(source)]
        except SpecError as error:
            print(error, file=sys.stderr)
            return None
        names = {each.name: each for each in compiled}
        if variable:
            names[variable] = compiled[-1]
        shell.push(names)
        for warning in (warning for each in compiled for warning in each.diagnostics):
            print(warning.render(), file=sys.stderr)
        return compiled[-1]

    shell.register_magic_function(cell, magic_kind="cell", magic_name="cell")
