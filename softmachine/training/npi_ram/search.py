"""The search for programs that are right on examples, among neighbours of a core's own.

Gradients change one choice at a time. Where several have to change before the memory is any
better they end in between, although what a core has learned may be a few choices from right.
Here they are changed in its decided form, on integers, and what is found teaches the core as a
trace would. That is the wire search of an NRAM, on programs.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from softmachine.machines.npi_ram import OPERATION, READ, WRITE
from softmachine.machines.nram.gates import PAPER
from softmachine.tasks.traced.tracing import Calls, Decision, Observation

Decide = Callable[[int, tuple[Observation, ...]], Decision]
"""What a core decides, by program and all that was observed since it was called."""
Place = tuple[int, int]
"""A program, and the number of a step in its calls."""
Edits = dict[Place, tuple[int, ...]]
"""Other operations than the core's: the gate, x, y and z of steps."""


class Problem(NamedTuple):
    """An example: a memory, and what is to be in some of its cells at the end."""

    memory: Sequence[int]
    wanted: Mapping[int, int]
    """By the number of a cell."""


@dataclasses.dataclass
class Outcome:
    """What became of a run."""

    memory: list[int]
    right: int
    """How many of the scored cells are right."""
    most_right: int
    """The most that were at any time."""
    ended: bool = False
    """Whether it ended by itself, without a fault."""
    visited: dict[Place, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    """The operations of all steps that were taken."""
    calls: Calls = dataclasses.field(default_factory=dict)
    """The calls that were made, as in traces."""


def run(
    decide: Decide, main: int, edits: Edits, problem: Problem, registers: int, most: int
) -> Outcome:
    """Run the programs of a core, but for some operations, on integers.

    It ends without success after ``most`` steps, where a program calls another and does not
    end, and where WRITE gives to a register or another gate to none.
    """
    right = sum(problem.memory[i] == x for i, x in problem.wanted.items())
    out, values = Outcome(list(problem.memory), right, right), [0] * registers
    program, seen, decided = main, (), ()
    for _ in range(most):
        seen = (*seen, tuple([int(x == 0) for x in values]))
        end, called, *operation = decide(program, seen)
        place = program, len(seen) - 1
        if called == OPERATION:
            operation = edits.get(place, tuple(operation))
            out.visited[place] = tuple(operation)
            if not _operate(operation, values, out, problem):
                return out
        decided = (*decided, (end, called, *operation))
        if called > OPERATION and not end:
            return out
        if end:
            out.calls[(program, *[-1] * 4), seen] = decided
            if called <= OPERATION:
                out.ended = True
                return out
            program, seen, decided = called, (), ()
    return out


def _operate(
    operation: Sequence[int], values: list[int], out: Outcome, problem: Problem
) -> bool:
    """Let a gate work; return whether its result is put where it can be."""
    gate, x, y, z = operation
    memory = out.memory
    nowhere = z == len(values)
    if nowhere != (gate == WRITE):
        return False
    a, b = values[x], values[y]
    if gate == WRITE:
        wanted = problem.wanted.get(a)
        out.right += (b == wanted) - (memory[a] == wanted)
        out.most_right = max(out.most_right, out.right)
        memory[a] = b
    elif gate == READ:
        values[z] = memory[a]
    else:
        values[z] = PAPER[gate].integer(*(a, b)[: PAPER[gate].arity], len(memory))
    return True


def limit(problem: Problem) -> int:
    """Return how many steps a run may take: a dozen for each scored cell, and some more."""
    return 20 + 12 * len(problem.wanted)


def share_right(out: Outcome, problem: Problem) -> float:
    """Return the mean of two shares of the cells: the right ones in the end, and at best.

    At the end none is if the run did not end. The other share tells programs that are right
    but for their end from those that never are; the loss of an NRAM asks for all times, too.
    """
    return (out.right * out.ended + out.most_right) / (2 * len(problem.wanted))


class Found(NamedTuple):
    """A program of the search."""

    edits: Edits
    share: float
    """The mean share of the cells that is right, see `share_right`."""
    visited: Edits
    """The operations of all steps that it takes."""
    results: tuple[object, ...]
    """The memories that it leaves, and whether it ended."""
    tried: int
    """How many programs had been run."""


def search(
    decide: Decide,
    main: int,
    problems: Sequence[Problem],
    *,
    registers: int,
    depth: int = 5,
    width: int = 40,
    pairs: int = 10,
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Change operations of a core's programs until all problems are solved, or return the best.

    A beam search: all neighbours of the best programs so far are tried, then the neighbours of
    the best of these. Of programs that do the same on all problems one is kept.

    Arguments:
        decide: what the core decides.
        main: the program that runs first.
        problems: small examples.
        registers: how many the machine has.
        depth: how many changes from the core's own programs there may be.
        width: how many programs are kept.
        pairs: of how many of them neighbours are those with two parts of an operation changed,
            too, and not only with one.
        stop: asked now and then whether it is time to end.
    """

    def judged(edits: Edits, least: float) -> Found | None:
        """Return a program; None if its share is less than ``least``."""
        total, visited, results = 0.0, {}, []
        for i, problem in enumerate(problems):
            out = run(decide, main, edits, problem, registers, limit(problem))
            total += share_right(out, problem)
            if (total + len(problems) - 1 - i) / len(problems) < least:
                return None
            visited |= out.visited
            results.append((out.ended, tuple(out.memory)))
        return Found(edits, total / len(problems), visited, tuple(results), tried)

    tried, own = 1, Edits()
    first = best = judged(own, 0.0) or Found(own, 0.0, own, (), tried)
    beam = [first]
    for _ in range(depth):
        least = beam[-1].share if len(beam) == width else 0.0
        known = {program.results: program for program in beam}
        for rank, program in enumerate(beam):
            for edits in _neighbours(program, registers, 2 if rank < pairs else 1):
                if best.share == 1 or (tried % 256 == 0 and stop()):
                    return best._replace(tried=tried)
                tried += 1
                other = judged(edits, least)
                if other is not None and other.results not in known:
                    known[other.results] = other
                    best = max(best, other, key=lambda x: x.share)
        ordered = sorted(known.values(), key=lambda x: (-x.share, len(x.edits), x.tried))
        beam = ordered[:width]
    return best._replace(tried=tried)


def _neighbours(program: Found, registers: int, most: int) -> Iterator[Edits]:
    """Yield edits with up to ``most`` parts of one operation changed, few of them first."""
    for count in range(1, most + 1):
        for place, operation in program.visited.items():
            for parts in itertools.combinations(range(4), count):
                for values in itertools.product(
                    *(_others(operation, i, registers) for i in parts)
                ):
                    changed = list(operation)
                    for part, value in zip(parts, values, strict=True):
                        changed[part] = value
                    if (changed[0] == WRITE) == (changed[3] == registers):
                        yield {**program.edits, place: tuple(changed)}


def _others(operation: tuple[int, ...], part: int, registers: int) -> Iterator[int]:
    """Yield other values of a part of an operation."""
    sizes = len(PAPER), registers, registers, registers + 1
    return (value for value in range(sizes[part]) if value != operation[part])
