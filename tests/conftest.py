"""Shared set-up: two CPU devices, and every annotated shape checked."""

import os

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# The tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

from jaxtyping import install_import_hook

_hook = install_import_hook("softmachine", "beartype.beartype")
