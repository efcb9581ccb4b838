"""Proofs of programmer-interpreters: right on every call there can be is right on every input.

A recursive program makes finitely many different calls, whatever its input (Cai, Shin & Song
2017, arXiv 1704.06611, section 3.3). If a core decides in all of them as the program does,
then, by induction over a run, it does what the program does on every input. That the calls are
all there are is tested (tests/tasks/traced/test_completeness.py), and once more by `prove`, on
random problems; that the program itself is right is too. Decisions are made by comparing
numbers that are rounded, so a proof asks for more: none may be closer than many times what
rounding can change.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from softmachine.core import compiling
from softmachine.machines.machine import Cell, split_trainable
from softmachine.running.generalization import SizeScore
from softmachine.running.interpreter import Interpreter, Limits
from softmachine.running.loop import run_batch
from softmachine.tasks.traced.environment import Environment
from softmachine.tasks.traced.published import RIGHT_RUNS
from softmachine.tasks.traced.task import CallsData, TracedProblems, TracedTask
from softmachine.tasks.traced.tracing import distinct_calls, tell_call, trace

BLOCK = 1024
"""Calls that are decided at once."""
COMPARED = 128
"""Calls, those with the closest decisions among them, on which rounding is measured."""
SAFETY = 100.0
"""How many times as far apart as rounding moves them the numbers of a decision have to be."""
LARGEST = 40
"""The largest size at which `first_failure` looks for mistakes."""
FORESEEN = (*range(10), 20, 50)
"""Sizes of random problems that are to cause no other calls than those of a proof."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """What was found by checking all calls of a task."""

    calls: int
    """Distinct calls."""
    steps: int
    """Steps of all calls together."""
    wrong: int
    """Calls in which a step is decided otherwise than by the program."""
    counterexample: str | None
    """The first of them, in words."""
    margin: float
    """By how much the closest decision is taken, in logits."""
    rounding: float
    """The largest difference found between logits computed one call at a time, many at a time,
    and with twice the digits."""
    compared: int
    """On how many calls that was looked for: those decided most closely are among them."""
    finite: bool
    """Whether the calls are said to be all that can occur."""
    unforeseen: str | None
    """A call of a random problem that is not among them, in words."""
    domain: str
    """On which inputs, in words."""
    calls_digest: str
    """SHA-256 of the calls, with the names of all that is seen and decided."""
    weights_digest: str
    """SHA-256 of the core's parameters."""

    @property
    def proved(self) -> bool:
        """Whether the core is right on all inputs of the domain, under `assumptions`."""
        return (
            self.finite
            and not self.wrong
            and self.unforeseen is None
            and self.margin > SAFETY * self.rounding
        )

    @property
    def assumptions(self) -> str:
        """What a proof rests on, in words."""
        return (
            "the program as written is right and ends, and causes no other calls (it caused "
            f"none on random problems of up to size {max(FORESEEN)})"
        )

    def __str__(self) -> str:
        count = f"{self.calls:,} calls ({self.steps:,} steps)"
        if self.wrong:
            return f"WRONG on {self.wrong:,} of {count}: {self.counterexample}"
        close = (
            f"the closest decision is taken by {self.margin:.2g}, rounding changes "
            f"{self.rounding:.1g} at most"
        )
        if self.compared < self.calls:
            close += f" on {self.compared} of the calls, the closest ones among them"
        if not self.finite:
            return f"tested: right on {count} held out, not all that can occur; {close}"
        if self.unforeseen is not None:
            return f"NOT PROVED: right on all {count} held out, but {self.unforeseen}"
        if not self.proved:
            return f"NOT PROVED: right on all {count} that can occur, but {close}"
        return (
            f"proved for {self.domain}: right on all {count} that can occur; {close}. Assumed: "
            f"{self.assumptions}"
        )


