"""What loops begin as: shapes that are loops, some of which are right as they are."""

import itertools
import json

import numpy as np
import pytest

from softmachine.synthesis.search import arrays, native
from softmachine.synthesis.search.attempts import DRAWN, Options, Variant, attempt, cases, plan
from softmachine.synthesis.search.begin import (
    begin,
    best_of,
)
from softmachine.synthesis.search.given import as_batch
from softmachine.synthesis.search.loops import read_loop
from softmachine.synthesis.search.shapes import begin_joined, begin_tally
from softmachine.synthesis.search.shapes_of_two import begin_cursors, begin_pairs
from softmachine.tasks.memories.given import Given

from .test_loops import CELLS, examples, run_by_hand, space_of


def test_what_loops_begin_with():
    """A pass goes through cells until one is 0, again and again; an exchange sorts two."""
    seen = set()
    for seed in range(200):
        rng, space = np.random.default_rng(seed), space_of(2, 16, 2)
        code = native.draw_loop(space, seed)
        code[: 4 * 16 : 4] = arrays.INC  # nothing else writes
        code[3 : 4 * 16 : 4] = 0
        begin(code, space, True, bool(seed % 2), rng)
        rows = code[:64].reshape(-1, 4)
        assert all(max(a, b) < 5 + i for i, (_, a, b, _) in enumerate(rows.tolist()))
        loop = read_loop(code, space)
        if seed % 2 == 0:
            assert loop.instructions == ()  # it writes nothing by itself
            continue
        writes = [each for each in loop.instructions if each.operation == arrays.WRITE]
        assert len(writes) == 2
        after = run_by_hand(loop, [5, 3, 4, *[0] * 61], 1)
        assert sorted(after) == sorted([5, 3, 4, *[0] * 61])
        seen.add(tuple(after[:3]))
    assert (3, 5, 4) in seen or (0, 3, 4) in seen
    assert len(seen) > 2


def holds_memory(loop, memory, steps, wanted):
    after = run_by_hand(loop, [*memory, *[0] * (CELLS - len(memory))], steps)
    return after[: len(wanted)] == wanted


def test_some_tallies_keep_count_and_replace():
    """Among tallies there are loops that no single change of anything simpler would make."""
    rng, kinds = np.random.default_rng(0), set()
    space = space_of(3, 12, 3)
    memories = [[3, 5, 1, 4, 3, 6, 0], [2, 1, 1, 0], [1, 4, 1, 2, 0]]
    kept = [[3, 5, 4, 6, 0], [2, 0], [1, 4, 2, 0]]  # larger than the first
    counted = [[1], [0], [1]]  # equal to it
    replaced = [[3, 0, 1, 0, 3, 0, 0], [2, 1, 1, 0], [1, 0, 1, 0, 0]]  # larger become 0
    for seed in range(12_000):
        code = native.draw_loop(space, seed)
        assert begin_tally(code, space, rng)
        rows = code[: 4 * space.length].reshape(-1, 4).tolist()
        assert all(max(a, b) < 6 + i and c <= 6 for i, (_, a, b, c) in enumerate(rows))
        assert (code[-3:] < 6 + space.length).all()
        loop = read_loop(code, space)
        for kind, wanted in (("kept", kept), ("counted", counted), ("replaced", replaced)):
            given = zip(memories, wanted, strict=True)
            if all(holds_memory(loop, m, len(m), w) for m, w in given):
                kinds.add(kind)
        if len(kinds) == 3:
            break
    assert kinds == {"kept", "counted", "replaced"}


def test_there_are_no_tallies_without_room_or_operations():
    rng = np.random.default_rng(0)
    for registers, length, operations in (
        (1, 16, range(12)),
        (2, 8, range(12)),
        (2, 16, (arrays.READ, arrays.WRITE, arrays.INC, arrays.ADD)),
    ):
        space = space_of(registers, length, registers)
        space = space._replace(operations=np.array(operations, np.int32))
        code = native.draw_loop(space, 0)
        before = code.copy()
        assert not begin_tally(code, space, rng)
        np.testing.assert_array_equal(code, before)


