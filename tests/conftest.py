"""Shared set-up: two CPU devices, and every annotated shape checked."""

import os
import subprocess
import sys
import tempfile

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# The tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "XLA_FLAGS" not in os.environ:
    # Halves the time to compile. XLA aborts on a flag that it does not know: ask it first.
    _flags = {"XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false"}
    _asked = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        env=os.environ | _flags,
        capture_output=True,
        check=False,
    )
    os.environ |= _flags if _asked.returncode == 0 else {"XLA_FLAGS": ""}
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # One cache for all workers and for the processes that tests start.
    _cache = tempfile.TemporaryDirectory(prefix="softmachine-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

from jaxtyping import install_import_hook

_hook = install_import_hook("softmachine", "beartype.beartype")
