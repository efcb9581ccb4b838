"""One example of a task: inputs, targets, and the mask of the targets that are scored."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Array, Int

from softmachine.core.pytrees import PyTree


class Example(NamedTuple):
    """One example, padded to the largest size of its bucket."""

    inputs: PyTree
    """What a machine is given; the task's `inputs` says in which form."""
    targets: PyTree
    """What a machine should output; the task's `outputs` says in which form."""
    mask: PyTree
    """1 where the targets are scored, else 0; broadcasts against the targets."""
    steps: Int[Array, ""]
    """The number of steps a machine takes on this example; steps after them are padding."""

    def without_padding(self) -> Example:
        """Return the example cut to its own steps, for tasks with one input per step."""
        steps = int(self.steps)
        return self._replace(
            inputs=self.inputs[:steps], targets=self.targets[:steps], mask=self.mask[:steps]
        )
