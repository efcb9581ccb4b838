"""Streams of strings against strings that plain Python writes."""

import dataclasses
import re

import numpy as np
import pytest

from softmachine.tasks.languages.addition import AdditionLanguage
from softmachine.tasks.languages.counting import LANGUAGES, CountingLanguage
from softmachine.tasks.languages.memorisation import MemorisationLanguage

COUNTING = {
    "an-bn": ["a" * 5 + "b" * 5],
    "an-bn-cn": ["a" * 5 + "b" * 5 + "c" * 5],
    "an-bn-cn-dn": ["a" * 5 + "b" * 5 + "c" * 5 + "d" * 5],
    "an-b2n": ["a" * 5 + "b" * 10],
    "an-bm-cnm": ["a" * n + "b" * (5 - n) + "c" * 5 for n in (1, 2, 3, 4)],
    "an-bm-cn-dm": ["a" * n + "b" * (5 - n) + "c" * n + "d" * (5 - n) for n in (1, 2, 3, 4)],
}
"""All strings of size 5."""
STREAMS = [CountingLanguage(language=name) for name in LANGUAGES]
STREAMS += [MemorisationLanguage(), AdditionLanguage()]
MAX_SIZE = 7


def named(task):
    return getattr(task, "language", type(task).__name__)


def text_of(task, example):
    steps = int(example.steps)
    assert not example.inputs[steps:].any()
    assert not example.mask[steps:].any()
    return "".join(task.alphabet[i] for i in example.inputs[:steps].argmax(1))


@pytest.fixture
def texts(draw):
    return lambda task, size: [text_of(task, x) for x in draw(task, [size] * 32, MAX_SIZE)]


@pytest.mark.parametrize("task", STREAMS, ids=named)
def test_what_is_drawn_is_what_python_says_of_the_stream(task, draw):
    """Targets and mask by the JAX of `sample`, and by the Python of `answer`."""
    task = dataclasses.replace(task, strings=3, sizes="up-to")
    for example in draw(task, [2, 3, 4, 5, 6, 7] * 5, MAX_SIZE):
        text, steps = text_of(task, example), int(example.steps)
        answer = task.answer(example.inputs[:steps])
        assert answer is not None, text
        np.testing.assert_array_equal(answer[1], example.mask[:steps])
        np.testing.assert_array_equal(answer[0], example.targets[:steps])


@pytest.mark.parametrize("language", LANGUAGES)
def test_counting_languages_are_these(language, texts):
    assert set(texts(CountingLanguage(language=language), 5)) == set(COUNTING[language])


def test_sizes_are_all_the_same_or_up_to_the_largest(texts):
    task = CountingLanguage(strings=3, sizes="up-to")
    counts = {len(block) for text in texts(task, 6) for block in re.findall("a+", text)}
    assert counts == {2, 3, 4, 5, 6}
    held_out = task.held_out(larger=True)
    assert set(texts(held_out, 6)) == {"aaaaaabbbbbb" * 3}
    assert task.held_out() is task


def test_golden_strings():
    assert AdditionLanguage().first("101+1=011.10+1=11.") == "101+1=011."
    assert MemorisationLanguage().first("bcbabcbcb") == "bcbabcb"
    for task, wrong in (
        (AdditionLanguage(), "101+1=110."),
        (AdditionLanguage(), "01+1=01."),
        (MemorisationLanguage(), "bcbabcc"),
        (CountingLanguage(), "aabbb"),
        (CountingLanguage(language="an-bn-cn"), "aabb"),
    ):
        inputs = task.inputs.spec.parse(wrong, 100)
        assert task.answer(inputs) is None


def test_sums_have_all_kinds_of_numbers(texts):
    drawn = texts(AdditionLanguage(), 4)
    for text in drawn:
        a, b = re.fullmatch(r"(.*)\+(.*)=.*", text).groups()
        lengths = [0 if number == "0" else len(number) for number in (a, b)]
        assert sum(lengths) == 4
    assert any(text.startswith("0+") for text in drawn)
    assert any("+0=" in text for text in drawn)


def test_the_scored_symbols_are_the_paper_s():
    marks = {
        CountingLanguage(): ("aaabbb", "***bba"),
        CountingLanguage(language="an-bm-cnm"): ("aabccc", "***cca"),
        CountingLanguage(language="an-bm-cn-dm"): ("aabbccdd", "****cdda"),
        MemorisationLanguage(): ("bbcacbb", "***cbb*"),
        AdditionLanguage(): ("1+1=01.", "***01.*"),
    }
    for task, (text, expected) in marks.items():
        targets, mask = task.answer(task.inputs.spec.parse(text, 100))
        shown = zip(targets, mask, strict=True)
        found = "".join(task.alphabet[letter] if due else "*" for letter, due in shown)
        assert found == expected
