"""The ``state_dict`` of the public PyTorch project pytorch-ntm: its keys, sizes and checks.

Nothing here knows a machine of this package or needs PyTorch: a ``state_dict`` is read into a
mapping of NumPy arrays (`read_arrays`), its sizes follow from their shapes (`infer_sizes`), and
what does not fit is named (`check_arrays`).
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

SHIFTS = 3
"""The project's convolution has no other width."""

WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every key."""

Shapes = dict[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the project calls num_inputs, num_outputs, controller_size and so on."""

    inputs: int
    outputs: int
    hidden: int
    layers: int
    pairs: int
    """Pairs of one read and one write head; the project's ``num_heads``."""
    rows: int
    columns: int

    def shapes(self) -> Shapes:
        """Return all keys of the state_dict with their shapes."""
        gates, seen = 4 * self.hidden, self.inputs + self.pairs * self.columns
        memory = (self.rows, self.columns)
        shapes: Shapes = {"memory.mem_bias": memory, "ntm.memory.mem_bias": memory}
        for part in "hc":
            shapes[f"ntm.controller.lstm_{part}_bias"] = (self.layers, 1, self.hidden)
        for i in range(self.layers):
            inputs = self.hidden if i else seen
            for name, shape in (
                ("weight_ih", (gates, inputs)),
                ("weight_hh", (gates, self.hidden)),
                ("bias_ih", (gates,)),
                ("bias_hh", (gates,)),
            ):
                shapes[f"ntm.controller.lstm.{name}_l{i}"] = shape
        read_values = self.columns + SHIFTS + 3
        for i in range(self.pairs):
            shapes[f"ntm.read{i}_bias"] = (1, self.columns)
        for i, head in enumerate(head_names(self.pairs)):
            values = read_values + (i % 2) * 2 * self.columns
            shapes[f"ntm.heads.{i}.memory.mem_bias"] = memory
            shapes[f"{head}.weight"] = (values, self.hidden)
            shapes[f"{head}.bias"] = (values,)
        shapes["ntm.fc.weight"] = (self.outputs, self.hidden + self.pairs * self.columns)
        shapes["ntm.fc.bias"] = (self.outputs,)
        return shapes


def head_names(pairs: int) -> list[str]:
    """Return the keys of the heads' layers: read, write, read, write, ..."""
    return [f"ntm.heads.{i}.{'fc_write' if i % 2 else 'fc_read'}" for i in range(2 * pairs)]


def read_arrays(source: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a module or a state_dict, without the names of wrappers."""
    if isinstance(source, str | os.PathLike):
        raise ValueError(
            f"expected a pytorch-ntm model or its state_dict, not the path "
            f"{os.fspath(source)!r}: read it with "
            "torch.load(path, map_location='cpu', weights_only=True)"
        )
    state_dict = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(state_dict, Mapping):
        raise ValueError(
            f"expected a pytorch-ntm model or its state_dict, not {type(source).__name__}"
        )
    named = {str(key): value for key, value in state_dict.items()}
    inside = [key for key, value in named.items() if isinstance(value, Mapping)]
    if inside:
        raise ValueError(
            f"expected the state_dict of a pytorch-ntm model, not a checkpoint that holds "
            f"others: take its entry {inside[0]!r}"
        )
    arrays = {key: _array(key, value) for key, value in named.items()}
    while arrays:
        wrapper = next((w for w in WRAPPERS if all(key.startswith(w) for key in arrays)), None)
        if wrapper is None:
            break
        arrays = {key.removeprefix(wrapper): array for key, array in arrays.items()}
    return arrays


def _array(key: str, value: Any) -> np.ndarray:
    """Return a tensor's or an array's numbers; NumPy itself has no bfloat16, JAX has."""
    if not hasattr(value, "detach"):
        array = np.asarray(value)
    elif str(value.dtype) == "torch.bfloat16":
        array = value.detach().cpu().float().numpy().astype(jnp.bfloat16)
    else:
        array = value.detach().cpu().numpy()
    if array.dtype == object:
        raise ValueError(f"{key!r} holds a {type(value).__name__}, expected an array")
    return array


def infer_sizes(arrays: Mapping[str, np.ndarray]) -> Sizes:
    """Return the sizes of a model; ValueError if a key that tells them lacks or misfits."""

    def shape(key: str, *axes: str) -> tuple[int, ...]:
        if key not in arrays:
            raise ValueError(f"this state_dict of pytorch-ntm lacks {key!r}")
        found = arrays[key].shape
        if len(found) != len(axes):
            raise ValueError(f"{key!r} has shape {found}, expected ({', '.join(axes)})")
        return found

    rows, columns = shape("ntm.memory.mem_bias", "rows", "columns")
    layers, _, hidden = shape("ntm.controller.lstm_h_bias", "layers", "1", "hidden")
    _, seen = shape("ntm.controller.lstm.weight_ih_l0", "4 * hidden", "inputs + reads")
    (outputs,) = shape("ntm.fc.bias", "outputs")
    shape("ntm.read0_bias", "1", "columns")
    pairs = next(i for i in itertools.count() if f"ntm.read{i}_bias" not in arrays)
    if seen <= pairs * columns:
        raise ValueError(
            f"'ntm.controller.lstm.weight_ih_l0' has {seen} columns, expected more than the "
            f"{pairs * columns} for reads ({pairs} 'ntm.read*_bias' of {columns})"
        )
    return Sizes(
        inputs=seen - pairs * columns,
        outputs=outputs,
        hidden=hidden,
        layers=layers,
        pairs=pairs,
        rows=rows,
        columns=columns,
    )


def check_arrays(arrays: Mapping[str, np.ndarray], shapes: Shapes) -> None:
    """Raise ValueError unless these are arrays of these shapes, of one type, and no others."""
    for key, shape in shapes.items():
        if key not in arrays:
            raise ValueError(f"this state_dict of pytorch-ntm lacks {key!r}")
        array = arrays[key]
        if array.shape != shape:
            raise ValueError(f"{key!r} has shape {array.shape}, expected {shape}")
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(f"{key!r} has type {array.dtype}, expected floating point")
        if key.endswith("mem_bias") and not np.array_equal(array, arrays["memory.mem_bias"]):
            raise ValueError(f"{key!r} differs from 'memory.mem_bias', expected the same array")
    dtype = arrays["ntm.fc.bias"].dtype
    other = next((key for key in shapes if arrays[key].dtype != dtype), None)
    if other is not None:
        raise ValueError(
            f"{other!r} has type {arrays[other].dtype}, 'ntm.fc.bias' has {dtype}: expected "
            "one type for all"
        )
    unknown = sorted(set(arrays) - set(shapes))
    if unknown:
        raise ValueError(
            f"this state_dict holds {unknown[0]!r}, which no pytorch-ntm of its sizes has "
            f"(pairs of heads: {len([key for key in shapes if key.startswith('ntm.read')])})"
        )
