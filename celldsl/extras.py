"""Which optional packages serve what, and the one line that says how to get them.

The compiler needs its core dependencies alone; training and benchmarks need the extras of pyproject.toml. Nothing is
imported here.
"""

from __future__ import annotations

from importlib.util import find_spec

from celldsl.errors import CelldslError

EXTRAS: dict[str, dict[str, str]] = {
    "train": {
        "lightning": "lightning",
        "safetensors": "safetensors",
        "datasets": "datasets",
        "pyarrow": "pyarrow",
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "numpy": "numpy",
    },
    "bench": {"matplotlib": "matplotlib"},
    "test": {
        "pytest": "pytest",
        "hypothesis": "hypothesis",
        "IPython": "ipython",
        "xdist": "pytest-xdist",
        "ruff": "ruff",
        "mypy": "mypy",
    },
    "peers": {"keras": "keras", "flax": "flax", "xlstm": "xlstm"},
    "ray": {"ray": "ray"},
    "tensorboard": {"tensorboard": "tensorboard"},
}
"""Extra -> module name -> name on PyPI. `bench` contains `train`, `test` contains `bench`."""

CONTAINS = {"train": (), "bench": ("train",), "test": ("bench", "train"), "peers": (), "ray": (), "tensorboard": ()}


class MissingExtra(CelldslError):
    """An optional dependency is not installed; the message says how to get it."""


def lacking(extra: str) -> list[str]:
    """The PyPI names of what this extra brings and this Python cannot import."""
    wanted = {module: name for part in (*CONTAINS[extra], extra) for module, name in EXTRAS[part].items()}
    return [name for module, name in wanted.items() if find_spec(module) is None]


def need(extra: str, purpose: str) -> None:
    """Raise `MissingExtra` unless everything of an extra can be imported. purpose: "training", "the report"."""
    absent = lacking(extra)
    if absent:
        raise MissingExtra(f"{purpose} needs {', '.join(absent)}: {install(extra)}")


def missing(error: ModuleNotFoundError) -> str | None:
    """The line for an import that failed, if an extra would have brought the module; else None."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            return f"this needs {modules[module]}, which is not installed: {install(extra)}"
    return None


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'celldsl[{extra}]'"
