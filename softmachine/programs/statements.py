"""Programs as nested statements, the same for every language; and formulas in each language.

A program becomes blocks, one after another, and loops over a single state, where its states
follow each other like that; otherwise a loop over a variable that holds the state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.programs.naming import targets, variables
from softmachine.programs.program import Program, State, Test
from softmachine.programs.signs import never_below_zero
from softmachine.programs.values import (
    LEAST_CELLS,
    Apply,
    Atom,
    Facts,
    Load,
    Register,
    Value,
    atoms,
    shifted,
)
from softmachine.tasks.steps import StepRule

LONGEST_ATOM = 40
"""A longer formula within a formula gets a name of its own."""


TURNED = {
    "LESS-THAN": ("<", ">"),
    "LESS-OR-EQUAL-THAN": ("<=", ">="),
    "EQUALITY-TEST": ("==", "=="),
}
"""Comparisons, and how they read with their arguments exchanged: constants come last."""


class Assign(NamedTuple):
    """A variable gets a value."""

    name: str
    formula: str
    comment: str = ""


class Put(NamedTuple):
    """A cell gets a value."""

    address: str
    formula: str
    comment: str = ""


class If(NamedTuple):
    """Statements under a condition."""

    condition: str
    body: list[Statement]
    otherwise: list[Statement]


class While(NamedTuple):
    """A loop; an empty condition is always true."""

    condition: str
    body: list[Statement]


class Repeat(NamedTuple):
    """A loop over the steps that remain after some."""

    taken: int
    body: list[Statement]


class Choose(NamedTuple):
    """What to do in each state."""

    cases: list[tuple[str, list[Statement]]]


class Word(NamedTuple):
    """``return`` or ``break``, or ``goto`` a state."""

    word: str
    state: str = ""


Statement = Assign | Put | If | While | Repeat | Choose | Word
RETURN, BREAK = Word("return"), Word("break")


@dataclasses.dataclass(frozen=True)
class Syntax:
    """How a language writes formulas."""

    wrap: Callable[[str, Value], str]
    """``(sum, value) -> text``: a sum brought back into 0..n-1."""
    gates: dict[str, str]
    """Formats of gates that are no sums."""
    both: str
    """Between two conditions."""
    load: str = "memory[{}]"
    """A cell."""
    unbounded: bool = False
    """Whether numbers are plain integers, -1 in place of n - 1."""
    rank: str = "{}"
    """What is compared in place of a number that may be below 0, and then counts as large."""
    ranked: dict[str, str] = dataclasses.field(default_factory=dict)
    """Formats of gates of which an argument may be below 0; others compare ranks."""


class Formulas:
    """Writes the values of one program."""

    def __init__(self, program: Program, syntax: Syntax) -> None:
        self.names, self.syntax = program.names, syntax
        self._never_below_zero = never_below_zero(program) if syntax.unbounded else None

    def value(self, value: Value, facts: Facts, known: dict[Atom, str]) -> str:
        """Return a value; ``known`` has names for atoms that have been computed already."""
        if value.is_constant:
            number = value.constant
            if -3 < number < 3:
                plain = number >= 0 or self.syntax.unbounded
                return str(number) if plain else f"n - {-number}"
            return self.syntax.wrap(str(number), value)
        parts = [(self.atom(atom, facts, known), factor) for atom, factor in value.terms]
        parts.sort(key=lambda part: part[1] < 0)
        text = self._sum([*parts, (str(abs(value.constant)), value.constant)])
        (_, factor), *others = value.terms
        lone = factor == 1 and not others
        positive = facts.is_zero(shifted(value, -value.constant)) is False
        if lone and (value.constant == 0 or (value.constant == -1 and positive)):
            return text
        return self.syntax.wrap(text, value)

    @staticmethod
    def _sum(parts: list[tuple[str, int]]) -> str:
        texts = []
        for text, factor in parts:
            number = text.isdigit()
            if not factor:
                continue
            scaled = text if number or abs(factor) == 1 else f"{abs(factor)} * {text}"
            sign = "-" if factor < 0 else "+"
            texts.append(
                f" {sign} {scaled}" if texts else f"-{scaled}" if factor < 0 else scaled
            )
        return "".join(texts)

    def atom(self, atom: Atom, facts: Facts, known: dict[Atom, str]) -> str:
        """Return an atom. Raises SoftmachineError for a gate that no language has."""
        if atom in known:
            return known[atom]
        if isinstance(atom, Register):
            return self.names[atom.number]
        if isinstance(atom, Load):
            return self.syntax.load.format(self.value(atom.address, facts, known))
        if atom.gate not in self.syntax.gates:
            raise SoftmachineError(
                f"gate {atom.gate} is not one of those that can be written as code"
            )
        form = self.syntax.gates[atom.gate]
        arguments = [self.value(argument, facts, known) for argument in atom.arguments]
        if self._has_rank(atom, facts):
            form = self.syntax.ranked.get(atom.gate, form)
            arguments = self._compared(atom, facts, arguments)
        if atom.gate in TURNED and _backwards(atom):
            sign, other = TURNED[atom.gate]
            form, arguments = form.replace(f" {sign} ", f" {other} "), arguments[::-1]
        return form.format(*arguments)

    def _has_rank(self, atom: Apply, facts: Facts) -> bool:
        """Return whether numbers below 0 may be compared, which count as large."""
        never = self._never_below_zero
        return (
            never is not None
            and atom.gate != "EQUALITY-TEST"
            and not all(never(argument, facts) for argument in atom.arguments)
        )

    def _compared(self, atom: Apply, facts: Facts, arguments: list[str]) -> list[str]:
        """Return the arguments of a gate, by their rank where that is not the number itself."""
        if atom.gate in self.syntax.ranked or not self._has_rank(atom, facts):
            return arguments
        return [self.syntax.rank.format(argument) for argument in arguments]

    def condition(self, value: Value, zero: bool, facts: Facts, known: dict[Atom, str]) -> str:
        """Return the condition that a value is 0, or that it is not."""
        sign = "==" if zero else "!="
        if len(value.terms) == 1 and abs(value.terms[0][1]) == 1:
            (atom, factor), number = value.terms[0], -value.constant
            text = self.atom(atom, facts, known)
            if isinstance(atom, Apply) and number == 0 and atom not in known:
                signs = {
                    "EQUALITY-TEST": ("==", "!="),
                    "LESS-THAN": ("<", ">="),
                    "LESS-OR-EQUAL-THAN": ("<=", ">"),
                }
                if atom.gate in signs:
                    texts = [self.value(part, facts, known) for part in atom.arguments]
                    a, b = self._compared(atom, facts, texts)
                    sign = signs[atom.gate][zero]
                    if _backwards(atom):
                        a, b = b, a
                        sign = sign.translate(str.maketrans("<>", "><"))
                    return f"{a} {sign} {b}"
            other = self.value(Value((), number * factor), facts, known)
            return f"{text} {sign} {other}"
        if len(value.terms) == 2 and not value.constant:
            (a, one), (b, other) = value.terms
            if one * other == -1:
                left, right = (self.atom(atom, facts, known) for atom in (a, b))
                return f"{left} {sign} {right}"
        text = self.value(value, facts, known)
        return f"{text} {sign} 0"


def steps_formula(steps: StepRule) -> tuple[str, bool]:
    """Return how many steps there are, and whether that could come out below 0.

    In terms of ``quantity``, which each language computes.
    """
    if not steps.factor:
        return str(steps.offset), False
    scaled = "quantity" if steps.factor == 1 else f"{steps.factor} * quantity"
    if not steps.offset:
        return scaled, steps.factor < 0
    sign = "-" if steps.offset < 0 else "+"
    return f"{scaled} {sign} {abs(steps.offset)}", min(steps.factor, steps.offset) < 0


def statements(program: Program, syntax: Syntax) -> list[Statement]:
    """Return the program's statements.

    Raises SoftmachineError for a gate that no language has.
    """
    writer = _Writer(program, syntax)
    if not program.states:
        return [RETURN]
    return writer.straight() or writer.by_state()


def body_of(program: Program, syntax: Syntax, state: State) -> list[Statement]:
    """Return what one state does, without what comes next."""
    return _Writer(program, syntax).body(state)


class _Writer:
    def __init__(self, program: Program, syntax: Syntax) -> None:
        self.program, self.formulas = program, Formulas(program, syntax)
        self.both = syntax.both

    # Blocks and loops one after another

    def straight(self) -> list[Statement] | None:
        """Return blocks and loops, or None if the states do not follow each other so."""
        states, found, seen = self.program.states, [], set()
        place: int | None = 0
        while place is not None:
            state = states[place]
            after = [t for t in targets(state.follow) if t not in (None, place)]
            if place in seen or len(after) > 1:
                return None
            following = after[0] if after else None
            loops = place in targets(state.follow)
            if loops:
                found += self._loop(place, following, len(seen))
                if self.program.counts_steps and (following is not None):
                    return None
            else:
                if self.program.counts_steps and len(seen) >= self._least_steps():
                    found.append(If(f"steps == {len(seen)}", [RETURN], []))
                head = self._head(following)
                found += [*self.body(state), *self._leave(state, head)]
            seen.add(place)
            place = following
        return found if found[-1] == RETURN else [*found, RETURN]

    def _least_steps(self) -> int:
        steps = self.program.steps
        return steps.offset if steps.factor >= 0 and steps.offset > 0 else 0

    def _head(self, place: int | None) -> Test | None:
        """Return the test that a loop begins with, if it is a loop that is left by it."""
        if place is None or self.program.counts_steps:
            return None
        follow = self.program.states[place].follow
        if isinstance(follow, Test) and place in (follow.zero, follow.other):
            return follow if None in (follow.zero, follow.other) else None
        return None

    def _leave(self, state: State, head: Test | None) -> list[Statement]:
        """Return what ends the program after a block, without what a loop then tests itself."""
        return self._exits(state, state.follow, [], skip=head)

    def _loop(self, place: int, following: int | None, taken: int) -> list[Statement]:
        state = self.program.states[place]
        body = self.body(state)
        if self.program.counts_steps:
            leave = self._exits(state, state.follow, [], last=BREAK)
            return [Repeat(taken, body + leave)]
        head = self._head(place)
        known_first = head is not None and (
            state.facts.is_zero(head.value) is (head.zero == place) or self._entered_by(place)
        )
        if head is not None and known_first:
            on_zero = head.zero == place
            condition = self.formulas.condition(head.value, on_zero, state.facts, {})
            return [While(condition, body)]
        leave = self._exits(
            state,
            state.follow,
            [],
            last=BREAK if following is None else None,
            onwards=following,
        )
        return [While("", body + leave)]

    def _entered_by(self, place: int) -> bool:
        """Return whether all states before a loop make the loop's test before it."""
        head = self.program.states[place].follow
        return (
            all(
                any(head == part for part in _parts(state.follow))
                for i, state in enumerate(self.program.states)
                if i != place and place in targets(state.follow)
            )
            and place != 0
        )

    def _exits(
        self,
        state: State,
        follow: Test | int | None,
        so_far: list[str],
        *,
        skip: Test | None = None,
        last: Word | None = None,
        onwards: int | None = None,
    ) -> list[Statement]:
        """Return what leaves the path to the next state, if-statements one after another."""
        if not isinstance(follow, Test):
            if follow is None:
                word = last or RETURN
            elif follow == onwards:
                word = BREAK
            else:
                return []
            condition = self.both.join(so_far)
            return [If(condition, [word], [])] if so_far else [word]
        if follow == skip:
            return []
        found = []
        ends = (None,) if onwards is None else (None, onwards)
        branches = [(True, follow.zero), (False, follow.other)]
        branches.sort(key=lambda branch: isinstance(branch[1], Test) or branch[1] not in ends)
        left_by_first = not isinstance(branches[0][1], Test) and branches[0][1] in ends
        for i, (zero, branch) in enumerate(branches):
            test = [self.formulas.condition(follow.value, zero, Facts(), {})]
            conditions = so_far if i and left_by_first else so_far + test
            found += self._exits(
                state, branch, conditions, skip=skip, last=last, onwards=onwards
            )
        return found

    # A variable for the state

    def by_state(self) -> list[Statement]:
        """Return a loop over the states."""
        states = self.program.states
        cases = [
            (state.name, [*self.body(state), *self._gotos(state, state.follow)])
            for state in states
        ]
        loop: list[Statement] = [Choose(cases)]
        whole = Repeat(0, loop) if self.program.counts_steps else While("", loop)
        return [Word("goto", states[0].name), whole, RETURN]

    def _gotos(self, state: State, follow: Test | int | None) -> list[Statement]:
        if follow is None:
            return [RETURN]
        if not isinstance(follow, Test):
            next_ = self.program.states[follow]
            return [] if next_ is state else [Word("goto", next_.name)]
        zero, other = (self._gotos(state, part) for part in (follow.zero, follow.other))
        is_zero, is_not = (
            self.formulas.condition(follow.value, way, Facts(), {}) for way in (True, False)
        )
        nested = zero and isinstance(zero[0], If) and other and isinstance(other[0], Word)
        if not zero or (other == [RETURN] and zero != [RETURN]) or nested:
            zero, other, is_zero = other, zero, is_not
        if zero == [RETURN]:
            return [If(is_zero, zero, []), *other]
        if not other and isinstance(zero[0], If) and len(zero) == 1 and not zero[0].otherwise:
            return [If(is_zero + self.both + zero[0].condition, zero[0].body, [])]
        return [If(is_zero, zero, other)]

    # One state

    def body(self, state: State) -> list[Statement]:
        """Return what a state stores and what it sets."""
        found: list[Statement] = []
        known: dict[Atom, str] = {}
        last = len(state.stores)
        early = self._to_name(state)
        used = {self.program.names[j] for j in variables(state)}
        for when in range(last + 1):
            for atom in early:
                if _ready(atom) == when:
                    text = self.formulas.atom(atom, state.facts, known)
                    known[atom] = _fresh("value", used)
                    found.append(Assign(known[atom], text))
            if when < last:
                store = state.stores[when]
                address = self.formulas.value(store.address, state.facts, known)
                value = self.formulas.value(store.value, state.facts, known)
                found.append(Put(address, value, store.gates))
        return found + self._updates(state, known, used)

    def _to_name(self, state: State) -> list[Atom]:
        """Return what has to be computed early, or is needed twice, inner atoms first."""
        uses: dict[Atom, list[int]] = {}
        places = [
            (i, value)
            for i, store in enumerate(state.stores)
            for value in (store.address, store.value)
        ]
        places += [
            (len(state.stores), value) for value in dict.fromkeys(state.updates.values())
        ]
        for when, value in places:
            for atom in atoms(value):
                if not isinstance(atom, Register):
                    uses.setdefault(atom, []).append(when)
        named = []
        for atom, whens in uses.items():
            text = self.formulas.atom(atom, state.facts, {})
            late = isinstance(atom, Load) and not _lasts(atom, state, max(whens))
            again = isinstance(atom, Apply) and len(whens) > 1
            if late or again or len(text) > LONGEST_ATOM:
                named.append(atom)
        return sorted(named, key=_depth)

    def _updates(self, state: State, known: dict[Atom, str], used: set[str]) -> list[Statement]:
        """Return the assignments in an order in which none spoils another's arguments."""
        names, waiting, found = self.program.names, dict(state.updates), []
        done: dict[Value, str] = {}
        while waiting:
            ready = [
                j
                for j in waiting
                if not any(
                    j in _needs(value, known)
                    for k, value in waiting.items()
                    if k != j and value not in done
                )
            ]
            if not ready:
                j = next(iter(waiting))
                saved = _fresh("before", used)
                found.append(Assign(saved, names[j]))
                known[Register(j)] = saved
                continue
            j = ready[0]
            value = waiting.pop(j)
            text = done.get(value) or self.formulas.value(value, state.facts, known)
            note = f"r{j + 1} = {state.gates[j]}" if state.gates[j] else "steps left"
            found.append(Assign(names[j], text, note))
            done[value] = names[j]
        return found


