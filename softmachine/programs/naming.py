"""Variables and states that a reader can follow: offsets that suit, names that tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from softmachine.programs.circuits import loads_in, replace_registers
from softmachine.programs.program import Program, State, Test
from softmachine.programs.values import Facts, Register, Value, of, registers_in, shifted


def choose_offsets(program: Program) -> Program:
    """Return the program with variables such that tests are for 0, where that is possible.

    A register that is tested for being 1 becomes a variable that is 1 less.
    """
    wanted: dict[int, set[int]] = {}
    for state in program.states:
        for value in tests(state.follow):
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
            follow=map_tests(state.follow, change),
            facts=Facts(map(change, state.facts.nonzero)),
            known=tuple(map(change, state.known)),
        )
        for state in program.states
    )
    return program._replace(states=states, offsets=offsets)


def tests(follow: Test | int | None) -> Iterator[Value]:
    """Yield what is tested after a state."""
    if isinstance(follow, Test):
        yield follow.value
        yield from tests(follow.zero)
        yield from tests(follow.other)


def targets(follow: Test | int | None) -> list[int | None]:
    """Return the states that may come next, each once, None for the end."""
    if not isinstance(follow, Test):
        return [follow]
    return list(dict.fromkeys([*targets(follow.zero), *targets(follow.other)]))


def map_tests(follow: Test | int | None, change: Callable[[Value], Value]) -> Test | int | None:
    """Return the same tests of changed values."""
    if not isinstance(follow, Test):
        return follow
    return Test(
        change(follow.value), map_tests(follow.zero, change), map_tests(follow.other, change)
    )


def variables(state: State) -> set[int]:
    """Return the variables that a state uses or sets."""
    values = [*tests(state.follow), *state.updates.values()]
    values += [value for store in state.stores for value in (store.address, store.value)]
    return set(state.updates).union(*map(registers_in, values))


def first_values(program: Program) -> dict[str, int]:
    """Return the variables that are used before they are set, and what they hold at first."""
    states = program.states
    live: list[set[int]] = [set() for _ in states]
    changed = bool(states)
    while changed:
        changed = False
        for i, state in enumerate(states):
            after = set().union(*(live[t] for t in targets(state.follow) if t is not None))
            after |= set().union(*(registers_in(value) for value in tests(state.follow)))
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
    """Return the program with names for its variables, by what they are used for."""
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
        for value in tests(state.follow):
            tested.update(registers_in(value))
        if i in targets(state.follow):
            changed.update(set(state.updates))
    names: dict[int, str] = {}
    for j in sorted(set().union(*(variables(state) for state in program.states))):
        looping = any(i in targets(state.follow) for i, state in enumerate(program.states))
        if j == program.registers:
            name = "left"
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
    return {atom.number for atom, _ in value.terms if isinstance(atom, Register)}


def name_states(program: Program) -> Program:
    """Return the program with names for its states, the order of which is that of use."""
    order: list[int] = []
    waiting = [0] if program.states else []
    while waiting:
        i = waiting.pop(0)
        if i not in order:
            order.append(i)
            waiting += [t for t in targets(program.states[i].follow) if t is not None]
    place = {i: n for n, i in enumerate(order)}

    def move(follow: Test | int | None) -> Test | int | None:
        if isinstance(follow, Test):
            return Test(follow.value, move(follow.zero), move(follow.other))
        return None if follow is None else place[follow]

    states = [program.states[i]._replace(follow=move(program.states[i].follow)) for i in order]
    names: list[str] = []
    for i, state in enumerate(states):
        loops = i in targets(state.follow)
        name = "loop" if loops else "start" if i == 0 else "step"
        taken = [other for other in names if other.rstrip("0123456789") == name]
        names.append(f"{name}{len(taken) + 1}" if taken else name)
    return program._replace(
        states=tuple(s._replace(name=n) for s, n in zip(states, names, strict=True))
    )
