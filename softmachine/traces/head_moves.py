"""A Neural Turing Machine told as moves of its heads, and run that way.

The account of a run says for every step on which row each head is: the one with most of its
weighting. `run_by_moves` then does what the account says: heads are on those rows alone, read
them, write them; the controller gets what they read. What a trained machine does beyond it,
reading and writing in several places at once, is thereby left out, and `check_moves` says
whether it mattered.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.machines.ntm.ntm import NTM, NTMConfig
from softmachine.tasks.task import Example, SequenceTask, sample_one

BLURRED = 0.5
"""A head whose row has less of its weighting than this is between places."""
WRITTEN = 0.1
"""A write counts if it changes its row by this share of the largest change of a run."""


class Account(NamedTuple):
    """Where the heads of a soft machine were in each step; read heads first."""

    rows: Int[Array, "steps heads"]
    """The row with most of the weighting."""
    weights: Float[Array, "steps heads"]
    """How much of the weighting it has."""
    outputs: Float[Array, "steps outputs"]


class Done(NamedTuple):
    """What a machine made of an account."""

    changes: Float[Array, "steps write_heads"]
    """How far each write head's row is from what it held before."""
    outputs: Float[Array, "steps outputs"]


class Agreement(NamedTuple):
    """How a machine that does nothing but its moves compares with the soft one."""

    sequences: int
    different_bits: float
    """Share of the scored bits in which the two differ."""
    wrong_soft: float
    """Share of the scored bits that the soft machine gets wrong."""
    wrong_moves: float
    decided: tuple[float, ...]
    """For each head, the share of the steps in which it is not between places."""


@partial(compiling.filter_jit, tuned=False)
def take_account(machine: NTM, example: Example, key: PRNGKeyArray) -> Account:
    """Run an example as the machine is and note where its heads are."""

    def step(state, encoded):
        state, features = machine.advance(state, encoded)
        rows = jnp.argmax(state.weightings, axis=1)
        return state, (rows, jnp.max(state.weightings, axis=1), features)

    state = machine.init_state(example.inputs, key=key)
    _, (rows, weights, features) = jax.lax.scan(step, state, machine.encode(example.inputs))
    return Account(rows, weights, machine.decode(features))


@partial(compiling.filter_jit, tuned=False)
def run_by_moves(
    machine: NTM, example: Example, rows: Int[Array, "steps heads"], key: PRNGKeyArray
) -> Done:
    """Run an example with heads that are on one row each, at every step on the given ones."""
    written = machine.config.read_heads

    def step(state, given):
        encoded, rows = given
        on_rows = jax.nn.one_hot(rows, machine.config.memory_rows, dtype=state.memory.dtype)

        def address(_parameters, _memory, _previous, heads, _config):
            return on_rows[heads]

        after, features = machine.advance(state, encoded, address=address)
        changes = (after.memory - state.memory)[:, rows[written:]]
        return after, (jnp.linalg.norm(changes, axis=0), features)

    start = machine.init_state(example.inputs, key=key)
    given = machine.encode(example.inputs), rows
    _, (changes, features) = jax.lax.scan(step, start, given)
    return Done(changes, machine.decode(features))


def check_moves(
    machine: NTM, task: SequenceTask, size: int, *, sequences: int = 1000, seed: int = 0
) -> Agreement:
    """Run fresh sequences of a size softly and by moves alone, and compare.

    Raises SoftmachineError if the sequences do not fit the memory.
    """
    _check_size(machine, task, size)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), size), sequences)
    counts, scored, decided = _compare(machine, task, size, keys)
    shares = np.sum(counts, axis=0) / np.sum(scored)
    different, wrong_soft, wrong_moves = shares.tolist()
    decided = tuple(np.mean(decided, axis=0).tolist())
    return Agreement(sequences, different, wrong_soft, wrong_moves, decided)


@partial(compiling.filter_jit, tuned=False)
def _compare(machine, task, size, keys):
    """Return counts of bits that differ, of scored bits, and where heads are decided."""

    def one(key):
        example_key, machine_key = jax.random.split(key)
        example = task.sample(example_key, size, max_size=size)
        account = take_account(machine, example, machine_key)
        done = run_by_moves(machine, example, account.rows, machine_key)
        soft = account.outputs
        scored = jnp.broadcast_to(example.mask, soft.shape) > 0
        bits = [soft > 0, done.outputs > 0, example.targets > 0]
        counts = [
            jnp.sum((a != b) & scored)
            for a, b in ((bits[0], bits[1]), (bits[0], bits[2]), (bits[1], bits[2]))
        ]
        decided = jnp.mean(account.weights >= BLURRED, axis=0)
        return jnp.stack(counts), jnp.sum(scored), decided

    return jax.lax.map(one, keys, batch_size=50)


