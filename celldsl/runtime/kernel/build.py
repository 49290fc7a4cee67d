"""C++ text -> a loaded library, built once per machine with the user's own compiler.

Libraries lie in the cache folder, named by the hash of everything they depend on: the text, the compiler and its
version, the flags, and the processor's instructions, so that a folder shared by different machines never yields an
illegal instruction. Building is locked per library and the result moved into place in one step; any number of
processes may ask for the same one at once.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from celldsl.errors import CelldslError
from celldsl.runtime import cache

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-w")
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
    """What libraries depend on besides their text: the compiler and the processor's instructions. The compiler by its
    file, for asking it takes longer than loading a library."""
    command = compiler()
    path = os.path.realpath(command[0])
    found = os.stat(path)
    return "\n".join([*command, path, f"{found.st_size} {found.st_mtime_ns}", platform.machine(), instructions()])


def instructions() -> str:
    """What the processor knows, with blanks between; its name where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def folder() -> Path:
    """Where libraries lie."""
    found = cache.folder() / "kernels"
    found.mkdir(parents=True, exist_ok=True)
    return found


def library(text: str, name: str, defines: tuple[str, ...] = (), anew: bool = False) -> Path:
    """The shared library of a C++ text, built unless it is in the cache, or `anew`. Raises BuildError."""
    wanted = "\n".join([text, *FLAGS, *NATIVE, *OPENMP, *defines, _identity()])
    digest = hashlib.sha256(wanted.encode("utf-8")).hexdigest()[:20]
    target = folder() / f"{name}_{digest}.so"
    if target.is_file() and not anew:
        return target
    with _locked(target.parent / f".{name}_{digest}.lock"):
        if anew or not target.is_file():
            _build(text, name, target, defines)
    return target


def _build(text: str, name: str, target: Path, defines: tuple[str, ...]) -> None:
    source = target.with_suffix(".cpp")
    cache.write(source, text)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".so", dir=target.parent)
    os.close(handle)
    begun = time.perf_counter()
    try:
        problem = ""
        # Some compilers lack OpenMP (one thread then), or know no `native`.
        for extra in ((*NATIVE, *OPENMP), NATIVE, OPENMP, ()):
            flags = [*FLAGS, *extra, *(f"-D{d}" for d in defines)]
            command = [*compiler(), *flags, str(source), "-o", temporary]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            if done.returncode == 0:
                seconds = round(time.perf_counter() - begun, 2)
                facts = {"name": name, "compiler": compiler()[0], "flags": flags, "seconds": seconds}
                cache.write(target.with_suffix(".json"), json.dumps(facts))
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
    """The library, loaded; one that is broken (a full disk, a copied cache) is built again. torch must be imported
    before, so that both share one pool of threads. Raises BuildError."""
    path = library(text, name, defines)
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        path = library(text, name, defines, anew=True)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path.name} was built, and cannot be loaded: {error}") from error


@lru_cache(maxsize=1)
def why_not() -> str | None:
    """Why no kernel can be built on this machine; None if one can. Tries, once, on the smallest file."""
    if os.name == "nt":
        return "kernels are built for Linux and macOS only"
    try:
        text = 'extern "C" __attribute__((visibility("default"))) int celldsl_probe() { return 7; }\n'
        if load(text, "probe").celldsl_probe() != 7:
            return "a library that was built does not answer"
    except (BuildError, OSError) as error:
        return str(error)
    return None
