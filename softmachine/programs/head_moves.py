"""A Neural Turing Machine told as moves of its heads, and run that way.

At every step the controller tells each head to stay or to jump to the row that matches its
key best, and then to move by one of its shifts. `run_by_moves` does exactly that and nothing
else: heads stand on one row, read that row, write that row. What a trained machine does
beyond it, blurred weightings, is thereby left out, and `check_moves` says whether it mattered.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from softmachine.errors import SoftmachineError
from softmachine.machines.addressing import content_weighting
from softmachine.machines.ntm import NTM, HeadParameters, NTMState, read, write
from softmachine.tasks.task import Example, SequenceTask

WRITTEN = 0.1
"""A write counts if it changes its row by this share of the largest change of a run."""


class Moves(NamedTuple):
    """What some heads do in one step."""

    jumps: Bool[Array, " heads"]
    """Whether the head leaves for the row that matches its key best."""
    shifts: Int[Array, " heads"]
    """By how many rows it moves then."""
    rows: Int[Array, " heads"]
    """Where it stands after both."""


class Account(NamedTuple):
    """What the heads did in each step of one example; read heads first."""

    jumps: Bool[Array, "steps heads"]
    shifts: Int[Array, "steps heads"]
    rows: Int[Array, "steps heads"]
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
    same_rows: tuple[float, ...]
    """For each head, in how many steps it stands where the soft one's weighting is largest."""


def decide_moves(
    parameters: HeadParameters,
    memory: Float[Array, "columns rows"],
    rows: Int[Array, " heads"],
    heads: slice,
    machine: NTM,
) -> Moves:
    """Return what some of the heads do, given where all of them stand.

    A head jumps if, of the gated weighting (paper, Eq. 7), the matching row would have more
    than the row where it stands.
    """
    config = machine.config
    keys, strengths, gates, shifts = (x[heads] for x in parameters[:4])
    content = content_weighting(memory, keys, strengths, smoothing=config.similarity_smoothing)
    jumps = gates * jnp.max(content, axis=1) > 1 - gates
    start = jnp.where(jumps, jnp.argmax(content, axis=1), rows[heads])
    by = jnp.argmax(shifts, axis=1) - config.shifts // 2
    after = start + by
    limit = config.memory_rows
    after = after % limit if config.wrap else jnp.clip(after, 0, limit - 1)
    return Moves(jumps, by, after)


def run_by_moves(machine: NTM, example: Example, key: PRNGKeyArray) -> Account:
    """Run an example with heads that stand on single rows.

    Raises SoftmachineError for a machine whose heads take turns (order ``alternate``).
    """
    if machine.config.order == "alternate":
        raise SoftmachineError("heads that take turns have no account of their moves")
    ready = machine.prepare()

    def step(state, encoded):
        state, moves, change, features = _step(ready, state, encoded)
        return state, (moves, change, features)

    first = machine.init_state(example.inputs, key=key)
    start = first._replace(weightings=_stand(jnp.argmax(first.weightings, axis=1), machine))
    _, (moves, changes, features) = jax.lax.scan(step, start, machine.encode(example.inputs))
    return Account(*moves, changes, machine.decode(features))


def _step(machine, state, encoded):
    """Take one step; see `NTM.advance`."""
    config = machine.config
    readers, writers = slice(0, config.read_heads), slice(config.read_heads, None)
    feedback = state.reads.reshape(-1) if config.feed_reads else jnp.zeros(0)
    controller, hidden = machine.controller(state.controller, encoded, feedback)
    parameters = machine.head_parameters(hidden)
    rows = jnp.argmax(state.weightings, axis=1)
    decide = partial(decide_moves, parameters, rows=rows, machine=machine)

    writing = decide(state.memory, heads=writers)
    written = _stand(writing.rows, machine)
    memory = _write(machine, parameters, state.memory, written)
    reading = decide(memory if config.order == "write-read" else state.memory, heads=readers)
    source = state.memory if config.order == "read-write" else memory
    reads = read(source, _stand(reading.rows, machine))
    moves = Moves(*map(jnp.concatenate, zip(reading, writing, strict=True)))
    change = jnp.linalg.norm((memory - state.memory)[:, writing.rows], axis=0)
    features = {
        "controller+reads": lambda: jnp.concatenate([hidden, reads.reshape(-1)]),
        "reads": lambda: reads.reshape(-1),
        "controller": lambda: hidden,
    }[config.output_from]()
    state = NTMState(controller, memory, _stand(moves.rows, machine), reads)
    return state, moves, change, features


