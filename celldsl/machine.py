"""What this machine is: processor, memory of instructions, compilers, accelerators, versions.

Facts for reports and for `celldsl doctor`; nothing here names the machine or its user. torch is imported only by the
functions that ask it.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

WIDE = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile", "neon", "asimd", "sve")
COMPILERS = ("c++", "g++", "clang++", "icpx")


def processor() -> str:
    """The processor's own name, or the architecture where the system does not tell."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cpu_features() -> tuple[str, ...]:
    """The vector instructions that kernels care about; empty where the system does not tell."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            present = set(line.split(":", 1)[1].split())
            return tuple(name for name in WIDE if name in present)
    return ()


def cores() -> int:
    """The processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def compiler() -> str | None:
    """The C++ compiler that would be used, with its version, or None."""
    for name in (os.environ.get("CXX"), *COMPILERS):
        path = shutil.which(name) if name else None
        if path is None:
            continue
        try:
            told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        return told.stdout.partition("\n")[0].strip() or Path(path).name
    return None


def version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(*packages: str) -> dict[str, str]:
    """The versions of celldsl, Python and the packages that are installed."""
    from celldsl.version import __version__

    found = {"celldsl": __version__, "python": platform.python_version()}
    return found | {name: told for name in packages if (told := version(name))}


def describe() -> dict[str, Any]:
    """What a measurement must be read with: versions, processor, cores, threads, accelerator."""
    import torch

    told: dict[str, Any] = {
        "versions": versions("torch", "lightning", "numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "features": list(cpu_features()),
        "cores": cores(),
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        told["gpu"] = torch.cuda.get_device_name()
    return told


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
