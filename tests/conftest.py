"""Shared set-up: two CPU devices, every annotated shape checked; small trainings."""

import copy
import dataclasses
import functools
import gc
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# The tests compile much and compute little.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "XLA_FLAGS" not in os.environ:
    # A third of the time to compile. Parts of a small program compiled side by side each cost
    # more than they save. XLA aborts on a flag that it does not know: ask it first.
    _flags = {
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false"
        " --xla_cpu_parallel_codegen_split_count=1"
    }
    _asked = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        env=os.environ | _flags,
        capture_output=True,
        check=False,
    )
    os.environ |= _flags if _asked.returncode == 0 else {"XLA_FLAGS": ""}
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # One cache for all workers and for the processes that tests start; `make test` has one that
    # stays. A program's key there holds all that it depends on.
    _cache = tempfile.TemporaryDirectory(prefix="softmachine-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
# To keep a small program, or to load it, takes as long as to compile it.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")
# Tracing makes many objects, few of them in circles.
gc.set_threshold(20_000, 20, 20)

import pytest
from jaxtyping import install_import_hook

# Without arrays, and called a million times in a test: checks would take thirty times as long.
for _name in ("addition", "maximum", "quicksort", "ram", "topological_sort", "tracing"):
    importlib.import_module(f"softmachine.tasks.traced.{_name}")
# The same, and of two checks of types in three: it checks types itself.
importlib.import_module("softmachine.core.choices")

_hook = install_import_hook("softmachine", "beartype.beartype")

import jax
import jax.numpy as jnp
import numpy as np

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.settings import Search
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.sequences.copy import Copy
from softmachine.training.nram.objective import NRAMLoss


@pytest.fixture(scope="module", autouse=True)
def _room_for_programs():
    """Tests compile much in ways of their own."""
    yield
    from softmachine.core import compiling

    compiling.make_room()


STRICT = ("test_every_pair.py", "tasks")
"""Tests, and folders of them, in which types are never mixed."""
MIXED = (
    # Optax raises a float to the count of its steps.
    "test_updates_are_finite_and_resumed_they_are_the_same",
    # With 64 bits, places are int64 by default, and what tasks give is int32.
    "test_types_do_not_depend_on_the_default",
    "test_gradients_are_those_of_finite_differences",
)


@pytest.fixture(autouse=True)
def _types_are_never_mixed(request):
    """Tasks and machines do not rely on what JAX makes of integers or truths among floats."""
    place = request.node.path.relative_to(Path(__file__).parent)
    strict = place.parts[0] in STRICT and request.node.originalname not in MIXED
    with jax.numpy_dtype_promotion("strict" if strict else "standard"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _machines_are_built_by_one_program():
    """As training does, and not by dozens of little ones, each compiled for itself."""
    from softmachine.core.compiling import filter_jit
    from softmachine.machines.registry import MACHINES

    with pytest.MonkeyPatch.context() as patch:
        for config in {MACHINES[name] for name in MACHINES}:
            patch.setattr(config, "build", filter_jit(config.build, tuned=False))
        yield


BETWEEN_UPDATES = ("max_sequences", "solved", "validate_every", "checkpoint_every", "enough")
"""Fields of a training that Python reads between updates, and no compiled program."""
UNREAD = object()
"""What stands in their place where programs are made: what would read it would fail."""


def _compiled_alike(experiment):
    """Return what stands for all experiments whose first state and updates are the same."""
    same = copy.copy(experiment.with_seed(0))  # states hold the seed
    training = copy.copy(same.training)
    for name in BETWEEN_UPDATES:
        object.__setattr__(training, name, UNREAD)
    object.__setattr__(same, "recipe", "")
    object.__setattr__(same, "training", training)
    return same


@pytest.fixture(scope="session", autouse=True)
def updates_of():
    """`build_train_chunk`, which compiles updates once for all experiments that share them.

    A run that is interrupted, resumed or repeated, or ends sooner, compiles no updates again.
    """
    from softmachine.experiments import state
    from softmachine.training import members, update

    kept = functools.lru_cache(maxsize=12)(
        lambda experiment, layout: update.build_train_chunk(experiment, layout)
    )

    def build(experiment, layout):
        layout = layout._replace(devices=tuple(layout.devices))
        return kept(_compiled_alike(experiment), layout)

    first = state._first_state
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "build_train_chunk", build)
        patch.setattr(
            state,
            "_first_state",
            lambda experiment, *rest: first(_compiled_alike(experiment), *rest),
        )
        yield build


@pytest.fixture
def own_programs(monkeypatch):
    """Trainings share no updates with others: what is compiled is the subject."""
    from softmachine.training import members, update

    monkeypatch.setattr(members, "build_train_chunk", update.build_train_chunk)


def _wired(config, wires, *, stops=False):
    """Return an NRAM that is wired like that in every step, and stops at once or never."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from softmachine.machines.machine import split_trainable
    from softmachine.machines.nram.hard import DECIDED

    parameters, rest = split_trainable(config.build(key=jax.random.key(0)))
    machine = eqx.combine(jax.tree.map(jnp.zeros_like, parameters), rest)
    order = machine.rows.logit_numbers
    bias = jnp.full_like(machine.output.bias, -DECIDED)
    for number, row in enumerate(machine.rows.rows):
        if row.name in wires:
            names = config.gates if row.of_kind else machine.rows.slot_names
            bias = bias.at[order[number, names.index(wires[row.name])]].set(DECIDED)
    stop = jnp.full_like(machine.stop.bias, DECIDED if stops else -DECIDED)
    return eqx.tree_at(lambda m: (m.output.bias, m.stop.bias), machine, (bias, stop))


@pytest.fixture(scope="session")
def doubling_machine():
    """An NRAM wired by hand that doubles one cell after the other."""
    from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig

    config = NRAMConfig(
        registers=2,
        gates=("READ", "ADD", "WRITE", "INC"),
        controller=NRAMControllerConfig(hidden=4),
    )
    wires = {
        "READ a": "r1",
        "ADD a": "READ",
        "ADD b": "READ",
        "WRITE a": "r1",
        "WRITE b": "ADD",
        "INC a": "r1",
        "r1": "INC",
        "r2": "r2",
    }
    return _wired(config, wires)


@pytest.fixture(scope="session")
def chosen_gates_machine():
    """An NRAM that chooses READ, READ, WRITE for its slots, which is access in one step."""
    from softmachine.machines.nram.nram import NRAMControllerConfig
    from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig

    config = SoftGateNRAMConfig(
        registers=2, slots=4, controller=NRAMControllerConfig(hidden=6), temperature=2.0
    )
    wires = {
        "slot 1": "READ",
        "slot 1 a": "r1",
        "slot 2": "READ",
        "slot 2 a": "slot 1",
        "slot 3": "MAX",
        "slot 3 a": "slot 2",
        "slot 3 b": "r2",
        "slot 4": "WRITE",
        "slot 4 a": "r1",
        "slot 4 b": "slot 3",
        "r1": "r1",
        "r2": "r2",
    }
    return _wired(config, wires, stops=True)


@pytest.fixture(scope="session")
def doubling_task():
    """Examples of doubling, as a person would write them: an array that ends with 0."""
    import json

    from softmachine.tasks.memories.given import Given

    arrays = [[a] for a in (1, 2, 3)] + [[a, b] for a in (1, 2) for b in (1, 2, 3)]
    return Given(
        examples="\n".join(
            json.dumps(
                {
                    "input": [*array, 0],
                    "output": [2 * value for value in array] + [0],
                    "mask": [1] * len(array) + [0],
                    "size": len(array),
                }
            )
            for array in arrays
        )
    )


@pytest.fixture(scope="session")
def access_machine():
    """An NRAM wired by hand that solves Access at every size, soft and hard.

    Register r1 stays 0. Each step reads where r2 points, writes that to cell r1 and keeps it
    in r2; after a step that r2 did not begin as 0, the second, the machine stops.
    """
    import equinox as eqx
    import jax.numpy as jnp

    from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig

    config = NRAMConfig(
        registers=2,
        gates=("READ", "ONE", "INC", "WRITE"),
        controller=NRAMControllerConfig(hidden=8),
    )
    machine = _wired(
        config,
        {
            "READ a": "r2",
            "INC a": "r1",
            "WRITE a": "r1",
            "WRITE b": "READ",
            "r1": "r1",
            "r2": "READ",
        },
    )
    # Unit 0 of both layers is how likely r2 is 0.
    return eqx.tree_at(
        lambda m: (
            m.controller.first.weight,
            m.controller.second.weight,
            m.stop.weight,
            m.stop.bias,
        ),
        machine,
        (
            machine.controller.first.weight.at[0, 1].set(1.0),
            machine.controller.second.weight.at[0, 0].set(1.0),
            machine.stop.weight.at[0, 0].set(-60.0),
            jnp.full_like(machine.stop.bias, 30.0),
        ),
    )


# Small experiments that train in a second or two.


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    return Experiment(
        recipe="small",
        task=Copy(width=3),
        machine=NTMConfig(
            controller=ControllerConfig(hidden=12),
            memory_rows=8,
            memory_columns=5,
            initial_weightings="first-row",
        ),
        training=TrainingConfig(
            batch=4,
            max_sequences=160,
            optimizer=OptimizerConfig(learning_rate=3e-3),
            curriculum=Uniform(smallest=1, largest=4),
            solved=SolvedConfig(sequences=20),
            validate_every=20,
            checkpoint_every=40,
        ),
    )


@pytest.fixture(scope="session")
def nram_experiment() -> Experiment:
    """An NRAM just large enough to solve its task; members draw all of their settings."""
    return Experiment(
        recipe="small-nram",
        task=Access(),
        machine=NRAMConfig(
            registers=2,
            gates=("READ", "ONE", "INC", "WRITE"),
            controller=NRAMControllerConfig(hidden=8),
        ),
        training=TrainingConfig(
            batch=4,
            max_sequences=120,
            optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
            curriculum=Uniform(smallest=1, largest=2),
            objective=NRAMLoss(
                entropy_bonus_range=(1e-2, 1e-1), entropy_decay=0.9, late_entropy_penalty=0.01
            ),
            gradient_noise=0.01,
            search=Search(learning_rate=(1e-3, 1e-2), gradient_noise=(1e-3, 1e-1)),
            solved=SolvedConfig(sequences=20, bits=None),
            validate_every=20,
            checkpoint_every=40,
        ),
    )


@pytest.fixture(scope="session")
def with_training():
    """Replace fields of an experiment's training."""

    def replace(experiment: Experiment, **fields) -> Experiment:
        training = dataclasses.replace(experiment.training, **fields)
        return dataclasses.replace(experiment, training=training)

    return replace


@pytest.fixture(scope="session")
def as_before_6():
    """Give the JSON of an experiment as schema 5 wrote it: what are phases now were fields."""
    from softmachine.experiments.serialization import experiment_to_json

    def older(experiment: Experiment, schema: int = 5) -> dict:
        value = experiment_to_json(experiment) | {"schema": schema}
        training = value["experiment"]["training"]
        phases = {phase.pop("kind_of"): phase for phase in training.pop("phases")}
        if training["solved"] is not None:
            training["solved"]["test"] = phases.get("exam")
        training["wire_search"] = phases.get("wire-search")
        training["settle"] = phases.get("settle", {}).get("validations")
        training["restarts"] = [
            {"updates": updates, "error": error}
            for updates, error in phases.get("restart", {}).get("rules", ())
        ]
        interval = training["objective"].pop("entropy_bonus_range", None)
        training["search"]["entropy_bonus"] = interval
        return value

    return older


@pytest.fixture(scope="session")
def assert_same():
    """Two pytrees are equal bit for bit."""

    def compare(a, b):
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_array_equal(np.asarray(x), np.asarray(y))

    return compare


@pytest.fixture(scope="session")
def assert_close():
    """Two pytrees are equal but for rounding, or the order of additions."""

    def compare(a, b):
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=1e-3, atol=1e-5)

    return compare


