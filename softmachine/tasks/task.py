"""The task contract: draw examples of a requested size, score outputs, render them as text."""

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
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.spec import Metrics, Spec, Stream, Whole
from softmachine.tasks.published import PaperTest

Answer = tuple[np.ndarray, np.ndarray]
"""Targets and mask of one example, as arrays."""


class Layout(NamedTuple):
    """Labels of the channels or cells of one example, for people to read."""

    inputs: list[str]
    """A short label for each input channel or cell."""
    outputs: list[str]
    """A short label for each output channel or cell."""
    pointers: tuple[int, ...] = ()
    """Indices of the cells that hold the address of another cell."""
    more: tuple[tuple[Field, np.ndarray], ...] = ()
    """What a trace shows of the example besides inputs and outputs: arrays, each declared."""


class ByInstance(NamedTuple):
    """Metrics that tell what is learned within an example, in which something comes again."""

    numbers: tuple[int, ...]
    """How often it has been there, this time included: 1, 2, ..."""
    metrics: tuple[str, ...]
    """For each of the numbers, the metric: by default the share of right ones."""
    level: float
    """What is to be compared with them: by default the share that is right by chance."""
    level_name: str = "chance"
    over: str = "how often its class has been shown, this time included"
    """What the numbers count."""
    shown: str = "right"
    """What the metrics are."""
    shares: bool = True
    """Whether they are shares, shown in percent."""


class Task(abc.ABC):
    """A family of examples with one size parameter and declared inputs and outputs.

    Subclasses are frozen dataclasses that derive from `SequenceTask` or from
    `softmachine.tasks.memory.MemoryTask`. A task knows nothing of machines.
    """

    smallest: ClassVar[int] = 1
    """The smallest size of an example."""
    examined: ClassVar[bool] = False
    """Whether the task has an exam (`softmachine.tasks.memories.exams`), which decides
    whether a machine counts as right."""

    @property
    @abc.abstractmethod
    def inputs(self) -> Stream[Spec] | Whole[Spec]:
        """The spec of what a machine is given, and when it is given."""

    @property
    @abc.abstractmethod
    def outputs(self) -> Stream[Spec] | Whole[Spec]:
        """The spec of what a machine should output, and when it is due."""

    @property
    def needs(self) -> str:
        """What a person has to have or to fetch before there are examples, in a sentence.

        Empty by default: nothing.
        """
        return ""

    @property
    def output(self) -> Spec:
        """The spec of the outputs, which fixes loss, metrics and decisions."""
        return self.outputs.spec

    @abc.abstractmethod
    def steps(self, size: int) -> int:
        """Return the largest number of machine steps for an example of a size."""

    @property
    def input_size(self) -> int:
        """The number of input channels per step; 0 for a task without an input per step."""
        return 0

    @property
    def output_size(self) -> int:
        """The number of output channels per step; 0 for a task without an output per step."""
        return 0

    def items(self, size: int) -> int:
        """Return the number of vectors that a machine's memory has to hold at once.

        0 unless a subclass says otherwise.
        """
        del size
        return 0

    def data(self) -> PyTree:
        """Return the JAX arrays that examples are made of, such as images; None by default.

        A task that has some takes them as a further argument of `sample`, ``data``. So they are
        arguments of compiled programs, not constants in them. What is not given to `sample`, it
        takes from here.
        """
        return None

    @abc.abstractmethod
    def sample(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, *, max_size: int
    ) -> Example:
        """Draw an example of a size, padded to ``max_size``; pure JAX, jittable.

        Arguments:
            key: the random key that determines the example.
            size: the size; may be traced.
            max_size: the largest size of the bucket; static, it fixes all shapes.

        Raises ValueError if `check_size` does.
        """

    @abc.abstractmethod
    def input_length(self, size: int) -> int:
        """Return the largest number of steps, or of cells, in the inputs of an example."""

    @abc.abstractmethod
    def bucket(self, size: int) -> int:
        """Return the ``max_size`` that examples of a size are padded to for scoring."""

    @abc.abstractmethod
    def layout(self, inputs: np.ndarray) -> Layout:
        """Return the labels of channels or cells of the example with these inputs."""

    @abc.abstractmethod
    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own inputs, given as a JSON value.

        Targets and mask are the task's `answer`; where it has none, nothing is scored.

        Arguments:
            value: the inputs: lists of numbers, or a string for a task on symbols.
            most: the largest number of steps, or cells, allowed.

        Raises:
            ValueError: these are not inputs of the task.
            SoftmachineError: these are not inputs of the task.
        """

    def published_tests(self) -> list[PaperTest]:
        """Return tests from papers whose figures a trained machine can be compared with.

        Smallest first; none unless a subclass has some.
        """
        return []

    def answer(self, inputs: Any) -> Answer | None:
        """Return targets and mask for the inputs of a whole example, given as a NumPy array.

        None if the inputs are not laid out as this task lays them out, or if the task does not
        define an answer to arbitrary inputs (the default).
        """
        del inputs

    @abc.abstractmethod
    def render(self, example: Example, outputs: PyTree = None) -> str:
        """Return an example, and a machine's outputs for it if given, as text for people."""

    def held_out(self, *, larger: bool = False) -> Task:
        """Return the task that held-out examples for validation and tests are drawn from.

        By default this task itself: its examples are random, so that each is new. With
        ``larger``, the task that also has examples larger than all training examples.
        """
        del larger
        return self

    @property
    def largest(self) -> int | None:
        """The largest size that can be drawn; None, the default, for no limit."""
        return None

    @property
    def test_sizes(self) -> list[int] | None:
        """The sizes to test where nobody says which; None: by what was trained on."""
        return None

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the metrics that are fractions, shown in percent: those of the output."""
        return self.output.shares

    @property
    def error(self) -> str:
        """The name of the metric that training should bring to 0 (on average)."""
        return self.output.error

    def by_instance(self, size: int) -> ByInstance | None:
        """Return which metrics tell what is learned within an example of a size.

        None, the default, for a task in which nothing is.
        """
        del size

    def worst_errors(self, sizes: Sequence[int]) -> list[float] | None:
        """Return for each size the error of an example in which every output is wrong.

        The mean over examples where it varies; None if the error has no upper bound.

        >>> from softmachine.tasks.sequences.copy import Copy
        >>> Copy(width=8).worst_errors([1, 30])
        [8.0, 240.0]
        """
        some, asked = 16, list(sizes)
        keys = jax.random.split(jax.random.key(0), some * len(asked))
        examples = sample_batch(self, keys, jnp.repeat(jnp.array(asked), some), max(asked))
        worst = jax.vmap(self.output.worst_error)(examples)
        return worst.reshape(-1, some).mean(axis=1).tolist()

    def metrics(self, outputs: PyTree, example: Example) -> Metrics:
        """Return the metrics of one example, by default those of the output spec."""
        return self.output.metrics(outputs, example)

    def blind(self, size: int) -> Metrics:
        """Return metrics of the best answers that do not depend on the input but on its size.

        Their names begin with ``blind_``; none, the default, for a task that does not tell.
        """
        del size
        return {}

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size out of range; a traced size cannot be checked."""
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
    """A task with one input vector and one output vector per step."""

    @property
    @abc.abstractmethod
    def inputs(self) -> Stream[Spec]:
        """The spec of one step's input."""

    @property
    @abc.abstractmethod
    def outputs(self) -> Stream[Spec]:
        """The spec of one step's output."""

    @property
    def input_size(self) -> int:
        """The number of input channels per step."""
        return self.inputs.spec.width

    @property
    def output_size(self) -> int:
        """The number of output channels per step."""
        return self.output.width

    @property
    def input_labels(self) -> list[str]:
        """A short label for each input channel; by default ``bit 1``, ``bit 2``, ..."""
        return [f"bit {i + 1}" for i in range(self.input_size)]

    @property
    def output_labels(self) -> list[str]:
        """A short label for each output channel; by default ``bit 1``, ``bit 2``, ..."""
        return [f"bit {i + 1}" for i in range(self.output_size)]

    @abc.abstractmethod
    def items(self, size: int) -> int:
        """Return the number of vectors a machine has to hold at once, for a size."""

    def input_length(self, size: int) -> int:
        """Return the largest number of steps of an example of a size."""
        return self.steps(size)

    def bucket(self, size: int) -> int:
        """Return the size rounded up to a power of two, at least 32.

        All sizes of a bucket share one compiled program.
        """
        return max(32, 1 << (size - 1).bit_length())

    def layout(self, inputs: np.ndarray) -> Layout:
        """Return the labels of the channels, the same in every example."""
        del inputs
        return Layout(self.input_labels, self.output_labels)

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example made from a person's own inputs, which have to be complete."""
        inputs = self.inputs.spec.parse(value, most)
        answer = self.answer(inputs)
        if answer is None:
            answer = self.output.unscored(len(inputs))
        targets, mask = map(jnp.asarray, answer)
        return Example(jnp.asarray(inputs), targets, mask, jnp.asarray(len(inputs), jnp.int32))


