"""The fifteen tasks against plain Python, on strings of all small sizes and some large."""

import dataclasses
import itertools
import math
import re

import numpy as np
import pytest

from softmachine.core.specs.spec import mean, standard_error
from softmachine.tasks.chomsky.context_free import (
    ModularArithmeticBrackets,
    SolveEquation,
    StackManipulation,
)
from softmachine.tasks.chomsky.context_sensitive import (
    BucketSort,
    DuplicateString,
    MissingDuplicateString,
    OddsFirst,
)
from softmachine.tasks.chomsky.numbers import (
    BinaryAddition,
    BinaryMultiplication,
    ComputeSqrt,
)
from softmachine.tasks.chomsky.regular import (
    CycleNavigation,
    EvenPairs,
    ModularArithmetic,
    ParityCheck,
)
from softmachine.tasks.languages.reverse_string import ReverseString


def binary(text):
    """Return the number of bits that are lowest first."""
    return int(text[::-1] or "0", 2)


def ending(number, length):
    return (bin(number)[:1:-1] + "$" + "0" * length)[:length]


def stack(text):
    left = []
    for letter in text:
        if letter == "p":
            left = left[:-1]
        else:
            left.append({"o": "0", "i": "1"}.get(letter, letter))
    return ("".join(left[::-1]) + "$" + "0" * len(text))[: len(text) + 1]


def solution(text):
    if len(text) < 3:
        return "0"
    left, right = text.split("=")
    fits = [x for x in "01234" if eval(left.replace("x", x)) % 5 == int(right)]
    assert len(fits) == 1
    return fits[0]


def missing(text):
    twice = text.removesuffix("#")
    half = len(twice) // 2
    return "1" if text == "1" else twice[(twice.index("_") + half) % len(twice)]


def multiplied(text):
    first, _, second = text.partition("*")
    length = len(text)
    return "$" if length == 1 else ending(binary(first) * binary(second), length)


