"""Lesson 2: why gradients fail on pointers, and what helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from softmachine.core import compiling
from softmachine.lessons.lesson import Lesson

CELLS = 8
"""Cells of a memory, each an integer below this: every value is an address."""
EXAMPLES = 32
NAMES = ("STAY", "INC", "DEC", "READ", "DOUBLE", "NEGATE")
"""What a step can do to the number x: x, x + 1, x - 1, memory[x], 2 x, -x, modulo the cells."""
STEPS = 6
PROBLEMS = 20
ENOUGH = 19
"""Of `PROBLEMS`, how many have to be solved."""
MOST = 20_000
"""How many gradients may be asked for, in one problem."""

Program = Sequence[int] | np.ndarray
"""For each step the number of what is done, one of `NAMES`."""

START = '''\
"""Lesson 2: learning a chain of choices. Check it with: softmachine lesson check 2"""

import numpy as np


def learn(problem, rng):
    """Return the program of a problem: for each of its steps the number of what is done.

    problem.steps, problem.choices: how many steps, and what each can do.
    problem.gradient(logits): the gradient of the loss, for logits (steps, choices).
    problem.loss(logits): the loss.
    problem.wrong(program): on how many of the 32 examples a program is wrong.
    problem.asked: how many gradients were asked for; 20,000 are allowed.
    rng: a numpy Generator.

    At least 19 of 20 problems have to be solved. Gradient descent alone solves about 17.
    """
    raise NotImplementedError
'''


def _effects(memory: np.ndarray) -> np.ndarray:
    """Return what each choice makes of each number, shape (choices, cells)."""
    x = np.arange(CELLS)
    return np.stack([x, x + 1, x - 1, memory, 2 * x, -x]) % CELLS


def run(program: Program, memory: np.ndarray, start: int) -> int:
    """Return what a program makes of a number."""
    effects, x = _effects(memory), start
    for choice in program:
        x = int(effects[choice, x])
    return x


def _soft_loss(
    logits: Float[Array, "steps choices"],
    effects: Float[Array, "examples choices cells cells"],
    starts: Float[Array, "examples cells"],
    goals: Float[Array, "examples cells"],
) -> Float[Array, ""]:
    """Return the mean of -log p(goal): every number is a distribution, every choice, too."""
    shares, x = jax.nn.softmax(logits), starts
    for step in range(logits.shape[0]):
        x = jnp.einsum("ei,k,ekij->ej", x, shares[step], effects)
    return -jnp.mean(jnp.log(jnp.sum(x * goals, axis=1) + 1e-9))


_loss = compiling.filter_jit(_soft_loss)
_gradient = compiling.filter_jit(jax.grad(_soft_loss))


class Problem:
    """Examples of a program that nobody tells: memories, a number, what becomes of it."""

    choices = len(NAMES)

    def __init__(self, seed: int, steps: int = STEPS) -> None:
        rng = np.random.default_rng(seed)
        self.steps, self.asked = steps, 0
        self._program = rng.integers(1, self.choices, steps)
        self._memories = rng.integers(0, CELLS, (EXAMPLES, CELLS))
        self._starts = rng.integers(0, CELLS, EXAMPLES)
        self._goals = np.array(self._run(self._program))
        one = np.eye(CELLS, dtype=np.float32)
        effects = one[np.stack([_effects(memory) for memory in self._memories])]
        self._arrays = effects, one[self._starts], one[self._goals]

    def _run(self, program: Program) -> list[int]:
        cases = zip(self._memories, self._starts, strict=True)
        return [run(program, memory, int(start)) for memory, start in cases]

    def loss(self, logits: np.ndarray) -> float:
        """Return the loss of choices, logits of shape (steps, choices)."""
        return float(_loss(jnp.asarray(logits, jnp.float32), *self._arrays))

    def gradient(self, logits: np.ndarray) -> np.ndarray:
        """Return its gradient; RuntimeError after too many."""
        self.asked += 1
        if self.asked > MOST:
            raise RuntimeError(f"more than {MOST:,} gradients of one problem")
        return np.asarray(_gradient(jnp.asarray(logits, jnp.float32), *self._arrays))

    def wrong(self, program: Program) -> int:
        """Return on how many examples a program is wrong."""
        return int(np.sum(np.array(self._run(program)) != self._goals))

    def solved(self, program: Program, examples: int = 500) -> bool:
        """Return whether a program does on fresh examples what it should."""
        rng = np.random.default_rng(10_000)
        cases = zip(
            rng.integers(0, CELLS, (examples, CELLS)),
            rng.integers(0, CELLS, examples),
            strict=True,
        )
        return all(run(program, m, int(s)) == run(self._program, m, int(s)) for m, s in cases)


def descend(
    problem: Problem, rng: np.random.Generator, updates: int = 300, bonus: float = 0.0
) -> np.ndarray:
    """Return logits after gradient descent (Adam, rate 0.1) from random ones.

    Arguments:
        problem: what is to be learned.
        rng: where the first logits, standard normal, come from.
        updates: how many.
        bonus: how much the entropy of the choices counts at first; by 0.99 less per update.
    """
    logits = rng.normal(size=(problem.steps, problem.choices))
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    for update in range(1, updates + 1):
        gradient = problem.gradient(logits)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        surprise = np.log(shares + 1e-9)
        entropy = -np.sum(shares * surprise, axis=1, keepdims=True)
        gradient = gradient + bonus * 0.99**update * shares * (surprise + entropy)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        root = np.sqrt(square / (1 - 0.999**update)) + 1e-8
        logits = logits - 0.1 * mean / (1 - 0.9**update) / root
    return logits


def _learn(function: Callable[..., Any]) -> str | None:
    solved, first = 0, None
    for seed in range(PROBLEMS):
        problem = Problem(1000 + seed)
        program = [int(choice) for choice in function(problem, np.random.default_rng(seed))]
        if len(program) != problem.steps or not set(program) <= set(range(problem.choices)):
            return f"it returns {program}, not {problem.steps} numbers below {problem.choices}"
        if problem.solved(program):
            solved += 1
        elif first is None:
            first = f"; the first that is not, number {seed}, is wrong on "
            first += f"{problem.wrong(program)} of the {EXAMPLES} examples it was given"
    if solved < ENOUGH:
        return f"{solved} of {PROBLEMS} problems are solved, {ENOUGH} have to be{first}"
    return None


LESSON = Lesson("why gradients fail on pointers, and what helps", START, {"learn": _learn})
