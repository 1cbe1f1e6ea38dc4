"""Versions of the packages that the library uses, and the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, requires, version

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables that limit the threads of numerical libraries."""


def show_versions() -> None:
    """Print the versions of Python, this library and the packages it can use, the platform, threads and cards.

    For a report of an error. None of the packages is imported.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    python ...
    dataaudit ...
    cards ...
    """
    limits = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    lines = {
        "python": platform.python_version(),
        "dataaudit": version("dataaudit"),
        **{package: _version(package) for package in _packages()},
        "platform": f"{platform.platform()}, {platform.machine()}",
        "threads": ", ".join([f"{cores()} cores", *limits]),
        "cards": _cards(),
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")


def _packages() -> list[str]:
    """Packages that the library needs or can use, as its metadata say; not those of its development."""
    wanted = [line for line in requires("dataaudit") or [] if not re.search(r"extra == .(dev|bench)", line)]
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted]
    return list(dict.fromkeys(name for name in names if name != "dataaudit"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cards() -> str:
    """Names, memory and driver of NVIDIA's cards, as their own tool tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "none (no nvidia-smi)"
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    output = done.stdout if done.returncode == 0 else done.stderr or done.stdout
    return "; ".join(output.splitlines()) or "none"
