"""What a controller with a state of its own does, by watching it on examples.

Such a controller begins in one state and sees nothing but which registers are 0, so that its
choices depend on the patterns that it has seen so far alone. What it chose on many examples is
a tree of such histories; histories after which it was never seen to differ are put together,
as in learning a finite automaton from its behaviour (Lang, Pearlmutter and Price 1998: red and
blue states). That is observation, not proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.hard import (
    HardWiring,
    hard_state,
    hard_step,
    hard_wiring,
    pattern_number,
)
from softmachine.machines.nram.nram import NRAM
from softmachine.programs.circuits import Wires
from softmachine.programs.reachable import Entry, Table
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import sample_batch
from softmachine.wiring.table import live_rows

EXAMPLES = 500
"""So many are watched for each of `LARGEST`."""
LARGEST = (10, 30)
"""Their sizes are uniform up to these, in memories for the largest."""
MOST_STATES = 100
"""Of the controller."""

Choice = tuple[tuple[int, ...], bool]
"""The slot that each row of choices takes, 0 where it makes no difference; whether it stops."""


class Edge(NamedTuple):
    """What was seen after a history and a pattern."""

    choice: Choice
    after: int
    """The history that is one longer."""


Tree = list[dict[int, Edge]]
"""For each history, what followed it, by the number of the pattern; the first is empty."""


def observe(machine: NRAM, task: MemoryTask, *, seed: int = 0) -> Tree:
    """Return what a machine chose on examples of a task."""
    tree: Tree = [{}]
    for number, largest in enumerate(LARGEST):
        key = jax.random.fold_in(jax.random.key(seed), number)
        sizes = jax.random.randint(key, (EXAMPLES,), task.smallest, largest + 1)
        keys = jax.random.split(key, EXAMPLES)
        examples = sample_batch(task, keys, sizes, largest)
        patterns, wirings, running = jax.device_get(
            _watch(machine, examples.inputs, examples.steps, task.steps(largest))
        )
        for i in range(EXAMPLES):
            place = 0
            for t in np.flatnonzero(running[:, i]):
                choice = _choice(machine, wirings.sources[t, i], bool(wirings.stop[t, i]))
                place = _follow(tree, place, int(patterns[t, i]), choice)
    return tree


def fold(tree: Tree) -> Tree:
    """Return as few states as a greedy search finds, which do what every history did.

    Raises SoftmachineError if there are more than `MOST_STATES`.
    """
    leaders = list(range(len(tree)))
    red = [0]
    while (blue := next(_followers(tree, leaders, red), None)) is not None:
        for state in red:
            joined = _join(tree, leaders, state, blue)
            if joined is not None:
                tree, leaders = joined
                break
        else:
            red.append(blue)
            if len(red) > MOST_STATES:
                raise SoftmachineError(
                    f"the controller was seen in more than {MOST_STATES} states: it does not "
                    "fold into a program"
                )
    place = {state: i for i, state in enumerate(red)}
    return [
        {
            pattern: edge._replace(after=place[_leader(leaders, edge.after)])
            for pattern, edge in tree[state].items()
        }
        for state in red
    ]


def observed_table(
    machine: NRAM, task: MemoryTask, wires_of: Callable[[Sequence[int], bool], Wires]
) -> Table:
    """Return what a controller does in all situations in which it was seen.

    ``wires_of`` gives the wires of a choice. Raises SoftmachineError as `fold` does.
    """
    registers = machine.config.registers
    return {
        (state, tuple(bool(pattern >> i & 1) for i in range(registers))): Entry(
            wires_of(*edge.choice), edge.after
        )
        for state, edges in enumerate(fold(observe(machine, task)))
        for pattern, edge in edges.items()
    }


@partial(compiling.filter_jit, tuned=False)
def _watch(
    machine: NRAM,
    memories: Int[Array, "batch cells"],
    steps: Int[Array, " batch"],
    most: int,
) -> tuple[Int[Array, "most batch"], HardWiring, Array]:
    """Return patterns and wirings at every step, and which examples were still running."""

    def step(state, limit):
        zeros = (state.registers == 0).astype(jnp.float32)
        _, hidden = machine.controller(state.controller, zeros)
        running = ~state.stopped & (state.steps < limit)
        seen = pattern_number(state.registers), hard_wiring(machine, hidden), running
        return hard_step(machine, state), seen

    start = jax.vmap(lambda memory: hard_state(machine, memory))(memories)
    return jax.lax.scan(lambda s, _: jax.vmap(step)(s, steps), start, length=most)[1]


def _choice(machine: NRAM, sources: Int[np.ndarray, " rows"], stop: bool) -> Choice:
    live = live_rows(machine.config, sources)
    kept = np.zeros_like(sources)
    kept[live] = sources[live]
    return tuple(kept.tolist()), stop


def _follow(tree: Tree, place: int, pattern: int, choice: Choice) -> int:
    """Return where a pattern leads to; it grows there if that was not seen before."""
    if pattern not in tree[place]:
        tree[place][pattern] = Edge(choice, len(tree))
        tree.append({})
    return tree[place][pattern].after


def _followers(tree: Tree, leaders: list[int], red: list[int]) -> Iterator[int]:
    """Yield states that follow red ones and are none of them, in the order of discovery."""
    for state in red:
        for edge in tree[state].values():
            after = _leader(leaders, edge.after)
            if after not in red:
                yield after


def _join(
    tree: Tree, leaders: list[int], state: int, other: int
) -> tuple[Tree, list[int]] | None:
    """Return tree and leaders with two states as one; None if they were seen to differ."""
    tree, leaders = [dict(edges) for edges in tree], list(leaders)
    pairs = [(state, other)]
    while pairs:
        a, b = (_leader(leaders, x) for x in pairs.pop())
        if a == b:
            continue
        leaders[b] = a
        for pattern, edge in tree[b].items():
            known = tree[a].setdefault(pattern, edge)
            if known.choice != edge.choice:
                return None
            pairs.append((known.after, edge.after))
    return tree, leaders


def _leader(leaders: list[int], state: int) -> int:
    """Return the state that stands for this one and those it was joined with."""
    while leaders[state] != state:
        state = leaders[state]
    return state
