"""Programs served by the live viewer: which problems, of which kinds, at which checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

from softmachine.experiments.experiment import Experiment
from softmachine.running.interpreter import Interpreter
from softmachine.tasks.traced.task import TracedTask
from softmachine.traces.calling import FIRST_SIZE, MOST_STEPS, interpreter_of, trace_calls
from softmachine.viewer.machines import Served


@dataclasses.dataclass(frozen=True)
class ServedPrograms(Served):
    """A core that has learned programs, at one or more checkpoints of its training."""

    @property
    def programs(self) -> TracedTask:
        """What the core was trained for."""
        task = self.experiment.task
        assert isinstance(task, TracedTask)
        return task

    def describe(self, number: int) -> dict[str, Any]:
        """Return the description of this machine that the page gets, JSON-compatible.

        ``number``: its id.
        """
        return super().describe(number) | {
            "smallest": 1,
            "size": FIRST_SIZE,
            "input": "problem",
            "kinds": [
                {"id": kind, "form": task.problem_form}
                for kind, task in self.programs.parts.items()
            ],
        }

    @cached_property
    def largest(self) -> int:
        """A size that is beyond what can be recorded: each part of a problem takes a step."""
        return MOST_STEPS

    def drawn(
        self,
        checkpoint: str | None,
        size: int | None,
        seed: int,
        wanted: Callable[[], bool] = lambda: True,
        kind: str | None = None,
    ) -> bytes:
        """Return the trace file of a run on a random problem.

        Arguments:
            checkpoint: its id; None: the last one.
            size: of the problem; None: one that is easily looked at.
            seed: of the problem.
            wanted: see `trace_calls`.
            kind: which of several tasks; None: the first.

        Raises:
            SoftmachineError: there is no such checkpoint, kind or size.
        """
        size = FIRST_SIZE if size is None else size
        return self._run(checkpoint, size=size, seed=seed, kind=kind, wanted=wanted)

    def own(
        self,
        checkpoint: str | None,
        inputs: Any,
        wanted: Callable[[], bool] = lambda: True,
        kind: str | None = None,
    ) -> bytes:
        """Return the trace file of a run on a person's own problem.

        Arguments:
            checkpoint: its id; None: the last one.
            inputs: a text as the task's `problem_form` says.
            wanted: see `trace_calls`.
            kind: which of several tasks; None: the first.

        Raises:
            SoftmachineError: there is no such checkpoint or kind, or this is no problem.
        """
        return self._run(checkpoint, problem=inputs, kind=kind, wanted=wanted)

    def _run(self, checkpoint: str | None, **options: Any) -> bytes:
        interpreter = self._interpreter(self._last if checkpoint is None else checkpoint)
        return trace_calls(interpreter, self.programs, **options, **self._origin).to_bytes()

    def _interpreter(self, checkpoint: str) -> Interpreter:
        """Return the interpreter of a checkpoint, which keeps what it has compiled."""
        machine = self.machine(checkpoint)
        if checkpoint not in self._interpreters:
            self._interpreters[checkpoint] = interpreter_of(machine, self.programs)
        return self._interpreters[checkpoint]

    @cached_property
    def _interpreters(self) -> dict[str, Interpreter]:
        return {}


def served(name: str, experiment: Experiment, checkpoints: Any) -> Served:
    """Return a machine to serve: one that runs programs, if that is what it was trained for."""
    kind = ServedPrograms if isinstance(experiment.task, TracedTask) else Served
    return kind(name, experiment, checkpoints)
