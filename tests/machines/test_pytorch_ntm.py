"""Parameters of pytorch-ntm: its own outputs, there and back, and what does not fit.

The golden file holds small models of the project as its code made them, random inputs, and
what it computed: ``benchmarks/agreement.py --peer pytorch-ntm=PATH --golden FILE`` wrote it
with commit 3c64937 and PyTorch 2.13.0. Some of their rows are near zero, and one head
sharpens so much that flat weightings lose their sum.
"""

import dataclasses
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.machine import Buffer, parameter_count
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.ntm.pytorch_ntm import from_pytorch_ntm, to_pytorch_ntm
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.running.loop import run_batch

GOLDEN = Path(__file__).with_name("pytorch_ntm_golden.npz")
NAMES = ["one pair", "two pairs", "two layers"]
LSTM_KEY = "ntm.controller.lstm."


def golden(name):
    """Return the state_dict, inputs (B, T, I) and outputs (B, T, O) of a model."""
    with np.load(GOLDEN) as file:
        prefix = f"{name}/state_dict/"
        state_dict = {
            key.removeprefix(prefix): file[key] for key in file if key.startswith(prefix)
        }
        return state_dict, file[f"{name}/inputs"], file[f"{name}/outputs"]


@eqx.filter_jit
def outputs_of(machine, inputs):
    steps = inputs.shape[1]
    return jax.nn.sigmoid(run_batch(machine, inputs, steps=steps, max_steps=steps))


def with_config(machine, **changes):
    return dataclasses.replace(machine, config=dataclasses.replace(machine.config, **changes))


def preset(**changes):
    return dataclasses.replace(
        NTM_PRESETS["pytorch-ntm"],
        **(
            dict(controller=ControllerConfig(hidden=5), memory_rows=6, memory_columns=4)
            | changes
        ),
    )


# --- the same outputs ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_project_s(name):
    state_dict, inputs, expected = golden(name)
    machine = from_pytorch_ntm(state_dict)
    np.testing.assert_allclose(outputs_of(machine, inputs), expected, atol=1e-6)
    called = jax.nn.sigmoid(eqx.filter_jit(machine)(jnp.asarray(inputs[0])))
    np.testing.assert_allclose(called, expected[0], atol=1e-6)


def test_the_golden_models_need_the_preset_s_small_constants():
    for name, change in (
        ("two pairs", dict(similarity_smoothing=1e-6)),
        ("one pair", dict(sharpening_smoothing=0.0)),
    ):
        state_dict, inputs, expected = golden(name)
        machine = with_config(from_pytorch_ntm(state_dict), **change)
        assert np.abs(outputs_of(machine, inputs) - expected).max() > 1e-5


def test_sizes_follow_from_the_shapes():
    state_dict, _, _ = golden("two layers")
    config = from_pytorch_ntm(state_dict).config
    assert config == dataclasses.replace(
        NTM_PRESETS["pytorch-ntm"],
        controller=ControllerConfig(hidden=6, layers=2),
        memory_rows=8,
        memory_columns=4,
        read_heads=2,
        write_heads=2,
        initial_memory_range=(-(12**-0.5), 12**-0.5),
    )


@pytest.mark.parametrize("name", NAMES)
def test_first_memory_and_reads_are_never_trained(name):
    state_dict, _, _ = golden(name)
    machine = from_pytorch_ntm(state_dict)
    assert isinstance(machine.initial_memory, Buffer)
    assert isinstance(machine.initial_reads, Buffer)
    if "layers" not in name:
        trained = [
            array.size
            for key, array in state_dict.items()
            if not key.endswith("mem_bias") and not key.startswith("ntm.read")
        ]
        other_biases = state_dict[LSTM_KEY + "bias_hh_l0"].size
        assert parameter_count(machine) == sum(trained) - other_biases