def _stand(rows: Int[Array, " heads"], machine: NTM) -> Float[Array, "heads rows"]:
    return jax.nn.one_hot(rows, machine.config.memory_rows)


def _write(machine, parameters, memory, weightings):
    """Erase and add as the configuration says."""
    erases, adds = parameters.erases, parameters.adds
    if machine.config.write_composition == "erase-then-add":
        return write(memory, weightings, erases, adds)
    for i in range(machine.config.write_heads):
        head = slice(i, i + 1)
        memory = write(memory, weightings[head], erases[head], adds[head])
    return memory


def check_moves(
    machine: NTM, task: SequenceTask, size: int, *, sequences: int = 1000, seed: int = 0
) -> Agreement:
    """Run fresh sequences of a size softly and by moves alone, and compare.

    Raises SoftmachineError if the sequences do not fit the memory.
    """
    _check_size(machine, task, size)

    def one(key):
        example_key, machine_key = jax.random.split(key)
        example = task.sample(example_key, size, max_size=size)
        soft_rows, soft = _run_softly(machine, example, machine_key)
        account = run_by_moves(machine, example, machine_key)
        scored = jnp.broadcast_to(example.mask, soft.shape) > 0
        bits = [soft > 0, account.outputs > 0, example.targets > 0]
        counts = [
            jnp.sum((a != b) & scored)
            for a, b in ((bits[0], bits[1]), (bits[0], bits[2]), (bits[1], bits[2]))
        ]
        same = jnp.mean(soft_rows == account.rows, axis=0)
        return jnp.stack(counts), jnp.sum(scored), same

    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), size), sequences)
    counts, scored, same = jax.jit(partial(jax.lax.map, one, batch_size=50))(keys)
    shares = np.sum(counts, axis=0) / np.sum(scored)
    rows = tuple(np.mean(same, axis=0).tolist())
    return Agreement(sequences, *shares.tolist(), rows)


def _run_softly(machine, example, key):
    """Return the rows with most weight, and the outputs, of every step."""
    ready = machine.prepare()

    def step(state, encoded):
        state, features = ready.advance(state, encoded)
        return state, (jnp.argmax(state.weightings, axis=1), features)

    state = machine.init_state(example.inputs, key=key)
    _, (rows, features) = jax.lax.scan(step, state, machine.encode(example.inputs))
    return rows, machine.decode(features)


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

    Each read names the step in which its row was last written. Raises SoftmachineError if
    the example does not fit the memory.
    """
    _check_size(machine, task, size)
    key, machine_key = jax.random.split(jax.random.key(seed))
    example = task.sample(key, size, max_size=size)
    account = jax.tree.map(
        np.asarray, eqx.filter_jit(run_by_moves)(machine, example, machine_key)
    )
    return format_account(machine, example, account)


def format_account(machine: NTM, example: Example, account: Account) -> str:
    """Return an account as a table."""
    config = machine.config
    lines = [["step", "input", *_head_names(config), "output"]]
    writes = account.changes >= WRITTEN * max(float(np.max(account.changes)), 1e-9)
    last_written: dict[int, int] = {}
    scored = np.asarray(example.mask).max(axis=1) > 0
    for time, rows in enumerate(account.rows):
        told = []
        now = {int(r): time + 1 for r in rows[config.read_heads :][writes[time]]}
        known = last_written if config.order == "read-write" else last_written | now
        for head, row in enumerate(rows.tolist()):
            text = f"{_move(account, time, head):>6} {row:>4}"
            writer = head - config.read_heads
            if writer >= 0:
                text += " write" if writes[time, writer] else ""
            elif row in known:
                text += f" (of {known[row]})"
            told.append(text)
        last_written |= now
        bits = np.asarray(example.inputs[time])
        said = "".join(str(int(x)) for x in account.outputs[time] > 0)
        lines.append(
            [
                str(time + 1),
                "".join("1" if x == 1 else "." if x == 0 else f" {x:.2g}" for x in bits),
                *told,
                said if scored[time] else "",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _head_names(config) -> list[str]:
    """Return what the heads are called, counted where there are several of a kind."""
    return [
        f"{kind} head" + (f" {i + 1}" if count > 1 else "")
        for kind, count in (("read", config.read_heads), ("write", config.write_heads))
        for i in range(count)
    ]


def _move(account: Account, time: int, head: int) -> str:
    """Return a move in a word: ``stay``, ``+1``, ``jump``, ``jump+1``, ..."""
    by = int(account.shifts[time, head])
    shift = f"{by:+}" if by else ""
    if account.jumps[time, head]:
        return "jump" + shift
    return shift or "stay"
