"""Machines served by the live viewer: which sizes and inputs, at which checkpoints."""

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
"""Tasks with an input per step are served up to this multiple of the largest size trained."""
LARGEST_MEMORY = 50
"""Memory tasks are served up to this size."""
MOST_OWN_STEPS = 2_000
"""The most steps of a user's own input."""
MOST_OWN_CELLS = 256
"""The most memory cells for a user's own input."""


@dataclasses.dataclass(frozen=True)
class Served:
    """A machine at one or more checkpoints of its training."""

    name: str
    experiment: Experiment
    checkpoints: Mapping[str, tuple[str, Callable[[], Machine]]]
    """By id, the oldest first: a label, and a function that loads the machine."""

    @property
    def task(self) -> Task:
        """What the machine was trained for, with examples that training never shows."""
        return self.experiment.task.held_out(larger=True)

    def describe(self, number: int) -> dict[str, Any]:
        """Return the description of this machine that the page gets, JSON-compatible.

        ``number``: its id.
        """
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
        """The largest size served; less than otherwise if the memory cannot grow that far."""
        trained = self.experiment.training.curriculum.largest
        if not self.task.inputs.per_step:
            return max(trained, LARGEST_MEMORY)
        size, machine = LARGEST_FACTOR * trained, self.machine(self._last)
        if self.task.largest is not None:
            size = min(size, self.task.largest)
        while size > trained and not self._fits(machine, size):
            size -= 1
        return size

    def machine(self, checkpoint: str) -> Machine:
        """Return the machine of a checkpoint, by its id; SoftmachineError if there is none."""
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
        kind: str | None = None,
    ) -> bytes:
        """Return the trace file of an example drawn from the task.

        Arguments:
            checkpoint: its id; None: the last one.
            size: of the example; None: the largest size trained.
            seed: of the example.
            wanted: see `trace`.
            kind: None; a machine that runs programs may have several kinds of problems.

        Raises:
            SoftmachineError: the checkpoint does not exist, or the size is not served.
        """
        self._refuse(kind)
        checkpoint = self._last if checkpoint is None else checkpoint
        size = self.experiment.training.curriculum.largest if size is None else size
        if not self.task.smallest <= size <= self.largest:
            raise SoftmachineError(
                f"size must be from {self.task.smallest} to {self.largest}, not {size}"
            )
        machine = with_room_for(self.machine(checkpoint), self.task, size)
        return trace(machine, self.task, size, seed, wanted=wanted, **self._origin).to_bytes()

    def own(
        self,
        checkpoint: str | None,
        inputs: Any,
        wanted: Callable[[], bool] = lambda: True,
        kind: str | None = None,
    ) -> bytes:
        """Return the trace file of a user's own input.

        Arguments:
            checkpoint: its id; None: the last one.
            inputs: see `softmachine.traces.examples.own_example`.
            wanted: see `trace`.
            kind: as in `drawn`.

        Raises:
            SoftmachineError: the checkpoint does not exist, or the inputs are too long or not
                of the task's form.
        """
        self._refuse(kind)
        form = self.task.inputs
        most = MOST_OWN_STEPS if form.per_step else MOST_OWN_CELLS
        counted = isinstance(inputs, list | str)
        if counted and len(inputs) > most:
            raise SoftmachineError(f"inputs must not have more than {most:,} {form.unit}")
        machine = self.machine(self._last if checkpoint is None else checkpoint)
        if form.per_step and counted:
            # As many memory rows as a drawn example with this number of steps would need.
            size = self.experiment.training.curriculum.largest
            while size < self.largest and self.task.steps(size) < len(inputs):
                size += 1
            machine = with_room_for(machine, self.task, size)
        return trace(
            machine,
            self.task,
            inputs=inputs,
            most_cells=MOST_OWN_CELLS,
            wanted=wanted,
            **self._origin,
        ).to_bytes()

    def _refuse(self, kind: str | None) -> None:
        """Raise SoftmachineError for a kind of problems: there is only one."""
        if kind is not None:
            raise SoftmachineError(f"{self.name} has one kind of inputs, and no {kind[:40]!r}")

    @property
    def _origin(self) -> dict[str, Any]:
        return {"source": self.name, "recipe": self.experiment.recipe}

    def _fits(self, machine: Machine, size: int) -> bool:
        try:
            with_room_for(machine, self.task, size)
        except SoftmachineError:
            return False
        return True
