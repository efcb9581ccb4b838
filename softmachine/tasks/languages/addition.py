"""Binary addition as a stream: two numbers and their sum, digit by digit."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from softmachine.tasks.arithmetic.digits import Digits, carried, uniform
from softmachine.tasks.languages.streams import StreamTask, String
from softmachine.tasks.registry import task


@task("addition-language")
@dataclasses.dataclass(frozen=True, kw_only=True)
class AdditionLanguage(StreamTask):
    """Predict the sums in a stream such as 101+1=011. with the lowest digit of sums first.

    Both numbers have the highest digit first, a 1, and ``size`` digits in all; a number of no
    digits is written 0. How the digits are shared is uniform. A full stop ends the sum. Source:
    Joulin & Mikolov 2015 (arXiv 1503.01007), section 4.2, and its public code.

    >>> task = AdditionLanguage()
    >>> print(task.render(task.sample(jax.random.key(3), 6, max_size=6)))
    input   10100+1=10101.
    target  .......10101..

    With a given stream instead of a random one:

    >>> print(task.render(task.own_example("101+1=011.", most=100)))
    input   101+1=011.
    target  .....011..
    """

    letters: ClassVar[str] = "01+=."

    def string_length(self, size: Any) -> Any:
        """Return the length of the longest string of a size."""
        return 2 * size + 4

    def draw(self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int) -> String:
        """Draw a string."""
        share_key, first_key, second_key = jax.random.split(key, 3)
        digits = jax.random.randint(share_key, (), 0, jnp.asarray(size) + 1, jnp.int32)
        places = max_size + 1
        a = _number(first_key, places, digits)
        b = _number(second_key, places, size - digits)
        total = carried(a + b, 2)
        plus = jnp.maximum(digits, 1)
        equals = plus + 1 + jnp.maximum(size - digits, 1)
        end = equals + 1 + _length(total)
        at = jnp.arange(self.string_length(max_size))
        letters = jnp.select(
            [at < plus, at == plus, at < equals, at == equals, at < end],
            [
                a[(plus - 1 - at) % places],
                jnp.full_like(at, 2),
                b[(equals - 1 - at) % places],
                jnp.full_like(at, 3),
                total[(at - equals - 1) % places],
            ],
            jnp.full_like(at, 4),
        )
        return String(letters, (at >= equals) & (at < end), end + 1)

    def first(self, text: str) -> str | None:
        """Return the first string of a stream; None if its sum is wrong."""
        found = re.match(r"(0|1[01]*)\+(0|1[01]*)=([01]+)\.", text)
        if found is None:
            return None
        a, b, total = found.groups()
        right = f"{int(a, 2) + int(b, 2):b}"[::-1]
        return found.group() if total == right else None

    def due(self, string: str) -> Sequence[bool]:
        """Return where the next symbol can be known: the digits of the sum, and its end."""
        equals = string.index("=")
        return [equals <= place < len(string) - 1 for place in range(len(string))]


def _number(key: PRNGKeyArray, places: int, count: Int[Array, ""]) -> Digits:
    """Draw a number of ``count`` digits, lowest first, the highest of them a 1."""
    highest = jnp.arange(places) == count - 1
    return jnp.where(highest, 1, uniform(key, places, count, 2))


def _length(digits: Digits) -> Int[Array, ""]:
    """Return how many digits a number is written with: at least one."""
    return jnp.max(jnp.where(digits > 0, jnp.arange(1, len(digits) + 1), 1))