def test_an_attempt_begins_with_the_best_tally():
    task = Given(examples=examples(lambda array: [array[0]] * len(array)))
    guide, space = cases(as_batch(task, 0)), space_of(3, 12, 3)
    drawn = native.draw_loop(space, 5)
    rng = np.random.default_rng(1)
    best = best_of(begin_tally, drawn, space, guide, rng, np.zeros(1, bool), 50)
    rng, errors = np.random.default_rng(1), []
    for _ in range(50):
        code = drawn.copy()
        begin_tally(code, space, rng)
        errors.append(native.count_mistakes(code, space, guide)[-1])
    assert native.count_mistakes(best, space, guide)[-1] == min(errors) < max(errors)
    ended = best_of(begin_tally, drawn, space, guide, rng, np.ones(1, bool), 50)
    np.testing.assert_array_equal(ended, drawn)
    planned = [plan(number, Options()) for number in range(200)]
    assert {each.registers for each in planned if each.shape == "tally"} == {2, 3}
    assert all(each.length >= 12 for each in planned if each.shape == "tally")
    assert not any(each.shape == "tally" and (each.once or each.exchange) for each in planned)


def pair_cases(answers, start):
    """Arrays behind ``start`` zeros, and what the first cells shall hold afterwards."""
    given = [[3, 5, 1, 4], [2, 1, 1], [7], [1, 2, 6, 4, 5]]
    memories, places = np.zeros((4, CELLS), np.int32), np.zeros((4, 5), np.int32)
    targets, counts, steps = np.zeros((4, 5), np.int32), [], []
    for i, array in enumerate(given):
        memories[i, start : start + len(array)] = array
        answer = answers(array)
        places[i, : len(answer)], targets[i, : len(answer)] = range(len(answer)), answer
        counts.append(len(answer))
        steps.append((len(array) + 1) ** 2)
    each = (np.array(counts, np.int32), np.array(steps, np.int32), np.full(4, 0.25))
    return arrays.Cases(memories, places, targets, *each)


def test_some_loops_over_pairs_sort_and_count():
    """Sorted either way; pairs in the wrong order, counted."""
    rng, space = np.random.default_rng(0), space_of(3, 16, 3)
    wanted = {
        "up": pair_cases(sorted, 0),
        "down": pair_cases(lambda array: sorted(array, reverse=True), 0),
        "counted": pair_cases(
            lambda array: [sum(x > y for x, y in itertools.combinations(array, 2))], 1
        ),
    }
    found = dict.fromkeys(wanted, 0)
    for seed in range(1_000):
        code = native.draw_loop(space, seed)
        assert begin_pairs(code, space, rng)
        rows = code[: 4 * space.length].reshape(-1, 4).tolist()
        assert all(max(a, b) < 6 + i and c <= 6 for i, (_, a, b, c) in enumerate(rows))
        assert sum(operation == arrays.WRITE for operation, *_ in rows) in (1, 2)
        for kind, given in wanted.items():
            right = native.count_mistakes(code, space, given)[-1] == 0
            if right and not found[kind]:
                loop, (start, answer) = read_loop(code, space), BY_HAND[kind]
                after = run_by_hand(loop, [*start, *[0] * 58], 36)
                assert after[: len(answer)] == answer
            found[kind] += right
    assert min(found.values()) > 2


BY_HAND = {
    "up": ([9, 8, 2, 7, 3, 0], [2, 3, 7, 8, 9]),
    "down": ([2, 3, 7, 9, 8, 0], [9, 8, 7, 3, 2]),
    "counted": ([0, 9, 1, 8, 2, 0], [4]),
}


