"""Loops that are searched: three ways to run them, and what is right is found."""

import dataclasses
import json
import threading
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.nram.gates import GATES as NRAM_GATES
from softmachine.programs.build import build_program
from softmachine.programs.extraction import transition_table
from softmachine.programs.languages.python import python_code
from softmachine.programs.running import load_python
from softmachine.synthesis.search import arrays, native
from softmachine.synthesis.search.attempts import (
    Attempt,
    Options,
    Variant,
    attempt,
    cases,
    make_space,
    plan,
)
from softmachine.synthesis.search.given import as_batch, make, variants
from softmachine.synthesis.search.loops import GATES, build_machine, read_loop, wire
from softmachine.synthesis.search.search import Numbered, Totals, _make_in_time, search
from softmachine.tasks.memories.given import Given
from softmachine.tasks.steps import StepRule
from softmachine.training.workers.workers import ThreadWorkers
from softmachine.wiring.table import run_wiring

CELLS = 64


def space_of(registers, length, conditions):
    operations = np.arange(12 if conditions else 11, dtype=np.int32)
    return arrays.Space(registers, length, operations, conditions, np.arange(3, dtype=np.int32))


def run_by_hand(loop, memory, steps):
    """The meaning of a loop, in the plainest words."""
    memory, registers = list(memory), [0] * loop.registers
    for _ in range(steps):
        slots = [*loop.constants, *registers]
        zeros = tuple(bool(value == 0) for value in registers)
        for each in loop.instructions:
            values = [slots[slot] for slot in each.arguments]
            if each.operation == arrays.SELECT:
                result = values[0 if each.holds(zeros) else 1]
            elif each.operation == arrays.READ:
                result = memory[values[0]]
            elif each.operation == arrays.WRITE:
                result = values[1]
                if each.holds(zeros):
                    memory[values[0]] = result
            else:
                result = int(NRAM_GATES[GATES[each.operation]].integer(*values, len(memory)))
            slots.append(result)
        registers = [slots[slot] for slot in loop.nexts]
    return memory


def test_compiled_code_wires_and_weights_do_what_a_loop_means():
    rng = np.random.default_rng(0)
    checked = 0
    for seed in range(60):
        space = space_of(1 + seed % 3, 5 + seed % 4, (0, 1, 1 + seed % 3)[seed % 3])
        code = native.draw_loop(space, seed)
        loop = read_loop(code, space)
        memories = rng.integers(0, 8, (4, CELLS)).astype(np.int32)
        steps = np.array([1, 2, 5, 9], np.int32)
        expected = np.array(
            [run_by_hand(loop, m, s) for m, s in zip(memories, steps, strict=True)]
        )
        every = np.broadcast_to(np.arange(CELLS, dtype=np.int32), (4, CELLS)).copy()
        counts = np.full(4, CELLS, np.int32)
        share = np.full(4, 0.25)
        given = arrays.Cases(memories, every, expected.astype(np.int32), counts, steps, share)
        assert native.count_mistakes(code, space, given)[-1] == 0
        np.testing.assert_array_equal(given.memories, memories)  # what was overwritten is back
        wrong = given._replace(targets=(given.targets + np.eye(4, CELLS, dtype=np.int32)))
        assert native.count_mistakes(code, space, wrong)[-1] == pytest.approx(1 / CELLS)

        wired = wire(loop, once=False)
        ran = run_wiring(wired.config, wired.table, memories, steps)
        np.testing.assert_array_equal(ran.memories, expected)
        if seed % 20 == 5:
            machine = build_machine(wired)
            after = machine.run_hard(jnp.asarray(memories), jnp.asarray(steps))
            np.testing.assert_array_equal(np.asarray(after), expected)
        checked += len(np.unique(expected)) > 1
    assert checked == 60


def test_changed_loops_are_loops():
    """Every slot that is taken is there already, after any number of changes."""
    space = space_of(2, 7, 2)
    given = arrays.Cases(
        np.zeros((1, CELLS), np.int32), np.zeros((1, 1), np.int32),
        np.full((1, 1), 63, np.int32), np.ones(1, np.int32), np.full(1, 3, np.int32),
        np.ones(1),
    )  # fmt: skip
    for seed in range(30):
        code = native.draw_loop(space, seed)
        code, *_ = native.anneal(
            code, space, given, 2_000, 9.0, 9.0, 2.0, 0.0, 0.0, seed, np.zeros(1, bool)
        )
        rows = code[: 4 * space.length].reshape(-1, 4)
        for i, (operation, a, b, condition) in enumerate(rows.tolist()):
            assert 0 <= operation < 12
            assert max(a, b) < 3 + space.registers + i
            assert condition <= 2 * space.registers
            assert (operation == arrays.SELECT) <= (condition > 0)
        assert (code[-2:] < 3 + space.registers + space.length).all()


