"""The figures of Santoro et al. 2016, and where they stand beside ours."""

import pytest

from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.omniglot import Omniglot

CHARACTERS = Omniglot(path="nowhere")


def published(task):
    """Return the paper's percentages by name of test and kind of machine."""
    return {
        test.name: {kind: round(100 * x.value, 6) for kind, x in test.published.items()}
        for test in task.published_tests()
    }


def test_figures_of_five_classes_stand_beside_moved_images_alone():
    tests = published(Episodes(source=CHARACTERS))
    assert len(tests) == 12
    assert tests["5 classes, instance 2"] == {"ff": 19.6, "lstm": 49.5, "mann-lstm": 82.8}
    assert tests["5 classes, instance 10"]["mann-lstm"] == 98.1
    assert tests["5 classes, instance 2, images as drawn"] == {}


def test_figures_of_words():
    tests = published(Episodes(source=CHARACTERS, labels="words"))
    assert len(tests) == 24
    assert tests["5 classes, instance 5"]["mann-ff"] == 30.9
    assert tests["15 classes, instance 3"]["ntm-lstm"] == 61.2
    assert tests["15 classes, instance 10"]["mann-lstm"] == 95.3


@pytest.mark.parametrize("labels", ["one-hot", "words"])
def test_tests_show_classes_that_training_never_shows(labels):
    task = Episodes(source=CHARACTERS, labels=labels, distort=0.1)
    for test in task.published_tests():
        assert test.task.part == "test"
        assert (test.task.distort, test.task.quarter_turns) == (0, False)
        assert (test.task.turn > 0) == (test.task.shift > 0) == ("as drawn" not in test.name)
        assert test.metric in test.task.shares
        assert test.size <= test.task.largest


@pytest.mark.parametrize(
    "changes",
    [
        {"source": Glyphs()},
        {"source": Omniglot(path="nowhere", split="official")},
        {"exact": True},
        {"per_class": 4},
        {"shift": 0.0},
        {"names": 20},
    ],
    ids=str,
)
def test_figures_are_of_what_the_paper_asks_alone(changes):
    tests = published(Episodes(**({"source": CHARACTERS} | changes)))
    assert len(tests) == 12
    assert not any(tests.values())


def test_what_training_alone_has_changes_no_figure():
    assert published(Episodes(source=CHARACTERS, distort=0.2, quarter_turns=False)) == (
        published(Episodes(source=CHARACTERS))
    )


def test_another_protocol_has_no_figures():
    assert Episodes(source=CHARACTERS, shots=1).published_tests() == []
