"""Tasks of a programmer-interpreter: to decide as a program does, in each of its calls."""

from __future__ import annotations

import abc
import dataclasses
import functools
import json
import random
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, Natural, check_fields
from softmachine.core.errors import SoftmachineError
from softmachine.core.example import Example
from softmachine.core.files import parse_json
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.calls import Calls, Categories
from softmachine.core.specs.spec import Stream
from softmachine.tasks.task import SequenceTask
from softmachine.tasks.traced.environment import Environment, FailureError
from softmachine.tasks.traced.interface import Interface
from softmachine.tasks.traced.own_code import own_code
from softmachine.tasks.traced.published import RIGHT_RUNS
from softmachine.tasks.traced.tracing import Calls as DistinctCalls
from softmachine.tasks.traced.tracing import (
    Trace,
    check_consistent,
    check_replay,
    distinct_calls,
    trace,
)

Form = Literal["recursive", "partial", "loop"]
Part = Literal["train", "held-out"]
MISTAKEN = 0x6D697374
"""Folded into an example's key for the key of what is shown otherwise."""


class CallsData(NamedTuple):
    """Distinct calls as arrays, padded to the longest."""

    places: Int[Array | np.ndarray, "calls steps names"]
    """What is seen in each step, as indices of `Interface.seen`."""
    targets: Int[Array | np.ndarray, "calls steps decisions"]
    steps: Int[Array | np.ndarray, " calls"]
    priorities: Float[Array | np.ndarray, " calls"]
    """How likely each is to be drawn: all programs are equally likely."""


class TracedTask(SequenceTask):
    """Calls of programs on environments, each an example by itself.

    The size of an example is always 1. What is drawn are the distinct calls of the traces of
    some problems, each program as often as any other. Held out are, for a recursive program,
    the calls of problems that show all that can occur on any input: a core that is right on all
    of them is right on every input. For others they are calls of problems drawn anew.

    A subclass is a frozen dataclass with the fields of `TracedProblems`, or of its own making.
    """

    mistaken: float = 0.0
    """How likely each observed value is shown as another one in training; never of what is held
    out. Some tasks have it as a field."""

    @property
    @abc.abstractmethod
    def kinds(self) -> Mapping[str, type[Environment]]:
        """The kinds of environments, by name."""

    @property
    @abc.abstractmethod
    def parts(self) -> Mapping[str, TracedProblems]:
        """The task of each kind of environments."""

    @property
    def finite(self) -> bool:
        """Whether the calls that can occur on all inputs are finitely many, and known."""
        return all(part.finite for part in self.parts.values())

    @property
    def domain(self) -> str:
        """The inputs on which a core that is right on all calls held out is right, in words."""
        return ", ".join(f"{kind} ({part.domain})" for kind, part in self.parts.items())

    @abc.abstractmethod
    def held_out(self, *, larger: bool = False) -> TracedTask:
        """Return the task of the calls held out."""

    @abc.abstractmethod
    def traced_calls(self) -> Mapping[str, DistinctCalls]:
        """Return the distinct calls to learn from, or those held out, of each kind."""

    @property
    def interface(self) -> Interface:
        """What a core sees and decides."""
        return _interface(tuple(self.kinds.items()))

    @property
    def inputs(self) -> Stream[Categories]:
        """What is observed, arguments, and the running program."""
        return Stream(self.interface.seen)

    @property
    def outputs(self) -> Stream[Calls]:
        """Whether to end, and what to call."""
        return Stream(self.interface.calls)

    @property
    def input_labels(self) -> list[str]:
        """A short label for each input channel."""
        return self.interface.seen.labels

    @property
    def output_labels(self) -> list[str]:
        """A short label for each logit."""
        return self.interface.calls.labels

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the metrics that are fractions, that of whole runs among them."""
        return (*super().shares, RIGHT_RUNS)

    @property
    def largest(self) -> int:
        """The only size."""
        return 1

    def items(self, size: int) -> int:
        """Return 0: nothing has to be held in a memory."""
        del size
        return 0

    def bucket(self, size: int) -> int:
        """Return the size itself: there is only one."""
        return size

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise SoftmachineError for any size but 1."""
        super().check_size(size, max_size)
        if max_size > self.largest:
            raise SoftmachineError(
                "an example of this task is a single call, of size 1: 'softmachine verify' "
                "runs whole problems of any size"
            )

    def steps(self, size: int) -> int:
        """Return the steps of the longest call."""
        del size
        return self._arrays().places.shape[1]

    def data(self) -> CallsData:
        """Return all calls as arrays."""
        return jax.tree.map(jnp.asarray, self._arrays())

    def _arrays(self) -> CallsData:
        return _arrays(self)

    def first_priorities(self) -> Float[Array, " calls"]:
        """Return how likely each call is to be drawn, but for a common factor."""
        return jnp.asarray(self._arrays().priorities)

    def examples(self) -> Example:
        """Return all calls, on a leading axis."""
        data = self.data()
        return jax.vmap(functools.partial(self._example, data))(jnp.arange(len(data.steps)))

    def sample(
        self,
        key: PRNGKeyArray,
        size: Int[Array, ""] | int,
        *,
        max_size: int,
        data: PyTree = None,
        priorities: Float[Array, " calls"] | None = None,
    ) -> Example:
        """Draw a call."""
        self.check_size(size, max_size)
        data = self.data() if data is None else data
        ends = jnp.cumsum(data.priorities if priorities is None else priorities)
        place = jnp.searchsorted(ends, jax.random.uniform(key) * ends[-1], side="right")
        number = jnp.minimum(place, len(ends) - 1)
        if not self.mistaken:
            return self._example(data, number)
        seen = self._with_mistakes(jax.random.fold_in(key, MISTAKEN), data.places[number])
        return self._example(data._replace(places=data.places.at[number].set(seen)), number)

    def _with_mistakes(
        self, key: PRNGKeyArray, places: Int[Array, "steps names"]
    ) -> Int[Array, "steps names"]:
        """Return what is seen in a call with some observed values replaced by others."""
        where, what = jax.random.split(key)
        seen = places[:, : self.interface.observed]
        values = self.interface.seen.values[: self.interface.observed]
        counts = jnp.array([len(x) for x in values])
        others = seen + jax.random.randint(what, seen.shape, 1, jnp.maximum(counts, 2))
        wrong = jax.random.bernoulli(where, self.mistaken, seen.shape) & (seen >= 0)
        seen = jnp.where(wrong, others % counts, seen)
        return places.at[:, : self.interface.observed].set(seen)

    def _example(self, data: CallsData, number: Int[Array, ""]) -> Example:
        steps = data.steps[number]
        mask = (jnp.arange(data.places.shape[1]) < steps).astype(jnp.float32)
        inputs = self.interface.seen.one_hot(data.places[number])
        return Example(inputs, data.targets[number], mask, steps)

    def render(self, example: Example, outputs: PyTree = None) -> str:
        """Return what is seen and what is to be decided, a line for each step."""
        steps = int(example.steps)
        seen = self.inputs.spec.input_texts(np.asarray(example.inputs)[:steps])
        wanted = [
            self.outputs.spec.tell(x) for x in np.asarray(example.targets)[:steps].tolist()
        ]
        lines = [f"{a}  ->  {b}" for a, b in zip(seen, wanted, strict=True)]
        if outputs is not None:
            said = self.outputs.spec.output_texts(jnp.asarray(outputs)[:steps])
            lines = [
                line if got == right else f"{line}   (said: {got})"
                for line, got, right in zip(lines, said, wanted, strict=True)
            ]
        return "\n".join(lines)


