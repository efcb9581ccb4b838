"""bAbI: stories and questions from files in its format; those here are the tests' own."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import ExamplesError
from softmachine.core.specs.spec import mean
from softmachine.tasks.languages.babi import BAbI
from softmachine.tasks.languages.babi_files import read_task

FOLDER = str(Path(__file__).parent / "babi")
TASK = BAbI(path=FOLDER, tasks=(1, 8), vocabulary=24)

STORY = """1 Ada took the apple.
2 Ada took the bell.
3 What does Ada carry?\tapple,bell\t1 2
4 Ben went to the yard.
5 Where is Ben? \tyard\t4
6 Nobody asks about this.
1 Cleo went home.
"""


def folder_with(tmp_path, text, name="qa3_new_train.txt"):
    (tmp_path / name).write_text(text)
    return str(tmp_path)


def test_stories_are_read_word_by_word(tmp_path):
    """Blanks for each word of an answer; what nobody asks about is left out."""
    (story,) = read_task(folder_with(tmp_path, STORY), 3, "train")
    assert " ".join(story.words) == (
        "ada took the apple . ada took the bell . what does ada carry ? - - "
        "ben went to the yard . where is ben ? -"
    )
    said = [(i, word) for i, word in enumerate(story.answers) if word]
    assert said == [(15, "apple"), (16, "bell"), (27, "yard")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1 Ada ran.\nAda ran.",
            r"qa3_new_train.txt, line 2 should be a number and a sentence",
        ),
        ("1 Ada ran.\n3 Ada ran.", r"line 2 has number 3; 2 goes on, 1 begins a new story"),
        ("2 Ada ran.", "line 1 has number 2; 1 goes on"),
        ("1 Where is Ada?", "line 1 should be a sentence, or a question with a tab"),
        ("1 Ada ran.\tyard\t1", "line 1 should be a sentence, or a question with a tab"),
        ("1 Where is Ada?\t\t1", "line 1 should have one answer behind a tab"),
        ("1 Where is Ada?\tin the yard\t1", "line 1 should have one answer behind a tab"),
        ("1 Where is Ada?\tyard\t1\t2", "line 1 should have one answer behind a tab"),
        ("1 Ada ran - far.", "line 1 has a '-', which stands for answers"),
        ("1 Ada ran; far.", "line 1: 'ran;' is no word"),
        ("1 Ada ran.", "qa3_new_train.txt has no story with a question"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(ExamplesError, match=message):
        read_task(folder_with(tmp_path, text), 3, "train")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ExamplesError, match=r"none is no folder. bAbI does not come with the .*"
                       r"get tasks_1-20_v1-2.tar.gz"):  # fmt: skip
        BAbI(path=str(tmp_path / "none")).data()
    with pytest.raises(ExamplesError, match="~of-nobody is no folder"):
        BAbI(path="~of-nobody").data()
    with pytest.raises(ExamplesError, match=r"has no qa9_..._train.txt. bAbI does not come"):
        BAbI(path=FOLDER, tasks=(9,)).data()
    (tmp_path / "en-10k").mkdir()
    folder_with(tmp_path / "en-10k", STORY)
    with pytest.raises(ExamplesError, match="folders that may: en-10k; give one of them"):
        BAbI(path=str(tmp_path)).data()
    folder_with(tmp_path, STORY), folder_with(tmp_path, STORY, "qa3_old_train.txt")
    with pytest.raises(
        ExamplesError, match=r"several files of task 3: qa3_new_train.txt, qa3_o"
    ):
        read_task(str(tmp_path), 3, "train")


def test_too_many_words_and_too_few_stories(tmp_path):
    with pytest.raises(ExamplesError, match="have 21 words: a vocabulary of 20 is too small"):
        BAbI(path=FOLDER, tasks=(1, 8), vocabulary=20).data()
    for part in ("train", "test"):
        folder_with(tmp_path, STORY, f"qa3_few_{part}.txt")
    few = BAbI(path=str(tmp_path), tasks=(3,), most_words=27)
    with pytest.raises(
        ExamplesError, match=r"task 3 for training, .* a story of at most 27 words"
    ):
        few.data()
    with pytest.raises(ExamplesError, match="not have 10 stories, of which one is for valid"):
        few.held_out().data()
    with pytest.raises(ValueError, match="must be numbers, each once"):
        BAbI(tasks=(1, 1))


def test_parts_are_of_different_stories():
    """Of 20 stories for training each tenth is for validation; those for tests are others."""
    parts = [TASK, TASK.held_out(), TASK.held_out(larger=True)]
    assert [part.data().counts.tolist() for part in parts] == [[18, 18], [2, 2], [4, 4]]
    validation = read_task(FOLDER, 8, "train")[9]
    known = TASK.input_labels
    words, length = parts[1].data().words, parts[1].data().lengths
    begin = int(length[:2].sum())
    read = [known[i] for i in words[begin : begin + int(length[2])]]
    assert tuple(read) == validation.words


def examples(task, size, count=40):
    return [
        jax.jit(lambda key: task.sample(key, size, max_size=2))(jax.random.key(i))
        for i in range(count)
    ]


def text_of(task, example):
    known = task.input_labels
    steps = int(example.steps)
    return tuple(known[i] for i in np.asarray(example.inputs)[:steps].argmax(axis=1))


def test_a_size_is_a_task_and_all_its_stories_are_drawn():
    assert TASK.test_sizes == [1, 2]
    for size, number in ((1, 1), (2, 8)):
        task = TASK.held_out(larger=True)
        drawn = {text_of(task, example) for example in examples(task, size)}
        assert drawn == {story.words for story in read_task(FOLDER, number, "test")}


def test_answers_are_due_at_blanks_and_nothing_is_in_the_padding():
    (example, *_) = examples(TASK, 2)
    steps, known = int(example.steps), TASK.input_labels
    blanks = np.array([word == "-" for word in text_of(TASK, example)])
    np.testing.assert_array_equal(np.asarray(example.mask)[:steps] > 0, blanks)
    assert not example.mask[steps:].any()
    assert not example.inputs[steps:].any()
    assert known[:3] == ["-", ".", "?"]
    assert known[21:] == ["unused 1", "unused 2", "unused 3"]


def test_a_question_is_right_if_all_words_of_its_answer_are(tmp_path):
    for part in ("train", "test"):
        folder_with(tmp_path, STORY, f"qa3_new_{part}.txt")
    task = BAbI(path=str(tmp_path), tasks=(3,), vocabulary=22, part="test")
    example = task.sample(jax.random.key(0), 1, max_size=1)
    right = jax.nn.one_hot(example.targets, task.output_size)

    def score(outputs):
        metrics = task.metrics(outputs, example)
        return [float(mean(metrics[name])) for name in ("questions", "accuracy")]

    assert score(right) == [1, 1]
    wrong = right.at[15].set(jnp.roll(right[15], 1))  # the first of two words
    assert score(wrong) == pytest.approx([1 / 2, 2 / 3])
    assert task.render(example, wrong).splitlines()[2:] == [
        "what does ada carry ? -bell (apple) -bell",
        "ben went to the yard .",
        "where is ben ? -yard",
    ]
    assert task.render(example).splitlines()[2] == "what does ada carry ? -apple -bell"


def test_a_story_of_your_own():
    example = TASK.own_example("Ben went to the shed. Where is Ben? -", 20)
    assert TASK.render(example, jnp.zeros((20, 24))).splitlines() == [
        "ben went to the shed .",
        "where is ben ? --",
    ]
    with pytest.raises(ValueError, match="must be words of bAbI; it has dan garage"):
        TASK.own_example("Dan went to the garage.", 20)
    with pytest.raises(ValueError, match="must have 1 to 5 words, not 6"):
        TASK.own_example("Ben went to the shed.", 5)
