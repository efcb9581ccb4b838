"""Searching loops as native code: running them, and annealing over them, 200,000 a second.

Compiled by Numba when first called. All compiled functions stand in this one file, or Numba's
cache would not notice a change; they have no annotations, which Numba has no use for.

Loops and examples are arrays; see `softmachine.synthesis.search.arrays`.
"""

from __future__ import annotations

import numpy as np

from softmachine.synthesis.search import arrays
from softmachine.synthesis.search.compiling import native

READ, WRITE, INC, DEC, ADD, SUB = range(6)
LESS, AT_MOST, EQUAL, MIN, MAX, SELECT = range(6, 12)
ARITIES, CONSTANTS, INSTRUCTION = arrays.ARITIES, arrays.CONSTANTS, arrays.INSTRUCTION
SLACK = 2.0
"""In examples. A run is given up once it is so far behind the run of the loop that it comes
from, at the same example, that keeping the distance it would end above the limit by this
many."""


GUARDED = 0.8
"""How likely a condition that is drawn is the guard of the loops that are searched."""


@native
def find_live(loop, registers, length, order, wanted):
    """Record in ``order`` the instructions that matter, in their order; return how many.

    And in ``wanted`` which slots do: what is written depends on them, at once or later.
    """
    first = CONSTANTS + registers
    wanted[:] = False
    again, many = True, 0
    while again:
        again, many = False, 0
        for k in range(registers):
            if wanted[CONSTANTS + k]:
                wanted[loop[INSTRUCTION * length + k]] = True
        for i in range(length - 1, -1, -1):
            at = INSTRUCTION * i
            operation, condition = loop[at], loop[at + 3]
            if operation == WRITE or wanted[first + i]:
                many += 1
                order[length - many] = i
                wanted[first + i] = wanted[loop[at + 1]] = True
                if ARITIES[operation] == 2:
                    wanted[loop[at + 2]] = True
                if condition > 0:
                    wanted[CONSTANTS + (condition - 1) // 2] = True
        for k in range(registers):
            again = again or (
                wanted[CONSTANTS + k] and not wanted[loop[INSTRUCTION * length + k]]
            )
    for i in range(many):
        order[i] = order[length - many + i]
    return many


@native
def _same(loop, other, space, order, many, wanted):
    """Return whether two loops are the same in what matters of the first."""
    for j in range(many):
        at = INSTRUCTION * order[j]
        for n in range(INSTRUCTION):
            if loop[at + n] != other[at + n]:
                return False
    for i in range(space.length):
        if other[INSTRUCTION * i] == WRITE and loop[INSTRUCTION * i] != WRITE:
            return False
    for k in range(space.registers):
        at = INSTRUCTION * space.length + k
        if wanted[CONSTANTS + k] and loop[at] != other[at]:
            return False
    return True


@native
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
                    tested = slots[CONSTANTS + (condition - 1) // 2]
                    if condition == 0 or (tested == 0) == (condition % 2 == 1):
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
                    tested = slots[CONSTANTS + (condition - 1) // 2]
                    result = a if (tested == 0) == (condition % 2 == 1) else b
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


@native
def run_all(loop, space, cases, limit, before, ran, work, many):
    """Run a loop, whose live instructions are known, until it is clear that it is too bad.

    Returns the mean share of wrong cells, or infinity as soon as it is above ``limit`` or too
    far behind what ran ``before``, see `SLACK`; and how many examples were run. What is wrong
    up to each example is recorded in ``ran``.
    """
    order, _, slots, log, following = work
    total, behind = 0.0, limit - before[-1] + SLACK * cases.weights[0]
    for case in range(len(cases.counts)):
        wrong = run_case(
            loop, space.registers, space.length, order, many, cases, case, slots, log, following
        )
        total += cases.weights[case] * wrong / cases.counts[case]
        ran[case] = total
        if total > limit or total > before[case] + behind:
            return np.inf, case + 1
    return total, len(cases.counts)


@native
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


@native
def _draw_condition(space):
    if space.guard > 0 and np.random.random() < GUARDED:
        return space.guard
    register = space.registers - 1 - np.random.randint(space.conditions)
    return 1 + 2 * register + np.random.randint(2)


@native
def _put(loop, space, i, operation):
    """Give an instruction an operation, and a condition if it needs one.

    An operation that is not searched, such as -1, is replaced by one drawn at random.
    """
    known = False
    for other in space.operations:
        known = known or operation == other
    if not known:
        operation = space.operations[np.random.randint(len(space.operations))]
    often = GUARDED if space.guard > 0 else 0.5
    needed = operation == SELECT or (operation == WRITE and np.random.random() < often)
    loop[INSTRUCTION * i] = operation
    loop[INSTRUCTION * i + 3] = 0
    if needed and space.conditions > 0:
        loop[INSTRUCTION * i + 3] = _draw_condition(space)


@native
def _draw_instruction(loop, space, i):
    _put(loop, space, i, -1)
    for argument in range(1, 3):
        loop[INSTRUCTION * i + argument] = np.random.randint(CONSTANTS + space.registers + i)


@native
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


@native
def count_mistakes(loop, space, cases):
    """Return the share of wrong cells up to each example, in units of its weights."""
    never, totals = np.full(len(cases.counts), np.inf), np.zeros(len(cases.counts))
    work = make_work(space, cases)
    many = find_live(loop, space.registers, space.length, work[0], work[1])
    run_all(loop, space, cases, np.inf, never, totals, work, many)
    return totals


@native
def _move(loop, space, source, target):
    """Move an instruction; slots follow, and those that would come later are drawn anew."""
    first, length = CONSTANTS + space.registers, space.length
    step, i = 1 if target > source else -1, source
    while i != target:
        for n in range(INSTRUCTION):
            here, there = INSTRUCTION * i + n, INSTRUCTION * (i + step) + n
            loop[here], loop[there] = loop[there], loop[here]
        i += step
    low, high = min(source, target), max(source, target)
    for n in range(len(loop)):
        i, place = n // INSTRUCTION, n % INSTRUCTION
        if i < length and place not in (1, 2):
            continue
        slot = loop[n] - first
        if slot == source:
            loop[n] = first + target
        elif low <= slot <= high:
            loop[n] = first + slot - step
        if i < length and loop[n] >= first + i:
            loop[n] = np.random.randint(first + i)


@native
def _insert(loop, space, wanted, place):
    """Draw an instruction before another one, in place of one that does not matter.

    Returns where it is; -1 if there is no room.
    """
    first, start = CONSTANTS + space.registers, np.random.randint(space.length)
    for turn in range(space.length):
        free = (start + turn) % space.length
        if not wanted[first + free]:
            place -= free < place
            _move(loop, space, free, place)
            _draw_instruction(loop, space, place)
            return place
    return -1


@native
def _change_register(loop, space, wanted):
    """Give a register another next value: a slot, or something that is made of the register."""
    k, kind = np.random.randint(space.registers), np.random.random()
    tail, first = INSTRUCTION * space.length, CONSTANTS + space.registers
    if kind < 0.5:
        loop[tail + k] = np.random.randint(first + space.length)
        return
    i = _insert(loop, space, wanted, np.random.randint(space.length + 1))
    if i >= 0:
        usual = INC if kind < 0.65 else ADD if kind < 0.8 else SELECT if kind < 0.9 else -1
        _put(loop, space, i, usual)
        at = INSTRUCTION * i
        loop[at + 1 + np.random.randint(ARITIES[loop[at]])] = CONSTANTS + k
        loop[tail + k] = first + i


@native
def _wrap(loop, space, wanted, i, argument):
    """Put a new instruction before one of an instruction's arguments, mostly around it."""
    first, new = CONSTANTS + space.registers, _insert(loop, space, wanted, i)
    if new < 0:
        return
    at, inserted = INSTRUCTION * (new + 1), INSTRUCTION * new
    if loop[inserted] == WRITE:
        _put(loop, space, new, READ)
    operand = loop[at + argument]
    if np.random.random() < 0.7 and operand < first + new:
        loop[inserted + 1 + np.random.randint(ARITIES[loop[inserted]])] = operand
    loop[at + argument] = first + new


@native
def change(loop, space, work, more):
    """Make random changes: 1 + ``more`` on average."""
    first, (order, wanted) = CONSTANTS + space.registers, work[:2]
    for _ in range(1 + np.random.poisson(more)):
        many = find_live(loop, space.registers, space.length, order, wanted)
        kind = np.random.random()
        if many == 0 or kind < 0.05:
            i = _insert(loop, space, wanted, np.random.randint(space.length + 1))
            if i >= 0:
                _put(loop, space, i, WRITE)
            continue
        if kind < 0.25:
            _change_register(loop, space, wanted)
            continue
        i = order[np.random.randint(many)]
        at, argument = INSTRUCTION * i, 1
        if ARITIES[loop[at]] == 2 and np.random.random() < 0.5:
            argument = 2
        operand = loop[at + argument]
        if kind < 0.40:
            _wrap(loop, space, wanted, i, argument)
        elif kind < 0.48 and operand >= first:  # take what that one takes
            other = INSTRUCTION * (operand - first)
            loop[at + argument] = loop[other + 1 + np.random.randint(ARITIES[loop[other]])]
        elif kind < 0.51 and loop[at] == WRITE:
            _put(loop, space, i, READ)
        elif kind < 0.61:
            _put(loop, space, i, -1)
        elif kind < 0.65:
            _draw_instruction(loop, space, i)
        elif kind < 0.69:
            _move(loop, space, i, np.random.randint(space.length))
        elif kind < 0.74 and (loop[at] == WRITE or loop[at] == SELECT):
            _put(loop, space, i, loop[at])  # with another condition
        elif ARITIES[loop[at]] == 2 and np.random.random() < 0.1:
            loop[at + 1], loop[at + 2] = loop[at + 2], loop[at + 1]
        else:
            loop[at + argument] = np.random.randint(first + i)


@native
def anneal(loop, space, cases, tries, hot, cold, more, price, enough, seed, ended):
    """Search for a loop that makes few mistakes, by simulated annealing from a given one.

    A change that adds ``d`` to the mean share of wrong cells, and to ``price`` times the number
    of instructions that matter, is kept with probability ``exp(-d / temperature)``; the
    temperature falls evenly from ``hot`` to ``cold``. Source: Kirkpatrick, Gelatt and Vecchi
    1983. Ends when no more than ``enough`` is wrong, after ``tries`` changes, or once
    ``ended[0]`` is true.

    Returns the best loop, the shortest of several, its mean share of wrong cells, how many
    loops and how many examples were run. A change of nothing that matters needs no run.
    """
    np.random.seed(seed)
    work = make_work(space, cases)
    order, wanted = work[0], work[1]
    kept, changed, best = loop.copy(), loop.copy(), loop.copy()
    totals, before = np.full((2, len(cases.counts)), np.inf)
    many = find_live(kept, space.registers, space.length, order, wanted)
    least, executions = run_all(kept, space, cases, np.inf, totals, before, work, many)
    tried, proposed, cost, fewest = 1, 1, least + price * many, many
    while least > enough and proposed < tries and not ended[0]:
        temperature = hot + (cold - hot) * proposed / tries
        limit = cost - temperature * np.log(1 - np.random.random())
        changed[:] = kept
        change(changed, space, work, more)
        proposed += 1
        size = find_live(changed, space.registers, space.length, order, wanted)
        if _same(changed, kept, space, order, size, wanted):
            kept[:] = changed
            continue
        tried += 1
        error, ran = run_all(changed, space, cases, limit, before, totals, work, size)
        executions += ran
        if error + price * size <= limit:
            totals, before = before, totals
            many, cost = size, error + price * size
            kept[:] = changed
            if error < least or (error == least and size < fewest):
                least, fewest = error, size
                best[:] = kept
    return best, least, tried, executions
