"""One step of a machine as ONNX, for programs without Python, and checked against the machine.

The extra ``onnx`` brings what this needs: jax2onnx, and ONNX Runtime for the check.
"""

from __future__ import annotations

import importlib
import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from softmachine.core.errors import SoftmachineError, with_article
from softmachine.core.files import replacing
from softmachine.machines.machine import Cell, Machine
from softmachine.machines.sequence_cell import SequenceCell

OPSET = 21
"""The version of ONNX's operators; every runtime since 2024 knows them."""
TOLERANCE = 1e-5
"""How far a number may be from the machine's own."""
CHECKED = 8
"""How many steps are compared, each from the state that the one before left."""
SPREAD = 4.0
"""The compared inputs are uniform in -SPREAD..SPREAD, every other one a vector of bits."""


class Exported(NamedTuple):
    """An ONNX file of a machine's step."""

    path: Path
    inputs: tuple[str, ...]
    """The names of the graph's inputs: the parts of a state, then ``x``, one step's input."""
    outputs: tuple[str, ...]
    """Those of its outputs: ``next_`` and a part of the state for each, then ``output``."""
    first: dict[str, np.ndarray]
    """The state before the first step, by the names of the inputs."""
    off: float
    """The largest difference from the machine over the compared steps."""


def export_onnx(machine: Machine, path: str | Path) -> Exported:
    """Write one step of a machine as an ONNX file, and compare it with the machine.

    The graph takes a state and one step's input and gives the next state and the output; the
    parameters are in it. The state before the first step stands in the file's metadata, as
    JSON, and comes back as `Exported.first`.

    Raises SoftmachineError, naming what it is, for a machine that has no step of its own or
    draws at random, for operations that cannot be exported, and if the results differ by more
    than 1e-5; then no file is written. Also if the extra is missing.
    """
    name = type(machine).__name__
    step, first, x = _step(machine, name)
    to_onnx, onnx, runtime = _libraries()
    names = (*first, "x")
    results = (*(f"next_{part}" for part in first), "output")
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (*first.values(), x)]
    log = logging.getLogger("onnx_ir")  # it warns of values that it can do without
    level = log.level
    try:
        log.setLevel(logging.ERROR)
        made = to_onnx(
            step,
            inputs=shapes,
            input_names=names,
            output_names=results,
            model_name=f"{name} step",
            opset=OPSET,
        )
    except Exception as error:  # whatever it does with an operation that it does not know
        raise SoftmachineError(
            f"a step of {with_article(name)} has no ONNX form: {_reason(error)}"
        ) from error
    finally:
        log.setLevel(level)
    _describe(onnx, made, first)
    content = made.SerializeToString()
    off = _compare(runtime, content, step, first, x)
    if not off <= TOLERANCE:
        raise SoftmachineError(
            f"the ONNX form of {with_article(name)} differs from it by {off:.2g}, more than "
            f"{TOLERANCE:g}: no file is written"
        )
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)
    return Exported(Path(path), names, results, first, off)


def _libraries() -> tuple[Any, Any, Any]:
    try:
        modules = [importlib.import_module(x) for x in ("jax2onnx", "onnx", "onnxruntime")]
    except ImportError as error:
        raise SoftmachineError(
            f"ONNX needs {error.name}: pip install 'softmachine[onnx]'"
        ) from error
    return modules[0].to_onnx, modules[1], modules[2]


def _step(machine: Machine, name: str) -> tuple[Any, dict[str, np.ndarray], np.ndarray]:
    """Return a step on arrays, the first state by its parts' names, and an input of zeros."""
    if not isinstance(machine, Cell) or isinstance(machine, SequenceCell):
        raise SoftmachineError(
            f"{with_article(name)} sees a whole sequence at once: it has no step that ONNX "
            "could hold"
        )
    shape = machine.input_shape()
    if shape is None or shape[0] != "steps":
        raise SoftmachineError(
            f"{with_article(name)} has no input per step; what it has learned can be had as a "
            "program (softmachine program)"
        )
    x = jnp.zeros([int(width) for width in shape[1:]], jnp.float32)
    try:
        state = machine.init_state(x[None])
        jax.eval_shape(machine.step, state, x)
    except ValueError as error:
        raise SoftmachineError(
            f"{with_article(name)} needs more than a state and an input: {error}"
        ) from error
    leaves = jax.tree_util.tree_leaves_with_path(state)
    structure = jax.tree.structure(state)

    def step(*arrays: Any) -> tuple[Any, ...]:
        after, output = machine.step(jax.tree.unflatten(structure, arrays[:-1]), arrays[-1])
        return (*jax.tree.leaves(after), *jax.tree.leaves(output))

    first = {
        jax.tree_util.keystr(path, simple=True, separator="_") or "state": np.asarray(leaf)
        for path, leaf in leaves
    }
    return step, first, np.asarray(x)


def _describe(onnx: Any, made: Any, first: dict[str, np.ndarray]) -> None:
    state = {name: array.tolist() for name, array in first.items()}
    onnx.helper.set_model_props(made, {"softmachine_first_state": json.dumps(state)})


def _compare(
    runtime: Any, content: bytes, step: Any, first: dict[str, np.ndarray], x: np.ndarray
) -> float:
    """Return how far ONNX Runtime is from the machine, over some steps."""
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng, off = np.random.default_rng(0), 0.0
    ours = theirs = [*first.values()]
    for number in range(CHECKED):
        drawn = rng.uniform(-SPREAD, SPREAD, x.shape)
        given = (drawn if number % 2 else drawn > 0).astype(np.float32)
        *ours, output = map(np.asarray, step(*map(jnp.asarray, (*ours, given))))
        feeds = dict(zip((*first, "x"), [*theirs, given], strict=True))
        *theirs, answer = session.run(None, feeds)
        pairs = zip([*ours, output], [*theirs, answer], strict=True)
        gaps = [np.max(np.abs(a.astype(float) - b), initial=0) for a, b in pairs]
        off = max([off, *gaps]) if np.isfinite(gaps).all() else float("inf")
    return float(off)


def _reason(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text[:200]
