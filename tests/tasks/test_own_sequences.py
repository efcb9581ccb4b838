"""A person's own sequences: what files may hold, how they are split, what examples are."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import ExamplesError, SoftmachineError
from softmachine.machines.registry import MACHINES
from softmachine.recipes.own import on_sequences
from softmachine.tasks.own.lines import read_lines
from softmachine.tasks.own.sequences import OwnSequences, describe, own_sequences
from softmachine.tasks.task import draw

WORDS = [f"{a}{b}{c}"[:n] for a in "ab" for b in "abc" for c in "ac" for n in (2, 3)]
PARTS = ("training", "validation", "test")


def write(path, *lines):
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.fixture
def reversed_words(tmp_path):
    lines = [{"input": word, "output": word[::-1]} for word in dict.fromkeys(WORDS)]
    return write(tmp_path / "words.jsonl", *lines)


def drawn(task, count, size, max_size=None):
    """Return examples as a machine gets them."""
    keys, data = jax.random.split(jax.random.key(0), count), task.data()
    most = max_size or size
    batch = jax.jit(jax.vmap(lambda key: draw(task, key, jnp.asarray(size), most, data)))(keys)
    return [jax.tree.map(lambda x, i=i: np.asarray(x[i]), batch) for i in range(count)]


def letters(task, example):
    """Return what comes in, and what is wanted, as text."""
    steps = int(example.steps)
    given = [task.letters[i] for i in example.inputs[:steps].argmax(axis=1)]
    wanted = [task.answers[i] for i in example.targets[example.mask > 0]]
    return "".join(given), "".join(wanted)


def test_letters_and_answers_that_end(reversed_words):
    task = own_sequences(reversed_words)
    assert task.letters == "abc."
    assert task.answers == ("a", "b", "c", "$")
    assert (task.lengths, task.longest_answer) == ((2, 3), 4)
    held = own_sequences(reversed_words)
    seen = {}
    for part in PARTS:
        task = dataclasses.replace(held, part=part)
        seen[part] = set()
        for example in [x for n in (2, 3) for x in drawn(task, 60, n, 5)]:
            given, wanted = letters(task, example)
            word = given.rstrip(".")
            assert word in WORDS
            assert wanted == word[::-1] + "$"
            assert given == word + "." * len(wanted)
            due = np.flatnonzero(example.mask)
            assert due.tolist() == [*range(len(word), 2 * len(word) + 1)]
            assert not example.inputs[int(example.steps) :].any()
            seen[part].add(word)
    assert set.union(*seen.values()) == {*WORDS}
    assert sum(map(len, seen.values())) == len({*WORDS})  # no word is in two parts
    assert [len(seen[part]) for part in PARTS[1:]] == [2, 2]


def test_bits_numbers_classes_and_labels(tmp_path):
    bits = [{"input": [[0, 1], [1, i % 2]], "output": [[1, 0, i % 2]]} for i in range(9)]
    task = own_sequences(write(tmp_path / "bits.jsonl", *bits))
    [example] = drawn(task, 1, 2)
    assert (task.inputs.spec.width, task.output_size) == (3, 3)
    assert example.inputs[:, 2].tolist() == [0, 0, 1]
    assert example.targets[2].tolist() == [1, 0, example.inputs[1, 1]]
    assert example.mask[:, 0].tolist() == [0, 0, 1]

    numbers = [{"input": [0.5, i], "output": [i / 4, -i]} for i in range(9)]
    task = own_sequences(write(tmp_path / "numbers.jsonl", *numbers))
    [example] = drawn(task, 1, 2)
    i = example.inputs[1, 0]
    assert example.inputs.tolist() == [[0.5, 0], [i, 0], [0, 1], [0, 1]]
    assert example.targets.tolist() == [0, 0, i / 4, -i]
    assert "input" in task.render(example, jnp.zeros((4, 2)))

    names = [{"input": "x" * (1 + i % 3), "label": 10 if i % 2 else 9} for i in range(30)]
    task = own_sequences(write(tmp_path / "names.jsonl", *names))
    assert task.answers == ("9", "10")
    assert task.output_labels == ["9", "10"]
    long = [{"input": "x", "label": name} for name in ("9" * 5000, "10", "9")] * 3
    assert own_sequences(write(tmp_path / "long.jsonl", *long)).answers[:2] == ("9", "10")
    assert task.outputs.spec.alphabet == "AB"
    [example] = drawn(task, 1, 3)
    assert example.mask.tolist() == [0, 0, 0, 1]

    tagged = [{"input": "ab" * (i + 1), "labels": ["noun", "verb"] * (i + 1)} for i in range(9)]
    task = own_sequences(write(tmp_path / "tags.jsonl", *tagged))
    [example] = drawn(task, 1, 4)
    assert example.targets[:4].tolist() == [0, 1, 0, 1]
    assert task.steps(4) == 4
    assert "one a step" in describe(task)

    longer = write(tmp_path / "test.jsonl", {"input": "abcabc"[:5], "labels": "AAABA"})
    short = [{"input": "abc"[: i % 3 + 1], "labels": "ABB"[: i % 3 + 1]} for i in range(9)]
    task = own_sequences(write(tmp_path / "short.jsonl", *short))
    task = dataclasses.replace(task, path=str(longer), digest="", part="test")
    assert drawn(task, 1, 5)[0].targets.tolist() == [0, 0, 0, 1, 0]


def test_a_table_and_a_folder_say_the_same(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_text('input,label\n"[1, 0, 2.5]",yes\n"[3]",no\n')
    write(folder / "test.jsonl", {"input": [4], "label": "no"})
    (folder / "notes.txt").write_text("not data")
    lines = read_lines(folder)
    assert [line.input.tolist() for line in lines] == [[[1], [0], [2.5]], [[3]], [[4]]]
    assert [line.answer for line in lines] == [("yes",), ("no",), ("no",)]
    assert [line.part for line in lines] == [None, None, "test"]
    task = own_sequences(folder)
    assert "1 for training, 1 for validation, 1 for tests." in describe(task)
    [example] = drawn(dataclasses.replace(task, part="test"), 1, 3)
    assert example.inputs[:2].tolist() == [[4, 0], [0, 1]]


BAD = {
    '{"input": "ab"': "line 2: not JSON",
    '{"input": "ab", "outptu": "b"}': "line 2: unknown key 'outptu'; the keys are",
    '{"input": "ab"}': "line 2: expected one of the keys output, label, labels, not 0",
    '{"input": "", "output": "b"}': "line 2: input must be a string",
    '{"input": [1, "b"], "output": "b"}': "line 2: input[1] must hold numbers, not 'b'",
    '{"input": [[1], [1, 2]], "output": "b"}': "line 2: input[1] must be a row of 1",
    '{"input": [1], "output": "b"}': "it has rows of 1 number as input, but",
    '{"input": "ab", "label": "b"}': "it has names as label, but",
    '{"input": "ab", "output": 1e999}': "line 2:",
    '{"input": "ab", "labels": "b"}': "line 2: ragged: input has 2 steps, labels are 1",
    "[1, 2]": "line 2: expected an object with input",
}


@pytest.mark.parametrize("line", BAD)
def test_each_error_names_its_line(tmp_path, line):
    path = tmp_path / "words.jsonl"
    path.write_text('{"input": "ab", "output": "b"}\n' + line)
    with pytest.raises(ExamplesError) as error:
        own_sequences(path)
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert BAD[line] in str(error.value)


def test_what_cannot_be_learned_from_is_refused(tmp_path, reversed_words):
    def refused(said, *lines, name="x.jsonl"):
        with pytest.raises(ExamplesError) as error:
            own_sequences(write(tmp_path / name, *lines))
        assert said in str(error.value)

    refused(
        "x.jsonl, line 1 and all others have the same label, 'a'",
        *[{"input": "b", "label": "a"}] * 9,
    )
    refused("there are no sequences")
    refused("three or more are needed", *[{"input": "b", "output": "a"}] * 2)
    refused("output has 2 real numbers a step", *[{"input": [1], "output": [[1.5, 2]]}] * 9)
    many = [{"input": "b", "label": i} for i in range(63)]
    refused("63 different names; at most 62 classes", *many)
    with pytest.raises(ExamplesError, match="does not exist"):
        own_sequences(tmp_path / "none.jsonl")
    bits = own_sequences(write(tmp_path / "b.jsonl", *[{"input": [0, 1], "output": [1]}] * 9))
    write(tmp_path / "b.jsonl", *[{"input": [0, 1], "output": [0.5]}] * 9)
    with pytest.raises(ExamplesError, match=r"line \d: these are other sequences than"):
        dataclasses.replace(bits, digest="").data()

    task = own_sequences(reversed_words)
    with pytest.raises(ValueError, match="size must be at least 2, not 1"):
        task.sample(jax.random.key(0), 1, max_size=1)
    write(reversed_words, *[{"input": "xa", "output": "a"}] * 9)
    with pytest.raises(ExamplesError, match=r"has changed since this was set up"):
        task.data()
    with pytest.raises(ExamplesError, match=r"line 1: the letter 'x' was not there"):
        dataclasses.replace(task, digest="").data()
    write(reversed_words, *[{"input": "ca", "output": "aaaaaa"}] * 9)
    with pytest.raises(ExamplesError, match=r"line \d: these are other sequences than"):
        dataclasses.replace(task, digest="").data()


TABLES = {
    "text,label\na,b\n": "line 1: the header must name the columns input and one of",
    "input,input,label\na,a,b\n": "line 1: the header names a column twice",
    '"inp"ut,label\na,b\n': "line 1: ',' expected after '\"'",
    "input,label\na,b\na\n": "line 3: it has not 2 cells",
    'input,label\na,b\n"[1,",b\n': "line 3: '[1,' is no list in JSON",
}


@pytest.mark.parametrize("text", TABLES)
def test_each_error_of_a_table_names_its_line(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ExamplesError) as error:
        own_sequences(path)
    assert str(error.value).startswith(f"{path}, {TABLES[text]}")


def test_own_input_is_what_a_line_would_have(reversed_words, tmp_path):
    task = own_sequences(reversed_words)
    example = task.own_example("cab", 20)
    assert letters(task, jax.tree.map(np.asarray, example)) == ("cab....", "")
    with pytest.raises(ValueError, match="a b c"):
        task.own_example("xyz", 20)
    lines = [{"input": [0.5, i], "label": f"{i}"} for i in range(9)]
    task = own_sequences(write(tmp_path / "numbers.jsonl", *lines))
    whole = [[0.5, 0], [2, 0], [0, 1]]
    for value in ([0.5, 2], [[0.5], [2]], whole):
        assert task.own_example(value, 20).inputs.tolist() == whole
    with pytest.raises(ValueError, match="channels"):
        task.own_example([[1, 2, 3, 4]], 20)


def test_machines_fit_or_say_why_not(reversed_words):
    others = {"nram", "soft-gate-nram", "npi", "npi-ram"}
    for name in ["lstm", *(name for name in MACHINES if name not in others)]:
        assert isinstance(on_sequences(name, reversed_words).task, OwnSequences)
    for name in others:
        with pytest.raises(SoftmachineError, match=f"^{name} "):
            on_sequences(name, reversed_words)
