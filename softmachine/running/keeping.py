"""Gradient checkpointing: which states the forward pass stores, all or every k-th."""

from __future__ import annotations

import abc
import dataclasses
import math

from softmachine.core.choices import Count, check_fields


class Keep(abc.ABC):
    """Before which steps the state is kept; a frozen dataclass.

    Gradients are the same whatever is kept: the backward pass starts from each kept state and
    takes the steps up to the next one again, whose states it then needs for a while.
    """

    @abc.abstractmethod
    def stride(self, max_steps: int) -> int:
        """Return how many steps one kept state is for, at least 1."""

    def states(self, max_steps: int) -> int:
        """Return how many states there is room for at once.

        >>> AllStates().states(1000), EveryKth(10).states(1000), SquareRoot().states(1000)
        (1000, 110, 64)
        """
        stride = self.stride(max_steps)
        return max_steps if stride == 1 else -(-max_steps // stride) + min(stride, max_steps)


@dataclasses.dataclass(frozen=True)
class AllStates(Keep):
    """The state before every step: fastest, and as much memory as the run is long."""

    def stride(self, max_steps: int) -> int:
        """Return 1."""
        del max_steps
        return 1


@dataclasses.dataclass(frozen=True)
class EveryKth(Keep):
    """Store every k-th state; recompute those between on the way back.

    It costs one more evaluation of each step.
    """

    k: Count

    def __post_init__(self) -> None:
        """Check the number."""
        check_fields(self)

    def stride(self, max_steps: int) -> int:
        """Return k."""
        del max_steps
        return self.k


@dataclasses.dataclass(frozen=True)
class SquareRoot(Keep):
    """`EveryKth` with the k that takes least memory: the square root of the steps.

    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost"
    (arXiv 1604.06174), section 4.
    """

    def stride(self, max_steps: int) -> int:
        """Return the square root of the steps, rounded up."""
        return max(1, math.isqrt(max(max_steps - 1, 0)) + 1)


ALL_STATES = AllStates()
