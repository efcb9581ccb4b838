"""Parameters to and from the public PyTorch project pytorch-ntm.

The project (github.com/loudinthecloud/pytorch-ntm) keeps an ``EncapsulatedNTM`` as its
``state_dict``. Here that is a mapping of NumPy arrays: nothing in this module needs
PyTorch. The preset "pytorch-ntm" of `NTM_PRESETS` makes the machine compute what the
project computes; its outputs are the sigmoids of ours.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from softmachine.machines.machine import Buffer
from softmachine.machines.ntm.ntm import NTM, NTM_PRESETS, NTMConfig, head_value_sizes
from softmachine.machines.parts.controllers import LSTM, ControllerConfig
from softmachine.machines.parts.linear import Linear, LoopLinear

SHIFTS = 3
"""The project's convolution has no other width."""

FREE_FIELDS = (
    "controller",
    "memory_rows",
    "memory_columns",
    "read_heads",
    "write_heads",
    "write_composition",  # implied by the order
    "initial_memory_range",  # the memory is drawn already
)
"""Fields of `NTMConfig` in which a machine may differ from the preset."""

FREE_CONTROLLER_FIELDS = (
    "hidden",
    "layers",
    "forget_bias",  # the bias is drawn already
    "activation",  # of other controllers
)
"""The same for its `ControllerConfig`."""

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
        for i, head in enumerate(_head_names(self.pairs)):
            values = read_values + (i % 2) * 2 * self.columns
            shapes[f"ntm.heads.{i}.memory.mem_bias"] = memory
            shapes[f"{head}.weight"] = (values, self.hidden)
            shapes[f"{head}.bias"] = (values,)
        shapes["ntm.fc.weight"] = (self.outputs, self.hidden + self.pairs * self.columns)
        shapes["ntm.fc.bias"] = (self.outputs,)
        return shapes


def from_pytorch_ntm(source: Any) -> NTM:
    """Return the NTM that computes what a pytorch-ntm model computes.

    The two biases of each LSTM layer become one, their sum. Upper layers of an LSTM see
    nothing but the layer below, and heads and outputs see the uppermost alone: their
    weights for everything else are zero here, and stay zero only until trained.

    Arguments:
        source: an ``EncapsulatedNTM``, or its ``state_dict()``: tensors, on any device, that
            may want gradients, or arrays. It may be wrapped in DataParallel or by
            torch.compile. All sizes follow from the shapes.

    Returns:
        A machine with the choices of the preset "pytorch-ntm", in the type of the parameters.
        Its outputs are logits.

    Raises:
        ValueError: this is no model of the project, or one of other parts: a key is missing,
            unknown, or holds something else than an array of its shape.
    """
    arrays = _read(source)
    sizes = _infer_sizes(arrays)
    _check_arrays(arrays, sizes.shapes())
    config = _config(sizes)
    head_rows = _head_rows(config)
    lower = (sizes.layers - 1) * sizes.hidden
    bias = np.zeros(sum(map(len, head_rows)), arrays["ntm.fc.bias"].dtype)
    weight = np.zeros((len(bias), lower + sizes.hidden), bias.dtype)
    for name, rows in zip(_head_names(sizes.pairs), head_rows, strict=True):
        weight[rows, lower:] = arrays[f"{name}.weight"]
        bias[rows] = arrays[f"{name}.bias"]
    reads = [arrays[f"ntm.read{i}_bias"] for i in range(sizes.pairs)]
    output = np.pad(arrays["ntm.fc.weight"], ((0, 0), (lower, 0)))
    return NTM(
        controller=_controller_from(arrays, sizes),
        heads=LoopLinear(jnp.asarray(weight), jnp.asarray(bias)),
        output=Linear(jnp.asarray(output), jnp.asarray(arrays["ntm.fc.bias"])),
        initial_memory=Buffer(jnp.asarray(arrays["ntm.memory.mem_bias"].T)),
        initial_weightings=None,
        initial_reads=Buffer(jnp.asarray(np.concatenate(reads))),
        config=config,
    )


