"""A machine on the 20 runs of Lake et al.: one drawing of each character, then a query."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, UInt8

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.core.example import Example
from softmachine.core.specs.spec import standard_error
from softmachine.machines.machine import Machine
from softmachine.running.loop import run_batch
from softmachine.tasks.one_shot.drawings import choose, prepared, side_to_load
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

    A machine with fewer names is shown as many characters at a time as it has names, all of
    them in groups that are drawn for each order. The half that got the larger probabilities
    goes on, in groups drawn anew, until they are no more than there are names.

    Arguments:
        machine: a machine trained on such a task.
        task: the `Episodes` that say how names are given and how images are prepared, such as
            that drawings are aligned; images are not turned or moved.
        path: where the runs are (`load_runs`).
        orders: how many orders vote; with 1 nothing is averaged.
        seed: fixes orders, groups and names.

    Raises SoftmachineError if the runs cannot be had, if the task is none of images, or if the
    machine has too few memory rows.
    """
    if not isinstance(task, Episodes):
        raise SoftmachineError(
            f"the runs of Omniglot are for machines that name images, not {type(task).__name__}"
        )
    task = dataclasses.replace(
        task,
        shots=1,
        in_a_row=1,
        quarter_turns=False,
        turn=0.0,
        shift=0.0,
        distort=0.0,
    )
    runs = load_runs(path, side_to_load(task.side, aligned=task.aligned))
    needed = task.items(min(task.name_count, runs.support.shape[1]))
    rows = machine.memory_rows
    if rows is not None and needed > rows:
        raise SoftmachineError(
            f"a run needs {needed} memory rows, this machine has {rows}: "
            f"grow its memory with --memory-rows {needed} or more"
        )
    wrong, single = [], []
    for number, (support, query, answers) in enumerate(zip(*runs, strict=True)):
        key = jax.random.fold_in(jax.random.key(seed), number)
        keys = jax.random.split(key, orders)
        images = [prepared(x, task.side, aligned=task.aligned) for x in (support, query)]
        voted, alone = _answers(machine, task, keys, *map(jnp.asarray, images))
        wrong.append(np.mean(np.asarray(voted) != answers))
        single.append(np.mean(np.asarray(alone) != answers))
    source = task.source
    seen = isinstance(source, Omniglot) and not source.background_alone
    return RunsScore(np.array(wrong), np.array(single), seen)


@compiling.filter_jit
def _answers(
    machine: Machine,
    task: Episodes,
    keys: Key[Array, " orders"],
    support: UInt8[Array, "classes side side"],
    query: UInt8[Array, "items side side"],
) -> tuple[Int[Array, " items"], Int[Array, "orders items"]]:
    """Return which class each query is taken for: by all orders together, and by each."""
    if task.name_count < len(support):

        def by(keys):
            return _by_elimination(machine, task, keys, support, query)

        return by(keys), jax.lax.map(lambda key: by(key[None]), keys)
    everyone = jnp.tile(jnp.arange(len(support)), (len(query), 1))
    chances = _chances(machine, task, keys, support, query, everyone)
    return jnp.argmax(jnp.mean(chances, axis=0), axis=-1), jnp.argmax(chances, axis=-1)


def _by_elimination(machine, task, keys, support, query):
    """Return the class that is left of those that each query may be of."""
    candidates = jnp.tile(jnp.arange(len(support)), (len(query), 1))
    while True:
        keys = jax.vmap(lambda key: jax.random.split(key, 1)[0])(keys)
        chances = _chances(machine, task, keys, support, query, candidates)
        chances, left = jnp.mean(chances, axis=0), candidates.shape[1]
        if left <= task.name_count:
            best = jnp.argmax(chances, axis=-1)[:, None]
            return jnp.take_along_axis(candidates, best, axis=1)[:, 0]
        _, best = jax.lax.top_k(chances, max(task.name_count, left // 2))
        candidates = jnp.take_along_axis(candidates, best, axis=1)


def _chances(machine, task, keys, support, query, candidates):
    """Return for each order the probability that a query is of each of its candidates.

    They have shape (items, candidates); the result (orders, items, candidates).
    """

    def of_one_order(key):
        return _of_one_order(machine, task, key, support, query, candidates)

    return jax.lax.map(of_one_order, keys)


def _of_one_order(machine, task, key, support, query, candidates):
    items, count = candidates.shape
    ways = min(task.name_count, count)
    order_key, name_key, machine_key = jax.random.split(key, 3)
    # Groups of as many as there are names; the last is filled up with the first.
    places = jnp.arange(-(-count // ways) * ways) % count
    groups = jax.random.permutation(order_key, count)[places].reshape(-1, ways)
    names = choose(name_key, task.name_count, ways)
    # What a query is called is neither told nor scored.
    shown = jnp.concatenate([names, names[:1]])

    def trial(image, own, group):
        images = jnp.concatenate([support[own[group]], image[None]])
        return task.episode(images, shown, ways).inputs

    of_groups = jax.vmap(trial, in_axes=(None, None, 0))
    inputs = jax.vmap(of_groups, in_axes=(0, 0, None))(query, candidates, groups)
    inputs = inputs.reshape(-1, *inputs.shape[2:])
    outputs = run_batch(
        machine,
        inputs,
        steps=ways + 1,
        max_steps=ways + 1,
        keys=jax.random.split(machine_key, len(inputs)),
    )[:, -1]

    def surprise(outputs, name):
        one = Example(None, task.targets(name[None]), jnp.ones(1), jnp.int32(1))
        return task.outputs.spec.loss(outputs[None], one)

    losses = jax.vmap(lambda one: jax.vmap(lambda name: surprise(one, name))(names))(outputs)
    chances = jax.nn.softmax(-losses, axis=-1).reshape(items, -1)
    flat = groups.reshape(-1)
    total = jnp.zeros((items, count)).at[:, flat].add(chances)
    return total / jnp.zeros(count).at[flat].add(1)
