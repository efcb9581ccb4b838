"""All situations that a hard Stack-RNN gets into on given strings, and what it does in each.

Without a recurrent controller, a machine whose actions are hard has no state but its stacks:
what it does follows from the letter and the cells that it reads. A *situation* is that letter
and these cells. Stacks are kept here as lists that have no end, of numbers that stand for the
values; a situation is asked of the machine itself, once, and is then known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from softmachine.core import compiling
from softmachine.core.errors import SoftmachineError
from softmachine.machines.stack_rnn import StackRNN, StackRNNState

EMPTY = 0
"""The number of the value that an empty cell has."""
PADDING = -1
"""The letter after the last one of a string."""
MOST_SITUATIONS = 20_000
"""Beyond this number the search is given up: pushed values do not repeat."""
ASKED = 64
"""How many situations are asked of the machine at once."""


class Situation(NamedTuple):
    """What a step depends on."""

    letter: int
    tops: tuple[tuple[int, ...], ...]
    """Of each stack the values of the cells that are read, the top first."""


class Deed(NamedTuple):
    """What the machine does in a situation."""

    actions: tuple[int, ...]
    """Of each stack, by its place among the machine's actions."""
    pushed: tuple[int, ...]
    """Of each stack the value that is pushed; `EMPTY` where none is."""
    predicted: int
    """The letter that it holds for the next one."""


class Watched(NamedTuple):
    """What was seen."""

    deeds: dict[Situation, Deed]
    due: set[Situation]
    """Those in which the next letter was determined by the language, at least once."""
    values: list[Float[np.ndarray, "_"]]
    """The values by number."""
    wrong: list[int]
    """Of each string how many determined letters were predicted wrongly."""


def watch(
    machine: StackRNN,
    strings: Sequence[Int[np.ndarray, "_"]],
    targets: Sequence[Int[np.ndarray, "_"]],
) -> Watched:
    """Run a machine on strings, each from empty stacks.

    Arguments:
        machine: with hard actions, stacks, and a controller without a state of its own.
        strings: the letters of each, by their places in the alphabet.
        targets: the letter after each of these; `PADDING` where it is not determined.

    Raises:
        SoftmachineError: there are more than `MOST_SITUATIONS`.
    """
    reading = _Reading(machine)
    order = np.argsort([-len(string) for string in strings], kind="stable")
    letters, wanted = (_padded([x[i] for i in order]) for x in (strings, targets))
    count, most = letters.shape
    stacks = np.full((count, machine.config.stacks, most + 1), EMPTY, np.int32)
    heights = np.zeros((count, machine.config.stacks), np.int32)
    wrong, lengths = np.zeros(count, np.int64), np.sum(letters != PADDING, axis=1)
    for t in range(most):
        live = int(np.sum(lengths > t))
        numbers = reading.numbers(letters[:live, t], _tops(machine, stacks, heights, live))
        actions, pushed, predicted = reading.table(numbers)
        push = np.nonzero(actions == reading.push)
        stacks[*push, heights[push]] = pushed[push]
        heights[push] += 1
        pop = np.nonzero(actions == reading.pop)
        heights[pop] = np.maximum(heights[pop] - 1, 0)
        due = wanted[:live, t] != PADDING
        wrong[:live] += due & (predicted != wanted[:live, t])
        reading.note_due(numbers[due])
    back = np.argsort(order)
    return reading.watched(wrong[back].tolist())


def _padded(rows: Sequence[Int[np.ndarray, "_"]]) -> Int[np.ndarray, "strings letters"]:
    padded = np.full((len(rows), max(map(len, rows))), PADDING, np.int32)
    for row, letters in zip(padded, rows, strict=True):
        row[: len(letters)] = letters
    return padded


def _tops(
    machine: StackRNN,
    stacks: Int[np.ndarray, "strings stacks cells"],
    heights: Int[np.ndarray, "strings stacks"],
    live: int,
) -> Int[np.ndarray, "live stacks read_rows"]:
    """Return the values that are read, the top first."""
    places = heights[:live, :, None] - 1 - np.arange(machine.config.read_rows)
    found = np.take_along_axis(stacks[:live], np.maximum(places, 0), axis=2)
    return np.where(places >= 0, found, EMPTY)


