"""Shared set-up: two CPU devices, and every annotated shape checked."""

import os
import tempfile

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# The tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # One cache for all workers and for the processes that tests start.
    _cache = tempfile.TemporaryDirectory(prefix="softmachine-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

from jaxtyping import install_import_hook

_hook = install_import_hook("softmachine", "beartype.beartype")