@pytest.fixture(scope="session")
def without_times():
    """Lines of metrics less all that differs between two equal runs."""
    times = ("seconds", "device_seconds", "sequences_per_second")

    def cut(lines: Sequence[dict]) -> list[dict]:
        return [{k: v for k, v in line.items() if k not in times} for line in lines]

    return cut


@pytest.fixture(scope="session")
def stack():
    """Give the states of some members one leading axis."""

    def stacked(states: Sequence) -> object:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)

    return stacked


@pytest.fixture(scope="session")
def by_heart():
    """What makes a core that knows the calls of a traced task by heart."""
    from jaxtyping import Array

    from softmachine.machines.machine import STOPPED, Cell

    class ByHeart(Cell):
        """A core that looks up what is decided, by all that was seen since the call began.

        Its state is the number of a place in a table of what is seen next; 0 at first.
        """

        before: Array
        """The place after which each place comes."""
        seen: Array
        logits: Array

        @classmethod
        def of(cls, task):
            data = task.data()
            spec = task.outputs.spec
            before, seen, decided, places = [0], [[-2] * data.places.shape[2]], [], {}
            decided.append(np.zeros(2 + len(spec.arguments), int))
            for rows, targets, steps in zip(*map(np.asarray, data[:3]), strict=True):
                place = 0
                for row, target in zip(rows[:steps], targets[:steps], strict=True):
                    key = (place, *row)
                    if key not in places:
                        places[key] = len(before)
                        before.append(place)
                        seen.append(list(row))
                        decided.append(target)
                    place = places[key]
            one_hot = task.inputs.spec.one_hot(jnp.array(seen))
            logits = np.where(spec.one_hot(np.array(decided)), 5.0, -5.0)
            return cls(jnp.array(before), one_hot, jnp.asarray(logits, jnp.float32))

        def init_state(self, inputs=None, *, key=None):
            del inputs, key
            return jnp.zeros(1, self.logits.dtype)

        def advance(self, state, encoded, clock=STOPPED):
            del clock
            same = jnp.all(self.seen == encoded, axis=1) & (self.before == state[0])
            place = jnp.argmax(same)
            return place[None].astype(state.dtype), self.logits[place]

    return ByHeart.of


class _OneProcess(Executor):
    """This process as the only worker."""

    def present(self):
        return {"this": self}

    def submit(self, fn, /, *args):
        future = Future()
        future.set_result(fn(*args))
        return future

    def drop(self, name):
        pass

    def close(self):
        pass


@pytest.fixture
def one_process():
    """Return workers of which there is one, this process."""
    return _OneProcess()
