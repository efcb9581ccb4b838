"""What every task is: a source of examples of a requested size, scored and rendered."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, Shaped

from softmachine.core import compiling
from softmachine.core.example import Example as Example
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Metrics, Spec, Stream, Whole
from softmachine.tasks.published import PaperTest

Answer = tuple[np.ndarray, np.ndarray]
"""Targets and mask."""


class Layout(NamedTuple):
    """What the places of one example are, for people."""

    inputs: list[str]
    """What each input channel or cell is, in a word."""
    outputs: list[str]
    """What each output channel or cell is."""
    pointers: tuple[int, ...] = ()
    """Cells that hold the address of another cell."""


class Task(abc.ABC):
    """A family of examples, one size parameter, declared inputs and outputs.

    Subclasses are frozen dataclasses: of `SequenceTask` or of
    `softmachine.tasks.memory.MemoryTask`. A task knows no machine.
    """

    smallest: ClassVar[int] = 1
    """The smallest size there is."""
    examined: ClassVar[bool] = False
    """Whether there is an exam, `softmachine.tasks.memories.exams`, that decides
    what is right."""

    @property
    @abc.abstractmethod
    def inputs(self) -> Stream[Spec] | Whole[Spec]:
        """What a machine is given, and when."""

    @property
    @abc.abstractmethod
    def outputs(self) -> Stream[Spec] | Whole[Spec]:
        """What a machine should say, and when."""

    @property
    def output(self) -> Spec:
        """The kind of what a machine should say: it fixes loss, metrics and decisions."""
        return self.outputs.spec

    @abc.abstractmethod
    def steps(self, size: int) -> int:
        """Return how many machine steps an example of a size takes at most."""

    @property
    def input_size(self) -> int:
        """How many channels inputs have at each step; 0 if there are none per step."""
        return 0

    @property
    def output_size(self) -> int:
        """How many channels outputs have at each step; 0 if there are none per step."""
        return 0

    def items(self, size: int) -> int:
        """Return how many vectors a machine's own memory has to hold at once.

        None, unless a kind of tasks says otherwise.
        """
        del size
        return 0

    @abc.abstractmethod
    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of a size, padded to ``max_size``; pure JAX, jittable.

        Raises ValueError if `check_size` does.
        """

    @abc.abstractmethod
    def length(self, size: int) -> int:
        """Return how many steps, or cells, the inputs of an example of a size have at most."""

    @abc.abstractmethod
    def bucket(self, size: int) -> int:
        """Return the ``max_size`` with which examples of a size are drawn to be scored."""

    @abc.abstractmethod
    def layout(self, inputs: np.ndarray) -> Layout:
        """Return what the places of the example with these inputs are."""

    @abc.abstractmethod
    def own_example(self, value: Any, most: int) -> Example:
        """Return the example with inputs of a person's own, at most ``most`` steps or cells.

        Targets are the task's `answer`; where it has none, nothing is scored. Raises
        ValueError or SoftmachineError if these are no inputs of the task.
        """

    def published_tests(self) -> list[PaperTest]:
        """Return the tests in papers that machines of this task can be held against.

        Smallest first; none, unless a task knows of some.
        """
        return []

    def answer(self, inputs: Any) -> Answer | None:
        """Return targets and mask for the inputs of a whole example, given as a NumPy array.

        None if the inputs are not laid out as those of this task, and unless a task can tell.
        """
        del inputs

    @abc.abstractmethod
    def render(self, example: Example, outputs: PyTree = None) -> str:
        """Return an example, and a machine's outputs for it, as text for people."""

    def held_out(self, *, larger: bool = False) -> Task:
        """Return the task from which tests draw: this one, where each example is new.

        ``larger``: one that has larger examples than any to train on.
        """
        del larger
        return self

    @property
    def error(self) -> str:
        """The metric that training is after; zero (on average) at its best."""
        return self.output.error

    def worst_errors(self, sizes: Sequence[int]) -> list[float] | None:
        """Return the error of one example of each size in which everything is wrong.

        Their mean where it varies; None where there is no such bound.

        >>> from softmachine.tasks.sequences.copy import Copy
        >>> Copy(width=8).worst_errors([1, 30])
        [8.0, 240.0]
        """
        some, asked = 16, list(sizes)
        keys = jax.random.split(jax.random.key(0), some * len(asked))
        examples = sample_batch(self, keys, jnp.repeat(jnp.array(asked), some), max(asked))
        worst = jax.vmap(self.output.worst)(examples)
        return worst.reshape(-1, some).mean(axis=1).tolist()

    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return what the kind of output gives: what people and stopping rules look at."""
        return self.output.metrics(outputs, example)

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size out of range; a traced one cannot be checked."""
        if not isinstance(size, int):
            size = max_size
        if size < self.smallest:
            raise ValueError(
                f"{type(self).__name__} size must be at least {self.smallest}, not {size}"
            )
        if size > max_size:
            raise ValueError(
                f"{type(self).__name__} size must be at most max_size, {max_size}; not {size}"
            )


