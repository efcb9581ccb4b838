"""One step of a machine as ONNX: the same numbers in ONNX Runtime, or a refusal by name."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.dnc.dnc import DNCConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.machines.transformer import TransformerConfig
from softmachine.running import onnx

CONTROLLER = ControllerConfig(hidden=5)
MACHINES = {
    "ntm": NTMConfig(controller=CONTROLLER, memory_rows=6, memory_columns=3),
    "stack-rnn": StackRNNConfig(memory_rows=6),
    "lstm": RecurrentConfig(controller=CONTROLLER),
    "dnc": DNCConfig(controller=CONTROLLER, memory_rows=6, memory_columns=3),
}


def built(config):
    return config.build(4, 2, key=jax.random.key(0))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (TransformerConfig(layers=1, width=4, heads=2), "a Transformer sees a whole sequence"),
        (NRAMConfig(registers=2, gates=("READ", "WRITE")), "an NRAM has no input per step"),
    ],
    ids=["transformer", "nram"],
)
def test_what_has_no_step_on_an_input_is_refused_by_name(config, said, tmp_path):
    with pytest.raises(SoftmachineError, match=said):
        onnx.export_onnx(built(config), tmp_path / "step.onnx")
    assert not (tmp_path / "step.onnx").exists()


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name=name)

    monkeypatch.setattr(onnx.importlib, "import_module", missing)
    with pytest.raises(
        SoftmachineError, match=r"needs jax2onnx: pip install 'softmachine\[onnx"
    ):
        onnx.export_onnx(built(MACHINES["lstm"]), tmp_path / "step.onnx")


@pytest.mark.filterwarnings("default")  # other packages' own
@pytest.mark.parametrize("name", MACHINES)
def test_a_sequence_is_that_of_the_machine(name, tmp_path):
    pytest.importorskip("jax2onnx", reason="pip install 'softmachine[onnx]'")
    runtime = pytest.importorskip("onnxruntime")
    machine = built(MACHINES[name])
    made = onnx.export_onnx(machine, tmp_path / "step.onnx")
    assert made.off <= onnx.TOLERANCE
    session = runtime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    assert tuple(x.name for x in session.get_inputs()) == made.inputs
    assert tuple(x.name for x in session.get_outputs()) == made.outputs
    told = session.get_modelmeta().custom_metadata_map["softmachine_first_state"]
    state = [np.asarray(x, made.first[k].dtype) for k, x in json.loads(told).items()]
    inputs = np.random.default_rng(1).integers(0, 2, (9, 4)).astype(np.float32)
    outputs = []
    for x in inputs:
        feeds = dict(zip(made.inputs, [*state, x], strict=True))
        *state, output = session.run(None, feeds)
        outputs.append(output)
    np.testing.assert_allclose(outputs, machine(jnp.asarray(inputs)), rtol=1e-4, atol=1e-5)


def test_what_differs_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("jax2onnx", reason="pip install 'softmachine[onnx]'")
    monkeypatch.setattr(onnx, "_compare", lambda *_: 1e-3)
    with pytest.raises(SoftmachineError, match=r"differs from it by 0\.001, more than 1e-05"):
        onnx.export_onnx(built(MACHINES["lstm"]), tmp_path / "step.onnx")
    assert not (tmp_path / "step.onnx").exists()
