"""The paper's tests as data."""

import dataclasses
from functools import partial

import jax
import pytest

from softmachine.evaluation.paper import machine_kind
from softmachine.machines.machine import MachineConfig
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.machines.registry import MACHINES
from softmachine.tasks.arithmetic.numbers import AddNumbers, IncrementNumber, MultiplyNumbers
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols
from softmachine.tasks.languages.addition import AdditionLanguage
from softmachine.tasks.languages.babi import BAbI
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.tasks.languages.memorisation import MemorisationLanguage
from softmachine.tasks.languages.reverse_string import ReverseString
from softmachine.tasks.languages.transductions import Reordering
from softmachine.tasks.languages.translations import Translation
from softmachine.tasks.memories.arrays import Access, Increment, MemoryCopy, Reverse
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memories.lists import ListK, ListSearch
from softmachine.tasks.memories.merge import Merge
from softmachine.tasks.memories.permutations import Permutation, Swap
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.regression import GPRegression
from softmachine.tasks.own.sequences import OwnSequences
from softmachine.tasks.published import NTM_KINDS as KINDS
from softmachine.tasks.published import PaperFigure
from softmachine.tasks.registry import TASKS as REGISTERED
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.copy_reuse import CopyReuse
from softmachine.tasks.sequences.graphs import GraphTraversal
from softmachine.tasks.sequences.key_value import KeyValue
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.task import Task
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement, RAMReverse
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)

TASKS = (Copy, RepeatCopy, AssociativeRecall, NGrams, PrioritySort)


def published(task):
    """Return, for each test, its size and the paper's bits in the order of KINDS."""
    return {
        test.size: tuple(figure and figure.value for figure in test.published.values())
        for test in task.published_tests()
    }


def test_published_figures():
    """LSTM controller, feed-forward controller, no memory."""
    assert published(AssociativeRecall()) == {
        6: (0, 0, 2),
        10: (1.8, 0, 36.5),
        15: (4.8, 1.5, 40),
        20: (7, 8, 38.5),
    }
    assert published(NGrams()) == {200: (133.5, 134, 136)}
    assert published(PrioritySort()) == {16: (18, 20, 58)}
    assert published(Copy()) == dict.fromkeys((10, 20, 30, 50, 120), (None,) * 3)


def test_repeat_copy_keeps_the_normalisation_of_the_training_and_not_its_noise():
    task = RepeatCopy(repeats=(1, 10), normalized_over=(1, 10), noise=0.3)
    tests = task.published_tests()
    assert [(test.size, test.task.repeats) for test in tests] == [
        (10, (10, 10)),
        (20, (10, 10)),
        (10, (20, 20)),
    ]
    assert {test.task.normalized_over for test in tests} == {(1, 10)}
    assert {test.task.noise for test in tests} == {0}


@pytest.mark.parametrize("kind", TASKS)
def test_every_test_is_one_that_its_task_can_draw(kind):
    tests = kind().published_tests()
    assert len({test.name for test in tests}) == len(tests) > 0
    for test in tests:
        assert list(test.published) == list(KINDS)
        draw = partial(test.task.sample, size=test.size, max_size=test.size)
        example = jax.eval_shape(draw, jax.random.key(0))
        assert example.targets.shape == (test.task.steps(test.size), test.task.output_size)
        for figure in test.published.values():
            assert figure is None or isinstance(figure, PaperFigure)
            assert figure is None or (figure.approximate and figure.source)


TABLE_1 = {
    Access: (20, "error 0; generalisation perfect; made hard: perfect"),
    Increment: (15, "error 0; generalisation perfect; made hard: perfect"),
    MemoryCopy: (15, "error 0; generalisation perfect; made hard: perfect"),
    Reverse: (15, "error 0; generalisation perfect; made hard: perfect"),
    Swap: (20, "error 0; generalisation perfect; made hard: perfect"),
    Permutation: (6, "error 0; generalisation almost perfect; made hard: perfect"),
    ListK: (10, "error 0; generalisation strong; made hard: hurts performance"),
    ListSearch: (6, "error 0; generalisation weak; made hard: hurts performance"),
    Merge: (10, "error 1 %; generalisation weak; made hard: hurts performance"),
    WalkBST: (10, "error 0.3 %; generalisation strong; made hard: hurts performance"),
}
"""Kurach et al. 2016: the largest size trained on, and what came of it."""


@pytest.mark.parametrize("kind", TABLE_1)
def test_memory_tasks_are_tested_where_they_were_trained_and_beyond(kind):
    trained, finding = TABLE_1[kind]
    tests = kind().published_tests()
    assert [test.size for test in tests] == sorted({trained, 20, 50})
    for test in tests:
        assert test.name == f"size {test.size}"
        assert test.task == kind()
        assert set(test.published.values()) == {None}
        assert (finding in test.finding) == (test.size == trained)
        assert bool(test.finding) == (test.size == trained)
        draw = partial(test.task.sample, size=test.size, max_size=test.size)
        example = jax.eval_shape(draw, jax.random.key(0))
        assert example.targets.shape == (test.task.cells(test.size),)


def test_a_changed_memory_task_is_tested_as_it_is():
    task = Swap(most_steps=4)
    assert {test.task for test in task.published_tests()} == {task}


def test_every_task_of_an_experiment_is_covered():
    others = {Given, ReverseString, Episodes, GPRegression}
    others |= {kind for kind in REGISTERED.values() if ".chomsky." in kind.__module__}
    others |= {RearrangeSymbols, IncrementNumber, AddNumbers, MultiplyNumbers}
    others |= {CountingLanguage, MemorisationLanguage, AdditionLanguage}
    others |= {Reordering, Translation}
    others |= {Addition, BubbleSort, QuickSort, TopologicalSort, Several}
    others |= {CopyReuse, KeyValue, GraphTraversal}
    others |= {RAMIncrement, RAMCopy, RAMReverse, BAbI, OwnSequences}
    assert set(REGISTERED.values()) == {*TASKS, *TABLE_1, *others}


def test_figures_hold_for_the_task_of_the_paper_alone():
    easier = AssociativeRecall(width=2)
    assert set(published(easier)) == {6, 10, 15, 20}
    assert set(published(easier).values()) == {(None, None, None)}
    assert all(test.task == easier for test in easier.published_tests())


def test_a_task_that_is_not_in_the_paper_has_no_tests():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Other(Task):
        inputs = outputs = input_length = bucket = layout = own_example = None
        steps = sample = render = None

    assert Other().published_tests() == []


def test_machine_kinds():
    kinds = ("lstm", "feedforward", "gru", "counter")
    controllers = [ControllerConfig(kind=kind) for kind in kinds]
    ntm = [machine_kind(NTMConfig(controller=controller)) for controller in controllers]
    alone = [machine_kind(RecurrentConfig(controller=c)) for c in controllers]
    assert ntm == ["ntm-lstm", "ntm-ff", "ntm-gru", "ntm-counter"]
    assert alone == ["lstm", "ff", "gru", "counter"]
    assert {*ntm, *alone} >= set(KINDS)
    assert machine_kind(NRAMConfig()) == "nram"


def test_a_machine_is_called_as_it_is_registered(monkeypatch):
    monkeypatch.setattr(MACHINES, "_registered", {})

    @MACHINES.register("queue-2")
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class QueueTwoConfig(MachineConfig):
        def build(self, input_size, output_size, *, key):
            raise NotImplementedError

    assert machine_kind(QueueTwoConfig()) == "queue-2"