def examples(function, sizes=range(1, 6), each=8, **more):
    rng = np.random.default_rng(1)
    lines = []
    for size in [*list(sizes) * each, 12, 12]:
        array = rng.integers(1, 2 * size + 2, size).tolist()
        after = function(array)
        line = {"input": [*array, 0], "output": [*after, 0], "size": size}
        lines.append(line | {"mask": [1] * size + [0]} | more)
    return "\n".join(map(json.dumps, lines))


def find(task, seed=0, threads=1, seconds=60.0, **more):
    batches = [as_batch(each, seed) for each in variants(task)]
    found = []

    def accept(done):
        found.extend([done] if done.loop else [])
        return bool(found)

    options = Options(seed=seed, threads=threads, variants=(Variant(),) * len(batches))
    totals = search(
        batches, options, Totals(), seconds, accept, lambda _: None, lambda: False, **more
    )
    return found[0], totals


PROGRAMS = {
    "double": lambda array: [2 * x for x in array],
    "running maximum": lambda array: [max(array[: i + 1]) for i in range(len(array))],
    "fill with the first": lambda array: array[:1] * len(array),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_known_programs_are_found_and_become_machines_and_code(name):
    task = Given(examples=examples(PROGRAMS[name]))
    done, _ = find(task)
    found = make(task, done)
    assert found is not None
    table = transition_table(found.machine.config, wire(done.loop, once=False).table)
    program = build_program(table, found.task.step_rule())._replace(unbounded=True)
    run = load_python(python_code(program, "", []))
    rng = np.random.default_rng(2)
    for size in (1, 2, 7, 30):
        array = rng.integers(1, 50, size).tolist()
        assert run([*array, 0])[:size] == PROGRAMS[name](array)


def test_what_is_found_depends_on_the_seed_alone():
    task = Given(examples=examples(PROGRAMS["running maximum"]))
    one, two = find(task, seed=3), find(task, seed=3, threads=2)
    assert one[0].loop == two[0].loop
    assert one[1]._replace(seconds=0.0) == two[1]._replace(seconds=0.0)


class Unequal(ThreadWorkers):
    """Two workers, of which one begins when the other has done two attempts."""

    def __init__(self):
        super().__init__(2)
        slow, quick = super().present().values()
        self.done, self.order = threading.Semaphore(0), []
        self._all = {"slow": Waits(self, slow, 2), "quick": Waits(self, quick, 0)}

    def present(self):
        return dict(self._all)

    def drop(self, _name):
        self.done.release(2)


class Waits:
    def __init__(self, workers, executor, others):
        self._workers, self._executor, self._others = workers, executor, others

    def submit(self, function, job):
        def later():
            for _ in range(self._others):
                self._workers.done.acquire()
            made = function(job)
            self._workers.order.append(job[0])
            self._workers.done.release()
            return made

        return self._executor.submit(later)


def test_workers_find_what_this_process_finds():
    task = Given(examples=examples(PROGRAMS["running maximum"]))
    alone, tallies = find(task, seed=3), []
    workers = Unequal()
    try:
        found = find(task, seed=3, workers=workers, watch=tallies.append)
    finally:
        workers.close()
    assert found[0].loop == alone[0].loop
    assert found[1]._replace(seconds=0.0) == alone[1]._replace(seconds=0.0)
    assert [tally.words() for tally in tallies] == ["2 workers"]
    assert workers.order[:2] == [1, 2]  # the first was done later


def test_an_attempt_elsewhere_ends_with_its_time():
    """Nobody can end it from here; what is cut short does not count, and is made again."""
    batch = as_batch(Given(examples=examples(PROGRAMS["double"])), 0)
    make = partial(_make_in_time, [batch], Options())
    assert make((0, 0.0)) is None
    made = make((0, 1e12))
    assert made.plan == plan(0, Options())
    assert str(Numbered(1_041)) == "attempt 1,041"


def test_a_search_without_time_makes_no_attempt():
    batch, begun = as_batch(Given(examples=examples(sorted)), 0), Totals(attempts=7)
    ended = search([batch], Options(), begun, 0.0, lambda _: False, print, lambda: False)
    assert ended == begun


def test_half_of_the_larger_examples_confirm_and_half_are_held_out():
    task = Given(examples=examples(PROGRAMS["double"]))  # two of size 12
    [searched] = variants(task)
    assert [x.size for x in task.part_examples("training")].count(12) == 0
    assert [x.size for x in task.part_examples("test")].count(12) == 2
    assert [x.size for x in searched.part_examples("training")].count(12) == 1
    assert [x.size for x in searched.part_examples("test")].count(12) == 1
    before = {x.before for x in searched.part_examples("training")}
    assert before.isdisjoint(x.before for x in searched.part_examples("test"))
    batch = as_batch(searched, 0)
    assert batch.steps.max() == 13
    fits = (batch.cells <= task.memory).tolist()
    assert fits == sorted(fits, reverse=True)  # large ones come last: they do not guide
    assert True in fits
    assert False in fits


def test_examples_whose_size_nothing_tells_come_with_more_cells_and_steps_as_well():
    lines = []
    for i, (a, b) in enumerate([(1, 4), (1, 5), (2, 4), (2, 5), (2, 6), (3, 4), (3, 5)]):
        cells = [a, 7, b, *[0] * (i % 3)]
        line = {"input": cells, "output": [b, *cells[1:]], "mask": [1, *[0] * (len(cells) - 1)]}
        lines.append(line | {"size": 2 if i < 3 else 3})
    task = Given(examples="\n".join(map(json.dumps, lines)))
    assert not task.tells_size
    batch, once = as_batch(task, 0), len(task.part_examples("training"))
    assert len(batch.steps) == 2 * once
    for i in range(once):
        cells = [x for x in task.part_examples("training") if x.before[0]]
        assert batch.steps[i] in {len(x.before) + 1 for x in cells}
        assert batch.steps[once + i] == 2 * batch.steps[i] - 1
        np.testing.assert_array_equal(batch.memories[i], batch.memories[once + i])
        np.testing.assert_array_equal(batch.scored[i], batch.scored[once + i])
    told = Given(examples=examples(PROGRAMS["double"]))
    assert told.tells_size
    small = [x for x in told.part_examples("training") if x.size < 12]
    assert len(as_batch(told, 0).steps) == len(small)


def test_an_attempt_ends_when_it_is_told_to():
    task = Given(examples=examples(lambda array: [7 * x % 11 for x in array]))
    batch, options = as_batch(task, 0), Options()
    planned = plan(0, options)._replace(tries=10**9)
    done = attempt(batch, planned, options, np.ones(1, bool))
    assert done.loop is None
    assert done.tried == 1
    never = attempt(batch, planned._replace(tries=50), options, np.zeros(1, bool))
    assert isinstance(never, Attempt)
    assert never.loop is None
    assert 1 < never.tried <= 50


def test_constants_and_operations_are_those_of_the_gates():
    options = Options(gates=("ONE", "WRITE"))
    space = make_space(plan(0, options), options)
    assert space.constants.tolist() == [1, 1, 1]
    assert set(space.operations.tolist()) <= {arrays.WRITE, arrays.SELECT}
    one = '{"input": [%d, 0, 0], "output": [1, 0, 0], "mask": [1, 0, 0]}'
    task = Given(examples="\n".join(one % i for i in range(2, 9)), memory=9)
    for number in range(5):
        done = attempt(as_batch(task, 0), plan(number, options), options, np.zeros(1, bool))
        assert done.loop is not None
        assert {each.operation for each in done.loop.instructions} <= set(
            space.operations.tolist()
        ) | {arrays.SELECT}


def test_scored_cells_are_found_in_any_place():
    lines = [
        {"input": [5, 6, 7], "output": [1, 2, 3], "mask": [0, 1, 1]},
        {"input": [6, 6, 7], "output": [1, 2, 3], "mask": [1, 0, 0]},
        {"input": [7, 7, 7], "output": [1, 2, 3]},
    ]
    batch = as_batch(Given(examples="\n".join(map(json.dumps, lines))), 0)
    given = cases(batch)
    for i in range(len(batch.steps)):
        scored = np.flatnonzero(batch.scored[i])
        count = given.counts[i]
        assert given.places[i, :count].tolist() == scored.tolist()
        assert given.targets[i, :count].tolist() == batch.targets[i, scored].tolist()


def test_the_square_of_the_size_as_a_number_of_steps():
    rule = StepRule("array", 1, 1, power=2)
    assert rule.steps([5, 5, 5, 0, 1]) == 16
    task = Given(examples=examples(sorted), steps_per_size=0)
    assert task.step_rule() == rule
    assert task.tells_size
    assert [each.steps_per_size for each in variants(task)] == [0]
    two = dataclasses.replace(task, steps_per_size=2)
    assert [each.steps_per_size for each in variants(two)] == [1, 2]