def test_some_loops_that_join_two_results_are_right():
    """The largest less the least; nothing else writes."""
    rng, space = np.random.default_rng(0), space_of(3, 12, 3)
    spread = pair_cases(lambda array: [max(array) - min(array)], 1)
    spread = spread._replace(steps=np.array([5, 4, 2, 6], np.int32))
    found = 0
    for seed in range(12_000):
        code = native.draw_loop(space, seed)
        assert begin_joined(code, space, rng)
        assert np.sum(code[: 4 * space.length : 4] == arrays.WRITE) == 1
        if seed < 500:
            rows = code[: 4 * space.length].reshape(-1, 4).tolist()
            assert all(max(a, b) < 6 + i for i, (_, a, b, _) in enumerate(rows))
            assert (code[-3:] < 6 + space.length).all()
        if native.count_mistakes(code, space, spread)[-1] == 0:
            loop = read_loop(code, space)
            after = run_by_hand(loop, [0, 8, 3, 9, 4, *[0] * 59], 5)
            found += after[0] == 6  # four arrays do not decide everything
    assert found > 1


def test_there_are_no_loops_over_pairs_without_room_or_operations():
    rng = np.random.default_rng(0)
    for registers, length, operations in (
        (2, 16, range(12)),
        (3, 12, range(12)),
        (3, 16, (arrays.READ, arrays.WRITE, arrays.INC, arrays.DEC, arrays.SELECT)),
    ):
        space = space_of(registers, length, registers)
        space = space._replace(operations=np.array(operations, np.int32))
        code = native.draw_loop(space, 0)
        before = code.copy()
        assert not begin_pairs(code, space, rng)
        np.testing.assert_array_equal(code, before)


def test_two_results_need_three_registers_and_room():
    rng = np.random.default_rng(0)
    for registers, length, operations in (
        (2, 16, range(12)),
        (3, 8, range(12)),
        (3, 12, [0, 2]),
    ):
        space = space_of(registers, length, registers)
        space = space._replace(operations=np.array(operations, np.int32))
        code = native.draw_loop(space, 0)
        before = code.copy()
        assert not begin_joined(code, space, rng)
        np.testing.assert_array_equal(code, before)
    planned = [plan(number, Options()) for number in range(300)]
    some = [each for each in planned if each.shape == "joined"]
    assert 5 < len(some) < 60
    assert all(each.registers == 3 and each.length >= 12 for each in some)
    assert not any(each.once or each.exchange or each.passes for each in some)


def merge_cases(pairs, largest):
    """Two sorted arrays at addresses in cells 0 and 1, their ends marked; all go behind."""
    memories = np.zeros((len(pairs), CELLS), np.int32)
    places, targets = (np.zeros((len(pairs), 9), np.int32) for _ in range(2))
    counts = [len(one) + len(other) for one, other in pairs]
    for i, (one, other) in enumerate(pairs):
        cells = [3, 4 + len(one), 5 + counts[i], *one, largest, *other, largest]
        memories[i, : len(cells)] = cells
        places[i, : counts[i]] = np.arange(counts[i]) + cells[2]
        targets[i, : counts[i]] = sorted(one + other)
    steps = np.array(counts, np.int32)
    return arrays.Cases(memories, places, targets, steps, steps, np.full(len(pairs), 0.2))


@pytest.mark.parametrize("largest", [0, 50], ids=["a 0 at the end", "more than all at the end"])
def test_some_loops_of_two_cursors_merge_sorted_arrays(largest):
    rng, space = np.random.default_rng(0), space_of(3, 20, 3)
    pairs = [
        ([3, 5], [1, 4, 6]), ([1], [2, 2, 3]), ([7, 9], [8]), ([1, 2, 8, 9], [1]), ([4], [4]),
    ]  # fmt: skip
    given, found = merge_cases(pairs, largest), []
    for seed in range(20_000):
        code = native.draw_loop(space, seed)
        assert begin_cursors(code, space, rng)
        assert np.sum(code[: 4 * space.length : 4] == arrays.WRITE) == 1
        if seed < 500:
            rows = code[: 4 * space.length].reshape(-1, 4).tolist()
            assert all(max(a, b) < 6 + i for i, (_, a, b, _) in enumerate(rows))
            assert (code[-3:] < 6 + space.length).all()
        if native.count_mistakes(code, space, given)[-1] == 0:
            found.append(read_loop(code, space))
        if len(found) == 3:
            break
    assert len(found) == 3
    for loop in found:
        for one, other in (([2, 3, 9, 9], [1]), ([5], [6]), ([6], [5, 7, 8])):
            cells = [3, 4 + len(one), 5 + len(one + other), *one, largest, *other, largest]
            after = run_by_hand(loop, [*cells, *[0] * (64 - len(cells))], len(one + other))
            assert after[len(cells) : len(cells) + len(one + other)] == sorted(one + other)


