"""Calls: in each step a program to call, its arguments, and whether the caller then ends.

What a programmer-interpreter outputs (Reed & de Freitas 2016, arXiv 1511.06279). Its inputs are
`Categories`: an observation, the running program and its arguments.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from softmachine.core.choices import check_fields
from softmachine.core.example import Example
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.inputs import InputSpec
from softmachine.core.specs.spec import Fields, Metrics, Spec, channel_field, channels

Values = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Categories(InputSpec):
    """Several named variables in every step, each with one of a few values, or with none.

    Channels are one-hot, variable after variable; those of a variable without a value are 0.
    """

    names: Values
    values: tuple[Values, ...]
    """The values of each variable."""

    def __post_init__(self) -> None:
        """Check that each variable has a name and distinct values."""
        check_fields(self)
        if len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} names are given to {len(self.values)} values")
        for name, values in zip(self.names, self.values, strict=True):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} has one or more distinct values, not {values}")

    @property
    def width(self) -> int:
        """The values of all variables."""
        return sum(map(len, self.values))

    def one_hot(self, places: Int[Array, "*shape names"]) -> Float[Array, "*shape width"]:
        """Return the channels for values given by their indices; -1 stands for no value.

        >>> Categories(("sign", "size"), (("+", "-"), ("S", "L"))).one_hot(jnp.array([1, -1]))
        Array([0., 1., 0., 0.], dtype=float32)
        """
        parts = [
            jax.nn.one_hot(places[..., i], len(values), dtype=jnp.float32)
            for i, values in enumerate(self.values)
        ]
        return jnp.concatenate(parts, axis=-1)

    def input_texts(self, inputs: np.ndarray) -> list[str]:
        """Return ``name=value`` for each variable that has one, in each step."""
        return [" ".join(self._told(row)) for row in np.asarray(inputs)]

    def _told(self, row: np.ndarray) -> list[str]:
        ends = np.cumsum([len(values) for values in self.values])
        parts = np.split(row, ends[:-1])
        named = zip(self.names, self.values, parts, strict=True)
        return [f"{name}={values[int(p.argmax())]}" for name, values, p in named if p.any()]

    def parse(self, value: Any, most: int) -> Float[np.ndarray, "steps width"]:
        """Return channels from one list of channels, or of texts, for each step.

        ``[["+", "S"], ["-", null]]`` gives each variable's value, or none. Raises ValueError
        for anything else.
        """
        rows = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(r, (list, tuple)) and any(map(_text, r)) for r in rows):
            return channels(value, self.width, most)
        if len(rows) > most:
            raise ValueError(f"inputs must not be longer than {most:,}")
        places = [self._places(row) for row in rows]
        return np.asarray(self.one_hot(jnp.asarray(places)))

    def _places(self, row: Sequence[Any]) -> list[int]:
        if len(row) != len(self.names):
            raise ValueError(
                f"a step has a value, or null, for each of {', '.join(self.names)}: "
                f"{len(self.names)}, not {len(row)}"
            )
        places = []
        for name, values, value in zip(self.names, self.values, row, strict=True):
            if value is not None and value not in values:
                raise ValueError(f"{name} is one of {', '.join(values)}; not {value!r}")
            places.append(-1 if value is None else values.index(value))
        return places

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Return the channels as one field."""
        what = "What the machine is shown: for each variable its value, one-hot."
        return [(channel_field("inputs", "bits", "input channel", what, labels), inputs)]

    @property
    def labels(self) -> list[str]:
        """A short label for each channel."""
        named = zip(self.names, self.values, strict=True)
        return [f"{name}={value}" for name, values in named for value in values]


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


