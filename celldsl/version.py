"""The version, written once: pyproject.toml, `celldsl --version` and the first line of emitted files read it here."""

__version__ = "0.1.0"
