"""Where emitted modules are kept between processes.

`CELLDSL_CACHE` names the folder; else it is the user's cache folder, and where that cannot be written, a folder
of the user's own in the system's temporary one. Files are named by what is in them and written atomically, so any
number of processes may share the folder; nothing in it is worth keeping.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def folder() -> Path:
    """The cache folder, made if need be. Raises OSError if no place can be written."""
    asked = os.environ.get("CELLDSL_CACHE")
    if asked:
        return _usable(Path(asked).expanduser().resolve())
    try:
        return _usable(_user_cache() / "celldsl")
    except OSError:
        return _private(Path(tempfile.gettempdir()) / f"celldsl-{_user()}")


def write(path: Path, text: str) -> None:
    """Write a file so that readers see all of it or nothing. A file that already holds the text is left alone."""
    data = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _usable(path: Path) -> Path:
    """The folder, made and tried. Raises OSError if it cannot be written."""
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
        return path


def _private(path: Path) -> Path:
    """A folder that nobody else may have prepared: what is imported from it is run."""
    path.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        found = path.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o022 or path.is_symlink():
            return Path(tempfile.mkdtemp(prefix="celldsl-"))
    return _usable(path)


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"