def prove(machine: Cell, task: TracedTask) -> Proof:
    """Check a core on all calls held out by a task; those of a recursive one are all there are.

    Arguments:
        machine: the core.
        task: what it was trained for.
    """
    task = task.held_out()
    data: CallsData = jax.tree.map(np.asarray, task.data())
    wrong, margins = _decide_all(machine, task, data)
    of_calls = wrong.any(axis=1)
    first = int(of_calls.argmax()) if of_calls.any() else None
    closest = np.argsort(margins.min(axis=1))[: COMPARED // 2]
    spread = np.linspace(0, len(margins) - 1, COMPARED // 2).astype(int)
    compared = np.unique(np.concatenate([closest, spread]))
    rounding = _rounding(machine, task, data, compared)
    return Proof(
        calls=len(data.steps),
        steps=int(data.steps.sum()),
        wrong=int(of_calls.sum()),
        counterexample=None if first is None else _told(machine, task, data, first, wrong),
        margin=float(margins.min()),
        rounding=rounding,
        compared=len(compared),
        finite=task.finite,
        unforeseen=_unforeseen(task) if task.finite else None,
        domain=task.domain,
        calls_digest=_digest_of_calls(task, data),
        weights_digest=_digest_of_weights(machine),
    )


@functools.lru_cache(maxsize=16)
def _unforeseen(task: TracedTask) -> str | None:
    """Return, in words, a call of a random problem that is not among those held out."""
    for kind, known in task.traced_calls().items():
        part = task.parts[kind]
        for size in FORESEEN:
            if size < part.smallest_problem:
                continue
            rng = random.Random(f"foreseen {size}")
            problems = [part.draw_problem(size, rng) for _ in range(3)]
            for call in distinct_calls(map(part.trace, problems)):
                if call not in known:
                    return f"{tell_call(call, part.environment)} occurs at size {size}"
    return None


def _decide_all(
    machine: Cell, task: TracedTask, data: CallsData
) -> tuple[np.ndarray, np.ndarray]:
    """Return which steps of which calls are wrong, and by how much each is decided."""
    count = len(data.steps)
    # The last block is filled up with calls of the first.
    places = np.arange(-(-count // BLOCK) * BLOCK) % count
    found = [
        jax.device_get(_decide(machine, task.interface, *(x[block] for x in data[:3])))
        for block in np.split(places, len(places) // BLOCK)
    ]
    wrong, margins = (np.concatenate(x)[:count] for x in zip(*found, strict=True))
    return wrong, margins


@compiling.filter_jit
def _decide(machine, interface, places, targets, steps):
    logits = _logits(machine, interface, places)
    mask = jnp.arange(places.shape[1]) < steps[:, None]
    wrong = jnp.any(interface.calls.decide(logits) != targets, axis=-1) & mask
    return wrong, jnp.where(mask, interface.calls.margins(logits), jnp.inf)


def _logits(machine, interface, places):
    length = places.shape[1]
    inputs = interface.seen.one_hot(places)
    return run_batch(machine, inputs, steps=length, max_steps=length)


def _rounding(machine: Cell, task: TracedTask, data: CallsData, chosen: np.ndarray) -> float:
    """Return how far logits of some calls lie apart, computed in three ways."""
    places = data.places[chosen]
    mask = np.arange(places.shape[1]) < data.steps[chosen][:, None]
    together = _together(machine, task.interface, places)
    apart = _one_by_one(machine, task.interface, places)
    with jax.enable_x64(True):
        doubled = jax.tree.map(
            lambda x: np.asarray(x, np.float64) if eqx.is_inexact_array(x) else x, machine
        )
        doubled = jax.tree.map(lambda x: jnp.asarray(x) if eqx.is_array_like(x) else x, doubled)
        exact = np.asarray(_one_by_one(doubled, task.interface, places))
    several = [np.asarray(x, np.float64) for x in (together, apart, exact)]
    furthest = np.ptp(np.stack(several), axis=0)
    return float(furthest[mask].max())


@compiling.filter_jit
def _together(machine, interface, places):
    return _logits(machine, interface, places)


@compiling.filter_jit
def _one_by_one(machine, interface, places):
    return jax.lax.map(lambda one: machine(interface.seen.one_hot(one)), places)


def _told(
    machine: Cell, task: TracedTask, data: CallsData, number: int, wrong: np.ndarray
) -> str:
    """Return what is wrong in a call, in words."""
    step = int(wrong[number].argmax())
    calls, seen = task.interface.calls, task.interface.seen
    inputs = seen.one_hot(jnp.asarray(data.places[number]))
    said = np.asarray(calls.decide(machine(inputs)))[step].tolist()
    texts = seen.input_texts(np.asarray(inputs[: step + 1]))
    right = calls.tell(data.targets[number][step].tolist())
    return f"after {'; '.join(texts)} it decides {calls.tell(said)}, the program {right}"


def _digest_of_calls(task: TracedTask, data: CallsData) -> str:
    """Return a digest that does not depend on the order in which calls are met."""
    interface = task.interface
    names = repr((interface.seen.names, interface.seen.values, interface.calls))
    rows = sorted(
        np.concatenate([seen[:n], wanted[:n]], axis=1).astype("<i4").tobytes()
        for seen, wanted, n in zip(*data[:3], strict=True)
    )
    digest = hashlib.sha256(names.encode())
    for row in rows:
        digest.update(len(row).to_bytes(4, "little") + row)
    return digest.hexdigest()


def _digest_of_weights(machine: Cell) -> str:
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(split_trainable(machine)[0]):
        digest.update(jax.tree_util.keystr(path).encode())
        digest.update(np.asarray(leaf).astype("<f8").tobytes())
    return digest.hexdigest()


class Tried(NamedTuple):
    """How many problems of one size a core solves when it is run."""

    size: int
    right: int
    of: int
    steps: int
    """Steps of the core, in all."""
    failure: str | None
    """What went wrong in the first that is not right."""
    ended_wrong: int
    """How many came to an end with a wrong result."""

    def __str__(self) -> str:
        told = f"size {self.size:,}: {self.right} of {self.of} right"
        return told if self.failure is None else f"{told}; {self.failure}"


def try_sizes(
    machine: Cell,
    task: TracedTask,
    kind: str,
    sizes: Sequence[int],
    *,
    examples: int = 30,
    seed: int = 0,
    limits: Limits | None = None,
) -> Iterator[Tried]:
    """Run a core on random problems, and compare with results that no program has made.

    Arguments:
        machine: the core.
        task: what it was trained for.
        kind: which of the task's kinds of environments.
        sizes: the sizes of problems, as their users count them.
        examples: how many of each size.
        seed: what they are drawn from.
        limits: what each run may take; by default those of `Limits`.
    """
    interpreter, limits = Interpreter(machine, task.interface), limits or Limits()
    part: TracedProblems = task.parts[kind]
    main = task.interface.program(kind, part.environment.main)
    for size in sizes:
        posed = _posed(part, size, examples, seed)
        adapted = [task.interface.adapted(kind, environment) for environment in posed]
        runs = interpreter.run(adapted, main, limits=limits)
        right = [
            run.failure is None and environment.right()
            for run, environment in zip(runs, posed, strict=True)
        ]
        wrong = right.index(False) if not all(right) else None
        failure = (
            None if wrong is None else runs[wrong].failure or "it ends with a wrong result"
        )
        ended = sum(run.failure is None for run in runs)
        steps = sum(run.steps for run in runs)
        yield Tried(size, sum(right), examples, steps, failure, ended - sum(right))


def first_failure(
    machine: Cell,
    task: TracedTask,
    kind: str,
    *,
    examples: int = 30,
    seed: int = 0,
    limits: Limits | None = None,
) -> Tried | None:
    """Return the smallest size tried at which a core is wrong; None if it never is.

    Tried are the sizes up to 10, then about half as large again each time, up to `LARGEST`.
    The arguments are those of `try_sizes`.
    """
    smallest, sizes = task.parts[kind].smallest_problem, list(range(1, 11))
    while sizes[-1] < LARGEST:
        sizes.append(min(LARGEST, sizes[-1] * 3 // 2))
    sizes = sorted({smallest, *(size for size in sizes if size > smallest)})
    for tried in try_sizes(
        machine, task, kind, sizes, examples=examples, seed=seed, limits=limits
    ):
        if tried.right < tried.of:
            return tried
    return None


def run_scores(
    machine: Cell, task: TracedTask, sizes: Sequence[int], problems: int = 30
) -> Iterator[SizeScore]:
    """Return the share of random problems of each size that a core solves.

    A run that takes more than twice the steps of the longest of them as written is ended.

    Arguments:
        machine: the core.
        task: what it was trained for, of one kind of programs.
        sizes: the sizes of problems, as their users count them.
        problems: how many of each size; as many as in the papers.
    """
    ((kind, part),) = task.parts.items()
    for size in sizes:
        steps = max(
            trace(environment, separate_return=part.separate_return).counts[1]
            for environment in _posed(part, size, problems, 0)
        )
        limits = Limits(steps=2 * steps, depth=2 * steps)
        (tried,) = try_sizes(machine, task, kind, [size], examples=problems, limits=limits)
        yield SizeScore(
            size=size, sequences=problems, metrics={RIGHT_RUNS: tried.right / problems}
        )


def _posed(part: TracedProblems, size: int, count: int, seed: int) -> list[Environment]:
    """Return environments with random problems of a size laid out."""
    rng = random.Random(f"{seed} {size}")
    return [part.pose(part.draw_problem(size, rng)) for _ in range(count)]


def card_rows(machine: Cell, task: TracedTask, size: int = 20) -> list[dict[str, Any]]:
    """Return what a model card says of a core: rows of scores, each with a name."""
    proof = prove(machine, task)
    what = (
        f"calls that can occur: proved for {proof.domain}" if proof.proved else "calls held out"
    )
    calls = {
        "test": f"all {proof.calls:,} {what}",
        "calls": proof.calls,
        "wrong_calls": proof.wrong,
        "closest_decision": round(proof.margin, 4),
        "rounding": float(f"{proof.rounding:.1g}"),
    }
    tried = [
        (kind, one) for kind in task.parts for one in try_sizes(machine, task, kind, [size])
    ]
    runs = [
        {"test": f"{kind} of size {one.size}", "runs": one.of, "wrong_runs": one.of - one.right}
        for kind, one in tried
    ]
    return [calls, *runs]
