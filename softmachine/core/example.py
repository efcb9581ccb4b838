"""One example of a task: what goes in, what should come out, and where that counts."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Int

from softmachine.core.pytrees import PyTree


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