def to_pytorch_ntm(machine: NTM) -> dict[str, np.ndarray]:
    """Return a machine as a ``state_dict`` of pytorch-ntm, in NumPy arrays.

    In the type of its parameters, float32 for bfloat16. Made into tensors, it is what
    ``EncapsulatedNTM.load_state_dict`` takes. Each LSTM bias is divided evenly between the
    project's two, as its own training leaves them.

    Raises:
        ValueError: the project has no such machine; names the field that differs.
    """
    config, controller = machine.config, machine.controller
    _check_config(config)
    assert isinstance(controller, LSTM)
    assert isinstance(machine.initial_memory, Buffer)
    assert isinstance(machine.initial_reads, Buffer)
    sizes = Sizes(
        inputs=controller.from_input.weight.shape[1],
        outputs=len(machine.output.bias),
        hidden=config.controller.hidden,
        layers=config.controller.layers,
        pairs=config.read_heads,
        rows=config.memory_rows,
        columns=config.memory_columns,
    )
    lower = (sizes.layers - 1) * sizes.hidden
    weight, bias = np.asarray(machine.heads.weight), np.asarray(machine.heads.bias)
    output = np.asarray(machine.output.weight)
    for name, block in (("heads", weight), ("output", output)):
        _require_zero(block[:, :lower], f"the {name} layer sees lower layers of the controller")
    memory, reads = machine.initial_memory.array.T, machine.initial_reads.array
    arrays = _controller_to(controller, sizes)
    arrays |= {key: memory for key in sizes.shapes() if key.endswith("mem_bias")}
    arrays |= {f"ntm.read{i}_bias": read[None] for i, read in enumerate(reads)}
    for name, rows in zip(_head_names(sizes.pairs), _head_rows(config), strict=True):
        arrays |= {f"{name}.weight": weight[rows, lower:], f"{name}.bias": bias[rows]}
    arrays |= {"ntm.fc.weight": output[:, lower:], "ntm.fc.bias": machine.output.bias}
    # PyTorch takes no bfloat16 from NumPy; load_state_dict casts back what it copies.
    dtype = np.float32 if bias.dtype == jnp.bfloat16 else bias.dtype
    # Arrays of their own, in C order and writable: torch.from_numpy keeps what it is given.
    return {key: np.array(arrays[key], dtype, order="C") for key in sizes.shapes()}


def _head_names(pairs: int) -> list[str]:
    """Return the keys of the heads' layers: read, write, read, write, ..."""
    return [f"ntm.heads.{i}.{'fc_write' if i % 2 else 'fc_read'}" for i in range(2 * pairs)]


def _head_rows(config: NTMConfig) -> list[np.ndarray]:
    """Return, for each of the project's heads, which rows of our layer hold its values.

    The project has, per head: key, strength, gate, shifts, sharpening, then erase and add.
    Its first shift moves away from row 0, ours towards it.
    """
    sizes = head_value_sizes(config)
    parts = np.split(np.arange(sum(sizes)), list(itertools.accumulate(sizes[:-1])))
    readers, writers = config.read_heads, config.write_heads
    keys, strengths, sharpenings, gates, shifts = (
        part.reshape(readers + writers, -1) for part in parts[:5]
    )
    erases, adds = (part.reshape(writers, -1) for part in parts[5:])
    rows = []
    for i in range(readers):
        for head in (i, readers + i):
            values = [keys, strengths, gates, shifts[:, ::-1], sharpenings]
            rows.append([value[head] for value in values])
        rows[-1] += [erases[i], adds[i]]
    return [np.concatenate(row) for row in rows]


def _config(sizes: Sizes) -> NTMConfig:
    bound = (sizes.rows + sizes.columns) ** -0.5
    return dataclasses.replace(
        NTM_PRESETS["pytorch-ntm"],
        controller=ControllerConfig(hidden=sizes.hidden, layers=sizes.layers),
        memory_rows=sizes.rows,
        memory_columns=sizes.columns,
        read_heads=sizes.pairs,
        write_heads=sizes.pairs,
        initial_memory_range=(-bound, bound),
    )


# --- the LSTM: its gates are input, forget, candidate, output; ours end with the candidate -


