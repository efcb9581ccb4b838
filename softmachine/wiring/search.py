"""Search for the wires that a machine lacks, and writing them into its parameters.

Where several choices have to be right at once before the error falls, gradients do not find
them. The search anneals: it takes a machine's hard form and changes wires at random, keeping
what makes fewer mistakes, and now and then what makes more, ever more rarely. So it leaves what
does a few examples by heart, which takes many wires, for what does all by a rule, which takes
few. When one attempt ends with mistakes, the next begins with a few circuits drawn at random,
and takes twice as long. Sources: Kirkpatrick, Gelatt and Vecchi 1983, simulated annealing;
Schkufza, Sharma and Aiken 2013, programs found by it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from softmachine.core.choices import Positive
from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.controller import MLP
from softmachine.machines.nram.hard import DECIDED, pattern_bits
from softmachine.machines.nram.nram import NRAM, NRAMConfig
from softmachine.tasks.memories.exams import Batch, draw_batch, draw_exam
from softmachine.tasks.task import Task
from softmachine.wiring.table import WiringTable, read_wiring, run_wiring

MORE_CHANGES = 1.0
"""A table differs from the one it comes from in a choice that matters and, on average, so many
more of these."""
FIRST_TABLES = 25_000
"""So many tables the first attempt tries; each later one twice as many."""
HOT = (0.004, 0.016)
"""Between these an attempt's first temperature is drawn, its logarithm uniformly. In shares of
wrong cells: a change for the worse by this share is kept with probability 1/e."""
COLD = 0.1
"""The last temperature, as a share of the first."""
SIMPLER = 30_000
"""So many tables are tried to make a program smaller that has been found."""
CIRCUITS = (2, 3, 4)
"""How many circuits are drawn at random, in turn. Few: with one for every pattern of zeros,
a machine counts its steps and does by heart what examples of small sizes ask for."""
CONFIRMED = 8
"""What is right on the examples that guide a search has to be right on this many times more."""
MISSED = 32
"""So many examples that a program gets wrong, at most, are searched on from then on."""


class Found(NamedTuple):
    """What came of a search."""

    table: WiringTable
    error: float
    """Mean share of wrong cells, of the whole batch if there were none while searching."""
    tried: int
    """Tables that were run."""


def draw_searched(
    task: Task, examples: int, smallest: int, largest: int, rng: np.random.Generator
) -> Batch:
    """Return the examples of a search: ``examples`` that guide it, then others that confirm.

    They have sizes from ``smallest`` to ``largest``. Of those that guide, half are random, half
    are adversarial: with random ones alone, what is found does by chance what is seldom hard.
    Of the others some are random, so that there are `CONFIRMED` times as many as guide, and
    then come all adversarial cases up to twice the largest size.
    """
    sizes = rng.integers(smallest, largest + 1, CONFIRMED * examples)
    random = draw_batch(task, jax.random.key(int(rng.integers(2**31))), sizes, largest)
    seed = int(rng.integers(2**31))
    trained, larger = (draw_exam(task, seed, most).batch for most in (largest, 2 * largest))
    some = rng.permutation(len(trained.steps))[: examples // 2]
    few = np.arange(examples - len(some))
    rest = np.arange(len(few), len(random.steps))
    first = random.take(few).followed_by(trained.take(some))
    order = rng.permutation(len(first.steps))
    return first.take(order).followed_by(random.take(rest)).followed_by(larger)


def mend(
    machine: NRAM,
    batch: Batch,
    rng: np.random.Generator,
    tables: int,
    examples: int,
    hot: tuple[float, float] = HOT,
    ended: Bool[np.ndarray, "1"] | None = None,
) -> NRAM | None:
    """Return the machine with wires that make no mistake on a batch; see `search_wires`.

    None if none are found, or if they cannot be written into its last layers.
    """
    table = read_wiring(machine)
    found = search_wires(machine.config, table, batch, rng, tables, examples, hot, ended)
    if found.error:
        return None
    _, met = try_tables(machine.config, _stack([found.table]), batch)
    try:
        return write_wires(machine, found.table, np.flatnonzero(met[0].any(axis=0)))
    except SoftmachineError:
        return None


def try_tables(
    config: NRAMConfig, tables: WiringTable, batch: Batch
) -> tuple[Float[np.ndarray, "tables examples"], Bool[np.ndarray, "tables examples patterns"]]:
    """Return the share of wrong cells for each table and example, and the patterns met."""
    count, examples = len(tables.stop), len(batch.steps)
    repeated = batch.take(np.tile(np.arange(examples), count))
    ran = run_wiring(
        config,
        tables,
        repeated.memories,
        repeated.steps,
        values=repeated.cells,
        table_of=np.repeat(np.arange(count), examples),
    )
    return repeated.wrong(ran.memories).reshape(count, examples), ran.patterns.reshape(
        count, examples, -1
    )


def search_wires(
    config: NRAMConfig,
    table: WiringTable | None,
    batch: Batch,
    rng: np.random.Generator,
    tables: int,
    examples: int | None = None,
    hot: tuple[Positive, Positive] = HOT,
    ended: Bool[np.ndarray, "1"] | None = None,
) -> Found:
    """Change wires at random for so many tables, or until no example goes wrong.

    The first attempt begins with a machine's own table, if there is one, cold; the others with
    circuits drawn at random. They are tried on the first ``examples`` of the batch, all if
    None. What is right on these is made as small as it can be, for those who will read it, and
    run on the whole batch. Examples that it gets wrong are searched on from then on, first of
    all by changing it. Another thread may end the search by setting ``ended[0]``.

    ``hot``: see `HOT`.

    Returns what is right on the whole batch; if nothing is, what makes fewest mistakes.
    """
    # Compiles, which nobody should wait for who does not search.
    from softmachine.wiring import native_search as native

    ended = np.zeros(1, bool) if ended is None else ended
    asked = np.arange(len(batch.steps))[:examples]
    best: Found | None = None
    tried = begun = 0

    def goes_on():
        return best is None or (tried < tables and not ended[0])

    while goes_on():
        works, circuits, first, last = _begin(config, table, batch.cells, begun, hot, rng)
        length = FIRST_TABLES * 2**begun
        begun += 1
        error = 0.0
        while not error and goes_on():
            guide = native.prepare(*batch.take(asked))
            most, seed = min(length, tables - tried), int(rng.integers(2**32))
            circuits, error, ran = native.anneal(
                works, circuits, guide, most, first, last, MORE_CHANGES, seed, ended
            )
            tried += ran
            if not error:
                circuits, _ = native.simplify(
                    works, circuits, guide, SIMPLER, MORE_CHANGES, int(rng.integers(2**32))
                )
            wires = WiringTable(
                circuits.sources[circuits.of_pattern], circuits.stop[circuits.of_pattern]
            )
            share = float(error)
            if not error:
                mistakes = try_tables(config, _stack([wires]), batch)[0][0]
                if not mistakes.any():
                    return Found(wires, 0.0, tried)
                share = float(mistakes.mean())
                asked = np.concatenate([asked, np.flatnonzero(mistakes)[:MISSED]])
                length, first = FIRST_TABLES, last
            if best is None or share < best.error:
                best = Found(wires, share, tried)
    assert best is not None
    return best._replace(tried=tried)


def _begin(
    config: NRAMConfig,
    table: WiringTable | None,
    cells: Int[np.ndarray, " examples"],
    begun: int,
    hot: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Any, Any, float, float]:
    """Return how an attempt begins: what gates do, circuits, first and last temperature."""
    from softmachine.wiring import native_search as native

    if table is not None and not begun:
        circuits = native.Circuits(
            table.sources.astype(np.int32),
            table.stop.astype(bool),
            np.arange(len(table.stop), dtype=np.int32),
        )
        return native.workings(config, cells), circuits, COLD * hot[0], COLD * hot[0]
    active = int(rng.integers(min(2, config.registers), config.registers + 1))
    works = native.workings(config, cells, active)
    circuits = native.random_circuits(works, CIRCUITS[begun % len(CIRCUITS)], rng)
    first = float(np.exp(rng.uniform(*np.log(hot))))
    return works, circuits, first, COLD * first


def write_wires(machine: NRAM, table: WiringTable, met: Int[np.ndarray, " some"]) -> NRAM:
    """Return the machine with its last layers changed to choose a table's wires, decidedly.

    The change is the smallest that gives the patterns that are ``met`` these wires, and leaves
    the logits of all others as they are. Logits become `DECIDED` for what is chosen and minus
    that for all else, so that the soft machine does what the hard one does.

    Raises SoftmachineError if the hidden layer tells too few patterns apart.
    """
    assert isinstance(machine.controller, MLP)
    _, hidden = machine.controller((), pattern_bits(machine.config.registers).T)
    features = np.vstack([np.asarray(hidden), np.ones(hidden.shape[1])])
    rows, slots = machine.rows.inside.nonzero()
    now = np.asarray(machine.output(hidden))
    wanted = now.copy()
    for pattern in met.tolist():
        chosen = table.sources[pattern][rows] == slots
        wanted[:, pattern] = np.where(chosen, DECIDED, -DECIDED)
    stops = np.asarray(machine.stop(hidden))
    wanted_stops = stops.copy()
    wanted_stops[0, met] = np.where(table.stop[met], DECIDED, -DECIDED)
    change = np.linalg.lstsq(
        features.T, np.vstack([wanted - now, wanted_stops - stops]).T, rcond=None
    )[0].T
    mended = eqx.tree_at(
        lambda m: (m.output.weight, m.output.bias, m.stop.weight, m.stop.bias),
        machine,
        replace=(
            machine.output.weight + jnp.asarray(change[:-1, :-1], jnp.float32),
            machine.output.bias + jnp.asarray(change[:-1, -1], jnp.float32),
            machine.stop.weight + jnp.asarray(change[-1:, :-1], jnp.float32),
            machine.stop.bias + jnp.asarray(change[-1:, -1], jnp.float32),
        ),
    )
    after = read_wiring(mended)
    same = (after.sources[met] == table.sources[met]) | (machine.rows.sources == 0)
    if not same.all() or (after.stop[met] != table.stop[met]).any():
        raise SoftmachineError("the hidden layer does not tell enough patterns of zeros apart")
    return mended


def _stack(tables: list[WiringTable]) -> WiringTable:
    return WiringTable(*map(np.stack, zip(*tables, strict=True)))