def _parts(follow: Test | int | None) -> Iterator[Test]:
    if isinstance(follow, Test):
        yield follow
        yield from _parts(follow.zero)
        yield from _parts(follow.other)


def _needs(value: Value, known: dict[Atom, str]) -> set[int]:
    """Return the registers that have to keep their values until a value is computed."""
    found: set[int] = set()
    for atom, _ in value.terms:
        if atom in known:
            continue
        if isinstance(atom, Register):
            found.add(atom.number)
        elif isinstance(atom, Load):
            found |= _needs(atom.address, known)
        else:
            found = found.union(*(_needs(argument, known) for argument in atom.arguments))
    return found


def _backwards(atom: Apply) -> bool:
    """Return whether a comparison begins with a number and does not end with one."""
    first, second = (a.is_constant and 0 <= a.constant < LEAST_CELLS for a in atom.arguments)
    return first and not second


def _lasts(atom: Load, state: State, when: int) -> bool:
    """Return whether a cell still holds what was read, after ``when`` stores."""
    return all(
        store.value == Value(((atom, 1),), 0) or state.facts.differ(store.address, atom.address)
        for store in state.stores[atom.after : when]
    )


def _ready(atom: Atom) -> int:
    """Return after how many stores an atom can be computed."""
    loads = [a.after for a in atoms(Value(((atom, 1),), 0)) if isinstance(a, Load)]
    return max(loads, default=0)


def _depth(atom: Atom) -> int:
    inner = [a for a in atoms(Value(((atom, 1),), 0)) if a != atom]
    return 1 + max((_depth(a) for a in inner), default=0)


def _fresh(name: str, used: set[str]) -> str:
    number = 1
    while (text := f"{name}{number}" if number > 1 else name) in used:
        number += 1
    used.add(text)
    return text
