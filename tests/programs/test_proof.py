"""Proofs: of cores that are right, wrong in one step, and nearly undecided."""

from __future__ import annotations

import dataclasses
import json
import random

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from softmachine.cli import proving
from softmachine.cli.proving import verify
from softmachine.cli.sources import open_trained
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.runs import Run
from softmachine.machines.machine import Cell
from softmachine.machines.npi import npi_for
from softmachine.programs.proof import first_failure, prove, run_scores, try_sizes
from softmachine.recipes.npi import npi_bubble_sort
from softmachine.running.generalization import evaluate
from softmachine.running.interpreter import Limits
from softmachine.tasks.traced.environment import Environment, primitive, program
from softmachine.tasks.traced.task import TracedProblems, TracedTask
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)
from softmachine.zoo import models


class Countdown(Environment):
    observations = {"zero": (False, True)}  # noqa: RUF012
    main = "COUNT"

    def __init__(self, number):
        self.number = number

    def observe(self):
        return (self.number == 0,)

    @primitive
    def decrement(self):
        self.number -= 1

    @program
    def count(self):
        if self.number == 0:
            return None
        yield self.decrement()
        return self.count()

    def result(self):
        return self.number

    def expected(self):
        return 0


class ByLoop(Countdown):
    @program
    def count(self):
        while self.number:
            yield self.decrement()


class Forgetful(Countdown):
    @program
    def count(self):
        self.decrement()


def test_a_core_that_is_right(by_heart):
    proof = prove(by_heart(QuickSort().held_out()), QuickSort())
    assert proof.proved
    assert (proof.calls, proof.steps, proof.wrong) == (28, 120, 0)
    assert proof.margin == 5  # an end's logit is 5 or -5
    assert proof.rounding == 0
    assert proof.compared == 28
    assert str(proof).startswith("proved for every input: right on all 28 calls (120 steps)")


def test_a_core_that_is_wrong_in_one_step(by_heart):
    core = by_heart(QuickSort().held_out())
    place = 9
    wrong = eqx.tree_at(lambda c: c.logits, core, core.logits.at[place, 0].multiply(-1.0))
    proof = prove(wrong, QuickSort())
    assert not proof.proved
    assert proof.wrong >= 1
    assert proof.counterexample is not None
    assert "it decides" in proof.counterexample
    assert str(proof).startswith(f"WRONG on {proof.wrong} of 28 calls (120 steps): after ")
    assert proof.weights_digest != prove(core, QuickSort()).weights_digest


def test_a_core_that_is_nearly_undecided(by_heart):
    core = by_heart(QuickSort().held_out())
    close = eqx.tree_at(lambda c: c.logits, core, core.logits * 1e-9 + 1e-3)
    # All ends now have the logit 0.001, and so are wrong where it should be below 0.
    assert prove(close, QuickSort()).wrong
    # Of a core that is rounded, decisions have to be further apart than rounding moves them.
    machine = npi_for(QuickSort().interface.calls).build(
        QuickSort().input_size, QuickSort().output_size, key=jax.random.key(0)
    )
    proof = prove(machine, QuickSort())
    assert 0 < proof.rounding < 1e-5
    undecided = dataclasses.replace(proof, wrong=0, margin=10 * proof.rounding)
    assert not undecided.proved
    assert str(undecided).startswith("NOT PROVED: right on all 28 calls")
    proved = dataclasses.replace(undecided, margin=1e-2)
    assert proved.proved
    # Where rounding was measured on some calls alone, that is said.
    assert "at most. Assumed" in str(proved)
    some = str(dataclasses.replace(proved, compared=27))
    assert "at most on 27 of the calls, the closest ones among them. Assumed" in some


def test_loops_are_tested_and_not_proved(by_heart):
    task = QuickSort(form="loop", problems=2)
    proof = prove(by_heart(task.held_out()), task)
    assert not proof.finite
    assert not proof.proved
    assert str(proof).startswith("tested: right on ")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountingDown(TracedProblems):
    """A task that somebody has written, perhaps with a mistake."""

    way: str = "recursive"
    largest: int = 3
    forms = {"recursive": Countdown}  # noqa: RUF012

    @property
    def environment(self):
        return {"recursive": Countdown, "loop": ByLoop, "forgets": Forgetful}[self.way]

    def training_problems(self, rng):
        del rng
        return self.proving_problems()

    def proving_problems(self):
        return [(number,) for number in range(self.largest)]

    def random_problem(self, size, rng):
        del rng
        if size == 99:
            raise ValueError("too many")
        return (size,)


