"""A recurrent controller as a finite automaton, learned from its behaviour on examples.

A controller sees nothing but which registers are 0, so that its choices are a function of the
patterns of zeros seen so far: a Mealy machine, perhaps with infinitely many states. Running it
on examples gives a prefix tree of pattern histories and choices. States of the tree are merged
wherever no observation contradicts it, by the blue-fringe algorithm (Lang, Pearlmutter and
Price 1998). The result reproduces all observations; it is not proven to hold beyond them.
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
from softmachine.programs.reachable import Transition, TransitionTable
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.task import sample_batch
from softmachine.wiring.table import live_rows

EXAMPLES_EACH = 500
"""How many examples are run for each of `LARGEST_SIZES`."""
LARGEST_SIZES = (10, 30)
"""Sizes of examples are uniform up to each of these; memories have room for the largest."""
MOST_CONTROLLER_STATES = 100
"""The search is given up beyond this number of states."""

Choice = tuple[tuple[int, ...], bool]
"""The source that each row of choices takes, an idle one if dead, and whether the machine
stops."""


class Edge(NamedTuple):
    """A transition of the prefix tree."""

    choice: Choice
    """What the controller chose."""
    after: int
    """The state it leads to."""


Tree = list[dict[int, Edge]]
"""A prefix tree, or the automaton it was folded into: for each state, its transitions by the
number of the pattern. The first state is the initial one."""


def observe(machine: NRAM, task: MemoryTask, *, seed: int = 0) -> Tree:
    """Run a machine on examples of a task; return the prefix tree of its choices.

    Arguments:
        machine: the machine, run with every choice its most likely one.
        task: draws the examples.
        seed: of the examples.
    """
    tree: Tree = [{}]
    for number, largest in enumerate(LARGEST_SIZES):
        key = jax.random.fold_in(jax.random.key(seed), number)
        sizes = jax.random.randint(key, (EXAMPLES_EACH,), task.smallest, largest + 1)
        keys = jax.random.split(key, EXAMPLES_EACH)
        examples = sample_batch(task, keys, sizes, largest)
        patterns, wirings, running = jax.device_get(
            _watch(machine, examples.inputs, examples.steps, task.steps(largest))
        )
        for i in range(EXAMPLES_EACH):
            place = 0
            for t in np.flatnonzero(running[:, i]):
                choice = _choice(machine, wirings.sources[t, i], bool(wirings.stop[t, i]))
                place = _follow(tree, place, int(patterns[t, i]), choice)
    return tree


def fold(tree: Tree) -> Tree:
    """Return a small automaton that reproduces a prefix tree, by greedy merging of states.

    Raises SoftmachineError if it has more than `MOST_CONTROLLER_STATES`.
    """
    # Red states are those of the automaton. A blue one, a successor of a red one, is merged
    # with the first red one that it does not contradict; if there is none, it becomes red.
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
            if len(red) > MOST_CONTROLLER_STATES:
                raise SoftmachineError(
                    f"the controller was seen in more than {MOST_CONTROLLER_STATES} states: "
                    "it does not fold into a program"
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
) -> TransitionTable:
    """Return the transition table of a recurrent controller, as far as it was observed.

    Arguments:
        machine: the machine.
        task: draws the examples it is observed on.
        wires_of: returns the wires of a `Choice`, given its two parts.

    Raises:
        SoftmachineError: see `fold`.
    """
    registers = machine.config.registers
    return {
        (state, tuple(bool(pattern >> i & 1) for i in range(registers))): Transition(
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
    """Return patterns, wirings, and which examples are still running, at every step.

    Arguments:
        machine: the machine.
        memories: the examples.
        steps: how many steps each takes.
        most: how many steps are run.
    """

    def step(state, limit):
        zeros = (state.registers == 0).astype(jnp.float32)
        _, hidden = machine.controller(state.controller, zeros)
        running = ~state.stopped & (state.steps < limit)
        seen = pattern_number(state.registers), hard_wiring(machine, hidden), running
        return hard_step(machine, state), seen

    start = jax.vmap(lambda memory: hard_state(machine, memory))(memories)
    return jax.lax.scan(lambda s, _: jax.vmap(step)(s, steps), start, length=most)[1]


def _choice(machine: NRAM, sources: Int[np.ndarray, " rows"], stop: bool) -> Choice:
    """Return a choice with its dead rows idle: those that no store or register needs."""
    live = live_rows(machine.config, sources)
    kept = machine.rows.idle()
    kept[live] = sources[live]
    return tuple(kept.tolist()), stop


def _follow(tree: Tree, place: int, pattern: int, choice: Choice) -> int:
    """Return the state that a pattern leads to, adding it to the tree if it is new."""
    if pattern not in tree[place]:
        tree[place][pattern] = Edge(choice, len(tree))
        tree.append({})
    return tree[place][pattern].after


def _followers(tree: Tree, leaders: list[int], red: list[int]) -> Iterator[int]:
    """Yield the blue states: successors of red ones that are not red, in order of discovery."""
    for state in red:
        for edge in tree[state].values():
            after = _leader(leaders, edge.after)
            if after not in red:
                yield after


def _join(
    tree: Tree, leaders: list[int], state: int, other: int
) -> tuple[Tree, list[int]] | None:
    """Merge two states, and then those they lead to; None if observations contradict it.

    Works on copies. ``leaders`` are the parents of a union-find structure over the states.
    """
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
    """Return the representative of a state's class (union-find)."""
    while leaders[state] != state:
        state = leaders[state]
    return state
