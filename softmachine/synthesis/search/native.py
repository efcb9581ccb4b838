"""Searching loops as native code: running them, and annealing over them, a million a second.

Compiled by Numba when it is first called. All compiled functions stand in this one file, or
Numba's cache would not notice that one of them has changed. They have no annotations, which
Numba has no use for.

A loop is an array of integers, `INSTRUCTION` numbers for each instruction (operation, two
slots, a condition), then one slot for each register: where its next value comes from. Slots
are three constants, the registers, and the results of the instructions in their order;
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
SLACK = 2.0
"""In examples. A run is given up once it is so far behind the run of the loop that it comes
from, at the same example, that keeping the distance it would end above the limit by this
many."""
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
    constants: Int[np.ndarray, " 3"]
    """What the slots of constants hold."""


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
            wanted[first + i] = True
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
def run_all(loop, space, cases, limit, before, ran, work):
    """Run a loop on examples until it is clear that it is too bad.

    Returns the mean share of wrong cells, or infinity as soon as it is above ``limit`` or too
    far behind what ran ``before``, see `SLACK`; how many instructions matter; and how many
    examples were run. What is wrong up to each example is recorded in ``ran``.
    """
    order, wanted, slots, log, following = work
    many = find_live(loop, space.registers, space.length, order, wanted)
    total, behind = 0.0, limit - before[-1] + SLACK * cases.weights[0]
    for case in range(len(cases.counts)):
        wrong = run_case(
            loop, space.registers, space.length, order, many, cases, case, slots, log, following
        )
        total += cases.weights[case] * wrong / cases.counts[case]
        ran[case] = total
        if total > limit or total > before[case] + behind:
            return np.inf, many, case + 1
    return total, many, len(cases.counts)


@_native
def make_work(space, cases):
    """Return room for `run_all`."""
    first = CONSTANTS + space.registers
    slots = np.zeros(first + space.length, np.int32)
    slots[:CONSTANTS] = space.constants
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
def draw_loop(space, seed):
    """Return a loop drawn at random."""
    np.random.seed(seed)
    loop = np.zeros(INSTRUCTION * space.length + space.registers, np.int32)
    for i in range(space.length):
        _draw_instruction(loop, space, i)
    slots = CONSTANTS + space.registers + space.length
    for k in range(space.registers):
        loop[INSTRUCTION * space.length + k] = np.random.randint(slots)
    return loop


@_native
def count_mistakes(loop, space, cases):
    """Return the share of wrong cells up to each example, in units of its weights."""
    never, totals = np.full(len(cases.counts), np.inf), np.zeros(len(cases.counts))
    run_all(loop, space, cases, np.inf, never, totals, make_work(space, cases))
    return totals


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
def _free(space, wanted):
    """Return an instruction drawn among those that do not matter; -1 if all do."""
    first, free = CONSTANTS + space.registers, -1
    seen = 0
    for i in range(space.length):
        if not wanted[first + i]:
            seen += 1
            if np.random.randint(seen) == 0:
                free = i
    return free


@_native
def _insert(loop, space, wanted, place):
    """Draw an instruction before another one, in place of one that does not matter.

    Returns where it is; -1 if there is no room.
    """
    free = _free(space, wanted)
    if free >= 0:
        place -= free < place
        _move(loop, space, free, place)
        _draw_instruction(loop, space, place)
        free = place
    return free


@_native
def _set_operation(loop, space, at):
    operation = space.operations[np.random.randint(len(space.operations))]
    loop[at], loop[at + 3] = operation, 0
    if operation == SELECT:
        loop[at + 3] = _draw_condition(space)


@_native
def _change_register(loop, space, wanted):
    """Give a register another next value: a slot, or something that is made of the register."""
    k, kind = np.random.randint(space.registers), np.random.random()
    tail, first = INSTRUCTION * space.length, CONSTANTS + space.registers
    if kind < 0.5:
        loop[tail + k] = np.random.randint(first + space.length)
        return
    i = _insert(loop, space, wanted, np.random.randint(space.length + 1))
    if i < 0:
        return
    at = INSTRUCTION * i
    if kind < 0.65:
        loop[at], loop[at + 3] = INC, 0
    elif kind < 0.8:
        loop[at], loop[at + 3] = ADD, 0
    elif kind < 0.9 and space.conditions > 0:
        loop[at], loop[at + 3] = SELECT, _draw_condition(space)
    else:
        _set_operation(loop, space, at)
    loop[at + 1 + np.random.randint(ARITIES[loop[at]])] = CONSTANTS + k
    loop[tail + k] = first + i


@_native
def change(loop, space, work, many, more):
    """Make random changes: 1 + ``more`` on average."""
    first = CONSTANTS + space.registers
    order, wanted = work[0], work[1]
    for _ in range(1 + np.random.poisson(more)):
        many = find_live(loop, space.registers, space.length, order, wanted)
        kind = np.random.random()
        if many == 0 or kind < 0.05:
            i = _insert(loop, space, wanted, np.random.randint(space.length + 1))
            if i >= 0:
                loop[INSTRUCTION * i], loop[INSTRUCTION * i + 3] = WRITE, 0
                if space.conditions > 0 and np.random.random() < 0.5:
                    loop[INSTRUCTION * i + 3] = _draw_condition(space)
            continue
        if kind < 0.25:
            _change_register(loop, space, wanted)
            continue
        i = order[np.random.randint(many)]
        at = INSTRUCTION * i
        argument = 1
        if ARITIES[loop[at]] == 2 and np.random.random() < 0.5:
            argument = 2
        operand = loop[at + argument]
        if kind < 0.40:
            new = _insert(loop, space, wanted, i)
            if new >= 0:
                i = new + 1
                inserted = INSTRUCTION * new
                if loop[inserted] == WRITE:
                    loop[inserted], loop[inserted + 3] = READ, 0
                if np.random.random() < 0.7:
                    operand = loop[INSTRUCTION * i + argument]
                    place = 1 + np.random.randint(ARITIES[loop[inserted]])
                    if operand < first + new:
                        loop[inserted + place] = operand
                loop[INSTRUCTION * i + argument] = first + new
        elif kind < 0.48:
            if operand >= first:
                other = INSTRUCTION * (operand - first)
                loop[at + argument] = loop[other + 1 + np.random.randint(ARITIES[loop[other]])]
        elif kind < 0.51:
            if loop[at] == WRITE:
                loop[at], loop[at + 3] = READ, 0
        elif kind < 0.61:
            _set_operation(loop, space, at)
        elif kind < 0.65:
            _draw_instruction(loop, space, i)
        elif kind < 0.69:
            _move(loop, space, i, np.random.randint(space.length))
        elif kind < 0.74:
            if space.conditions > 0 and (loop[at] == WRITE or loop[at] == SELECT):
                if loop[at] == WRITE and loop[at + 3] > 0 and np.random.random() < 0.5:
                    loop[at + 3] = 0
                else:
                    loop[at + 3] = _draw_condition(space)
        elif ARITIES[loop[at]] == 2 and np.random.random() < 0.1:
            loop[at + 1], loop[at + 2] = loop[at + 2], loop[at + 1]
        else:
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
    kept, changed, best = loop.copy(), loop.copy(), loop.copy()
    totals, before = np.full((2, len(cases.counts)), np.inf)
    error, many, ran = run_all(kept, space, cases, np.inf, totals, before, work)
    least, executions, tried, cost = error, ran, 1, error + price * many
    while least > 0 and tried < tries and not ended[0]:
        temperature = hot + (cold - hot) * tried / tries
        limit = cost - temperature * np.log(1 - np.random.random())
        changed[:] = kept
        change(changed, space, work, many, more)
        tried += 1
        result, size, ran = run_all(changed, space, cases, limit, before, totals, work)
        executions += ran
        if result + price * size <= limit:
            totals, before = before, totals
            error, many, cost = result, size, result + price * size
            kept[:] = changed
            if error < least:
                least = error
                best[:] = kept
    return best, least, tried, executions


@_native
def shorten(loop, space, cases, tries, more, seed):
    """Make a loop without mistakes shorter, by random changes that keep it so.

    Returns it, how many instructions matter, and how many examples were run.
    """
    np.random.seed(seed)
    work = make_work(space, cases)
    kept, changed = loop.copy(), loop.copy()
    never = np.full(len(cases.counts), np.inf)
    totals = never.copy()
    _, many, executions = run_all(kept, space, cases, np.inf, never, totals, work)
    for _ in range(tries):
        changed[:] = kept
        change(changed, space, work, many, more)
        result, size, ran = run_all(changed, space, cases, 0.0, never, totals, work)
        executions += ran
        if result == 0 and size <= many:
            many = size
            kept[:] = changed
    return kept, many, executions
