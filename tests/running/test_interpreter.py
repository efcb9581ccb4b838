"""The interpreter with a core that knows all calls by heart, against programs as written."""

from __future__ import annotations

import random

import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from softmachine.machines.machine import STOPPED, Cell
from softmachine.running.interpreter import Interpreter, Limits
from softmachine.tasks.traced.tasks import Addition, BubbleSort, QuickSort, Several
from softmachine.tasks.traced.tracing import trace


def ran(by_heart, task, problems, **options):
    """Return runs of the core, the watched steps of each, and the traces as written."""
    interpreter = Interpreter(by_heart(task.held_out()), task.interface)
    kind, (name,) = task.environment, task.kinds
    adapted = [task.interface.adapted(name, task.pose(problem)) for problem in problems]
    watched = [[] for _ in problems]
    runs = interpreter.run(
        adapted,
        task.interface.program(name, kind.main),
        watch=lambda number, step: watched[number].append(step),
        **options,
    )
    return runs, watched, [trace(task.pose(problem)) for problem in problems]


@pytest.mark.parametrize(
    ("task", "problems"),
    [
        (BubbleSort(), [((3, 1, 2),), ((),), ((5,),), ((2, 2),), ((9, 8, 7, 6, 5, 4),)]),
        (QuickSort(), [((3, 1, 2),), ((),), ((5,),), ((2, 2),), (tuple(range(20, 0, -1)),)]),
    ],
)
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_core_does_what_is_written(by_heart, task, problems, lanes):
    runs, watched, traces = ran(by_heart, task, problems, lanes=lanes)
    for run, steps, traced in zip(runs, watched, traces, strict=True):
        assert run.failure is None
        assert run.environment.environment.right()
        assert run.steps == len(steps) == traced.counts[1]
        decisions = [d for call in traced.calls() for d in call.decisions]
        assert sorted(step.decision for step in steps) == sorted(decisions)


def test_a_tail_call_takes_the_callers_place(by_heart):
    runs, watched, _ = ran(by_heart, BubbleSort(), [(tuple(range(12)),)])
    assert runs[0].deepest == 3
    assert max(step.depth for step in watched[0]) == 2


def test_many_lanes_are_filled_again_as_runs_end(by_heart):
    rng = random.Random(0)
    problems = [
        (tuple(rng.randint(0, 9) for _ in range(rng.randint(0, 6))),) for _ in range(30)
    ]
    runs, _, traces = ran(by_heart, QuickSort(), problems, lanes=7)
    assert [run.steps for run in runs] == [traced.counts[1] for traced in traces]
    assert all(run.environment.environment.right() for run in runs)


def test_runs_that_take_too_much_end_alone(by_heart):
    task = BubbleSort()
    problems = [((2, 1),), ((3, 2, 1),)]
    steps = trace(task.pose(problems[0])).counts[1]
    runs, *_ = ran(by_heart, task, problems, limits=Limits(steps=steps + 1))
    assert [run.failure for run in runs] == [None, f"it has not ended after {steps + 1} steps"]
    runs, *_ = ran(by_heart, task, problems, limits=Limits(depth=1))
    assert all(run.failure == "1 calls wait for others to end" for run in runs)


def test_what_cannot_be_done_ends_a_run_with_the_reason():
    task = Addition()
    interpreter = Interpreter(
        Always.deciding(task.interface.calls, "PTR", "IN1", "RIGHT"), task.interface
    )
    adapted = task.interface.adapted("add", task.pose(((1,), (2,))))
    (run,) = interpreter.run([adapted], task.interface.program("add", "ADD"))
    assert run.failure == "the pointer of IN1 moves off the pad"
    interpreter = Interpreter(
        Always.deciding(task.interface.calls, "WRITE", "IN1", "RIGHT"), task.interface
    )
    (run,) = interpreter.run([adapted], task.interface.program("add", "ADD"))
    assert run.failure == "WRITE does not take RIGHT as argument 2"


class Always(Cell):
    """A core that decides the same in every step."""

    logits: Array

    @classmethod
    def deciding(cls, calls, program, *arguments):
        places = [calls.arguments[i].index(x) for i, x in enumerate(arguments)]
        places += [-1] * (len(calls.arguments) - len(places))
        decision = np.array([[0, calls.programs.index(program), *places]])
        return cls(jnp.asarray(np.where(calls.one_hot(decision), 5.0, -5.0)[0], jnp.float32))

    def init_state(self, inputs=None, *, key=None):
        del inputs, key
        return jnp.zeros(1)

    def advance(self, state, encoded, clock=STOPPED):
        del encoded, clock
        return state, self.logits


def test_one_core_for_several_tasks(by_heart):
    task = Several(tasks=(BubbleSort(), QuickSort()))
    interface = task.interface
    interpreter = Interpreter(by_heart(task.held_out()), interface)
    for one, name in zip(task.tasks, task.kinds, strict=True):
        environment = one.pose(((4, 1, 3),))
        main = interface.program(name, one.environment.main)
        (run,) = interpreter.run([interface.adapted(name, environment)], main)
        assert run.failure is None
        assert environment.result() == (1, 3, 4)


def test_a_core_that_calls_what_belongs_to_another_task():
    task = Several(tasks=(BubbleSort(), QuickSort()))
    interface = task.interface
    core = Always.deciding(interface.calls, "quicksort/SET_J_LO")
    adapted = interface.adapted("bubble-sort", BubbleSort().pose(((1,),)))
    main = interface.program("bubble-sort", "BUBBLESORT")
    (run,) = Interpreter(core, interface).run([adapted], main)
    assert run.failure == "quicksort/SET_J_LO belongs to another task"
