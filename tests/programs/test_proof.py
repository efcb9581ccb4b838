"""Proofs: of cores that are right, wrong in one step, and nearly undecided."""

from __future__ import annotations

import dataclasses
import json

import equinox as eqx
import jax
import pytest

from softmachine.cli.proving import verify
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.runs import Run
from softmachine.machines.npi import npi_for
from softmachine.programs.proof import prove, run_scores, try_sizes
from softmachine.recipes.npi import npi_bubble_sort
from softmachine.running.generalization import evaluate
from softmachine.running.interpreter import Limits
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)


def test_a_core_that_is_right(by_heart):
    proof = prove(by_heart(QuickSort().held_out()), QuickSort())
    assert proof.proved
    assert (proof.calls, proof.steps, proof.wrong) == (28, 120, 0)
    assert proof.margin == 5  # an end's logit is 5 or -5
    assert proof.rounding == 0
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
    assert dataclasses.replace(undecided, margin=1e-2).proved


def test_loops_are_tested_and_not_proved(by_heart):
    task = QuickSort(form="loop", problems=2)
    proof = prove(by_heart(task.held_out()), task)
    assert not proof.finite
    assert not proof.proved
    assert str(proof).startswith("tested: right on ")


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


def test_machines_that_run_no_programs():
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
