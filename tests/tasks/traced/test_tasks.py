"""Tasks of traced calls: what a machine is shown and asked is what the programs did."""

import json
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.experiments.serialization import task_from_json, task_to_json
from softmachine.tasks.traced.addition import Addition as Pad
from softmachine.tasks.traced.bubble_sort import BubbleSort as Row
from softmachine.tasks.traced.environment import FailureError
from softmachine.tasks.traced.tasks import (
    Addition,
    BubbleSort,
    QuickSort,
    Several,
    TopologicalSort,
)

SMALL = [
    Addition(problems=3),
    BubbleSort(form="partial"),
    QuickSort(form="loop", separate_return=True),
    TopologicalSort(),
    Several(tasks=(BubbleSort(), QuickSort(), Addition(problems=2))),
]


@pytest.fixture(params=SMALL, ids=["addition", "bubble", "quick", "topological", "several"])
def task(request):
    return request.param


def told(task):
    """Return the calls of a task in words, put together without its arrays."""
    several = isinstance(task, Several)
    for kind, calls in task.traced_calls().items():
        environment = task.kinds[kind]
        before = f"{kind}/" if several else ""
        programs, values = environment.vocabulary.programs, environment.vocabulary.texts

        def words(key, before=before, programs=programs, values=values):
            texts = [v[i] for v, i in zip(values, key[1:], strict=True) if i >= 0]
            return programs[key[0]] if key[0] == 0 else before + programs[key[0]], *texts

        for (key, observations), decisions in calls.items():
            seen = [tuple(observation) for observation in observations]
            yield kind, words(key), seen, [(d[0], words(d[1:])) for d in decisions]


def from_arrays(task):
    """Return the same from the examples: what is not 0 in their channels, and targets."""
    spec, examples = task.inputs.spec, jax.tree.map(np.asarray, task.examples())
    observed, total = {}, 0
    for kind, environment in task.kinds.items():
        observed[kind] = total, total + len(environment.observations)
        total = observed[kind][1]
    ends = np.cumsum([len(values) for values in spec.values])[:-1]
    calls = task.outputs.spec
    for inputs, targets, mask, steps in zip(*examples, strict=True):
        assert mask.tolist() == [1.0] * steps + [0.0] * (len(mask) - steps)
        rows = [np.split(row, ends) for row in inputs[:steps]]
        places = [[int(part.argmax()) if part.any() else -1 for part in row] for row in rows]
        assert all(part.sum() <= 1 for row in rows for part in row)
        [kind] = [kind for kind, (first, _) in observed.items() if places[0][first] >= 0]
        seen = [tuple(row[slice(*observed[kind])]) for row in places]
        *arguments, program = zip(spec.values[total:], places[0][total:], strict=True)
        name = program[0][program[1]]
        words = name, *(values[i] for values, i in arguments if i >= 0)
        decided = []
        for end, number, *given in targets[:steps].tolist():
            texts = [v[i] for v, i in zip(calls.arguments, given, strict=True) if i >= 0]
            assert len(texts) == calls.takes[number]
            decided.append((end, (calls.programs[number], *texts)))
        yield kind, words, seen, decided


def test_examples_are_the_calls_of_the_traces(task):
    assert list(from_arrays(task)) == list(told(task))


def test_all_programs_are_equally_likely_and_so_are_the_calls_of_one(task):
    first = np.asarray(task.first_priorities(), np.float64)
    programs = [words[0] for _, words, *_ in told(task)]
    calls = Counter(programs)
    wanted = [1 / len(calls) / calls[program] for program in programs]
    np.testing.assert_allclose(first, wanted, rtol=1e-5)


def test_samples_are_drawn_as_priorities_say():
    task, drawn = BubbleSort(), 2_000
    data, first = task.data(), np.asarray(task.first_priorities())
    some = np.where(np.arange(len(first)) % 3, first, 0.0)
    keys = jax.random.split(jax.random.key(0), drawn)

    @jax.jit
    def draw(priorities):
        return jax.vmap(
            lambda key: task.sample(key, 1, max_size=1, data=data, priorities=priorities)
        )(keys)

    every = {
        example.tobytes(): i for i, example in enumerate(np.asarray(task.examples().inputs))
    }
    for priorities in (first, some):
        inputs = np.asarray(draw(jnp.asarray(priorities)).inputs)
        counts = np.bincount([every[x.tobytes()] for x in inputs], minlength=len(first))
        share = priorities / priorities.sum()
        deviation = np.sqrt(drawn * share * (1 - share))
        assert np.all(np.abs(counts - drawn * share) <= 5 * deviation)


