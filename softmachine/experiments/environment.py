"""The software versions and the hardware of a computation, for its records."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

import softmachine
from softmachine.core import native


def describe_environment() -> dict[str, Any]:
    """Return date, versions, commit and hardware, as a JSON value."""
    devices, made_with = jax.devices(), native.use()
    in_c = made_with.compiler is not None and devices[0].platform == "cpu"
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "softmachine": softmachine.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "jax": importlib.metadata.version("jax"),
        "hardware": cpu_model() if devices[0].platform == "cpu" else devices[0].device_kind,
        "platform": devices[0].platform,
        "devices": len(devices),
        "cores": os.cpu_count(),
        "steps_in_c": made_with.version if in_c else None,
    }


def commit() -> str | None:
    """Return the commit of a development checkout; None for an installed package.

    It ends with ``-dirty`` if the working tree has been changed since.
    """
    package = Path(softmachine.__file__).parent
    if not (package.parent / ".git").exists():
        return None
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True,
            check=True,
            text=True,
            cwd=package,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def cpu_model() -> str:
    """Return the model name of the CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
