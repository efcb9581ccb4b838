"""The head moves of a machine such as an NTM: a readable account of a run, and a test of it.

The account of a run names, for every step, the memory row that each head is on: the argmax of
its weighting. `run_by_moves` runs the machine again with every weighting replaced by one-hot on
that row. This leaves out whatever the machine does by reading and writing several rows at once;
`check_moves` tells whether that changes the outputs.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.core import compiling
from softmachine.core.capabilities import Headed, Heads
from softmachine.core.errors import SoftmachineError
from softmachine.core.pytrees import PyTree
from softmachine.tasks.task import Example, Task, sample_one

BLURRED = 0.5
"""A head is between rows if no row has at least this weight."""
WRITTEN = 0.1
"""A write counts if it changes its row by this fraction of the run's largest change or more."""


class Account(NamedTuple):
    """Where the heads were in each step of a soft run; read heads come first."""

    rows: Int[Array, "steps heads"]
    """The row with the largest weight."""
    weights: Float[Array, "steps heads"]
    """Its weight."""
    outputs: PyTree
    """The machine's outputs, of every step."""


class MovesRun(NamedTuple):
    """A run of a machine whose heads are on one row each."""

    changes: Float[Array, "steps write_heads"]
    """The Euclidean distance by which each write head changed its row."""
    outputs: PyTree
    """The machine's outputs, of every step."""


class Agreement(NamedTuple):
    """How the run by moves compares with the soft run, over many sequences."""

    sequences: int
    different: float
    """Fraction of the scored outputs, such as bits, in which the two differ."""
    wrong_soft: float
    """Fraction of the scored outputs that the soft run gets wrong."""
    wrong_moves: float
    """Fraction of the scored outputs that the run by moves gets wrong."""
    decided: tuple[float, ...]
    """For each head, the fraction of steps in which it is on one row, not between rows."""


@partial(compiling.filter_jit, tuned=False)
def take_account(machine: Headed, example: Example, key: PRNGKeyArray) -> Account:
    """Run a machine softly on an example and note which row each head is on.

    ``key`` is for the machine's first state.
    """

    def step(state, encoded):
        state, features = machine.advance(state, encoded)
        weightings = machine.observe_state(state)["weightings"]
        rows, weights = jnp.argmax(weightings, axis=1), jnp.max(weightings, axis=1)
        return state, (rows, weights, features)

    state = machine.init_state(example.inputs, key=key)
    _, (rows, weights, features) = jax.lax.scan(step, state, machine.encode(example.inputs))
    return Account(rows, weights, machine.decode(features))


@partial(compiling.filter_jit, tuned=False)
def run_by_moves(
    machine: Headed, example: Example, rows: Int[Array, "steps heads"], key: PRNGKeyArray
) -> MovesRun:
    """Run a machine on an example with its heads on the given rows: one-hot weightings."""
    readers = machine.head_layout.read

    def step(state, given):
        encoded, rows = given
        after, features = machine.advance_on_rows(state, encoded, rows)
        written, before = (machine.observe_state(s)["memory"] for s in (after, state))
        changes = (written - before)[rows[readers:]]
        return after, (jnp.linalg.norm(changes, axis=1), features)

    start = machine.init_state(example.inputs, key=key)
    given = machine.encode(example.inputs), rows
    _, (changes, features) = jax.lax.scan(step, start, given)
    return MovesRun(changes, machine.decode(features))


def check_moves(
    machine: Headed, task: Task, size: int, *, sequences: int = 1000, seed: int = 0
) -> Agreement:
    """Run new sequences both softly and by moves alone, and compare the outputs.

    Arguments:
        machine: the machine.
        task: draws the sequences; has an input and an output per step.
        size: their size.
        sequences: how many.
        seed: of the sequences and the machine's first states.

    Raises:
        SoftmachineError: the task is none of every step or asks for real numbers, or the size
            is too small for it or too large for the memory.
    """
    _check(machine, task, size)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), size), sequences)
    found = jax.tree.map(np.asarray, _compare(machine, task, size, keys))
    counts, scored, decided, steps = found  # of NumPy: sums are exact
    shares = np.sum(counts, axis=0) / np.sum(scored)
    different, wrong_soft, wrong_moves = shares.tolist()
    decided = np.sum(decided, axis=0) / np.sum(steps)
    return Agreement(sequences, different, wrong_soft, wrong_moves, tuple(decided.tolist()))


@partial(compiling.filter_jit, tuned=False)
def _compare(machine, task, size, keys):
    """Return counts for each key's sequence.

    They are of scored outputs in which the runs differ, which the soft run gets wrong, and
    which the run by moves gets wrong; of all scored outputs; of the steps in which each head
    is decided; and of all steps.
    """
    spec = task.output

    def one(key):
        example_key, machine_key = jax.random.split(key)
        example = task.sample(example_key, size, max_size=size)
        account = take_account(machine, example, machine_key)
        done = run_by_moves(machine, example, account.rows, machine_key)
        soft, moves, scored = account.outputs, done.outputs, spec.scored(example)
        counts = [
            jnp.sum((spec.answer(soft, example) != spec.answer(moves, example)) & scored),
            jnp.sum(spec.wrong(soft, example)),
            jnp.sum(spec.wrong(moves, example)),
        ]
        decided = jnp.sum(account.weights >= BLURRED, axis=0)
        steps = jnp.asarray(len(account.weights))
        return jnp.stack(counts), jnp.sum(scored), decided, steps

    return jax.lax.map(one, keys, batch_size=50)


