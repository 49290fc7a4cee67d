"""C++ text -> a loaded library, built once per machine with the user's own compiler.

Libraries lie in the cache folder, named by the hash of everything they depend on: the text, the compiler and its
version, the flags, and the processor's instructions, so that a folder shared by different machines never yields an
illegal instruction. Building is locked per library and the result moved into place in one step; any number of
processes may ask for the same one at once.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from celldsl.errors import CelldslError
from celldsl.runtime import cache

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-w")
NATIVE = ("-march=native",) if platform.machine() in ("x86_64", "AMD64") else ("-mcpu=native",)
OPENMP = ("-fopenmp",)


class BuildError(CelldslError):
    """No kernel can be built here; the text says why and what would help."""


@lru_cache(maxsize=1)
def compiler() -> tuple[str, ...]:
    """The C++ compiler as a command. Raises BuildError where there is none."""
    asked = os.environ.get("CXX")
    for name in (asked, *COMPILERS):
        words = shlex.split(name) if name else []
        found = shutil.which(words[0]) if words else None
        if found:
            return (found, *words[1:])
    asked_for = f" (CXX={asked})" if asked else ""
    raise BuildError(f"no C++ compiler was found{asked_for}; install g++ or clang++, or set CXX")


@lru_cache(maxsize=1)
def _identity() -> str:
    """What libraries depend on besides their text: the compiler's version and the processor's instructions."""
    command = compiler()
    try:
        told = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{command[0]} --version failed: {error}") from error
    return "\n".join([*command, told, platform.machine(), _instructions()])


def _instructions() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def library(text: str, name: str, defines: tuple[str, ...] = ()) -> Path:
    """The shared library of a C++ text, built unless it is in the cache. Raises BuildError."""
    wanted = "\n".join([text, *FLAGS, *NATIVE, *OPENMP, *defines, _identity()])
    digest = hashlib.sha256(wanted.encode("utf-8")).hexdigest()[:20]
    folder = cache.folder() / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}_{digest}.so"
    if target.is_file():
        return target
    with _locked(folder / f".{name}_{digest}.lock"):
        if not target.is_file():
            _build(text, target, defines)
    return target


def _build(text: str, target: Path, defines: tuple[str, ...]) -> None:
    source = target.with_suffix(".cpp")
    cache.write(source, text)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".so", dir=target.parent)
    os.close(handle)
    try:
        problem = ""
        # Some compilers lack OpenMP (one thread then), or know no `native`.
        for extra in ((*NATIVE, *OPENMP), NATIVE, OPENMP, ()):
            command = [*compiler(), *FLAGS, *extra, *(f"-D{d}" for d in defines), str(source), "-o", temporary]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if done.returncode == 0:
                os.replace(temporary, target)
                return
            problem = problem or done.stderr.strip()
        raise BuildError(f"{compiler()[0]} could not build {source.name}:\n{problem[:2000]}")
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{compiler()[0]} could not be run: {error}") from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Held by one process at a time; where the system has no file locks, building twice does no harm."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def load(text: str, name: str, defines: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library, loaded. torch must be imported before, so that both share one pool of threads."""
    return ctypes.CDLL(str(library(text, name, defines)))


@lru_cache(maxsize=1)
def why_not() -> str | None:
    """Why no kernel can be built on this machine; None if one can. Tries, once, on the smallest file."""
    if os.name == "nt":
        return "kernels are built for Linux and macOS only"
    try:
        path = library('extern "C" __attribute__((visibility("default"))) int celldsl_probe() { return 7; }\n', "probe")
        if ctypes.CDLL(str(path)).celldsl_probe() != 7:
            return f"{path.name} does not answer"
    except (BuildError, OSError) as error:
        return str(error)
    return None
