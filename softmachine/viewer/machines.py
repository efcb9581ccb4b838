"""The machines that the live viewer runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.experiment import Experiment
from softmachine.machines.machine import Machine
from softmachine.running.generalization import with_room_for
from softmachine.tasks.task import Task
from softmachine.traces.making import trace

LARGEST_FACTOR = 6
LARGEST_MEMORY = 50
"""Sizes served: so many times the largest trained; of memory tasks, up to the second."""
MOST_STEPS = 2_000
MOST_CELLS = 256
"""Of inputs of a person's own: their steps, or the cells of the memory for them."""


@dataclasses.dataclass(frozen=True)
class Served:
    """A machine at several points of its training."""

    name: str
    experiment: Experiment
    checkpoints: Mapping[str, tuple[str, Callable[[], Machine]]]
    """By id: what to call it, and how to load it; oldest first."""

    @property
    def task(self) -> Task:
        """What the machine was trained for."""
        return self.experiment.task

    def describe(self, number: int) -> dict[str, Any]:
        """Return what the page is told, JSON-compatible."""
        return {
            "id": number,
            "name": self.name,
            "machine": type(self.machine(self._last)).__name__,
            "task": type(self.task).__name__,
            "smallest": self.task.smallest,
            "largest": self.largest,
            "size": self.experiment.training.curriculum.largest,
            "input": self.task.inputs.spec.editor,
            "checkpoints": [
                {"id": key, "label": label} for key, (label, _) in self.checkpoints.items()
            ],
        }

    @cached_property
    def largest(self) -> int:
        """The largest size served: as far as a memory that cannot grow goes."""
        trained = self.experiment.training.curriculum.largest
        if not self.task.inputs.per_step:
            return max(trained, LARGEST_MEMORY)
        size, machine = LARGEST_FACTOR * trained, self.machine(self._last)
        while size > trained and not self._fits(machine, size):
            size -= 1
        return size

    def machine(self, checkpoint: str) -> Machine:
        """Return the machine of a checkpoint; SoftmachineError if there is none."""
        if checkpoint not in self.checkpoints:
            raise SoftmachineError(f"there is no checkpoint {checkpoint[:40]!r}")
        if checkpoint not in self._machines:
            self._machines[checkpoint] = self.checkpoints[checkpoint][1]()
        return self._machines[checkpoint]

    @cached_property
    def _machines(self) -> dict[str, Machine]:
        return {}

    @property
    def _last(self) -> str:
        return [*self.checkpoints][-1]

    def drawn(
        self,
        checkpoint: str | None,
        size: int | None,
        seed: int,
        wanted: Callable[[], bool] = lambda: True,
    ) -> bytes:
        """Return the trace of an example of a size, as long as it is ``wanted``."""
        checkpoint = self._last if checkpoint is None else checkpoint
        size = self.experiment.training.curriculum.largest if size is None else size
        if not self.task.smallest <= size <= self.largest:
            raise SoftmachineError(
                f"size must be from {self.task.smallest} to {self.largest}, not {size}"
            )
        machine = with_room_for(self.machine(checkpoint), self.task, size)
        return trace(machine, self.task, size, seed, wanted=wanted, **self._origin).to_bytes()

    def own(
        self, checkpoint: str | None, inputs: Any, wanted: Callable[[], bool] = lambda: True
    ) -> bytes:
        """Return the trace of an input of the person's own, as long as it is ``wanted``."""
        form = self.task.inputs
        most = MOST_STEPS if form.per_step else MOST_CELLS
        counted = isinstance(inputs, list | str)
        if counted and len(inputs) > most:
            raise SoftmachineError(f"inputs must not have more than {most:,} {form.unit}")
        machine = self.machine(self._last if checkpoint is None else checkpoint)
        if form.per_step and counted:
            # As much room as the example of that many steps would need, if there is one.
            size = self.experiment.training.curriculum.largest
            while size < self.largest and self.task.steps(size) < len(inputs):
                size += 1
            machine = with_room_for(machine, self.task, size)
        return trace(
            machine,
            self.task,
            inputs=inputs,
            most_cells=MOST_CELLS,
            wanted=wanted,
            **self._origin,
        ).to_bytes()

    @property
    def _origin(self) -> dict[str, Any]:
        return {"source": self.name, "recipe": self.experiment.recipe}

    def _fits(self, machine: Machine, size: int) -> bool:
        try:
            with_room_for(machine, self.task, size)
        except SoftmachineError:
            return False
        return True