class SequenceTask(Task):
    """A task with an input vector and an output vector per step."""

    @property
    @abc.abstractmethod
    def inputs(self) -> Stream[Spec]:
        """What one step's input is."""

    @property
    @abc.abstractmethod
    def outputs(self) -> Stream[Spec]:
        """What one step's output is."""

    @property
    def input_size(self) -> int:
        """Width of one step's input."""
        return self.inputs.spec.width

    @property
    def output_size(self) -> int:
        """Width of one step's output."""
        return self.output.width

    @property
    def input_labels(self) -> list[str]:
        """What each input channel is, in a word; bits, unless a task says otherwise."""
        return [f"bit {i + 1}" for i in range(self.input_size)]

    @property
    def output_labels(self) -> list[str]:
        """What each output channel is."""
        return [f"bit {i + 1}" for i in range(self.output_size)]

    @abc.abstractmethod
    def items(self, size: int) -> int:
        """Return how many vectors a machine has to hold at once for an example of a size."""

    def length(self, size: int) -> int:
        """Return the steps of an example."""
        return self.steps(size)

    def bucket(self, size: int) -> int:
        """Round up to a power of two: all sizes of a bucket share one compiled program."""
        return max(32, 1 << (size - 1).bit_length())

    def layout(self, inputs: np.ndarray) -> Layout:
        """Return what the channels are, the same in every example."""
        del inputs
        return Layout(self.input_labels, self.output_labels)

    def own_example(self, value: Any, most: int) -> Example:
        """Return the example whose inputs a person typed or sent, all steps of it."""
        inputs = self.inputs.spec.read(value, most)
        answer = self.answer(inputs)
        if answer is None:
            answer = self.output.unknown(len(inputs))
        targets, mask = map(jnp.asarray, answer)
        return Example(jnp.asarray(inputs), targets, mask, jnp.asarray(len(inputs), jnp.int32))


@partial(compiling.filter_jit, tuned=False)
def sample_one(task: Task, key: PRNGKeyArray, size: int) -> Example:
    """Return an example in room for its own size, compiled: one program instead of many."""
    return task.sample(key, size, max_size=size)


@partial(compiling.filter_jit, tuned=False)
def sample_batch(
    task: Task, keys: Key[Array, " batch"], sizes: Int[Array, " batch"], max_size: int
) -> Example:
    """Return an example for each key and size, on a leading axis, compiled."""
    return jax.vmap(lambda key, size: task.sample(key, size, max_size=max_size))(keys, sizes)


def due(
    said: Shaped[np.ndarray, "due width"], first: int, steps: int
) -> tuple[Float[np.ndarray, "steps width"], Float[np.ndarray, "steps width"]]:
    """Return targets and mask of an example in which vectors are due from a step on."""
    targets, mask = np.zeros((2, steps, said.shape[1]), np.float32)
    targets[first : first + len(said)], mask[first : first + len(said)] = said, 1
    return targets, mask
