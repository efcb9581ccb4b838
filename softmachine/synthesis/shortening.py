"""Programs without what has no effect on the answer: stores and variables that do nothing.

A machine writes a cell in every step, whether it has to or not. What a function returns are
some cells only; so each store and each change of a variable is left out in turn, and stays out
if all answers remain the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from softmachine.programs.naming import targets, variables
from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.values import Apply, Atom, Load, Value, of, registers_in, total


def shortened(program: Program, same: Callable[[Program], bool]) -> Program:
    """Return a program without what can be left out one after the other.

    Arguments:
        program: the program.
        same: whether another program gives the same answers.
    """
    changed = True
    while changed:
        changed = False
        for candidate in _shorter(program):
            if same(candidate):
                program, changed = candidate, True
                break
    return program


def _shorter(program: Program) -> Iterator[Program]:
    """Yield the program without one state, store, test or change of a variable."""
    for i, state in enumerate(program.states):
        if len(program.states) > 1:
            others = [t for t in targets(state.successor) if t not in (None, i)]
            if len(others) == 1 and isinstance(others[0], int):
                yield _without_state(program, i, others[0])
        for successor in _simpler(state.successor):
            yield _with(program, i, state._replace(successor=successor))
        for k in range(len(state.stores)):
            yield _with(program, i, without_store(state, k))
        for j in state.updates:
            updates = {n: value for n, value in state.updates.items() if n != j}
            yield _with(program, i, state._replace(updates=updates))


def _with(program: Program, place: int, state: State) -> Program:
    states = list(program.states)
    states[place] = state
    return _only_needed(program._replace(states=tuple(states)))


def _only_needed(program: Program) -> Program:
    """Return a program without states that are not reached and variables nobody uses."""
    order, waiting = [], [0]
    while waiting:
        i = waiting.pop(0)
        if i in order:
            continue
        order.append(i)
        waiting += [t for t in targets(program.states[i].successor) if t is not None]
    place = {i: n for n, i in enumerate(sorted(order))}

    def move(successor: Successor) -> Successor:
        if isinstance(successor, Branch):
            zero, nonzero = move(successor.zero), move(successor.nonzero)
            return zero if zero == nonzero else Branch(successor.value, zero, nonzero)
        return None if successor is None else place[successor]

    states = [
        program.states[i]._replace(successor=move(program.states[i].successor))
        for i in sorted(order)
    ]
    used = set().union(*map(_used, states))
    states = [
        state._replace(updates={j: v for j, v in state.updates.items() if j in used})
        for state in states
    ]
    names = {j: name for j, name in program.names.items() if j in used}
    return program._replace(states=tuple(states), names=names)


def _used(state: State) -> set[int]:
    """Return the variables that a state uses for more than for their own next value."""
    found = variables(state._replace(updates={}))
    return found.union(*(registers_in(v) - {j} for j, v in state.updates.items()))


def _without_state(program: Program, place: int, after: int) -> Program:
    """Return a program that goes on with another state in place of one."""

    def move(successor: Successor) -> Successor:
        if isinstance(successor, Branch):
            zero, nonzero = move(successor.zero), move(successor.nonzero)
            return zero if zero == nonzero else Branch(successor.value, zero, nonzero)
        return after if successor == place else successor

    states = [state._replace(successor=move(state.successor)) for state in program.states]
    if place == 0:  # the first state is where the program begins
        states[0], states[after] = states[after], states[0]
        swapped = {0: after, after: 0}

        def swap(successor: Successor) -> Successor:
            if isinstance(successor, Branch):
                return Branch(successor.value, swap(successor.zero), swap(successor.nonzero))
            return successor if successor is None else swapped.get(successor, successor)

        states = [state._replace(successor=swap(state.successor)) for state in states]
    return _only_needed(program._replace(states=tuple(states)))


def _simpler(successor: Successor) -> Iterator[Successor]:
    """Yield decision trees with one test less."""
    if not isinstance(successor, Branch):
        return
    yield successor.zero
    yield successor.nonzero
    for part in _simpler(successor.zero):
        yield successor._replace(zero=part)
    for part in _simpler(successor.nonzero):
        yield successor._replace(nonzero=part)


def without_store(state: State, place: int) -> State:
    """Return a state without one of its stores; cells loaded later are as before it."""

    def change(value: Value) -> Value:
        return total(
            *((of(change_atom(atom)), factor) for atom, factor in value.terms),
            (Value((), value.constant), 1),
        )

    def change_atom(atom: Atom) -> Atom:
        if isinstance(atom, Load):
            after = atom.after - (atom.after > place)
            return Load(change(atom.address), after)
        if isinstance(atom, Apply):
            return Apply(atom.gate, tuple(map(change, atom.arguments)))
        return atom

    def move(successor: Successor) -> Successor:
        if isinstance(successor, Branch):
            zero, nonzero = move(successor.zero), move(successor.nonzero)
            return Branch(change(successor.value), zero, nonzero)
        return successor

    return state._replace(
        stores=tuple(
            store._replace(address=change(store.address), value=change(store.value))
            for i, store in enumerate(state.stores)
            if i != place
        ),
        updates={j: change(value) for j, value in state.updates.items()},
        successor=move(state.successor),
    )
