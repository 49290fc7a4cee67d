"""Where specs stand: shipped with celldsl, in the user's files, or given as text.

This module reads files and knows names; it understands nothing of what is in them, but for the names behind
`cell`. Whatever cannot be read is a `SpecError` that shows what was asked for and what is near it.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from importlib import resources
from pathlib import Path

from celldsl.errors import Diagnostic, SpecError, near
from celldsl.source import Source, Span

SUFFIX = ".cell"
_CELL_NAME = re.compile(r"^\s*cell\s+(\w+)", re.MULTILINE)


def load(spec: str | Path | Source) -> Source:
    """The source that a user means: spec text, a path, the name of a shipped spec (any case), `-` for standard input.

    Text is told from a name by its brace or line end. Raises SpecError where there is no such file or name.
    """
    if isinstance(spec, Source):
        return spec
    if isinstance(spec, Path):
        return _read(spec, str(spec))
    if spec == "-":
        return Source(sys.stdin.read(), "<stdin>")
    if "{" in spec or "\n" in spec:
        return Source(spec)
    if spec.endswith(SUFFIX) or "/" in spec or "\\" in spec:
        return _read(Path(spec).expanduser(), spec)
    found = shipped(spec)
    if found is not None:
        return found
    if spec and Path(spec).exists():
        return _read(Path(spec), spec)
    raise _unknown(spec)


def zoo() -> list[str]:
    """The names of the shipped specs, sorted: `gru`, `lstm`, `lstm1`, …"""
    return sorted(_shipped())


def shipped(name: str) -> Source | None:
    """The shipped spec of this name, in any case and whatever folder, or None."""
    return _shipped().get(name.lower())


def beside(path: Path, name: str) -> Path | None:
    """The spec of this name, in any case, in the folder of a file, or None."""
    return next((entry for entry in specs_in(path.parent) if entry.stem.lower() == name.lower()), None)


def specs_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def cell_names(source: Source) -> list[str]:
    """The names of the cells that a source seems to define, without parsing it."""
    return _CELL_NAME.findall(source.text)


def family(name: str) -> str:
    """The folder that the shipped spec of this name lies in; empty for one at the top, and for an unknown name."""
    found = _shelves().get(name.lower())
    return found[0] if found else ""


def _shipped() -> dict[str, Source]:
    return {name: source for name, (_, source) in _shelves().items()}


@lru_cache(maxsize=1)
def _shelves() -> dict[str, tuple[str, Source]]:
    """The folder and the text of every shipped spec. Folders are for people: a name is unique over all of them."""
    top = _specs()
    folders = [entry for entry in top.iterdir() if entry.is_dir() and not entry.name.startswith(("_", "."))]
    return {
        entry.name.removesuffix(SUFFIX).lower(): (shelf, Source(entry.read_text(encoding="utf-8"), entry.name))
        for shelf, folder in (("", top), *((folder.name, folder) for folder in folders))
        for entry in folder.iterdir()
        if entry.name.endswith(SUFFIX)
    }


def _specs():  # type: ignore[no-untyped-def]  # importlib's Traversable moved between Python 3.10 and 3.11
    """The folder of the shipped specs: the installed package `celldsl.specs`, or `specs/` of a checkout."""
    try:
        return resources.files("celldsl.specs")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parent.parent / "specs"


def _read(path: Path, shown: str) -> Source:
    try:
        return Source(path.read_text(encoding="utf-8-sig"), shown)
    except FileNotFoundError:
        folder = path.parent
        guess = near(path.name, [entry.name for entry in specs_in(folder)])
        name = shipped(path.stem)
        if guess:
            help = f"there is {folder / guess}"
        elif name is not None:
            help = f"a spec of that name is shipped: write {path.stem} alone"
        else:
            help = "give a path to a .cell file, the name of a shipped spec (celldsl zoo lists them), or -"
        raise _refusal("no-file", f"there is no file {shown}", shown, help=help) from None
    except IsADirectoryError:
        raise _refusal("no-file", f"{shown} is a folder, not a spec", shown, help="name one .cell file in it") from None
    except UnicodeDecodeError as error:
        note = f"byte {error.start} is 0x{error.object[error.start]:02x}"
        raise _refusal("not-text", f"{shown} is not UTF-8 text", shown, note, "save the file as UTF-8") from None
    except OSError as error:
        raise _refusal("no-file", f"{shown} cannot be read: {error.strerror}", shown) from None


def _unknown(name: str) -> SpecError:
    guess = near(name.lower(), zoo())
    help = f"did you mean {guess}?" if guess else "celldsl zoo lists the shipped specs; a path ends in .cell"
    return _refusal("unknown-spec", f"no spec is named {name!r}", name, help=help)


def _refusal(code: str, message: str, asked: str, note: str = "", help: str = "") -> SpecError:
    """An error whose place is what the user asked for, since there is no text to point into."""
    asked = asked or " "
    source = Source(asked, "<spec>")
    notes = (note,) if note else ()
    return SpecError([Diagnostic(code, message, Span(source, 0, len(asked)), notes=notes, help=help)])