def test_a_program_as_written_has_to_be_right():
    with pytest.raises(
        SoftmachineError, match=r"COUNT as written leaves 1 on the problem \[1\]"
    ):
        CountingDown(way="forgets").traced_calls()


def test_a_proof_needs_all_calls(by_heart):
    """Random problems show those that the problems of the proof do not."""
    whole, part = CountingDown(), CountingDown(largest=1)
    assert prove(by_heart(whole), whole).proved
    proof = prove(by_heart(part), part)
    assert not proof.proved
    assert str(proof) == (
        "NOT PROVED: right on all 1 calls (1 steps) held out, but COUNT after zero False; "
        "zero True occurs at size 1"
    )


def test_what_repeats_within_a_call_is_never_proved(by_heart):
    loop = CountingDown(way="loop")
    proof = prove(by_heart(loop), loop)
    assert not proof.proved
    assert "occurs at size 3" in str(proof)


def test_problems_that_cannot_be_made():
    with pytest.raises(SoftmachineError, match="of size 1 or more; not 0"):
        Addition().draw_problem(0, random.Random(0))
    said = r"CountingDown.random_problem\(99, rng\): ValueError: too many"
    with pytest.raises(SoftmachineError, match=said):
        CountingDown().draw_problem(99, random.Random(0))
    with pytest.raises(SoftmachineError, match="a problem is a tuple of what Countdown"):
        CountingDown().trace(3)
    with pytest.raises(SoftmachineError, match="CountingDown has no problems to learn from"):
        CountingDown(largest=0).traced_calls()


def test_where_a_loop_first_fails(by_heart):
    """One that may take four steps fails where five are needed."""
    task = CountingDown(way="loop", largest=50)
    core = by_heart(task)
    tried = first_failure(core, task, "count", limits=Limits(steps=4))
    assert tried is not None
    assert (tried.size, tried.right, tried.ended_wrong) == (4, 0, 0)
    assert first_failure(core, task, "count") is None


def test_digests_say_which_calls(by_heart):
    core = by_heart(QuickSort().held_out())
    digest = prove(core, QuickSort()).calls_digest
    assert prove(core, QuickSort(seed=3)).calls_digest == digest
    apart = QuickSort(separate_return=True)
    assert prove(by_heart(apart.held_out()), apart).calls_digest != digest


def test_several_tasks_are_proved_together_and_tried_one_by_one(by_heart):
    task = Several(tasks=(BubbleSort(), QuickSort()))
    core = by_heart(task.held_out())
    proof = prove(core, task)
    assert proof.proved
    assert proof.calls == 40 + 28
    for kind in task.parts:
        tried = list(try_sizes(core, task, kind, [0, 1, 7], examples=4))
        assert [(x.size, x.right, x.of, x.failure) for x in tried] == [
            (size, 4, 4, None) for size in (0, 1, 7)
        ]


def test_sizes_that_are_not_solved_say_why(by_heart):
    core = by_heart(BubbleSort().held_out())
    (tried,) = try_sizes(
        core, BubbleSort(), "bubblesort", [6], examples=3, limits=Limits(steps=50)
    )
    assert tried.right == 0
    assert str(tried) == "size 6: 0 of 3 right; it has not ended after 50 steps"


def test_published_tests_run_whole_problems(by_heart):
    """A core that is right solves all; one that never ends is ended, and solves none."""
    core = by_heart(QuickSort().held_out())
    (score,) = run_scores(core, QuickSort(), [7], problems=5)
    assert (score.size, score.sequences, score.metrics) == (7, 5, {"right_runs": 1.0})
    never = eqx.tree_at(lambda c: c.logits, core, core.logits.at[:, 0].set(-5.0))
    (score,) = run_scores(never, QuickSort(), [7], problems=5)
    assert score.metrics == {"right_runs": 0.0}
    loop = {
        test.size: test.published["npi"] for test in QuickSort(form="loop").published_tests()
    }
    assert loop[20] is not None
    assert (loop[20].value, loop[20].approximate) == (0.3, False)
    of_six, of_one = (
        TopologicalSort(form="loop", problems=n).published_tests()[0].published["npi"]
        for n in (6, 1)
    )
    assert of_six is not None
    assert of_one is not None
    assert (of_six.value, of_one.value) == (1, 0.067)


