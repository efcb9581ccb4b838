"""Programs of a random-access machine: golden traces, right results, all calls there can be."""

import dataclasses
import hashlib
import itertools
import random
import typing

import jax
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.gates import PAPER
from softmachine.tasks.traced import ram
from softmachine.tasks.traced.environment import FailureError
from softmachine.tasks.traced.ram import Copy, Increment, Reverse
from softmachine.tasks.traced.ram_tasks import RAMCopy, RAMIncrement, RAMReverse
from softmachine.tasks.traced.tracing import check_consistent, distinct_calls, trace

PROGRAMS = (Increment, Copy, Reverse)


def calls_of(environment, memories):
    calls = distinct_calls(trace(environment(memory)) for memory in memories)
    check_consistent(calls, environment)
    return calls


@pytest.mark.parametrize(
    ("environment", "memory", "counts", "digest"),
    [
        (Increment, (2, 1, 0, 0), (3, 12, 9), "0b9b03058f7a"),
        (Copy, (3, 2, 1, 0, 0), (4, 18, 14), "f6a3295fd831"),
    ],
)
def test_traces_are_those_of_an_independent_script(environment, memory, counts, digest):
    run = trace(environment(memory))
    assert run.counts == counts
    assert hashlib.sha256(str(run).encode()).hexdigest()[:12] == digest


@pytest.mark.parametrize(
    ("environment", "memory", "result"),
    [
        (Increment, (2, 1, 0, 0), (3, 2, 0, 0)),
        (Increment, (0, 0), (0, 0)),
        (Copy, (3, 2, 1, 0, 0, 4, 4), (3, 2, 1, 2, 1, 4, 4)),
        (Reverse, (3, 2, 1, 0, 0, 4, 4), (3, 2, 1, 1, 2, 4, 4)),
    ],
)
def test_results_by_hand(environment, memory, result):
    run = trace(environment(memory))
    assert run.environment.result() == run.environment.expected() == result


@pytest.mark.parametrize("environment", PROGRAMS)
def test_results_are_right_in_larger_memories(environment):
    rng = random.Random(0)
    for size in (1, 2, 3, 8, 40):
        assert trace(environment(environment.random_memory(size, rng))).environment.right()


def test_all_programs_have_one_vocabulary():
    for environment in PROGRAMS:
        assert environment.vocabulary.programs == Increment.vocabulary.programs
        assert environment.vocabulary.arguments == Increment.vocabulary.arguments
    assert sum(Increment.vocabulary.primitives) == 1


def test_gates_compute_what_those_of_an_nram_do_in_their_order():
    names = typing.get_args(ram.Gate)
    assert len(names) == len(PAPER)
    assert {*ram.GATES} == {*names} - {"READ", "WRITE"}
    cells = 4
    for name, gate in zip(names, PAPER, strict=True):
        assert bool(gate.memory) == (name not in ram.GATES)
        for operands in itertools.product(range(cells), repeat=2):
            if not gate.memory:
                wanted = gate.integer(*operands[: gate.arity], cells)
                assert ram.GATES[name](*operands) % cells == wanted, name


def memories(environment, size, smallest=0):
    """Yield all memories of ``size`` numbers up to 2, which may have up to three cells more."""
    values = range(smallest, 3)
    for more, numbers in itertools.product(range(4), itertools.product(values, repeat=size)):
        if environment is Increment:
            if 0 not in numbers and max(numbers, default=0) <= size + more:
                yield [*numbers, *[0] * (2 + more)]
        elif max(numbers) <= 2 * size + more:
            yield [size + 1, *numbers, *[0] * (size + more)]


@pytest.mark.parametrize(
    ("task", "least", "sizes"),
    [
        (RAMIncrement(arrays="any"), 0, [1, 3, 4, 4]),
        (RAMCopy(arrays="any"), 1, [9, 13, 13, 13]),
        (RAMReverse(arrays="any"), 1, [7, 9, 9, 9]),
        (RAMIncrement(), 1, [2, 3, 3, 3]),
        (RAMCopy(), 1, [5, 7, 7, 7]),
        (RAMReverse(), 1, [5, 6, 6, 6]),
    ],
)
def test_small_memories_cause_all_calls_and_larger_ones_no_others(task, least, sizes):
    environment, calls, found = task.environment, {}, []
    for size in range(least, least + len(sizes)):
        some = memories(environment, size, 0 if task.arrays == "any" else 1)
        calls |= calls_of(environment, some)
        found.append(len(calls))
    assert found == sizes
    [(_, proving)] = task.held_out().traced_calls().items()
    assert calls == proving


@pytest.mark.parametrize(
    ("task", "shown"), [(RAMIncrement(), 3), (RAMCopy(), 4), (RAMReverse(), 4)]
)
def test_one_trace_teaches(task, shown):
    [(_, calls)] = task.traced_calls().items()
    [(_, proving)] = task.held_out().traced_calls().items()
    assert len(calls) == shown
    assert calls.items() <= proving.items()


def test_registers_are_mistaken_in_training_alone():
    task, count = RAMCopy(mistaken=0.25), 400
    keys = jax.random.split(jax.random.key(0), count)

    def shown(task):
        draw = jax.jit(jax.vmap(lambda key: task.sample(key, 1, max_size=1)))
        inputs = np.asarray(draw(keys).inputs)
        return inputs[:, :, : 2 * ram.REGISTERS], inputs[:, :, 2 * ram.REGISTERS :]

    (some, rest), (right, same) = shown(task), shown(dataclasses.replace(task, mistaken=0.0))
    np.testing.assert_array_equal(rest, same)
    real = right.sum(axis=-1) > 0
    np.testing.assert_array_equal(some.sum(axis=-1), right.sum(axis=-1))
    assert abs((some != right)[real].mean() - 0.25) < 0.02
    held_out = {x.tobytes() for x in np.asarray(task.held_out().examples().inputs)}
    drawn = task.held_out().sample(keys[0], 1, max_size=1)
    assert np.asarray(drawn.inputs).tobytes() in held_out


@pytest.mark.parametrize(
    ("environment", "every", "one"), [(Increment, 3, 3), (Copy, 6, 5), (Reverse, 4, 4)]
)
def test_one_trace_shows_most_of_what_there_is_without_zeros(environment, every, one):
    """In the smallest memory, as an independent script counts."""

    def laid_out(numbers):
        if environment is Increment:
            return [*numbers, 0, 0]
        return [len(numbers) + 1, *numbers, *[0] * len(numbers)]

    lists = [x for n in (1, 2, 3) for x in itertools.product((1, 2), repeat=n) if max(x) <= n]
    assert len(calls_of(environment, map(laid_out, lists))) == every
    assert len(calls_of(environment, [laid_out((3, 2, 1))])) == one


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("WRITE", 0, 1, 2), "WRITE has no result"),
        (("ADD", 0, 1, "None"), "put in no register"),
    ],
)
def test_results_are_put_where_there_are_some(call, reason):
    environment = Increment((1, 0, 0))
    number, *arguments = environment.vocabulary.encode(environment.op(*call))
    with pytest.raises(FailureError, match=reason):
        environment.perform(number, arguments)


@pytest.mark.parametrize("memory", [(), (3, 0, 0), (-1, 0)])
def test_numbers_that_the_memory_cannot_hold_are_refused(memory):
    with pytest.raises(SoftmachineError, match=r"a memory of \d cells holds numbers"):
        Increment(memory)