def _check_size(machine: NTM, task: SequenceTask, size: int) -> None:
    if size < task.smallest:
        raise SoftmachineError(f"size must be at least {task.smallest}, not {size}")
    if task.items(size) > machine.config.memory_rows:
        raise SoftmachineError(
            f"size {size} needs {task.items(size)} memory rows, this machine has "
            f"{machine.config.memory_rows}: grow its memory with --memory-rows"
        )


def give_account(machine: NTM, task: SequenceTask, size: int, seed: int = 0) -> str:
    """Return a table of what the heads do with one example, a line per step.

    Each read names the step in which its row was last written; ``~`` marks a head that is
    between places. Raises SoftmachineError if the example does not fit the memory.
    """
    _check_size(machine, task, size)
    key, machine_key = jax.random.split(jax.random.key(seed))
    example = sample_one(task, key, size)
    account = take_account(machine, example, machine_key)
    done = run_by_moves(machine, example, account.rows, machine_key)
    account, done = jax.tree.map(np.asarray, (account, done))
    return format_account(machine, example, account, done)


def format_account(machine: NTM, example: Example, account: Account, done: Done) -> str:
    """Return an account as a table."""
    config = machine.config
    lines = [["step", "input", *head_names(config), "output"]]
    writes = done.changes >= WRITTEN * max(float(np.max(done.changes)), 1e-9)
    before = None
    last_written: dict[int, int] = {}
    scored = np.asarray(example.mask).max(axis=1) > 0
    for time, rows in enumerate(account.rows):
        now = {int(r): time + 1 for r in rows[config.read_heads :][writes[time]]}
        told = []
        for head, row in enumerate(rows.tolist()):
            sharp = account.weights[time, head] >= BLURRED
            text = _move(None if before is None else int(before[head]), row, config)
            text += "" if sharp else "~"
            writer = head - config.read_heads
            if writer >= 0:
                text += " write" if writes[time, writer] else ""
            elif row in _before_reading(head, rows[config.read_heads :], writes[time], config):
                text += f" (of {time + 1})"
            elif row in last_written:
                text += f" (of {last_written[row]})"
            told.append(text)
        last_written |= now
        before = rows
        said = "".join(str(int(x)) for x in done.outputs[time] > 0)
        lines.append(
            [
                str(time + 1),
                "".join(map(_show_input, np.asarray(example.inputs[time]).tolist())),
                *told,
                said if scored[time] else "",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _before_reading(
    head: int,
    rows: Int[Array, " write_heads"] | Int[np.ndarray, " write_heads"],
    writes: Bool[Array, " write_heads"] | Bool[np.ndarray, " write_heads"],
    config: NTMConfig,
) -> set[int]:
    """Return the rows that are written before a head reads, in the same step."""
    writers = {"read-write": 0, "alternate": head}.get(config.order, config.write_heads)
    return {int(row) for row in rows[:writers][writes[:writers]]}


def head_names(config: NTMConfig) -> list[str]:
    """Return what the heads are called, counted where there are several of a kind."""
    return [
        f"{kind} head" + (f" {i + 1}" if count > 1 else "")
        for kind, count in (("read", config.read_heads), ("write", config.write_heads))
        for i in range(count)
    ]


def _move(before: int | None, row: int, config: NTMConfig) -> str:
    """Return a move in a word, and where it led: ``stay``, ``+1``, ``-1``, ``jump``."""
    if before is None:
        return f"{'':4} {row:>4}"
    most, rows = config.shifts // 2, config.memory_rows
    by = row - before
    if config.wrap:
        by = (by + rows // 2) % rows - rows // 2
    word = "jump" if abs(by) > most else f"{by:+}" if by else "stay"
    return f"{word:>4} {row:>4}"


def _show_input(x: float) -> str:
    """Return a channel's value: 1, a dot for 0, other numbers as they are."""
    return {0.0: ".", 1.0: "1"}.get(x, f" {x:.2g} ")
