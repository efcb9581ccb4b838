"""Search for wires that make no mistake, and writing them into a machine's parameters.

Where several choices have to be right at once before the error falls, gradients do not find
them. The search anneals: it takes a machine's hard form and changes wires at random, keeping
what makes fewer mistakes, and now and then what makes more, ever more rarely. So it gets away
from circuits that know a few examples by heart, which take many wires, to circuits that follow
a rule, which take few. When one attempt ends with mistakes, the next begins with a few circuits
drawn at random, and takes twice as long. Sources: Kirkpatrick, Gelatt and Vecchi 1983,
simulated annealing; Schkufza, Sharma and Aiken 2013, programs found by it.
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
"""Mean number of random changes per proposal beyond the first. The first is of a choice that
matters."""
FIRST_TABLES = 25_000
"""How many tables the first attempt tries; each later one tries twice as many."""
HOT = (0.004, 0.016)
"""The range of an attempt's first temperature, drawn log-uniformly. In shares of wrong cells: a
change for the worse by this share is kept with probability 1/e."""
COLD = 0.1
"""The last temperature, as a share of the first."""
SIMPLIFY_TABLES = 30_000
"""How many tables are tried to make a program smaller, once it makes no mistake."""
CIRCUITS = (2, 3, 4)
"""How many circuits are drawn at random, in turn. Few: with one for every pattern of zeros,
a machine counts its steps and knows the examples of small sizes by heart."""
CONFIRM_FACTOR = 8
"""A program that is right on the examples that guide a search has to be right on this many
times as many."""
MOST_ADDED = 32
"""At most this many of the examples that a program gets wrong join those of the search."""


class SearchResult(NamedTuple):
    """The best table of wires of a search, and what it cost."""

    table: WiringTable
    error: float
    """Mean share of wrong cells, of the whole batch if there were none while searching."""
    tried: int
    """Tables that were run."""


def draw_search_examples(
    task: Task, examples: int, smallest: int, largest: int, rng: np.random.Generator
) -> Batch:
    """Return examples for a search: ``examples`` that guide it, then others that confirm.

    They have sizes from ``smallest`` to ``largest``. Of those that guide, half are random, half
    are adversarial: with random ones alone, what is found does by chance what is seldom hard.
    Of the others some are random: with the first, `CONFIRM_FACTOR` times as many as guide.
    Then come all adversarial cases up to twice the largest size.
    """
    sizes = rng.integers(smallest, largest + 1, CONFIRM_FACTOR * examples)
    random = draw_batch(task, jax.random.key(int(rng.integers(2**31))), sizes, largest)
    seed = int(rng.integers(2**31))
    trained, larger = (draw_exam(task, seed, most).batch for most in (largest, 2 * largest))
    some = rng.permutation(len(trained.steps))[: examples // 2]
    few = np.arange(examples - len(some))
    rest = np.arange(len(few), len(random.steps))
    first = random.take(few).followed_by(trained.take(some))
    order = rng.permutation(len(first.steps))
    return first.take(order).followed_by(random.take(rest)).followed_by(larger)


def with_searched_wires(
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
) -> SearchResult:
    """Search for wires that make no mistake, trying at most ``tables`` tables.

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
    best: SearchResult | None = None
    tried = begun = 0

    def goes_on():
        return best is None or (tried < tables and not ended[0])

    while goes_on():
        arrays, circuits, first, last = _begin(config, table, batch.cells, begun, hot, rng)
        length = FIRST_TABLES * 2**begun
        begun += 1
        error = 0.0
        while not error and goes_on():
            guide = native.weigh_examples(*batch.take(asked))
            most, seed = min(length, tables - tried), int(rng.integers(2**32))
            circuits, error, ran = native.anneal(
                arrays, circuits, guide, most, first, last, MORE_CHANGES, seed, ended
            )
            tried += ran
            if not error:
                circuits, _ = native.simplify(
                    arrays,
                    circuits,
                    guide,
                    SIMPLIFY_TABLES,
                    MORE_CHANGES,
                    int(rng.integers(2**32)),
                )
            wires = WiringTable(
                circuits.sources[circuits.of_pattern], circuits.stop[circuits.of_pattern]
            )
            share = float(error)
            if not error:
                mistakes = try_tables(config, _stack([wires]), batch)[0][0]
                if not mistakes.any():
                    return SearchResult(wires, 0.0, tried)
                share = float(mistakes.mean())
                asked = np.concatenate([asked, np.flatnonzero(mistakes)[:MOST_ADDED]])
                length, first = FIRST_TABLES, last
            if best is None or share < best.error:
                best = SearchResult(wires, share, tried)
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
    """Return how an attempt begins: the machine's arrays, circuits, two temperatures."""
    from softmachine.wiring import native_search as native

    if table is not None and not begun:
        circuits = native.Circuits(
            table.sources.astype(np.int32),
            table.stop.astype(bool),
            np.arange(len(table.stop), dtype=np.int32),
        )
        return native.machine_arrays(config, cells), circuits, COLD * hot[0], COLD * hot[0]
    active = int(rng.integers(min(2, config.registers), config.registers + 1))
    arrays = native.machine_arrays(config, cells, active)
    circuits = native.random_circuits(arrays, CIRCUITS[begun % len(CIRCUITS)], rng)
    first = float(np.exp(rng.uniform(*np.log(hot))))
    return arrays, circuits, first, COLD * first


def write_wires(machine: NRAM, table: WiringTable, met: Int[np.ndarray, " some"]) -> NRAM:
    """Return the machine with its last layers changed so that they choose a table's wires.

    The change is the smallest that gives the patterns that are ``met`` these wires, and leaves
    the logits of all others as they are. Logits become `DECIDED` for what is chosen and minus
    that for all else, so that the soft machine does what the hard one does.

    Raises SoftmachineError if the hidden layer tells too few patterns apart.
    """
    assert isinstance(machine.controller, MLP)
    _, hidden = machine.controller((), pattern_bits(machine.config.registers).T)
    features = np.vstack([np.asarray(hidden), np.ones(hidden.shape[1])])
    rows, slots = machine.rows.allowed.nonzero()
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
    changed = eqx.tree_at(
        lambda m: (m.output.weight, m.output.bias, m.stop.weight, m.stop.bias),
        machine,
        replace=(
            machine.output.weight + jnp.asarray(change[:-1, :-1], jnp.float32),
            machine.output.bias + jnp.asarray(change[:-1, -1], jnp.float32),
            machine.stop.weight + jnp.asarray(change[-1:, :-1], jnp.float32),
            machine.stop.bias + jnp.asarray(change[-1:, -1], jnp.float32),
        ),
    )
    after = read_wiring(changed)
    same = (after.sources[met] == table.sources[met]) | (machine.rows.sources == 0)
    if not same.all() or (after.stop[met] != table.stop[met]).any():
        raise SoftmachineError("the hidden layer does not tell enough patterns of zeros apart")
    return changed


def _stack(tables: list[WiringTable]) -> WiringTable:
    return WiringTable(*map(np.stack, zip(*tables, strict=True)))