def _controller_from(arrays: Mapping[str, np.ndarray], sizes: Sizes) -> LSTM:
    from_input, biases, recurrent = [], [], []
    feedback = sizes.pairs * sizes.columns
    for i in range(sizes.layers):
        weight, own, bias, other_bias = (
            _swap_last_gates(arrays[f"ntm.controller.lstm.{name}_l{i}"])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        if i:
            weight = np.pad(weight, ((0, 0), (sizes.inputs + feedback, 0)))
        from_input.append(weight[:, : sizes.inputs])
        seen = np.concatenate([weight[:, sizes.inputs :], own], axis=1)
        recurrent.append(LoopLinear(jnp.asarray(seen), None))
        biases.append(bias + other_bias)
    initial = [arrays[f"ntm.controller.lstm_{part}_bias"][:, 0] for part in "hc"]
    return LSTM(
        from_input=Linear(
            jnp.asarray(np.concatenate(from_input)), jnp.asarray(np.concatenate(biases))
        ),
        recurrent=tuple(recurrent),
        initial=jnp.asarray(np.stack(initial)),
        output_size=sizes.layers * sizes.hidden,
    )


def _controller_to(controller: LSTM, sizes: Sizes) -> dict[str, np.ndarray]:
    arrays = {}
    from_input = np.split(np.asarray(controller.from_input.weight), sizes.layers)
    biases = np.split(np.asarray(controller.from_input.bias), sizes.layers)
    feedback = sizes.pairs * sizes.columns
    for i, layer in enumerate(controller.recurrent):
        weight, own = np.split(np.asarray(layer.weight), [-sizes.hidden], axis=1)
        if i:
            _require_zero(from_input[i], f"layer {i} of the controller sees the input")
            _require_zero(weight[:, :feedback], f"layer {i} of the controller sees the reads")
            weight = weight[:, feedback:]
        else:
            weight = np.concatenate([from_input[i], weight], axis=1)
        for name, array in (
            ("weight_ih", weight),
            ("weight_hh", own),
            ("bias_ih", biases[i] / 2),
            ("bias_hh", biases[i] / 2),
        ):
            arrays[f"ntm.controller.lstm.{name}_l{i}"] = _swap_last_gates(array)
    for part, initial in zip("hc", np.asarray(controller.initial), strict=True):
        arrays[f"ntm.controller.lstm_{part}_bias"] = initial[:, None]
    return arrays


def _swap_last_gates(array: np.ndarray) -> np.ndarray:
    """Exchange the third and the fourth quarter of the rows."""
    first, second, third, fourth = np.split(array, 4)
    return np.concatenate([first, second, fourth, third])


# --- from PyTorch's objects to arrays -----------------------------------------------------


def _read(source: Any) -> dict[str, np.ndarray]:
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


# --- what does not fit --------------------------------------------------------------------


def _infer_sizes(arrays: Mapping[str, np.ndarray]) -> Sizes:
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


def _check_arrays(arrays: Mapping[str, np.ndarray], shapes: Shapes) -> None:
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


def _check_config(config: NTMConfig) -> None:
    preset = NTM_PRESETS["pytorch-ntm"]
    _check_fields(config, preset, FREE_FIELDS, "")
    _check_fields(config.controller, preset.controller, FREE_CONTROLLER_FIELDS, "controller.")
    if config.read_heads != config.write_heads:
        raise ValueError(
            f"pytorch-ntm needs as many write_heads as read_heads, this NTM has "
            f"{config.write_heads} and {config.read_heads}"
        )


def _check_fields(
    config: NTMConfig | ControllerConfig,
    preset: NTMConfig | ControllerConfig,
    free: tuple[str, ...],
    prefix: str,
) -> None:
    for name in (field.name for field in dataclasses.fields(config)):
        found, expected = getattr(config, name), getattr(preset, name)
        if name not in free and found != expected:
            raise ValueError(
                f"pytorch-ntm needs {prefix}{name}={expected!r}, this NTM has {found!r}"
            )


def _require_zero(block: np.ndarray, what: str) -> None:
    if np.any(block):
        raise ValueError(f"{what}, which none of pytorch-ntm does: its weights must be zero")
