"""Offsets and names for variables and states, so that people can read a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from softmachine.programs.circuits import loads_in, replace_registers
from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.values import Facts, Register, Value, of, registers_in, shifted

STEPS_LEFT = "left"
"""The name of the variable that counts the steps down."""


def choose_offsets(program: Program) -> Program:
    """Return the program with its variables shifted so that tests compare them with 0.

    A register that is only ever compared with 1 becomes a variable that is 1 less.
    """
    wanted: dict[int, set[int]] = {}
    for state in program.states:
        for value in tested_values(state.successor):
            (atom, _), *_ = value.terms
            if not isinstance(atom, Register):
                continue
            wanted.setdefault(atom.number, set()).add(value.constant)
    offsets = {j: apart.pop() for j, apart in wanted.items() if len(apart) == 1 and any(apart)}
    known = {j: shifted(of(Register(j)), -offset) for j, offset in offsets.items()}

    def change(value: Value) -> Value:
        return replace_registers(value, known)

    states = tuple(
        state._replace(
            stores=tuple(
                store._replace(address=change(store.address), value=change(store.value))
                for store in state.stores
            ),
            updates={
                j: shifted(change(value), offsets.get(j, 0))
                for j, value in state.updates.items()
            },
            successor=map_tested(state.successor, change),
            facts=Facts(map(change, state.facts.nonzero)),
            known=tuple(map(change, state.known)),
        )
        for state in program.states
    )
    return program._replace(states=states, offsets=offsets)


def tested_values(successor: Successor) -> Iterator[Value]:
    """Yield the values that a decision tree tests."""
    if isinstance(successor, Branch):
        yield successor.value
        yield from tested_values(successor.zero)
        yield from tested_values(successor.nonzero)


def targets(successor: Successor) -> list[int | None]:
    """Return the states that may come next, each once; `END` for the end."""
    if not isinstance(successor, Branch):
        return [successor]
    return list(dict.fromkeys([*targets(successor.zero), *targets(successor.nonzero)]))


def map_tested(successor: Successor, change: Callable[[Value], Value]) -> Successor:
    """Return a decision tree with every tested value changed."""
    if not isinstance(successor, Branch):
        return successor
    return Branch(
        change(successor.value),
        map_tested(successor.zero, change),
        map_tested(successor.nonzero, change),
    )


def variables(state: State) -> set[int]:
    """Return the variables that a state uses or sets."""
    values = [*tested_values(state.successor), *state.updates.values()]
    values += [value for store in state.stores for value in (store.address, store.value)]
    return set(state.updates).union(*map(registers_in, values))


def first_values(program: Program) -> dict[str, int]:
    """Return the initial values, by name, of variables that are read before they are set.

    That is, those that are live on entry to the first state.
    """
    states = program.states
    live: list[set[int]] = [set() for _ in states]
    changed = bool(states)
    while changed:
        changed = False
        for i, state in enumerate(states):
            after = set().union(*(live[t] for t in targets(state.successor) if t is not None))
            after |= set().union(
                *(registers_in(value) for value in tested_values(state.successor))
            )
            before = after - set(state.updates)
            values = [v for store in state.stores for v in (store.address, store.value)]
            values += [v for j, v in state.updates.items() if j in after]
            before = before.union(*map(registers_in, values))
            if before != live[i]:
                live[i], changed = before, True
    return {
        program.names[j]: program.offsets.get(j, 0) for j in sorted(live[0] if states else ())
    }


def name_variables(program: Program) -> Program:
    """Return the program with names for its variables, chosen by their use.

    ``i`` is an address read and written; ``source`` one that is read, ``target`` one that is
    written; ``base`` and ``pointer`` are addresses that do not change in a loop; ``count`` is
    tested, ``value`` is stored, ``left`` is the number of steps left.
    """
    read, written, stored, tested, changed = (Counter() for _ in range(5))
    for i, state in enumerate(program.states):
        inside = [*state.updates.values(), *(store.value for store in state.stores)]
        inside += [store.address for store in state.stores]
        for value in inside:
            for load in loads_in(value):
                read.update(_summands(load.address))
        for store in state.stores:
            written.update(_summands(store.address))
            stored.update(_summands(store.value))
        for value in tested_values(state.successor):
            tested.update(registers_in(value))
        if i in targets(state.successor):
            changed.update(set(state.updates))
    names: dict[int, str] = {}
    for j in sorted(set().union(*(variables(state) for state in program.states))):
        looping = any(i in targets(state.successor) for i, state in enumerate(program.states))
        if j == program.registers:
            name = STEPS_LEFT
        elif not changed[j] and (read[j] or written[j]):
            name = "base" if looping else "pointer"
        elif read[j] and written[j]:
            name = "i"
        elif read[j]:
            name = "source"
        elif tested[j]:
            name = "count"
        elif written[j]:
            name = "target"
        else:
            name = "value" if stored[j] else "x"
        taken = [other for other in names.values() if other.rstrip("0123456789") == name]
        names[j] = f"{name}{len(taken) + 1}" if taken else name
    return program._replace(names=names)


def _summands(value: Value) -> set[int]:
    """Return the registers that are terms of a sum themselves."""
    return {atom.number for atom, _ in value.terms if isinstance(atom, Register)}


def name_states(program: Program) -> Program:
    """Return the program with names for its states, in the order in which they are reached."""
    order: list[int] = []
    waiting = [0] if program.states else []
    while waiting:
        i = waiting.pop(0)
        if i not in order:
            order.append(i)
            waiting += [t for t in targets(program.states[i].successor) if t is not None]
    place = {i: n for n, i in enumerate(order)}

    def move(successor: Successor) -> Successor:
        if isinstance(successor, Branch):
            return Branch(successor.value, move(successor.zero), move(successor.nonzero))
        return None if successor is None else place[successor]

    states = [
        program.states[i]._replace(successor=move(program.states[i].successor)) for i in order
    ]
    names: list[str] = []
    for i, state in enumerate(states):
        loops = i in targets(state.successor)
        name = "loop" if loops else "start" if i == 0 else "step"
        taken = [other for other in names if other.rstrip("0123456789") == name]
        names.append(f"{name}{len(taken) + 1}" if taken else name)
    return program._replace(
        states=tuple(s._replace(name=n) for s, n in zip(states, names, strict=True))
    )
