"""Searching loops as native code: running them, and annealing over them, a million a second.

Compiled by Numba when it is first called. All compiled functions stand in this one file, or
Numba's cache would not notice that one of them has changed. They have no annotations, which
Numba has no use for.

A loop is an array of integers, `INSTRUCTION` numbers for each instruction (operation, two
slots, a condition), then one slot for each register: where its next value comes from. Slots
are the constants 0, 1 and 2, the registers, and the results of the instructions in their order;
`softmachine.synthesis.search.loops` gives the same as objects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

READ, WRITE, INC, DEC, ADD, SUB, LESS, AT_MOST, EQUAL, MIN, MAX, SELECT = range(12)
ARITIES = np.array([1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], np.int32)
"""How many slots each operation takes. SELECT gives the first one if its condition holds, else
the second; WRITE writes the second to the cell that the first says, if its condition holds."""
INSTRUCTION = 4
CONSTANTS = 3


class Cases(NamedTuple):
    """Examples in memories of one size, a power of two: numbers are counted modulo that."""

    memories: Int[np.ndarray, "cases cells"]
    places: Int[np.ndarray, "cases scored"]
    """The scored cells of each, in order; those behind the last one are of no meaning."""
    targets: Int[np.ndarray, "cases scored"]
    counts: Int[np.ndarray, " cases"]
    """How many cells are scored."""
    steps: Int[np.ndarray, " cases"]
    weights: Float[np.ndarray, " cases"]
    """The cost of an example all of whose cells are wrong; they add up to 1."""


class Space(NamedTuple):
    """The loops that are searched."""

    registers: int
    length: int
    """Instructions, those included whose results nobody takes."""
    operations: Int[np.ndarray, " choices"]
    """One of these is drawn."""
    conditions: int
    """How many registers conditions may test, the last ones."""


def _native(function: Callable) -> Callable:
    """Compile a function, without what may have been put around it to check annotations."""
    return numba.njit(cache=True, nogil=True)(inspect.unwrap(function))


@_native
def find_live(loop, registers, length, order, wanted):
    """Record in ``order`` the instructions that matter, in their order; return how many."""
    first = CONSTANTS + registers
    for i in range(first + length):
        wanted[i] = False
    for k in range(registers):
        wanted[loop[INSTRUCTION * length + k]] = True
    many = 0
    for i in range(length - 1, -1, -1):
        operation = loop[INSTRUCTION * i]
        if operation == WRITE or wanted[first + i]:
            many += 1
            order[length - many] = i
            wanted[loop[INSTRUCTION * i + 1]] = True
            if ARITIES[operation] == 2:
                wanted[loop[INSTRUCTION * i + 2]] = True
    for i in range(many):
        order[i] = order[length - many + i]
    return many


@_native
def run_case(loop, registers, length, order, many, cases, case, slots, log, following):
    """Run a loop on an example; return how many scored cells are wrong.

    The memory is as before afterwards: ``log`` remembers what was overwritten.
    """
    memory = cases.memories[case]
    mask = memory.shape[0] - 1
    first, tail, written = CONSTANTS + registers, INSTRUCTION * length, 0
    for k in range(registers):
        slots[CONSTANTS + k] = 0
    for _ in range(cases.steps[case]):
        for j in range(many):
            i = order[j]
            at = INSTRUCTION * i
            operation, a = loop[at], slots[loop[at + 1]]
            if operation == READ:
                result = memory[a]
            elif operation == INC:
                result = (a + 1) & mask
            elif operation == DEC:
                result = (a - 1) & mask
            else:
                b = slots[loop[at + 2]]
                if operation == WRITE:
                    condition = loop[at + 3]
                    if condition == 0 or (slots[CONSTANTS + (condition - 1) // 2] == 0) == (
                        condition % 2 == 1
                    ):
                        log[written, 0] = a
                        log[written, 1] = memory[a]
                        written += 1
                        memory[a] = b
                    result = b
                elif operation == ADD:
                    result = (a + b) & mask
                elif operation == SUB:
                    result = (a - b) & mask
                elif operation == LESS:
                    result = 1 if a < b else 0
                elif operation == AT_MOST:
                    result = 1 if a <= b else 0
                elif operation == EQUAL:
                    result = 1 if a == b else 0
                elif operation == MIN:
                    result = min(a, b)
                elif operation == MAX:
                    result = max(a, b)
                else:
                    condition = loop[at + 3]
                    holds = (slots[CONSTANTS + (condition - 1) // 2] == 0) == (
                        condition % 2 == 1
                    )
                    result = a if holds else b
            slots[first + i] = result
        for k in range(registers):
            following[k] = slots[loop[tail + k]]
        for k in range(registers):
            slots[CONSTANTS + k] = following[k]
    wrong = 0
    for i in range(cases.counts[case]):
        if memory[cases.places[case, i]] != cases.targets[case, i]:
            wrong += 1
    while written > 0:
        written -= 1
        memory[log[written, 0]] = log[written, 1]
    return wrong


@_native
def run_all(loop, space, cases, limit, work):
    """Return the mean share of wrong cells; infinity as soon as it is above ``limit``."""
    order, wanted, slots, log, following = work
    many = find_live(loop, space.registers, space.length, order, wanted)
    total = 0.0
    for case in range(len(cases.counts)):
        wrong = run_case(
            loop, space.registers, space.length, order, many, cases, case, slots, log, following
        )
        total += cases.weights[case] * wrong / cases.counts[case]
        if total > limit:
            return np.inf, many, case + 1
    return total, many, len(cases.counts)


@_native
def make_work(space, cases):
    """Return room for `run_all`."""
    first = CONSTANTS + space.registers
    slots = np.zeros(first + space.length, np.int32)
    slots[1], slots[2] = 1, 2
    log = np.zeros((cases.steps.max() * space.length + 1, 2), np.int32)
    return (
        np.zeros(space.length, np.int32),
        np.zeros(first + space.length, np.bool_),
        slots,
        log,
        np.zeros(space.registers, np.int32),
    )


@_native
def _draw_condition(space):
    register = space.registers - 1 - np.random.randint(space.conditions)
    return 1 + 2 * register + np.random.randint(2)


@_native
def _draw_instruction(loop, space, i):
    at = INSTRUCTION * i
    operation = space.operations[np.random.randint(len(space.operations))]
    loop[at] = operation
    loop[at + 1] = np.random.randint(CONSTANTS + space.registers + i)
    loop[at + 2] = np.random.randint(CONSTANTS + space.registers + i)
    loop[at + 3] = 0
    if space.conditions > 0 and (
        operation == SELECT or (operation == WRITE and np.random.random() < 0.5)
    ):
        loop[at + 3] = _draw_condition(space)


@_native
def draw_loop(loop, space):
    """Draw a loop at random."""
    for i in range(space.length):
        _draw_instruction(loop, space, i)
    slots = CONSTANTS + space.registers + space.length
    for k in range(space.registers):
        loop[INSTRUCTION * space.length + k] = np.random.randint(slots)


@_native
def _move(loop, space, source, target):
    """Move an instruction to another place; slots follow. Operands that would come later are
    drawn anew."""
    first, length, tail = CONSTANTS + space.registers, space.length, INSTRUCTION * space.length
    held = loop[INSTRUCTION * source : INSTRUCTION * source + INSTRUCTION].copy()
    step = 1 if target > source else -1
    i = source
    while i != target:
        for n in range(INSTRUCTION):
            loop[INSTRUCTION * i + n] = loop[INSTRUCTION * (i + step) + n]
        i += step
    for n in range(INSTRUCTION):
        loop[INSTRUCTION * target + n] = held[n]
    low, high = min(source, target), max(source, target)
    for i in range(length + 1):
        if i < length:
            begin, end = INSTRUCTION * i + 1, INSTRUCTION * i + 3
        else:
            begin, end = tail, tail + space.registers
        for n in range(begin, end):
            slot = loop[n] - first
            if slot == source:
                loop[n] = first + target
            elif low <= slot <= high:
                loop[n] = first + slot - step
            if i < length and loop[n] >= first + i:
                loop[n] = np.random.randint(first + i)


@_native
def change(loop, space, order, many, more):
    """Make random changes: one of something that matters, and others."""
    first, tail = CONSTANTS + space.registers, INSTRUCTION * space.length
    wanted = 1 + np.random.poisson(more)
    while wanted > 0:
        kind = np.random.random()
        if kind < 0.15:
            k = np.random.randint(space.registers)
            loop[tail + k] = np.random.randint(first + space.length)
            wanted -= 1
            continue
        if many > 0 and np.random.random() < 0.7:
            i = order[np.random.randint(many)]
            wanted -= 1
        else:
            i = np.random.randint(space.length)
            wanted -= np.random.random() < 0.3
        at = INSTRUCTION * i
        if kind < 0.30:
            _draw_instruction(loop, space, i)
        elif kind < 0.36:
            _move(loop, space, i, np.random.randint(space.length))
        elif kind < 0.5:
            operation = space.operations[np.random.randint(len(space.operations))]
            loop[at] = operation
            loop[at + 3] = 0
            if operation == SELECT:
                loop[at + 3] = _draw_condition(space)
        elif kind < 0.6 and space.conditions > 0 and loop[at] in (WRITE, SELECT):
            if loop[at] == WRITE and loop[at + 3] > 0 and np.random.random() < 0.5:
                loop[at + 3] = 0
            else:
                loop[at + 3] = _draw_condition(space)
        else:
            argument = 1
            if ARITIES[loop[at]] == 2 and np.random.random() < 0.5:
                argument = 2
            loop[at + argument] = np.random.randint(first + i)


@_native
def anneal(loop, space, cases, tries, hot, cold, more, price, seed, ended):
    """Search for a loop that makes no mistake, by simulated annealing from a given one.

    A change that adds ``d`` to the mean share of wrong cells, and to ``price`` times the number
    of instructions that matter, is kept with probability ``exp(-d / temperature)``; the
    temperature falls evenly from ``hot`` to ``cold``. Source: Kirkpatrick, Gelatt and Vecchi
    1983. Ends without a mistake, after ``tries`` loops, or once ``ended[0]`` is true.

    Returns the best loop, its mean share of wrong cells, how many loops and how many examples
    were run.
    """
    np.random.seed(seed)
    work = make_work(space, cases)
    order = work[0]
    kept, changed, best = loop.copy(), loop.copy(), loop.copy()
    error, many, ran = run_all(kept, space, cases, np.inf, work)
    now = order.copy()
    least, executions, tried, cost = error, ran, 1, error + price * many
    while least > 0 and tried < tries and not ended[0]:
        temperature = hot + (cold - hot) * tried / tries
        limit = cost - temperature * np.log(1 - np.random.random())
        changed[:] = kept
        change(changed, space, now, many, more)
        tried += 1
        result, size, ran = run_all(changed, space, cases, limit, work)
        executions += ran
        if result + price * size <= limit:
            error, many, cost = result, size, result + price * size
            kept[:] = changed
            now[:] = order
            if error < least:
                least = error
                best[:] = kept
    return best, least, tried, executions


@_native
def shorten(loop, space, cases, tries, more, seed):
    """Make a loop without mistakes shorter, by random changes that keep it so."""
    np.random.seed(seed)
    work = make_work(space, cases)
    order = work[0]
    kept, changed = loop.copy(), loop.copy()
    _, many, executions = run_all(kept, space, cases, np.inf, work)
    now = order.copy()
    for _ in range(tries):
        changed[:] = kept
        change(changed, space, now, many, more)
        result, size, ran = run_all(changed, space, cases, 0.0, work)
        executions += ran
        if result == 0 and size <= many:
            many = size
            kept[:] = changed
            now[:] = order
    return kept, many, executions


@_native
def draw_seed(seed):
    """Seed the random numbers of this thread's compiled code."""
    np.random.seed(seed)
