"""Parameters to and from the public PyTorch project pytorch-ntm.

The project (github.com/loudinthecloud/pytorch-ntm) keeps an ``EncapsulatedNTM`` as its
``state_dict``. Here that is a mapping of NumPy arrays: nothing in this module needs
PyTorch. The preset "pytorch-ntm" of `NTM_PRESETS` makes the machine compute what the
project computes; its outputs are the sigmoids of ours.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from softmachine.machines.machine import Buffer
from softmachine.machines.ntm.heads import head_value_sizes
from softmachine.machines.ntm.ntm import NTM, NTMConfig
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.ntm.pytorch_state_dict import (
    Sizes,
    check_arrays,
    head_names,
    infer_sizes,
    read_arrays,
)
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.layers import LSTM
from softmachine.machines.parts.linear import Linear, LoopLinear

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
    arrays = read_arrays(source)
    sizes = infer_sizes(arrays)
    check_arrays(arrays, sizes.shapes())
    config = _config(sizes)
    head_rows = _head_rows(config)
    lower = (sizes.layers - 1) * sizes.hidden
    bias = np.zeros(sum(map(len, head_rows)), arrays["ntm.fc.bias"].dtype)
    weight = np.zeros((len(bias), lower + sizes.hidden), bias.dtype)
    for name, rows in zip(head_names(sizes.pairs), head_rows, strict=True):
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
        inputs=controller.input_size,
        outputs=len(machine.output.weight),
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
    for name, rows in zip(head_names(sizes.pairs), _head_rows(config), strict=True):
        arrays |= {f"{name}.weight": weight[rows, lower:], f"{name}.bias": bias[rows]}
    arrays |= {"ntm.fc.weight": output[:, lower:], "ntm.fc.bias": machine.output.bias}
    # PyTorch takes no bfloat16 from NumPy; load_state_dict casts back what it copies.
    dtype = np.float32 if bias.dtype == jnp.bfloat16 else bias.dtype
    # Arrays of their own, in C order and writable: torch.from_numpy keeps what it is given.
    return {key: np.array(arrays[key], dtype, order="C") for key in sizes.shapes()}


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


# --- what does not fit --------------------------------------------------------------------


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
