"""From a control-flow graph to statements: structured where that is possible.

States that follow one another become blocks one after another, and a state that follows itself
becomes a loop. Any other graph becomes a loop around a switch over a variable that holds the
state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from softmachine.programs.assignments import assignments
from softmachine.programs.expressions import Expressions, Syntax
from softmachine.programs.naming import targets
from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.syntax_tree import (
    BREAK,
    RETURN,
    If,
    Jump,
    Repeat,
    Statement,
    Switch,
    While,
)
from softmachine.programs.values import Facts


def statements(program: Program, syntax: Syntax) -> list[Statement]:
    """Return the statements of a program.

    Arguments:
        program: the program.
        syntax: how the language writes expressions.

    Raises:
        SoftmachineError: the program has a gate that cannot be written as code.
    """
    if not program.states:
        return [RETURN]
    writer = _Writer(program, syntax)
    return writer.structured() or writer.dispatched()


class _Writer:
    """Writes one program; ``place`` is the index of a state."""

    def __init__(self, program: Program, syntax: Syntax) -> None:
        self.program, self.expressions = program, Expressions(program, syntax)
        self.both = syntax.both

    def _body(self, state: State) -> list[Statement]:
        return assignments(self.expressions, state)

    # Structured: blocks and loops, one after another

    def structured(self) -> list[Statement] | None:
        """Return blocks and loops one after another; None if the graph is not a chain of them.

        In a chain every state has at most one successor besides itself and the end.
        """
        states, found, seen = self.program.states, [], set()
        place: int | None = 0
        while place is not None:
            state = states[place]
            after = [t for t in targets(state.successor) if t not in (None, place)]
            if place in seen or len(after) > 1:
                return None
            following = after[0] if after else None
            loops = place in targets(state.successor)
            if loops:
                found += self._loop(place, following, len(seen))
                if self.program.counts_steps and (following is not None):
                    return None
            else:
                if self.program.counts_steps and len(seen) >= self._least_steps():
                    found.append(If(f"steps == {len(seen)}", [RETURN], []))
                head = self._head(following)  # a loop that follows makes this test itself
                exits = self._exits(state.successor, {None: RETURN}, skip=head)
                found += [*self._body(state), *exits]
            seen.add(place)
            place = following
        return found if found[-1] == RETURN else [*found, RETURN]

    def _least_steps(self) -> int:
        """Return a number of steps that every run takes."""
        steps = self.program.steps
        return steps.offset**steps.power if steps.factor >= 0 and steps.offset > 0 else 0

    def _head(self, place: int | None) -> Branch | None:
        """Return the test of a loop whose only exit is to the end of the program, if it is one.

        Where it is known to hold on entry, or is tested before, such a loop can have it at its
        head.
        """
        if place is None or self.program.counts_steps:
            return None
        successor = self.program.states[place].successor
        if isinstance(successor, Branch) and place in (successor.zero, successor.nonzero):
            return successor if None in (successor.zero, successor.nonzero) else None
        return None

    def _loop(self, place: int, following: int | None, taken: int) -> list[Statement]:
        """Return the loop over one state.

        Arguments:
            place: the state.
            following: the state after the loop; None for the end.
            taken: how many steps have been taken before it.
        """
        state = self.program.states[place]
        body = self._body(state)
        if self.program.counts_steps:
            return [Repeat(taken, body + self._exits(state.successor, {None: BREAK}))]
        head = self._head(place)
        known_first = head is not None and (
            state.facts.is_zero(head.value) is (head.zero == place) or self._entered_by(place)
        )
        if head is not None and known_first:
            on_zero = head.zero == place
            condition = self.expressions.condition(head.value, on_zero, state.facts, {})
            return [While(condition, body)]
        # If nothing follows, `following` is None, and the program ends after the loop.
        leave: dict[int | None, Jump] = {None: RETURN, following: BREAK}
        return [While("", body + self._exits(state.successor, leave))]

    def _entered_by(self, place: int) -> bool:
        """Return whether every state from which a loop is entered ends with the loop's test."""
        head = self.program.states[place].successor
        return (
            all(
                any(head == part for part in _parts(state.successor))
                for i, state in enumerate(self.program.states)
                if i != place and place in targets(state.successor)
            )
            and place != 0
        )

    def _exits(
        self,
        successor: Successor,
        leave: Mapping[int | None, Jump],
        *,
        skip: Branch | None = None,
        path: Sequence[str] = (),
    ) -> list[Statement]:
        """Return the conditional jumps that leave a block or a loop.

        Arguments:
            successor: the decision tree, or a part of it.
            leave: the jump to each successor that is not reached by going on.
            skip: a part of the tree to leave out, as it is tested later.
            path: the conditions under which this part of the tree is reached.
        """
        if not isinstance(successor, Branch):
            if successor not in leave:
                return []
            jump = leave[successor]
            return [If(self.both.join(path), [jump], [])] if path else [jump]
        if successor == skip:
            return []

        def leaves(branch: Successor) -> bool:
            return not isinstance(branch, Branch) and branch in leave

        # A jump goes first: behind it, its condition is known to be false.
        branches = [(True, successor.zero), (False, successor.nonzero)]
        branches.sort(key=lambda branch: not leaves(branch[1]))
        found = []
        for i, (zero, branch) in enumerate(branches):
            test = self.expressions.condition(successor.value, zero, Facts(), {})
            known = i == 1 and leaves(branches[0][1])
            inner = path if known else [*path, test]
            found += self._exits(branch, leave, skip=skip, path=inner)
        return found

    # Dispatched: a loop around a switch over the state

    def dispatched(self) -> list[Statement]:
        """Return a loop around a switch with a case for each state."""
        states = self.program.states
        cases = [
            (state.name, [*self._body(state), *self._gotos(state, state.successor)])
            for state in states
        ]
        loop: list[Statement] = [Switch(cases)]
        whole = Repeat(0, loop) if self.program.counts_steps else While("", loop)
        return [Jump("goto", states[0].name), whole, RETURN]

    def _gotos(self, state: State, successor: Successor) -> list[Statement]:
        """Return the jumps at the end of a case; none to stay in the same state."""
        if successor is None:
            return [RETURN]
        if not isinstance(successor, Branch):
            next_ = self.program.states[successor]
            return [] if next_ is state else [Jump("goto", next_.name)]
        zero, other = (self._gotos(state, part) for part in (successor.zero, successor.nonzero))
        is_zero, is_not = (
            self.expressions.condition(successor.value, way, Facts(), {})
            for way in (True, False)
        )
        nested = zero and isinstance(zero[0], If) and other and isinstance(other[0], Jump)
        if not zero or (other == [RETURN] and zero != [RETURN]) or nested:
            zero, other, is_zero = other, zero, is_not
        if zero == [RETURN]:
            return [If(is_zero, zero, []), *other]
        if not other and isinstance(zero[0], If) and len(zero) == 1 and not zero[0].otherwise:
            return [If(is_zero + self.both + zero[0].condition, zero[0].body, [])]
        return [If(is_zero, zero, other)]


def _parts(successor: Successor) -> Iterator[Branch]:
    """Yield all tests of a decision tree, each with the tree below it."""
    if isinstance(successor, Branch):
        yield successor
        yield from _parts(successor.zero)
        yield from _parts(successor.nonzero)
