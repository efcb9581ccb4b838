"""What every task is: a source of examples of a requested size, scored and rendered."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, PyTree, Shaped

from softmachine.core import compiling


class Example(NamedTuple):
    """One example, padded to the largest size of its bucket."""

    inputs: PyTree
    targets: PyTree
    mask: PyTree
    """1 where the targets count, else 0; broadcasts against the targets."""
    steps: Int[Array, ""]
    """How many steps a machine takes on this example."""

    def without_padding(self) -> Example:
        """Return the example cut to its steps; for tasks with an input per step."""
        steps = int(self.steps)
        return self._replace(
            inputs=self.inputs[:steps], targets=self.targets[:steps], mask=self.mask[:steps]
        )


Answer = tuple[np.ndarray, np.ndarray]
"""Targets and mask."""


class OutputKind(Protocol):
    """How outputs of one kind are scored; see `softmachine.tasks.outputs`."""

    error: ClassVar[str]
    """The metric that is zero when an example is answered without a mistake; one of
    `metrics`, as is ``bits``, the cross-entropy of the example in base 2."""

    def loss(self, outputs: PyTree, example: Example) -> Float[Array, ""]:
        """Return what training minimises, for one example."""
        ...

    def metrics(self, outputs: PyTree, example: Example) -> dict[str, Float[Array, "*batch"]]:
        """Return what people and stopping rules look at, for one example.

        Tasks of memories take a batch, too, if it is the last axis of every array.
        """
        ...

    def decide(self, outputs: PyTree) -> PyTree:
        """Return outputs as hard decisions."""
        ...


class Task(abc.ABC):
    """A family of examples, one size parameter, one output kind.

    Subclasses are frozen dataclasses: of `SequenceTask` or of
    `softmachine.tasks.memory.MemoryTask`. A task knows no machine.
    """

    output: ClassVar[OutputKind]
    smallest: ClassVar[int] = 1
    """The smallest size there is."""

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

        None where there is no such bound, unless a kind of tasks knows one.
        """
        del sizes

    def metrics(self, outputs: PyTree, example: Example) -> dict[str, Float[Array, "*batch"]]:
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
    def input_size(self) -> int:
        """Width of one step's input."""

    @property
    @abc.abstractmethod
    def output_size(self) -> int:
        """Width of one step's output."""

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

    def worst_errors(self, sizes: Sequence[int]) -> list[float] | None:
        """Return the number of scored bits of each size; their mean where it varies.

        >>> from softmachine.tasks.sequences.copy import Copy
        >>> Copy(width=8).worst_errors([1, 30])
        [8.0, 240.0]
        """
        some, asked = 16, list(sizes)
        keys = jax.random.split(jax.random.key(0), some * len(asked))
        examples = sample_batch(self, keys, jnp.repeat(jnp.array(asked), some), max(asked))
        scored = jnp.broadcast_to(examples.mask, examples.targets.shape).sum(axis=(1, 2))
        return scored.reshape(-1, some).mean(axis=1).tolist()


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