def test_the_command(tmp_path, capsys):
    given = npi_bubble_sort()
    training = dataclasses.replace(given.training, max_sequences=64)
    run = Run.create(tmp_path / "run", dataclasses.replace(given, training=training))
    run.save_best(run.first().state, {})
    with pytest.raises(SoftmachineError, match="not proved: npi-bubble-sort, seed 0"):
        verify(str(run.path), [2], 2, seed=0, most_steps=40, out=tmp_path / "certificate.json")
    told = capsys.readouterr().out
    assert "npi-bubble-sort, seed 0: bubblesort, recursive" in told
    assert "WRONG on" in told
    (certificate,) = json.loads((tmp_path / "certificate.json").read_text())
    assert certificate["proved"] is False
    assert certificate["calls"] == 40
    assert certificate["tried"]["bubblesort"][0]["of"] == 2


def test_a_machine_of_the_zoo_is_proved(tmp_path, capsys):
    certificate = tmp_path / "certificate.json"
    verify("zoo:npi-quicksort", [0, 30], 4, seed=0, most_steps=100_000, out=certificate)
    told = " ".join(capsys.readouterr().out.split())
    assert "proved for every input: right on all 28 calls" in told
    assert "Assumed: the program as written is right and ends" in told
    assert "size 30: 4 of 4 right" in told
    (found,) = json.loads(certificate.read_text())
    assert found["proved"]
    assert found["task"]["kind_of"] == "quicksort"
    assert found["unforeseen"] is None


@pytest.mark.parametrize("name", [x for x in models.names() if x.startswith("npi-")])
def test_the_zoo_s_machines_are_proved(name):
    model = models.open_model(name)
    assert isinstance(model.experiment.task, TracedTask)
    assert isinstance(model.machine, Cell)
    assert prove(model.machine, model.experiment.task).proved


def test_numbers_that_json_does_not_have(tmp_path, monkeypatch):
    """A core that has broken down is wrong, and its certificate can be read."""
    trained = open_trained("zoo:npi-quicksort")[0]
    broken = jax.tree.map(
        lambda x: x * jnp.nan if eqx.is_inexact_array(x) else x, trained.machine
    )
    monkeypatch.setattr(proving, "open_trained", lambda _: [trained._replace(machine=broken)])
    with pytest.raises(SoftmachineError, match="not proved"):
        verify("broken", [2], 1, seed=0, most_steps=40, out=tmp_path / "certificate.json")
    (found,) = json.loads((tmp_path / "certificate.json").read_text())
    assert found["margin"] is None


def test_machines_that_run_no_programs():
    with pytest.raises(SoftmachineError, match="'softmachine evaluate zoo:dngpu-copy'"):
        verify("zoo:dngpu-copy", [2], 2, seed=0, most_steps=40, out=None)
    with pytest.raises(SoftmachineError, match="'softmachine program zoo:nram-copy --verify'"):
        verify("zoo:nram-copy", [2], 2, seed=0, most_steps=40, out=None)


def test_what_is_proved_of_addition_is_said(by_heart):
    assert Addition().domain == "every two numbers of the same length without leading zeros"
    assert Addition(numbers="any").domain == "every two numbers"
    both = Several(tasks=(BubbleSort(), QuickSort()))
    assert both.domain == "bubble-sort (every input), quicksort (every input)"
    proof = dataclasses.replace(
        prove(by_heart(QuickSort().held_out()), QuickSort()), domain=Addition().domain
    )
    assert str(proof).startswith("proved for every two numbers of the same length without")


def test_single_calls_are_of_one_size(by_heart):
    core = by_heart(QuickSort().held_out())
    with pytest.raises(SoftmachineError, match="a single call, of size 1"):
        evaluate(core, QuickSort().held_out(), [1, 5], sequences=4)