# --- there and back -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_model_comes_back_exactly(name):
    """Given equal LSTM biases, as the project's training leaves them."""
    state_dict, _, _ = golden(name)
    for key in [key for key in state_dict if "bias_hh" in key]:
        state_dict[key] = state_dict[key.replace("bias_hh", "bias_ih")]
    written = to_pytorch_ntm(from_pytorch_ntm(state_dict))
    assert written.keys() == state_dict.keys()
    for key, array in written.items():
        np.testing.assert_array_equal(array, state_dict[key], err_msg=key)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_unequal_biases_come_back_as_their_mean(name):
    state_dict, _, _ = golden(name)
    written = to_pytorch_ntm(from_pytorch_ntm(state_dict))
    for key, array in written.items():
        if "bias_hh" not in key and "bias_ih" not in key:
            np.testing.assert_array_equal(array, state_dict[key], err_msg=key)
    pair = [f"{LSTM_KEY}bias_{kind}_l0" for kind in ("ih", "hh")]
    mean = (state_dict[pair[0]] + state_dict[pair[1]]) / 2
    for key in pair:
        np.testing.assert_array_equal(written[key], mean)


@pytest.mark.parametrize("pairs", [1, 3])
def test_a_machine_comes_back_exactly(pairs):
    config = preset(read_heads=pairs, write_heads=pairs, initial_memory_range=(-1.0, 1.0))
    machine = eqx.filter_jit(config.build)(3, 2, key=jax.random.key(0))
    back = from_pytorch_ntm(to_pytorch_ntm(machine))
    assert eqx.tree_equal(with_config(back, initial_memory_range=(-1.0, 1.0)), machine)


def test_parts_share_no_array():
    """A caller may write into one without changing another."""
    written = list(to_pytorch_ntm(from_pytorch_ntm(golden("two pairs")[0])).values())
    for i, array in enumerate(written):
        assert not any(np.shares_memory(array, other) for other in written[:i])


# --- what does not fit --------------------------------------------------------------------


def without(key):
    return lambda arrays: arrays.pop(key)


def put(key, value):
    return lambda arrays: arrays.update({key: value})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (dict.clear, "lacks 'ntm.memory.mem_bias'"),
        (without("memory.mem_bias"), "lacks 'memory.mem_bias'"),
        (without("ntm.heads.3.fc_write.bias"), "lacks 'ntm.heads.3.fc_write.bias'"),
        (without("ntm.read0_bias"), "lacks 'ntm.read0_bias'"),
        (
            put("ntm.memory.mem_bias", np.zeros(9, np.float32)),
            r"'ntm.memory.mem_bias' has shape \(9,\), expected \(rows, columns\)",
        ),
        (
            put("ntm.heads.0.fc_read.weight", np.zeros((14, 7), np.float32)),
            r"'ntm.heads.0.fc_read.weight' has shape \(14, 7\), expected \(12, 7\)",
        ),
        (
            put("ntm.fc.bias", np.zeros(3, np.float32)),
            r"'ntm.fc.weight' has shape \(2, 19\), expected \(3, 19\)",
        ),
        (
            put(LSTM_KEY + "weight_ih_l0", np.zeros((28, 12), np.float32)),
            "weight_ih_l0' has 12 columns, expected more than the 12 for reads",
        ),
        (
            put("ntm.heads.2.memory.mem_bias", np.ones((9, 6), np.float32)),
            "'ntm.heads.2.memory.mem_bias' differs from 'memory.mem_bias'",
        ),
        (
            put("ntm.fc.bias", np.zeros(2, np.int64)),
            "'ntm.fc.bias' has type int64, expected floating point",
        ),
        (put("module.extra", np.zeros(2, np.float32)), "holds 'module.extra', which no"),
        (
            put("ntm.read1_bias", np.zeros((1, 6), np.float16)),
            "'ntm.read1_bias' has type float16, 'ntm.fc.bias' has float32: expected one type",
        ),
        (put("ntm.fc.bias", None), "'ntm.fc.bias' holds a NoneType, expected an array"),
        (
            lambda arrays: arrays.update(model={"a": np.zeros(2)}, epoch=3),
            "not a checkpoint that holds others: take its entry 'model'",
        ),
    ],
)
def test_other_state_dicts_are_refused(spoil, message):
    state_dict, _, _ = golden("two pairs")
    spoil(state_dict)
    with pytest.raises(ValueError, match=message):
        from_pytorch_ntm(state_dict)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("copy-task.model", r"the path 'copy-task.model': read it with torch\.load\("),
        (Path("a") / "b.model", r"its state_dict, not the path 'a.b\.model': read it with"),
        (None, "expected a pytorch-ntm model or its state_dict, not NoneType"),
        ([1.0], "expected a pytorch-ntm model or its state_dict, not list"),
    ],
)
def test_what_is_no_model_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        from_pytorch_ntm(source)