def draw(
    task: Task,
    key: PRNGKeyArray,
    size: Int[Array, ""] | int,
    max_size: int,
    data: PyTree = None,
    priorities: Float[Array, " examples"] | None = None,
) -> Example:
    """Draw an example as `Task.sample` does, from the task's `Task.data` if it has some.

    ``priorities`` are those of a `Finite` task, if they are not its own.
    """
    given = {"data": data, "priorities": priorities}
    given = {name: value for name, value in given.items() if value is not None}
    return task.sample(key, size, max_size=max_size, **given)


def sample_one(task: Task, key: PRNGKeyArray, size: int) -> Example:
    """Draw an example padded to its own size, in one compiled program.

    Called directly, `Task.sample` would compile a hundred small programs, one per operation.
    """
    return _sample_one(task, key, size, task.data())


@partial(compiling.filter_jit, tuned=False)
def _sample_one(task, key, size, data):
    return draw(task, key, size, size, data)


def sample_batch(
    task: Task, keys: Key[Array, " batch"], sizes: Int[Array, " batch"], max_size: int
) -> Example:
    """Draw a batch: one example for each key and size, on a leading axis, compiled."""
    return _sample_batch(task, keys, sizes, max_size, task.data())


@partial(compiling.filter_jit, tuned=False)
def _sample_batch(task, keys, sizes, max_size, data):
    return jax.vmap(lambda key, size: draw(task, key, size, max_size, data))(keys, sizes)


def place_targets(
    vectors: Shaped[np.ndarray, "scored width"], first: int, steps: int
) -> tuple[Float[np.ndarray, "steps width"], Float[np.ndarray, "steps width"]]:
    """Return targets and mask that hold the vectors from step ``first`` on, else zeros."""
    targets, mask = np.zeros((2, steps, vectors.shape[1]), np.float32)
    scored = slice(first, first + len(vectors))
    targets[scored], mask[scored] = vectors, 1
    return targets, mask
