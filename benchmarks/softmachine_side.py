"""softmachine's machines as contenders of the benchmarks."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray
from workload import DNCWork, StackWork, Workload

from softmachine.experiments.curricula import OneSize, Uniform
from softmachine.experiments.experiment import Experiment, TrainingConfig
from softmachine.experiments.objectives import MeanLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.state import first_state
from softmachine.machines.dnc.dnc import DNC_PRESETS
from softmachine.machines.machine import parameter_count
from softmachine.machines.mann import MANN
from softmachine.machines.ntm.ntm import NTM, NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import STACK_RNN_PRESETS
from softmachine.running.devices import layout_for
from softmachine.running.loop import run_batch
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.copy_reuse import CopyReuse
from softmachine.training.update import build_train_chunk, members_sharding


def build_experiment(workload: Workload) -> Experiment:
    """Return the experiment that the workload describes."""
    return Experiment(
        recipe="throughput",
        task=Copy(width=workload.bits),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=workload.hidden),
            memory_rows=workload.memory_rows,
            memory_columns=workload.memory_columns,
            order=workload.order,
        ),
        training=TrainingConfig(
            batch=workload.batch,
            optimizer=OptimizerConfig(
                learning_rate=workload.learning_rate, clip_norm=workload.gradient_norm
            ),
            curriculum=Uniform(smallest=workload.length, largest=workload.length),
        ),
    )


def dnc_experiment(workload: DNCWork) -> Experiment:
    """Return the experiment of a DNC that the workload describes."""
    length = workload.length
    return Experiment(
        recipe="throughput-dnc",
        task=CopyReuse(width=workload.bits, lengths=(length, length)),
        machine=dataclasses.replace(
            DNC_PRESETS["reference"],
            controller=ControllerConfig(hidden=workload.hidden),
            memory_rows=workload.memory_rows,
            memory_columns=workload.memory_columns,
            read_heads=workload.read_heads,
            links=workload.links,
        ),
        training=TrainingConfig(
            batch=workload.batch,
            optimizer=OptimizerConfig(
                learning_rate=workload.learning_rate, clip_norm=workload.gradient_norm
            ),
            curriculum=Uniform(smallest=1, largest=1),
        ),
    )


def stack_experiment(workload: StackWork) -> Experiment:
    """Return the experiment of a Stack-RNN that the workload describes."""
    preset = STACK_RNN_PRESETS["chomsky"]
    return Experiment(
        recipe="throughput-stack-rnn",
        task=ReverseString(),
        machine=dataclasses.replace(
            preset,
            controller=dataclasses.replace(preset.controller, hidden=workload.hidden),
            memory_rows=workload.memory_rows,
            memory_columns=workload.memory_columns,
        ),
        training=TrainingConfig(
            batch=workload.batch,
            optimizer=OptimizerConfig(
                learning_rate=workload.learning_rate, clip_norm=workload.gradient_norm
            ),
            curriculum=OneSize(smallest=workload.length, largest=workload.length),
            objective=MeanLoss(),
        ),
    )


def build_machine(workload: Workload, *, key: PRNGKeyArray) -> NTM:
    """Return the machine that the workload describes."""
    config = build_experiment(workload).machine
    assert isinstance(config, NTMConfig)
    return config.build(workload.inputs, workload.bits, key=key)


def sample_copy(key: PRNGKeyArray, batch: int, length: int, bits: int) -> tuple[Array, Array]:
    """Return inputs (B, 2 length + 1, bits + 1) and targets (B, length, bits)."""
    words = jax.random.bernoulli(key, shape=(batch, length, bits)).astype(jnp.float32)
    inputs = jnp.zeros((batch, 2 * length + 1, bits + 1))
    return inputs.at[:, :length, :bits].set(words).at[:, length, bits].set(1), words


def copy_loss(machine: NTM, inputs: Array, targets: Array, steps: Array | int) -> Array:
    """Return the cross-entropy, summed over a sequence and averaged over the batch."""
    logits = run_batch(machine, inputs, steps=steps, max_steps=inputs.shape[1])
    logits = logits[:, -targets.shape[1] :]
    losses = optax.sigmoid_binary_cross_entropy(logits, targets)
    return jnp.sum(losses) / len(targets)


class SoftmachineTrainer:
    """The library's own training: many updates per call, the batch over all devices."""

    def __init__(self, experiment: Experiment) -> None:
        """Compile the updates; use as many devices as divide the batch."""
        layout = layout_for(members=1, batch=experiment.training.batch)
        used = layout.devices
        self._train = build_train_chunk(experiment, layout)
        state = first_state(experiment)
        one_member = jax.tree.map(lambda x: x[None], state)
        self._state = jax.device_put(one_member, members_sharding(layout))
        self._updates = 0
        self.facts = {
            "jax": jax.__version__,
            "equinox": eqx.__version__,
            "optax": optax.__version__,
            "threads": len(used),
            "parameters": parameter_count(state.parameters),
            "training": f"Adam, one compiled loop, batch over {len(used)} XLA CPU device(s)",
        }

    def run(self, updates: int) -> float:
        """Make that many updates and return their mean loss."""
        self._updates += updates
        self._state, sums = self._train(self._state, jnp.array([self._updates]))
        return float(sums["loss"][0] / sums["updates"][0])


def prepare_jax(devices: int) -> None:
    """Make ``devices`` CPU devices, and compile anew; before any other use of JAX."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_enable_compilation_cache", False)


def mann_parameters(machine: MANN) -> dict[str, np.ndarray]:
    """Return the parameters, or gradients, of a one-layer LSTM MANN by the rival's names."""
    arrays = {
        "from_input.weight": machine.controller.from_input.weight,
        "from_input.bias": machine.controller.from_input.bias,
        "recurrent.weight": machine.controller.recurrent[0].weight,
        "heads.weight": machine.head_layer.weight,
        "heads.bias": machine.head_layer.bias,
        "output.weight": machine.output.weight,
        "output.bias": machine.output.bias,
        "initial_controller": machine.controller.initial[:, 0],
    }
    return {name: np.asarray(x) for name, x in arrays.items()}


def numpy_parameters(machine: NTM) -> dict[str, np.ndarray]:
    """Return the parameters, or gradients, of a one-layer LSTM NTM by the rival's names."""
    arrays = {
        "from_input.weight": machine.controller.from_input.weight,
        "from_input.bias": machine.controller.from_input.bias,
        "recurrent.weight": machine.controller.recurrent[0].weight,
        "heads.weight": machine.heads.weight,
        "heads.bias": machine.heads.bias,
        "output.weight": machine.output.weight,
        "output.bias": machine.output.bias,
        "initial_controller": machine.controller.initial[:, 0],
        "initial_weightings": machine.initial_weightings,
    }
    return {name: np.asarray(x) for name, x in arrays.items()}