# --- what PyTorch hands out ---------------------------------------------------------------


class Tensor:
    """As much of a tensor as is asked for: numbers come out in one order of calls alone."""

    def __init__(self, array, dtype="torch.float32", state=("gradient", "gpu")):
        self.array, self.dtype, self.state = array, dtype, state

    def detach(self):
        return Tensor(self.array, self.dtype, tuple(s for s in self.state if s != "gradient"))

    def cpu(self):
        return Tensor(self.array, self.dtype, tuple(s for s in self.state if s != "gpu"))

    def float(self):
        return Tensor(self.array.astype(np.float32), "torch.float32", self.state)

    def numpy(self):
        if self.state or self.dtype == "torch.bfloat16":
            raise RuntimeError(f"no numbers of a {self.dtype} tensor with {self.state}")
        return self.array

    def __array__(self, dtype=None, copy=None):
        del dtype, copy
        return self.numpy()


class Module:
    """An object with a state_dict."""

    def __init__(self, tensors):
        self.tensors = tensors

    def state_dict(self):
        return self.tensors


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module."])
def test_tensors_and_modules_are_taken(prefix):
    """On another device, wanting gradients, wrapped or not."""
    state_dict, _, _ = golden("two pairs")
    tensors = {prefix + key: Tensor(array) for key, array in state_dict.items()}
    expected = from_pytorch_ntm(state_dict)
    assert eqx.tree_equal(from_pytorch_ntm(tensors), expected)
    assert eqx.tree_equal(from_pytorch_ntm(Module(tensors)), expected)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_half_precision_is_taken_runs_and_comes_back(kind):
    state_dict, inputs, _ = golden("one pair")
    for key in [key for key in state_dict if "bias_hh" in key]:
        state_dict[key] = state_dict[key.replace("bias_hh", "bias_ih")]
    half = {key: np.asarray(jnp.asarray(array, kind)) for key, array in state_dict.items()}
    tensors = {key: Tensor(array, f"torch.{kind}") for key, array in half.items()}
    machine = from_pytorch_ntm(tensors)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(machine)} == {kind}
    outputs = outputs_of(machine, inputs)
    assert outputs.dtype == kind
    assert np.all(np.isfinite(outputs))
    written = to_pytorch_ntm(machine)
    for key, array in half.items():
        assert written[key].dtype == (np.float32 if kind == "bfloat16" else np.float16)
        np.testing.assert_array_equal(written[key], array.astype(np.float32), err_msg=key)


# --- machines that the project lacks ------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(order="write-read"), "needs order='alternate', this NTM has 'write-read'"),
        (dict(shifts=5), "needs shifts=3, this NTM has 5"),
        (dict(head_clip=20.0), "needs head_clip=None"),
        (dict(initial_memory="resampled"), "needs initial_memory='random'"),
        (dict(initial_weightings="learned"), "needs initial_weightings='zeros'"),
        (dict(initial_reads="zeros"), "needs initial_reads='random'"),
        (dict(hard=True), "needs hard=False"),
        (dict(wrap=False), "needs wrap=True"),
        (dict(sharpening_factor=2.0), "needs sharpening_factor=1.0"),
        (dict(similarity_smoothing=1e-6), "needs similarity_smoothing=1e-16"),
        (dict(controller=ControllerConfig(kind="gru", hidden=5)), "controller.kind='lstm'"),
        (dict(write_heads=2), "as many write_heads as read_heads, this NTM has 2 and 1"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_machines_that_the_project_lacks_are_refused(change, message):
    machine = preset(**change).build(3, 2, key=jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        to_pytorch_ntm(machine)


def test_our_stacked_lstm_is_refused():
    """Its layers see the input and feed the heads, which the project's do not."""
    config = preset(controller=ControllerConfig(hidden=5, layers=2))
    machine = config.build(3, 2, key=jax.random.key(0))
    with pytest.raises(ValueError, match="the heads layer sees lower layers of the controller"):
        to_pytorch_ntm(machine)
    state_dict, _, _ = golden("two layers")
    machine = from_pytorch_ntm(state_dict)
    weight = machine.controller.from_input.weight
    machine = eqx.tree_at(lambda m: m.controller.from_input.weight, machine, weight + 1)
    with pytest.raises(ValueError, match="layer 1 of the controller sees the input"):
        to_pytorch_ntm(machine)