class _Reading:
    """What is known of a machine so far: values and situations by number."""

    def __init__(self, machine: StackRNN) -> None:
        config = machine.config
        # The cells that are read, and one that comes up under a pop.
        self.machine = machine.with_memory_rows(config.read_rows + 1)
        self.push, self.pop = (config.actions.index(name) for name in ("push", "pop"))
        empty = np.full(config.memory_columns, config.empty, np.float32)
        self.values = [empty]
        self.value_numbers = {empty.tobytes(): EMPTY}
        self.situation_numbers: dict[bytes, int] = {}
        self.rows: list[Int[np.ndarray, "_"]] = []
        self.deeds: list[tuple[np.ndarray, np.ndarray, int]] = []
        self.due: set[int] = set()

    def numbers(
        self, letters: Int[np.ndarray, " live"], tops: Int[np.ndarray, "live stacks read_rows"]
    ) -> Int[np.ndarray, " live"]:
        """Return the numbers of situations; new ones are asked of the machine."""
        rows = np.concatenate([letters[:, None], tops.reshape(len(tops), -1)], axis=1)
        distinct, places = np.unique(rows.astype(np.int32), axis=0, return_inverse=True)
        new = [row for row in distinct if row.tobytes() not in self.situation_numbers]
        if len(self.rows) + len(new) > MOST_SITUATIONS:
            raise SoftmachineError(
                f"the machine does not come out as a small automaton: it was in more than "
                f"{MOST_SITUATIONS:,} different situations; what it pushes does not repeat"
            )
        for begin in range(0, len(new), ASKED):
            self._ask(np.stack(new[begin : begin + ASKED]))
        found = np.array([self.situation_numbers[row.tobytes()] for row in distinct])
        return found[places.reshape(-1)]

    def _ask(self, rows: Int[np.ndarray, "some row"]) -> None:
        """Have the machine take a step in each of some new situations."""
        config = self.machine.config
        padded = np.resize(rows, (ASKED, rows.shape[1]))  # repeats them, for one shape
        tops = padded[:, 1:].reshape(ASKED, config.stacks, config.read_rows)
        cells = np.stack(self.values)[tops].swapaxes(2, 3)
        actions, values, predicted = jax.device_get(
            _steps(self.machine, jnp.asarray(padded[:, 0]), jnp.asarray(cells))
        )
        for i, row in enumerate(rows):
            pushed = [
                self._number(values[i, s]) if actions[i, s] == self.push else EMPTY
                for s in range(config.stacks)
            ]
            self.situation_numbers[row.tobytes()] = len(self.rows)
            self.rows.append(row)
            self.deeds.append((actions[i], np.array(pushed), int(predicted[i])))

    def _number(self, value: Float[np.ndarray, "_"]) -> int:
        key = value.tobytes()
        if key not in self.value_numbers:
            self.value_numbers[key] = len(self.values)
            self.values.append(value)
        return self.value_numbers[key]

    def table(self, numbers: Int[np.ndarray, " live"]) -> tuple[np.ndarray, ...]:
        """Return actions, pushed values and predicted letters of situations."""
        distinct, places = np.unique(numbers, return_inverse=True)
        deeds = [self.deeds[number] for number in distinct]
        parts = (np.stack([deed[i] for deed in deeds]) for i in range(3))
        return tuple(part[places] for part in parts)

    def note_due(self, numbers: Int[np.ndarray, " some"]) -> None:
        """Note in which situations the next letter was determined."""
        self.due |= set(np.unique(numbers).tolist())

    def watched(self, wrong: list[int]) -> Watched:
        """Return all that was seen."""
        stacks = self.machine.config.stacks
        situations = [
            Situation(int(row[0]), tuple(map(tuple, row[1:].reshape(stacks, -1).tolist())))
            for row in self.rows
        ]
        deeds = [
            Deed(tuple(actions.tolist()), tuple(pushed.tolist()), predicted)
            for actions, pushed, predicted in self.deeds
        ]
        return Watched(
            deeds=dict(zip(situations, deeds, strict=True)),
            due={situations[number] for number in self.due},
            values=self.values,
            wrong=wrong,
        )


@partial(compiling.filter_jit, tuned=False)
def _steps(
    machine: StackRNN,
    letters: Int[Array, " batch"],
    tops: Float[Array, "batch stacks columns read_rows"],
) -> tuple[
    Int[Array, "batch stacks"], Float[Array, "batch stacks columns"], Int[Array, " batch"]
]:
    """Return what a machine does in situations: actions, what would be pushed, predictions."""

    def step(letter, cells):
        first = machine.init_state()
        memory = first.memory.at[:, :, : machine.config.read_rows].set(cells)
        encoded = machine.encode(jax.nn.one_hot(letter, machine.input_shape()[1]))
        _, hidden = machine.advance(StackRNNState(first.controller, memory), encoded)
        actions, values = machine.instruct(hidden)
        return jnp.argmax(actions, axis=-1), values, jnp.argmax(machine.decode(hidden))

    return jax.vmap(step)(letters, tops)