def test_two_cursors_need_two_arrays_three_registers_and_room():
    rng = np.random.default_rng(0)
    for registers, length, operations in (
        (2, 20, range(12)),
        (3, 16, range(12)),
        (3, 20, [arrays.READ, arrays.WRITE, arrays.ADD, arrays.INC]),
    ):
        space = space_of(registers, length, registers)
        space = space._replace(operations=np.array(operations, np.int32))
        code = native.draw_loop(space, 0)
        before = code.copy()
        assert not begin_cursors(code, space, rng)
        np.testing.assert_array_equal(code, before)
    planned = [plan(number, Options()) for number in range(300)]
    some = [each for each in planned if each.shape == "cursors"]
    assert 20 < len(some) < 90
    assert all(each.registers == 3 and each.length == 20 for each in some)
    assert not any(each.once or each.exchange or each.passes for each in some)
    alone = Options(variants=(Variant(two_arrays=False),))
    assert {plan(n, alone).shape for n in range(300)} == {None, "tally", "joined"}


def test_only_loops_in_loops_go_through_pairs():
    nested = Options(variants=(Variant(nested=True),))
    planned = [plan(number, nested) for number in range(200)]
    assert {each.registers for each in planned if each.shape == "pairs"} == {3}
    assert all(
        each.passes and each.conditions == 3 for each in planned if each.shape == "pairs"
    )
    assert 20 < sum(each.shape == "pairs" for each in planned) < 80
    assert not any(
        each.shape == "pairs" for each in (plan(number, Options()) for number in range(200))
    )
    assert not any(plan(n, nested._replace(registers=2)).shape == "pairs" for n in range(200))


def test_what_is_drawn_is_not_counted_as_run(monkeypatch):
    """Each example that confirms is a run; how many loops were drawn does not matter."""
    task = Given(examples=examples(lambda array: [array[0]] * len(array)))
    batch, runs = as_batch(task, 0), set()
    plans = (plan(number, Options()) for number in range(99))
    planned = next(each for each in plans if each.shape == "tally")
    for draws in (1, 50):
        monkeypatch.setitem(DRAWN, "tally", draws)
        monkeypatch.setattr(native, "anneal", lambda code, *_: (code, 0.0, 1, 7))
        monkeypatch.setattr(native, "count_mistakes", lambda *_: np.zeros(len(batch.steps)))
        done = attempt(batch, planned, Options(), np.zeros(1, bool))
        runs.add(done.runs)
    assert runs == {7 + len(batch.steps) + 7 + len(batch.steps)}


def test_pairs_in_the_wrong_order_are_counted_by_an_attempt():
    rng, lines = np.random.default_rng(1), []
    for size in [*range(1, 6)] * 8:
        array = rng.integers(1, 2 * size + 2, size).tolist()
        wrong = sum(x > y for x, y in itertools.combinations(array, 2))
        cells = [0, *array, 0, *[0] * max(0, wrong - size)]
        line = {"input": cells, "output": [wrong, *cells[1:]], "size": size}
        lines.append(line | {"mask": [1, *[0] * (len(cells) - 1)]})
    task = Given(examples="\n".join(map(json.dumps, lines)), steps_per_size=0)
    batch, options = as_batch(task, 0), Options(variants=(Variant(nested=True),))
    number = next(n for n in range(50) if plan(n, options).shape == "pairs")
    done = attempt(batch, plan(number, options), options, np.zeros(1, bool))
    assert done.loop is not None
    assert run_by_hand(done.loop, [0, 9, 8, 7, 1, 2, 3, *[0] * 57], 49)[0] == 12