@functools.lru_cache(maxsize=32)
def _interface(kinds: tuple[tuple[str, type[Environment]], ...]) -> Interface:
    return Interface(dict(kinds))


@functools.lru_cache(maxsize=16)
def _arrays(task: TracedTask) -> CallsData:
    interface, rows, targets = task.interface, [], []
    for kind, calls in task.traced_calls().items():
        check_consistent(calls, task.kinds[kind])
        for (key, observations), decisions in calls.items():
            rows.append(interface.rows(kind, key, observations))
            targets.append([interface.decision(kind, decision) for decision in decisions])
    steps = np.array([len(row) for row in rows], np.int32)
    places = np.full((len(rows), max(steps), rows[0].shape[1]), -1, np.int32)
    wanted = np.zeros((len(rows), max(steps), len(targets[0][0])), np.int32)
    for i, (row, target) in enumerate(zip(rows, targets, strict=True)):
        places[i, : len(row)], wanted[i, : len(row)] = row, target
    programs = places[:, 0, -1]
    share = 1 / np.bincount(programs)[programs]
    return CallsData(places, wanted, steps, (share / share.sum()).astype(np.float32))


@dataclasses.dataclass(frozen=True, kw_only=True)
class TracedProblems(TracedTask):
    """Calls of one kind of programs, from the traces of problems."""

    form: Form = "recursive"
    """How the programs are written: with recursion wherever something is repeated, with loops
    within a call, or partly so. Cai et al. 2017 (arXiv 1704.06611) have all three."""
    problems: Count = 10
    """From how many problems' traces to learn."""
    seed: Natural = 0
    """What the problems are drawn from; of runs of several seeds, all learn from the same."""
    separate_return: bool = False
    """Whether ends are steps of their own, also where a program ends with a call."""
    part: Part = "train"
    """Which calls: to learn from, or held out."""

    forms: ClassVar[Mapping[str, type[Environment]]]
    """The environment with its programs, of each form."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)
        name, forms = type(self).__name__, getattr(self, "forms", None)
        if not isinstance(forms, Mapping):
            raise ValueError(f'{name} needs forms = {{"recursive": its environment\'s class}}')
        if self.form not in forms:
            raise ValueError(f"{name} has the forms {', '.join(forms)}; not {self.form}")

    @property
    def environment(self) -> type[Environment]:
        """The environment with its programs."""
        return self.forms[self.form]

    @property
    def domain(self) -> str:
        """The inputs on which a core that is right on all calls held out is right, in words."""
        return "every input"

    @property
    def kinds(self) -> Mapping[str, type[Environment]]:
        """The one kind of environment."""
        return {self.environment.main.lower(): self.environment}

    @property
    def parts(self) -> Mapping[str, TracedProblems]:
        """This task alone."""
        return dict.fromkeys(self.kinds, self)

    @abc.abstractmethod
    def training_problems(self, rng: random.Random) -> Iterable[Any]:
        """Return the `problems` to learn from, each the arguments of the environment."""

    @abc.abstractmethod
    def proving_problems(self) -> Iterable[Any]:
        """Return problems whose calls are all that can occur in the recursive form."""

    @abc.abstractmethod
    def random_problem(self, size: int, rng: random.Random) -> Any:
        """Return a problem of a size, as its users count it: digits, numbers, vertices."""

    smallest_problem: ClassVar[int] = 1
    """The smallest size that `random_problem` takes."""

    def draw_problem(self, size: int, rng: random.Random) -> Any:
        """Return what `random_problem` does.

        Raises SoftmachineError for sizes that are too small, and if it cannot be made.
        """
        name = type(self).__name__
        if size < self.smallest_problem:
            raise SoftmachineError(
                f"problems of {name} are of size {self.smallest_problem} or more; not {size}"
            )
        with own_code(f"{name}.random_problem({size}, rng)"):
            return self.random_problem(size, rng)

    def pose(self, problem: Any) -> Environment:
        """Return an environment with a problem laid out."""
        return self.environment(*problem)

    def trace(self, problem: Any) -> Trace:
        """Return the run of the program as it is written.

        Raises SoftmachineError if it fails on the problem, or leaves a wrong result.
        """
        main, name = self.environment.main, self.environment.__name__
        other = f"a problem is a tuple of what {name} is made with; not {problem!r}"
        if not isinstance(problem, tuple | list):
            raise SoftmachineError(other)
        with own_code(other):
            environment, again = self.pose(problem), self.pose(problem)
        on = f"on the problem {self.write_problem(problem)}"
        try:
            with own_code(f"{main} as written fails {on}"):
                run = trace(environment, separate_return=self.separate_return)
                right = environment.right()
        except FailureError as failure:
            raise SoftmachineError(f"{main} as written fails {on}: {failure}") from failure
        if not right:
            raise SoftmachineError(
                f"{main} as written leaves {environment.result()} {on}; right is "
                f"{environment.expected()}"
            )
        check_replay(run, again)
        return run

    problem_form: ClassVar[str] = "what the environment is made with, a JSON list: [[3, 1, 2]]"
    """How a person writes a problem, with an example."""

    def read_problem(self, text: str) -> Any:
        """Return a problem from a person's text; ValueError if it is not of `problem_form`."""
        try:
            problem = parse_json(text)
        except ValueError as error:
            raise ValueError(f"this is no JSON ({error}): write {self.problem_form}") from error
        if not isinstance(problem, list):
            raise ValueError(f"write {self.problem_form}")
        return problem

    def write_problem(self, problem: Any) -> str:
        """Return a problem as `read_problem` reads it."""
        return json.dumps(problem, default=str)

    @property
    def finite(self) -> bool:
        """Whether the calls that can occur on all inputs are finitely many, and known."""
        return self.form == "recursive"

    def traced_calls(self) -> Mapping[str, DistinctCalls]:
        """Return the distinct calls of the problems' traces."""
        name, proving = type(self).__name__, self.part != "train" and self.finite
        with own_code(f"{name}.{'proving' if proving else 'training'}_problems"):
            seed = self.seed if self.part == "train" else ~self.seed
            problems = list(
                self.proving_problems()
                if proving
                else self.training_problems(random.Random(seed))
            )
        calls = distinct_calls(map(self.trace, problems))
        if not calls:
            raise SoftmachineError(
                f"{name} has no problems to {'learn from' if self.part == 'train' else 'prove'}"
            )
        return dict.fromkeys(self.kinds, calls)

    def held_out(self, *, larger: bool = False) -> TracedProblems:
        """Return the task of the calls held out."""
        del larger
        return dataclasses.replace(self, part="held-out")
