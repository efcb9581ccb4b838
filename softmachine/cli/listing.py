"""The commands that list what there is."""

from __future__ import annotations

import importlib.metadata
import platform

import jax
from rich.console import Console
from rich.table import Table

import softmachine
from softmachine import zoo
from softmachine.compilation_cache import VARIABLE, cache_size, use_compilation_cache
from softmachine.recipes import RECIPES
from softmachine.training.devices import use_all_cores
from softmachine.zoo.models import HOME, read_model


def list_recipes() -> None:
    """Print every recipe with its summary."""
    table = Table("recipe", "what it trains", box=None, pad_edge=False)
    for name, recipe in RECIPES.items():
        table.add_row(name, (recipe.__doc__ or "").splitlines()[0])
    Console().print(table)


def list_zoo() -> None:
    """Print every trained model that ships, and how good it is."""
    table = Table("model", "task", "error in validation", box=None, pad_edge=False)
    for name in zoo.names():
        card = read_model(HOME / f"{name}.json")["card"]
        error = f"{card['validation'][card['error']]:.3g} {card['error'].replace('_', ' ')}"
        table.add_row(f"zoo:{name}", card["task"], error)
    Console().print(table)


def print_info() -> None:
    """Print versions, devices, and where compiled programs are kept."""
    use_all_cores()
    print(f"softmachine {softmachine.__version__}")
    print(f"Python      {platform.python_version()} on {platform.platform()}")
    for package in ("jax", "jaxlib", "equinox", "optax"):
        print(f"{package:11} {importlib.metadata.version(package)}")
    for device in jax.devices():
        print(f"device      {device.platform} {device.id}: {device.device_kind}")
    use = use_compilation_cache()
    if use.directory is None:
        print(f"cache       none: {use.why_not}")
        return
    programs, size = cache_size(use.directory)
    most = jax.config.jax_compilation_cache_max_size  # pyright: ignore[reportAttributeAccessIssue]
    bound = f" of at most {most / 1e6:.0f} MB" if most >= 0 else ""
    print(f"cache       {use.directory}")
    print(f"            {programs:,} compiled programs, {size / 1e6:.1f} MB{bound}")
    print(f"            ({VARIABLE}=off keeps none, {VARIABLE}=PATH keeps them there)")