def test_held_out_are_all_calls_that_can_occur():
    task = Several(tasks=(BubbleSort(), QuickSort(), TopologicalSort()))
    held_out = task.held_out()
    assert held_out.interface.calls == task.interface.calls
    assert held_out.inputs == task.inputs
    assert len(held_out.data().steps) == 40 + 28 + 53
    learned = {str(call) for call in told(task)}
    assert learned < {str(call) for call in told(held_out)}


def test_of_loops_other_problems_are_held_out():
    task = BubbleSort(form="loop")
    assert not task.finite
    assert {str(x) for x in told(task)} != {str(x) for x in told(task.held_out())}


def test_data_follow_from_the_fields_alone():
    same = [jax.tree.leaves(QuickSort(seed=seed).data()) for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(*same[:2], strict=True))
    assert str(list(told(QuickSort(seed=1)))) != str(list(told(QuickSort(seed=2))))


def test_environments_of_one_task_take_no_calls_of_another():
    interface = Several(tasks=(BubbleSort(), Addition(problems=1))).interface
    row = interface.adapted("bubble-sort", Row((2, 1)))
    pad = interface.adapted("addition", Pad((1,), (2,)))
    assert row.seen()[4:] == (-1,) * 4
    assert pad.seen() == (*[-1] * 4, 1, 2, 10, 10)
    assert row.seen()[:4] == (1, 1, 0, 0)

    def numbers(words):
        name, *texts = words.split()
        places = [v.index(x) for v, x in zip(interface.calls.arguments, texts, strict=False)]
        return interface.calls.programs.index(name), places

    pad.perform(*numbers("addition/WRITE OUT 7"))
    assert pad.environment.result() == (7,)
    with pytest.raises(FailureError, match="addition/WRITE belongs to another task"):
        row.perform(*numbers("addition/WRITE OUT 7"))
    with pytest.raises(
        FailureError, match="bubble-sort/PTR is given an argument of another task"
    ):
        row.perform(*numbers("bubble-sort/PTR OUT LEFT"))
    with pytest.raises(FailureError, match="WRITE does not take LEFT as argument 2"):
        pad.perform(*numbers("addition/WRITE OUT LEFT"))


def test_forms_that_there_are_not_are_refused():
    with pytest.raises(
        ValueError, match="QuickSort has the forms recursive, loop; not partial"
    ):
        QuickSort(form="partial")
    with pytest.raises(ValueError, match="each of another kind"):
        Several(tasks=(QuickSort(), QuickSort(seed=1)))


def test_rendering_has_a_line_for_each_step(task):
    example = jax.tree.map(lambda x: x[0], task.examples())
    lines = task.render(example).splitlines()
    assert len(lines) == example.steps
    spec = task.outputs.spec
    right = 9.0 * (2 * spec.one_hot(np.asarray(example.targets)) - 1)
    assert task.render(example, right).splitlines() == lines
    assert all("said: " in line for line in task.render(example, -right).splitlines())


def test_saved_tasks_are_read_back(task):
    assert task_from_json(json.loads(json.dumps(task_to_json(task))), "a file") == task


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "Sorting.training_problems: TypeError: "),
        ([], "Sorting has no problems to learn from"),
        ([5], "a problem is a tuple of what .* is made with; not 5"),
        ([[2, 1]], r"a problem is a tuple of what .* is made with; not \[2, 1\]: TypeError: "),
        ([([2, "a"],)], r"BubbleSort.observe\(\) fails: TypeError: "),
    ],
    ids=str,
)
def test_problems_that_are_none(given, message):
    class Sorting(BubbleSort):
        def training_problems(self, rng):
            del rng
            return given

        def write_problem(self, problem):
            return json.dumps(problem)

    with pytest.raises(SoftmachineError, match=message):
        Sorting().traced_calls()


@pytest.mark.parametrize("forms", [None, BubbleSort])
def test_forms_are_a_mapping(forms):
    with pytest.raises(ValueError, match=r'Odd needs forms = \{"recursive": its environment'):
        type("Odd", (BubbleSort,), {"forms": forms})()


def test_kinds_that_there_are_not():
    with pytest.raises(
        SoftmachineError, match="there is no kind 'heap' of environments; there"
    ):
        BubbleSort().interface.program("heap", "SORT")
