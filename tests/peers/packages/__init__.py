"""One module a package: how its cells are run, and the table of its rows.

`TABLES` names them without importing any package; a table's module is imported only where its package is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from tests.peers.rows import Row

TABLES = {
    "torch_nn": ("torch.nn", ("torch",)),
    "torchrecurrent": ("torchrecurrent", ("torchrecurrent",)),
    "keras": ("Keras", ("keras",)),
    "flax_nnx": ("Flax nnx", ("flax", "jax")),
    "flax_linen": ("Flax linen", ("flax", "jax")),
    "min_gru": ("minGRU-pytorch", ("minGRU_pytorch",)),
    "ncps": ("ncps", ("ncps",)),
    "brc": ("brc", ("brc_pytorch",)),
    "sub_lstm": ("pytorch-sublstm", ("subLSTM",)),
    "ur_lstm": ("ur-lstm-torch", ("ur_lstm",)),
    "xlstm": ("xlstm", ("xlstm",)),
}
"""The table's module -> what the package is called, and what has to be importable."""


def missing(table: str) -> list[str]:
    """Which of a table's packages are not installed."""
    return [name for name in TABLES[table][1] if importlib.util.find_spec(name) is None]


def rows(table: str) -> list[Row]:
    """The rows of a table whose packages are installed."""
    return list(importlib.import_module(f"{__name__}.{table}").ROWS)


def installed() -> Iterator[tuple[str, Row]]:
    """Every row that can be measured here, with its table."""
    for table in TABLES:
        if not missing(table):
            yield from ((table, row) for row in rows(table))
