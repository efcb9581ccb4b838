"""What people write around the package: machines in other types, tasks of their own."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import softmachine as sm
from softmachine.core.errors import SoftmachineError
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.spec import Stream
from softmachine.experiments import Uniform
from softmachine.machines import NTMConfig, RecurrentConfig
from softmachine.tasks import TASKS, Example
from softmachine.tasks.registry import task
from softmachine.tasks.task import SequenceTask


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    "config", [NTMConfig(memory_rows=16), RecurrentConfig()], ids=["ntm", "recurrent"]
)
def test_a_machine_in_half_precision_runs_on_inputs_of_its_type(config, kind):
    machine = config.build(9, 8, key=jax.random.key(0))
    half = jax.tree.map(lambda x: x.astype(kind) if eqx.is_inexact_array(x) else x, machine)
    batch = sm.run_batch(half, jnp.ones((2, 5, 9), kind), steps=5, max_steps=5)
    for outputs in (half(jnp.ones((5, 9), kind)), batch):
        assert outputs.dtype == kind
        assert jnp.isfinite(outputs).all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parity(SequenceTask):
    """Cumulative parity of a row of bits, written down as somebody would in a file."""

    @property
    def inputs(self):
        return Stream(Bits(1))

    @property
    def outputs(self):
        return Stream(Bits(1))

    def steps(self, size):
        return size

    def items(self, size):
        del size
        return 1

    def sample(self, key, size, *, max_size, data=None):
        del data
        size = jnp.asarray(size)
        mask = (jnp.arange(max_size)[:, None] < size) * 1.0
        bits = jax.random.bernoulli(key, 0.5, (max_size, 1)) * mask
        return Example(bits, jnp.cumsum(bits, axis=0) % 2, mask, size)

    def render(self, example, outputs=None):
        del example, outputs
        return ""


@pytest.fixture
def own_experiment(experiment, with_training):
    """The small experiment of all tests, with a task of one's own."""
    changed = with_training(experiment, curriculum=Uniform(smallest=1, largest=4))
    return dataclasses.replace(changed, recipe="parity", task=Parity())


def test_a_task_of_ones_own_needs_a_name_before_it_is_in_a_run(own_experiment, tmp_path):
    with pytest.raises(SoftmachineError) as error:
        sm.Run.create(tmp_path / "run", own_experiment)
    assert str(error.value).endswith(
        ":Parity has no name that a file could hold: register it as a task, or do without a "
        "Run: evaluate, record and a training loop of your own work with it"
    )
    assert not (tmp_path / "run").exists()


def test_with_a_name_it_is_trained_opened_and_scored(own_experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(TASKS, "_registered", dict(TASKS._registered))
    task("own-parity")(Parity)
    sm.train(sm.Run.create(tmp_path / "run", own_experiment))
    again = sm.Run(tmp_path / "run")
    assert again.experiment.task == Parity()
    assert sm.train(again).finished
    [score] = sm.evaluate(again.load_machine(), Parity(), [3], sequences=8)
    assert 0 <= score.metrics["wrong_bits"] <= 3
