"""softmachine's NTM as a contender of the benchmark."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, PRNGKeyArray
from workload import Workload

from softmachine.machines.controllers import ControllerConfig
from softmachine.machines.loop import run_batch
from softmachine.machines.machine import parameter_count, split_trainable
from softmachine.machines.ntm import NTM, NTMConfig


def build_machine(workload: Workload, *, key: PRNGKeyArray) -> NTM:
    """Return the machine that the workload describes."""
    config = NTMConfig(
        controller=ControllerConfig(hidden=workload.hidden),
        memory_rows=workload.memory_rows,
        memory_columns=workload.memory_columns,
        order=workload.order,
    )
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
    """Trains many updates per call of one compiled program, the batch over all devices."""

    def __init__(self, workload: Workload, *, devices: int) -> None:
        """Build machine and optimiser; use as many devices as divide the batch."""
        devices = max(n for n in range(1, devices + 1) if workload.batch % n == 0)
        machine = build_machine(workload, key=jax.random.key(0))
        parameters, static = split_trainable(machine)
        optimiser = optax.chain(
            optax.clip_by_global_norm(workload.gradient_norm),
            optax.adam(workload.learning_rate),
        )

        def update(steps, index, carry):
            parameters, optimiser_state, key, _ = carry
            device_key = jax.random.fold_in(key, index)
            device_key = jax.random.fold_in(device_key, jax.lax.axis_index("device"))
            inputs, targets = sample_copy(
                device_key, workload.batch // devices, workload.length, workload.bits
            )

            def loss_of(parameters):
                machine = eqx.combine(parameters, static)
                return copy_loss(machine, inputs, targets, steps)

            loss, gradient = jax.value_and_grad(loss_of)(parameters)
            if devices > 1:
                loss, gradient = jax.lax.pmean((loss, gradient), "device")
            change, optimiser_state = optimiser.update(gradient, optimiser_state)
            return optax.apply_updates(parameters, change), optimiser_state, key, loss

        def train(carry, first, updates, steps):
            return jax.lax.fori_loop(first, first + updates, partial(update, steps), carry)

        mesh = jax.make_mesh((devices,), ("device",), devices=jax.devices()[:devices])
        everywhere = PartitionSpec()
        self._train = jax.jit(
            jax.shard_map(
                train,
                mesh=mesh,
                in_specs=everywhere,
                out_specs=everywhere,
                check_vma=False,
            )
        )
        carry = (parameters, optimiser.init(parameters), jax.random.key(1), jnp.zeros(()))
        # Where the program leaves it: the second call must not compile once more.
        self._carry = jax.device_put(carry, NamedSharding(mesh, everywhere))
        self._steps = workload.steps
        self._done = 0
        self.facts = {
            "jax": jax.__version__,
            "equinox": eqx.__version__,
            "optax": optax.__version__,
            "threads": devices,
            "parameters": parameter_count(machine),
            "training": f"Adam, one compiled loop, batch over {devices} XLA CPU device(s)",
        }

    def run(self, updates: int) -> float:
        """Make that many updates and return the last loss."""
        self._carry = self._train(self._carry, self._done, updates, self._steps)
        self._done += updates
        return float(self._carry[-1])


def prepare_jax(devices: int) -> None:
    """Make ``devices`` CPU devices, and compile anew; before any other use of JAX."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_enable_compilation_cache", False)


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