def root(text):
    return bin(math.isqrt(int(text, 2)))[2:].zfill((len(text) + 1) // 2)


CASES = {
    # task: its answers in plain Python, the form of its strings
    EvenPairs(): (lambda w: str(len(re.findall("(?=01|10)", w)) % 2), "[01]*"),
    ParityCheck(): (lambda w: str(w.count("1") % 2), "[01]*"),
    CycleNavigation(): (lambda w: str((w.count("2") - w.count("0")) % 5), "[012]*"),
    CycleNavigation(source="paper"): (
        lambda w: str((w.count("1") - w.count("2")) % 5),
        "[012]*",
    ),
    ModularArithmetic(): (lambda w: str(eval(w) % 5), r"[0-4]([-+*][0-4])*"),
    ModularArithmetic(source="paper"): (lambda w: str(eval(w) % 5), r"[0-4]([-+*][0-4])*"),
    StackManipulation(): (stack, "[01]+[poi]+|[01]"),
    ReverseString(): (lambda w: w[::-1], "[01]*"),
    ModularArithmeticBrackets(): (lambda w: str(eval(w) % 5), "[-+*()0-4]*"),
    SolveEquation(): (solution, "0|00|[-+()0-4]*x[-+()0-4]*=[0-4]"),
    DuplicateString(): (lambda w: w + w, "[01]*"),
    MissingDuplicateString(): (missing, "1|[01]*_[01]*#?"),
    OddsFirst(): (lambda w: w[1::2] + w[::2], "[01]*"),
    OddsFirst(source="paper"): (lambda w: w[::2] + w[1::2], "[01]*"),
    BucketSort(): (lambda w: "".join(sorted(w)), "[0-4]*"),
    BinaryAddition(): (
        lambda w: ending(sum(map(binary, w.split("+"))), len(w) + 1),
        r"0|00|01|10|[01]*1[01]*\+[01]*1[01]*",
    ),
    BinaryMultiplication(): (multiplied, r"0|00|01|10|[01]*1[01]*\*[01]*1[01]*"),
    ComputeSqrt(): (root, "[01]*1[01]*"),
    ComputeSqrt(source="paper"): (lambda w: root(w[::-1])[::-1], "[01]*1[01]*"),
}
GOLDEN = [
    (EvenPairs(), "0101001", "1"),
    (ParityCheck(), "1010100", "1"),
    (CycleNavigation(), "20100", "3"),
    (CycleNavigation(source="paper"), "20100", "0"),
    (ModularArithmetic(), [0, 7, 1, 5, 4, 7, 3, 6, 2], "0"),
    (ModularArithmeticBrackets(), [8, 8, 6, 3, 9, 7, 8, 2, 5, 4, 9, 9], "2"),
    (SolveEquation(), [7, 7, 6, 9, 8, 5, 7, 2, 6, 4, 8, 8, 10, 1], "2"),
    (StackManipulation(), [0, 1, 1, 0, 4, 2, 2], "11020000"),
    (ReverseString(), "011010", "010110"),
    (DuplicateString(), "101", "101101"),
    (MissingDuplicateString(), [1, 0, 1, 1, 2, 1, 3], "0"),
    (OddsFirst(), "00110101", "01110100"),
    (OddsFirst(source="paper"), "00110101", "01000111"),
    (BinaryAddition(), [0, 0, 1, 2, 0, 1, 1, 0, 1], "0101120000"),
    (BinaryMultiplication(), [1, 0, 0, 1, 2, 0, 0, 0, 0, 0, 1], "00000100120"),
    (ComputeSqrt(), "100101", "110"),
    (ComputeSqrt(source="paper"), "100101", "011"),
    (BucketSort(), "10204112", "00111224"),
]
ENDING = (StackManipulation, BinaryAddition, BinaryMultiplication)
SMALL, LARGE = 12, 70


def name(task):
    return type(task).__name__ + "-" + getattr(task, "source", "")


def text_of(task, example):
    """Return the string of an example, its answer as far as it is scored, and its steps."""
    steps = int(example.steps)
    places = example.inputs[:steps].argmax(axis=1)
    assert (example.inputs[:steps].sum(axis=1) == 1).all()
    size = int(np.argmax(places == len(task.letters)))
    assert (places[size:] == len(task.letters)).all()
    scored = example.mask > 0
    assert not scored[:size].any()
    answer = "".join(task.answers[i] for i in example.targets[scored])
    return "".join(task.letters[i] for i in places[:size]), answer, steps


def length_of(task, size):
    if isinstance(task, ModularArithmetic) and size % 2 == 0:
        return size - 1 if task.source == "repo" else size + 1
    return size


@pytest.mark.parametrize("task", CASES, ids=name)
def test_answers_are_those_of_plain_python(task, draw):
    plain, form = CASES[task]
    sizes = [size for size in range(1, SMALL + 1) for _ in range(20)]
    drawn = draw(task, sizes, SMALL), draw(task, [LARGE - 1, LARGE] * 4, LARGE)
    seen = set()
    for size, example in zip(
        sizes + [LARGE - 1, LARGE] * 4, itertools.chain(*drawn), strict=True
    ):
        string, answer, steps = text_of(task, example)
        assert len(string) == length_of(task, size)
        assert re.fullmatch(form, string)
        assert task.accepts(string)
        wanted = plain(string)
        assert steps == len(string) + len(wanted) == task.steps(size)
        scored = wanted[: wanted.index("$") + 1] if "$" in wanted else wanted
        assert answer == scored
        # Scored are the first places of the answer, and nothing stands elsewhere.
        first = len(string)
        expected = np.zeros(len(example.mask))
        expected[first : first + len(scored)] = 1
        np.testing.assert_array_equal(example.mask, expected)
        assert not (example.targets * (1 - example.mask)).any()
        assert not example.inputs[steps:].any()
        seen.add(string)
    assert len(seen) > 30


@pytest.mark.parametrize(("task", "string", "answer"), GOLDEN, ids=lambda x: str(x)[:12])
def test_golden_values_of_the_published_code_and_paper(task, string, answer):
    """Letters as the published code numbers them; after the end stand zeros."""
    if not isinstance(string, str):
        string = "".join(task.letters[i] for i in string)
    example = task.own_example(string, 100)
    scored = answer[: answer.index("2") + 1] if isinstance(task, ENDING) else answer
    due = np.asarray(example.targets)[len(string) :]
    assert due.tolist()[: len(scored)] == [int(letter) for letter in scored]
    assert np.asarray(example.mask)[len(string) :].tolist() == [
        float(i < len(scored)) for i in range(len(answer))
    ]
    if isinstance(task, ENDING):
        whole = dataclasses.replace(task, score_padding=True).own_example(string, 100)
        assert "".join(map(str, whole.targets[len(string) :].tolist())) == answer


@pytest.mark.parametrize("kind", ENDING)
def test_training_may_count_the_zeros_after_the_end_and_tests_never_do(kind, draw):
    task = kind(score_padding=True)
    assert task.held_out() == task.held_out(larger=True) == kind()
    for size, example in zip((1, 5, 9), draw(task, (1, 5, 9), 9), strict=True):
        assert example.mask.sum() == task.steps(size) - size
        assert example.mask[size : task.steps(size)].all()


@pytest.mark.parametrize(
    ("task", "strings"),
    [
        (ModularArithmetic(), ["1+", "+1", "12", "1++1", "-1"]),
        (StackManipulation(), ["01", "p", "p0", "0p1", "i0"]),
        (ModularArithmeticBrackets(), ["1+2", "((1))", "(1)(2)", "-(1)", "--1", "()", "(1+2"]),
        (SolveEquation(), ["1", "01", "x=", "x+1=2", "(x+x)=1", "(1+2)=3", "x=x", "(x+1)2="]),
        (MissingDuplicateString(), ["0", "_", "10_1", "__", "1_0", "1_##", "#1_", "1#"]),
        (BinaryAddition(), ["1+", "+1", "1+1+1", "++", "111"]),
        (BinaryMultiplication(), ["1*", "*1", "1*1*1", "**", "111"]),
    ],
    ids=lambda x: type(x).__name__,
)
def test_other_strings_have_no_answer(task, strings):
    for string in strings:
        assert not task.own_example(string, 100).mask.any(), string


def test_expressions_are_split_anywhere_alike(draw):
    """Of ten letters the first part has 1 to 6, one in six each."""
    task, lengths = ModularArithmeticBrackets(), []
    for example in draw(task, [10] * 2048, 10):
        string, *_ = text_of(task, example)
        depths = np.cumsum([{"(": 1, ")": -1}.get(letter, 0) for letter in string])
        unary = [i for i in range(1, 10) if string[i] in "+-*" and string[i - 1] not in "(+-*"]
        [operator] = [i for i in unary if depths[i] == 1]
        lengths.append(operator - 1)
    counts = np.bincount(lengths, minlength=7)[1:]
    assert counts.sum() == 2048
    assert len(counts) == 6
    # Each within four standard deviations of a sixth.
    assert abs(counts - 2048 / 6).max() < 4 * (2048 * 5 / 36) ** 0.5


def all_strings(task, size):
    words = map("".join, itertools.product(task.letters, repeat=size))
    return [word for word in words if re.fullmatch(CASES[task][1], word) and task.accepts(word)]


@pytest.mark.parametrize(
    ("task", "size"),
    [
        (EvenPairs(), 5),
        (ParityCheck(), 5),
        (CycleNavigation(), 6),
        (ReverseString(), 4),
        (BucketSort(), 5),
        (OddsFirst(), 5),
        (ComputeSqrt(), 7),
        (ComputeSqrt(source="paper"), 6),
    ],
    ids=lambda x: name(x) if not isinstance(x, int) else str(x),
)
def test_the_best_blind_answer_against_all_strings(task, size):
    """All of them are equally likely, so that the best constant answer can be counted."""
    answers = [CASES[task][0](string) for string in all_strings(task, size)]
    columns = [[answer[i] for answer in answers] for i in range(len(answers[0]))]
    best = np.mean([max(map(column.count, column)) / len(column) for column in columns])
    best_whole = max(map(answers.count, answers)) / len(answers)
    metrics = task.blind(size)
    for key, exact in (("blind_accuracy", best), ("blind_perfect", best_whole)):
        assert float(mean(metrics[key])) == pytest.approx(
            exact, abs=4 * float(standard_error(metrics[key])) + 1e-6
        )


@pytest.mark.parametrize(
    ("task", "size", "published"),
    [
        (BucketSort(), 41, 0.78),
        (BucketSort(), 500, 0.94),
        (ModularArithmeticBrackets(), 41, 0.3),
        (CycleNavigation(), 41, 0.2),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, int | float) else str(x),
)
def test_a_blind_answer_sorts_most_letters_and_computes_one_value_in_three(
    task, size, published
):
    metrics = task.blind(size)
    assert float(mean(metrics["blind_accuracy"])) == pytest.approx(published, abs=0.03)


def test_numbers_are_uniform_but_never_0(draw):
    """Of the 7 numbers of 3 bits each is as likely; the first of 7 letters has 1 to 5 bits."""
    numbers = [
        binary(text_of(task, x)[0])
        for task in [ComputeSqrt()]
        for x in draw(task, [3] * 2048, 3)
    ]
    counts = np.bincount(numbers, minlength=8)
    assert counts[0] == 0
    assert abs(counts[1:] - 2048 / 7).max() < 4 * (2048 * 6 / 49) ** 0.5
    places = [
        text_of(BinaryAddition(), x)[0].index("+")
        for x in draw(BinaryAddition(), [7] * 2048, 7)
    ]
    counts = np.bincount(places)
    assert len(counts) == 6
    assert abs(counts[1:] - 2048 / 5).max() < 4 * (2048 * 4 / 25) ** 0.5