@dataclasses.dataclass(frozen=True)
class Calls(Spec):
    """Decisions of a programmer-interpreter: end or go on, a program to call, its arguments.

    Outputs are logits, shape (steps, width): first one of ending after this step (a sigmoid),
    then one for each program (a softmax), then those of the values of each argument place (a
    softmax each). Targets are int32, shape (steps, 2 + places): 1 to end, the program's index,
    the index of each argument, -1 where the program takes none; the mask has shape (steps,). An
    example is all steps of one call.

    Metrics of one call: ``bits``, the cross-entropy in base 2 of all that is decided, arguments
    counted where the right program takes them; ``wrong_steps``, how many steps are wrong in
    anything; ``perfect``, 1 if none is, else 0.
    """

    programs: Values
    """What can be called. The first stands for calling nothing."""
    arguments: tuple[Values, ...] = ()
    """The values of each argument place."""
    takes: tuple[int, ...] = ()
    """How many argument places each program takes: the first so many."""

    error: ClassVar[str] = "wrong_steps"
    counted: ClassVar[str] = "calls"
    editor: ClassVar[Literal["bits", "cells"]] = "bits"
    unit: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        """Check that programs have names and take argument places that there are."""
        check_fields(self)
        if len(set(self.programs)) < len(self.programs) or len(self.programs) < 2:
            raise ValueError(f"programs are two or more distinct names, not {self.programs}")
        if len(self.takes) != len(self.programs):
            raise ValueError(
                f"takes has a number for each of {len(self.programs)} programs, not "
                f"{len(self.takes)}"
            )
        if self.takes[0] or not all(0 <= n <= len(self.arguments) for n in self.takes):
            raise ValueError(
                f"takes are numbers of argument places, 0 to {len(self.arguments)}, and 0 for "
                f"the first program, which calls nothing; not {self.takes}"
            )

    @property
    def width(self) -> int:
        """The logits of one step."""
        return 1 + len(self.programs) + sum(map(len, self.arguments))

    def _taken(self, programs: Int[Array, "*shape"]) -> Bool[Array, "*shape places"]:
        """Return which argument places programs take."""
        takes = jnp.asarray(self.takes)[programs]
        return jnp.arange(len(self.arguments)) < takes[..., None]

    def split(self, outputs: PyTree) -> tuple[Array, Array, list[Array]]:
        """Return the logits of ending, of programs, and of each argument place."""
        ends = np.cumsum([1, len(self.programs), *map(len, self.arguments)])
        parts = [
            outputs[..., begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)
        ]
        return parts[0][..., 0], parts[1], parts[2:]

    def loss(self, outputs: Float[Array, "steps width"], example: Example) -> Float[Array, ""]:
        """Return the cross-entropy of all decisions, summed over scored steps, in nats.

        -log P(program) - log P(arguments) - log P(end); arguments where the right program takes
        them. Source: Reed & de Freitas 2016, section 3.2.
        """
        end, programs, arguments = self.split(outputs)
        ending, program = example.targets[:, 0], example.targets[:, 1]
        losses = optax.sigmoid_binary_cross_entropy(end, ending.astype(end.dtype))
        losses += optax.softmax_cross_entropy_with_integer_labels(programs, program)
        taken = self._taken(program)
        for i, logits in enumerate(arguments):
            value = jnp.maximum(example.targets[:, 2 + i], 0)
            own = optax.softmax_cross_entropy_with_integer_labels(logits, value)
            losses += jnp.where(taken[:, i], own, 0)
        return jnp.sum(losses * example.mask)

    def metrics(self, outputs: Float[Array, "steps width"], example: Example) -> Metrics:
        """Return ``bits``, ``wrong_steps`` and ``perfect`` of one call."""
        steps = jnp.any(self.wrong(outputs, example), axis=-1)
        wrong = jnp.sum(jnp.where(steps, example.mask, 0))
        return {
            "bits": self.loss(outputs, example) / math.log(2),
            "wrong_steps": wrong,
            "perfect": (wrong == 0).astype(outputs.dtype),
        }

    def decide(self, outputs: PyTree) -> Int[Array, "*steps decisions"]:
        """Return decisions laid out as targets; -1 for arguments that are not taken, int32.

        To end where its probability is at least 1/2.
        """
        end, programs, arguments = self.split(outputs)
        program = jnp.argmax(programs, axis=-1)
        taken = self._taken(program)
        decided = [end >= 0, program]
        for i, logits in enumerate(arguments):
            decided.append(jnp.where(taken[..., i], jnp.argmax(logits, axis=-1), -1))
        return jnp.stack([jnp.asarray(x, jnp.int32) for x in decided], axis=-1)

    def scored(self, example: Example) -> Bool[Array, "steps decisions"]:
        """Return where decisions are scored: all of a step, also arguments not taken."""
        return jnp.broadcast_to(example.mask[:, None], example.targets.shape) > 0

    def margins(self, outputs: Float[Array, "*steps width"]) -> Float[Array, "*steps"]:
        """Return by how much the closest decision of each step is taken, in logits.

        The smallest of: the distance of the end's logit from 0, and between the best and the
        second of all programs, and of the values of each argument that is taken.
        """
        end, programs, arguments = self.split(outputs)
        taken = self._taken(jnp.argmax(programs, axis=-1))
        smallest = jnp.minimum(jnp.abs(end), _lead(programs))
        for i, logits in enumerate(arguments):
            smallest = jnp.where(taken[..., i], jnp.minimum(smallest, _lead(logits)), smallest)
        return smallest

    def tell(self, decision: Sequence[int]) -> str:
        """Return a decision in words: ``WRITE OUT 1``; ``=> ADD`` if it ends; ``stop``.

        >>> spec = Calls(("NOP", "ADD", "WRITE"), (("IN", "OUT"),), (0, 0, 1))
        >>> [spec.tell(x) for x in ([0, 2, 1], [1, 1, -1], [1, 0, -1], [0, 0, -1])]
        ['WRITE OUT', '=> ADD', 'stop', 'nothing']
        """
        end, program, *arguments = map(int, decision)
        if program == 0:
            return "stop" if end else "nothing"
        taken = zip(self.arguments, arguments[: self.takes[program]], strict=False)
        words = [self.programs[program], *(values[i] for values, i in taken)]
        return ("=> " if end else "") + " ".join(words)

    def output_texts(self, outputs: PyTree) -> list[str]:
        """Return what each step decides."""
        return [
            self.tell(row) for row in np.asarray(self.decide(jnp.asarray(outputs))).tolist()
        ]

    def probabilities(
        self, outputs: Float[Array, "steps width"], example: Example
    ) -> Float[np.ndarray, "steps width"]:
        """Return the probability of each choice; 0 where not scored."""
        return self._likely(outputs) * np.asarray(example.mask)[:, None]

    def _likely(self, outputs: PyTree) -> Float[np.ndarray, "steps width"]:
        end, programs, arguments = self.split(jnp.asarray(outputs))
        choices = [jax.nn.softmax(logits) for logits in (programs, *arguments)]
        return np.asarray(jnp.concatenate([jax.nn.sigmoid(end)[..., None], *choices], axis=-1))

    def worst_error(self, example: Example) -> Float[Array, ""]:
        """Return the number of scored steps."""
        return jnp.sum(example.mask)

    def parse(self, value: Any, most: int) -> np.ndarray:
        """Raise ValueError: calls are outputs, nothing that a machine is given."""
        del value, most
        raise ValueError("calls are what a machine decides; it is given categories")

    def unscored(
        self, steps: int
    ) -> tuple[Int[np.ndarray, "steps decisions"], Float[np.ndarray, " steps"]]:
        """Return targets and mask of ``steps`` steps that are not scored."""
        return np.zeros((steps, 2 + len(self.arguments)), np.int32), np.zeros(steps, np.float32)

    @property
    def labels(self) -> list[str]:
        """A short label for each logit."""
        places = [
            f"argument {i + 1}={value}"
            for i, values in enumerate(self.arguments)
            for value in values
        ]
        return ["end", *self.programs, *places]

    def one_hot(
        self, decisions: Int[np.ndarray, "steps decisions"]
    ) -> Bool[np.ndarray, "steps width"]:
        """Return decisions in the channels of outputs."""
        decisions = np.asarray(decisions)
        sizes = [len(self.programs), *map(len, self.arguments)]
        parts = [decisions[:, [1 + i]] == np.arange(size) for i, size in enumerate(sizes)]
        return np.concatenate([decisions[:, :1] == 1, *parts], axis=1)

    def input_fields(self, inputs: np.ndarray, labels: Sequence[str]) -> Fields:
        """Raise ValueError: calls are never inputs."""
        del inputs, labels
        raise ValueError("calls are outputs: a machine is not given them")

    def output_fields(
        self, outputs: Float[Array, "steps width"], example: Example, labels: Sequence[str]
    ) -> Fields:
        """Return the fields targets, mask, outputs (probabilities) and wrong."""
        wanted = self.one_hot(np.asarray(example.targets))
        said = self.one_hot(np.asarray(self.decide(jnp.asarray(outputs))))
        mask = np.broadcast_to(np.asarray(example.mask)[:, None] > 0, wanted.shape)
        axis = "output channel"

        def field(name, kind, description):
            return channel_field(name, kind, axis, description, labels)

        return [
            (field("targets", "bits", "What is to be decided."), wanted & mask),
            (field("mask", "bits", "Where targets are scored."), mask),
            (
                field("outputs", "probability", "The probability of each choice."),
                self._likely(outputs),
            ),
            (field("wrong", "bits", "Where another choice is made."), (said != wanted) & mask),
        ]


def _lead(logits: Float[Array, "*shape choices"]) -> Float[Array, "*shape"]:
    """Return the distance between the largest and the second largest."""
    if logits.shape[-1] == 1:
        return jnp.full(logits.shape[:-1], jnp.inf, logits.dtype)
    best, second = jnp.moveaxis(jax.lax.top_k(logits, 2)[0], -1, 0)
    return best - second
