"""Reading automata off trained Stack-RNNs, and what is known of them then.

The machine runs with hard actions on strings of a counting language: one of each size, or with
two numbers some of each, from empty stacks; and on a stream of strings of growing size between
which nothing is emptied. The automaton does in every situation of these runs what the machine
does (`softmachine.programs.automata.folding`), so that it is the machine, as far as these go.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Machine
from softmachine.machines.stack_rnn import StackRNN
from softmachine.programs.automata.automaton import StackAutomaton
from softmachine.programs.automata.folding import fold
from softmachine.programs.automata.watching import PADDING, watch
from softmachine.running.generalization import with_test_options
from softmachine.running.loop import run_batch
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.tasks.task import Task

LARGEST = 1000
"""Up to which size strings are read by default."""
STREAM = 60
"""Up to which size there are strings in the stream, in steps of one."""
ALL_UP_TO = 30
"""Up to which size all strings of two numbers are read; beyond it those with few, as many, or
almost all letters of the second number."""

CHECKED = ((60, 16, 4), (100, 4, 1), (1000, 2, 1))
"""What `check` runs: the size of strings, the largest where examples have several; how many
examples, and how many strings each."""


def has_stacks(machine: Machine) -> bool:
    """Return whether a machine is of the kind that automata are read off."""
    return isinstance(machine, StackRNN)


class Read(NamedTuple):
    """An automaton, and what it was read off."""

    automaton: StackAutomaton
    language: str
    largest: int
    """Strings were of all sizes up to this."""
    strings: int
    """How many strings there were."""
    situations: int
    """In how many different situations the machine was."""
    values: int
    """How many different values it pushed."""
    wrong: list[int]
    """Of which sizes a string was predicted wrongly."""
    wrong_in_stream: int
    """How many letters of the stream were."""


def read(machine: Machine, task: Task, *, largest: int = LARGEST) -> Read:
    """Return the automaton that a hard Stack-RNN is on a counting language.

    Arguments:
        machine: the trained machine, soft or hard.
        task: its task.
        largest: up to which size strings are read.

    Raises:
        SoftmachineError: it is no such machine or task, its controller has a state of its own,
            or what it does is too much for a small automaton.
    """
    if not isinstance(machine, StackRNN):
        raise SoftmachineError(f"{type(machine).__name__} is no Stack-RNN")
    if not isinstance(task, CountingLanguage):
        raise SoftmachineError(
            f"automata are read off Stack-RNNs on a counting language, not on "
            f"{type(task).__name__}"
        )
    if machine.config.memory != "stack":
        raise SoftmachineError("automata are read off machines with stacks, not with lists")
    if jax.tree.leaves(machine.controller.init_state()):
        raise SoftmachineError(
            "no automaton can be read off this Stack-RNN: its controller has a state of its "
            "own, real numbers that do not repeat; of one with a feed-forward controller all "
            "state is in the stacks"
        )
    strings, targets, sizes = _strings(task, largest)
    watched = watch(with_test_options(machine, hard=True), strings, targets)
    *wrong, wrong_in_stream = watched.wrong
    return Read(
        automaton=fold(watched, task.alphabet, machine.config.actions),
        language=task.language,
        largest=largest,
        strings=len(sizes),
        situations=len(watched.deeds),
        values=len(watched.values) - 1,
        wrong=sorted({size for size, count in zip(sizes, wrong, strict=True) if count}),
        wrong_in_stream=wrong_in_stream,
    )


class Checked(NamedTuple):
    """How an automaton compares with its machine, both run as they are."""

    strings: int
    letters: int
    """How many predictions were compared."""
    differing: int
    """How many of them differ."""


def check(machine: Machine, task: Task, automaton: StackAutomaton, *, seed: int = 0) -> Checked:
    """Compare predictions of an automaton and of the hard machine, run with its own memory.

    On random streams of four strings of up to 60, and on strings of 100 and 1,000. Unlike what
    was read, this takes the machine's own steps on its own arrays.
    """
    assert isinstance(machine, StackRNN)
    assert isinstance(task, CountingLanguage)
    strings = letters = differing = 0
    for number, (size, count, together) in enumerate(CHECKED):
        own = CountingLanguage(
            language=task.language, strings=together, sizes="up-to" if together > 1 else "all"
        )
        hard = with_test_options(machine, hard=True, memory_rows=own.steps(size) + 2)
        key = jax.random.fold_in(jax.random.key(seed), number)
        keys = jax.random.split(key, count)
        examples = jax.vmap(
            lambda key, own=own, size=size: own.sample(key, size, max_size=size)
        )(keys)
        outputs = run_batch(
            hard, examples.inputs, steps=jnp.max(examples.steps), max_steps=own.steps(size)
        )
        said = np.asarray(jnp.argmax(outputs, axis=-1))
        due = np.asarray(examples.mask) > 0
        places = np.asarray(examples.inputs).argmax(axis=-1)
        for i in range(count):
            steps = int(examples.steps[i])
            stream = [task.alphabet[place] for place in places[i, :steps]]
            told = list(automaton.run(stream))
            mine = [task.alphabet[place] for place in said[i, :steps]]
            wanted = np.flatnonzero(due[i, :steps])
            strings += together
            letters += len(wanted)
            differing += sum(told[t] != mine[t] for t in wanted)
    return Checked(strings, letters, differing)


def _strings(
    task: CountingLanguage, largest: int
) -> tuple[list[Int[np.ndarray, "_"]], list[Int[np.ndarray, "_"]], list[int]]:
    """Return strings, the letters after each of theirs, and sizes; at last the stream."""
    pairs = [
        (n, m) for n in range(task.smallest, largest + 1) for m in task.seconds(n, ALL_UP_TO)
    ]
    strings = [_places(task, task.string(n, m)) for n, m in pairs]
    few = [(n, m) for n, m in pairs if n <= STREAM and m in (0, 1, n - 1)]
    stream = "".join(task.string(n, m) for n, m in few)
    strings.append(_places(task, stream))
    return strings, [_targets(task, string) for string in strings], [n for n, _ in pairs]


def _places(task: CountingLanguage, string: str) -> Int[np.ndarray, "_"]:
    return np.array([task.alphabet.index(letter) for letter in string], np.int32)


def _targets(task: CountingLanguage, letters: Int[np.ndarray, "_"]) -> Int[np.ndarray, "_"]:
    """Return the letter after each; `PADDING` where it is not determined."""
    due = task.due("".join(task.alphabet[place] for place in letters))
    return np.where(due, np.append(letters[1:], 0), PADDING).astype(np.int32)