def _check(machine: Headed, task: Task, size: int) -> None:
    if not (task.inputs.per_step and task.outputs.per_step):
        raise SoftmachineError(
            f"moves are told step by step: {type(task).__name__} has no input and output in "
            "every step"
        )
    if not task.outputs.spec.decisions:
        raise SoftmachineError(
            f"moves are told of machines that decide: what {type(task).__name__} asks for are "
            "real numbers"
        )
    if size < task.smallest:
        raise SoftmachineError(f"size must be at least {task.smallest}, not {size}")
    if task.items(size) > machine.memory_rows:
        raise SoftmachineError(
            f"size {size} needs {task.items(size)} memory rows, this machine has "
            f"{machine.memory_rows}: grow its memory with --memory-rows"
        )


def give_account(machine: Headed, task: Task, size: int, seed: int = 0) -> str:
    """Return a table of the head moves on one example, a line per step.

    Each read names the step in which its row was last written; ``~`` marks a head that is
    between rows.

    Arguments:
        machine: the machine.
        task: draws the example; has an input and an output per step.
        size: its size.
        seed: of the example and the machine's first state.

    Raises:
        SoftmachineError: the task is none of every step or asks for real numbers, or the size
            is too small for it or too large for the memory.
    """
    _check(machine, task, size)
    key, machine_key = jax.random.split(jax.random.key(seed))
    example = sample_one(task, key, size)
    account = take_account(machine, example, machine_key)
    done = run_by_moves(machine, example, account.rows, machine_key)
    account, done = jax.tree.map(np.asarray, (account, done))
    return format_account(machine, task, example, account, done)


def format_account(
    machine: Headed, task: Task, example: Example, account: Account, done: MovesRun
) -> str:
    """Return the account of a run as a table; see `give_account`.

    ``done``: the run by the account's moves, which tells what was written.
    """
    heads, memory_rows = machine.head_layout, machine.memory_rows
    lines = [["step", "input", *head_names(heads), "output"]]
    heard = task.inputs.spec.input_texts(np.asarray(example.inputs))
    said = task.output.output_texts(done.outputs)
    scored = [step.any() for step in np.asarray(task.output.scored(example))]
    writes = done.changes >= WRITTEN * max(float(np.max(done.changes)), 1e-9)
    before = None
    last_written: dict[int, int] = {}
    for time, rows in enumerate(account.rows):
        now = {int(r): time + 1 for r in rows[heads.read :][writes[time]]}
        told = []
        for head, row in enumerate(rows.tolist()):
            sharp = account.weights[time, head] >= BLURRED
            came = None if before is None else int(before[head])
            text = _move(came, row, heads, memory_rows)
            text += "" if sharp else "~"
            writer = head - heads.read
            if writer >= 0:
                text += " write" if writes[time, writer] else ""
            elif row in _before_reading(head, rows[heads.read :], writes[time], heads):
                text += f" (of {time + 1})"
            elif row in last_written:
                text += f" (of {last_written[row]})"
            told.append(text)
        last_written |= now
        before = rows
        lines.append([str(time + 1), heard[time], *told, said[time] if scored[time] else ""])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _before_reading(
    head: int,
    rows: Int[Array, " write_heads"] | Int[np.ndarray, " write_heads"],
    writes: Bool[Array, " write_heads"] | Bool[np.ndarray, " write_heads"],
    heads: Heads,
) -> set[int]:
    """Return the rows that are written in the same step before a head reads.

    Arguments:
        head: the number of the read head.
        rows: where the write heads are.
        writes: which of them write.
        heads: says in which order heads read and write.
    """
    writers = heads.written_before[head]
    return {int(row) for row in rows[:writers][writes[:writers]]}


def head_names(heads: Heads) -> list[str]:
    """Return names for the heads, read heads first, with numbers if there are several."""
    return [
        f"{kind} head" + (f" {i + 1}" if count > 1 else "")
        for kind, count in (("read", heads.read), ("write", heads.write))
        for i in range(count)
    ]


def _move(before: int | None, row: int, heads: Heads, rows: int) -> str:
    """Return a move, ``stay``, ``+1``, ``-1`` or ``jump``, and the row it led to."""
    if before is None:
        return f"{'':4} {row:>4}"
    by = row - before
    if heads.wrap:
        by = (by + rows // 2) % rows - rows // 2
    word = "jump" if abs(by) > heads.furthest else f"{by:+}" if by else "stay"
    return f"{word:>4} {row:>4}"
