"""A machine on the 20 runs of Lake et al.: one drawing of each character, then a query."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt8

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.core.example import Example
from softmachine.core.specs.spec import standard_error
from softmachine.machines.machine import Machine
from softmachine.running.loop import run_batch
from softmachine.tasks.one_shot.drawings import prepared, side_to_load
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.one_shot.omniglot_runs import load_runs
from softmachine.tasks.task import Task


class RunsScore(NamedTuple):
    """How often a machine takes a query for a drawing of another character."""

    errors: Float[np.ndarray, " runs"]
    """Of each run, the share of its queries. All orders vote: the answer is the character with
    the largest probability in the mean over orders."""
    single_errors: Float[np.ndarray, " runs"]
    """The same of one order, in the mean over orders."""
    may_have_seen: bool
    """Whether training showed characters of the evaluation set, or may have done so."""

    @property
    def error(self) -> float:
        """The mean over runs."""
        return float(self.errors.mean())

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of `error`, over runs."""
        return 1.96 * float(standard_error(self.errors))


def score_runs(
    machine: Machine, task: Task, path: str, *, orders: int = 10, seed: int = 0
) -> RunsScore:
    """Score a machine on the runs: 20-way 1-shot classification within an alphabet.

    Of each run the machine is shown the 20 drawings to learn from, each name one step late as
    in training, then one query, for each query anew: 21 steps. Only the 20 names that it was
    told can be answers. In which order drawings come and how they are called is drawn anew for
    each of ``orders``.

    Arguments:
        machine: a machine trained on such a task.
        task: the `Episodes` that say how names are given and how images are prepared, such as
            that drawings are aligned; images are not turned or moved.
        path: where the runs are (`load_runs`).
        orders: how many orders vote; with 1 nothing is averaged.
        seed: fixes orders and names.

    Raises SoftmachineError if the runs cannot be had, or if the task is none of images or has
    fewer names than a run has characters.
    """
    if not isinstance(task, Episodes):
        raise SoftmachineError(
            f"the runs of Omniglot are for machines that name images, not {type(task).__name__}"
        )
    task = dataclasses.replace(
        task, shots=1, queries=1, quarter_turns=False, turn=0.0, shift=0.0, distort=0.0
    )
    runs = load_runs(path, side_to_load(task.side, aligned=task.aligned))
    classes, rows = runs.support.shape[1], machine.memory_rows
    if task.name_count < classes:
        raise SoftmachineError(
            f"a run has {classes} characters, this machine knows {task.name_count} names: "
            f"train one with names={classes}, or labels=words"
        )
    if rows is not None and task.items(classes) > rows:
        raise SoftmachineError(
            f"a run needs {task.items(classes)} memory rows, this machine has {rows}: "
            f"grow its memory with --memory-rows {task.items(classes)} or more"
        )
    wrong, single = [], []
    for number, (support, query, answers) in enumerate(zip(*runs, strict=True)):
        key = jax.random.fold_in(jax.random.key(seed), number)
        keys = jax.vmap(lambda i, key=key: jax.random.fold_in(key, i))(jnp.arange(orders))
        images = [prepared(x, task.side, aligned=task.aligned) for x in (support, query)]
        chances = np.asarray(_chances(machine, task, keys, *map(jnp.asarray, images)))
        wrong.append(np.mean(chances.mean(0).argmax(-1) != answers))
        single.append(np.mean(chances.argmax(-1) != answers))
    source = task.source
    seen = isinstance(source, Omniglot) and not source.background_alone
    return RunsScore(np.array(wrong), np.array(single), seen)


@compiling.filter_jit
def _chances(
    machine: Machine,
    task: Episodes,
    keys: Key[Array, " orders"],
    support: UInt8[Array, "classes side side"],
    query: UInt8[Array, "items side side"],
) -> Float[Array, "orders items classes"]:
    """Return for each order the probability that a query is of each class."""
    return jax.lax.map(lambda key: _of_one_order(machine, task, key, support, query), keys)


def _of_one_order(machine, task, key, support, query):
    count, spec = len(support), task.outputs.spec
    order_key, name_key, machine_key = jax.random.split(key, 3)
    order = jax.random.permutation(order_key, count)
    names = task.draw_names(name_key, count, count)
    # What a query is called is neither told nor scored.
    shown = jnp.concatenate([names[order], names[:1]])
    episodes = jax.vmap(
        lambda image: task.episode(jnp.concatenate([support[order], image[None]]), shown, count)
    )(query)
    outputs = run_batch(
        machine,
        episodes.inputs,
        steps=count + 1,
        max_steps=count + 1,
        keys=jax.random.split(machine_key, len(query)),
    )[:, -1]

    def surprise(outputs, name):
        one = Example(None, task.targets(name[None]), jnp.ones(1), jnp.int32(1))
        return spec.loss(outputs[None], one)

    losses = jax.vmap(lambda one: jax.vmap(lambda name: surprise(one, name))(names))(outputs)
    return jax.nn.softmax(-losses, axis=-1)
