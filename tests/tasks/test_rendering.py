"""Rendered examples, word for word, from examples written by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.rendering import Rows, render_rows
from softmachine.tasks.sequences.associative_recall import AssociativeRecall
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.sequences.ngrams import NGrams
from softmachine.tasks.sequences.priority_sort import PrioritySort
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.tasks.task import Example


def channels(*rows):
    """Return rows of digits (a dot is a 0) or of numbers as an array (steps, channels)."""
    values = [list(row.replace(".", "0")) if isinstance(row, str) else row for row in rows]
    return jnp.asarray(np.array(values, np.float32).T)


def example_of(inputs, targets, scored):
    mask = jnp.broadcast_to(channels(scored), targets.shape)
    steps = len(scored.rstrip("."))
    return Example(inputs=inputs, targets=targets, mask=mask, steps=jnp.asarray(steps))


EXAMPLES = {
    "copy": (
        Copy(width=2),
        example_of(
            channels("01.....", "11.....", "..1...."),
            channels("...01..", "...11.."),
            "...11..",
        ),
        channels("1110111", "1111011"),
        """\
input   01...
        11...
delim   ..#..
target  ...01
        ...11
output  ...01
        ...1x""",
    ),
    "ten repeats": (
        RepeatCopy(width=2),
        example_of(
            channels(
                "0.............", "1.............", ".1............", [0, 0, 1.57] + [0] * 11
            ),
            channels("..............", "...1111111111.", ".............1"),
            "...11111111111",
        ),
        channels("....1.........", "...1111111111.", "............1."),
        """\
input   0.............
        1.............
delim   .#............
R = 10  ..#...........
target  ...00000000000
        ...11111111110
output  ...0x000000000
        ...11111111110
end     ...00000000001
output  ...000000000xx""",
    ),
    "associative recall": (
        AssociativeRecall(width=2, item_length=1),
        example_of(
            channels(".0.1.1..", ".1.1.1..", "1.1.....", "....1.1."),
            channels(".......1", ".......1"),
            ".......1",
        ),
        channels(".......1", "........"),
        """\
input   .0.1.1..
        .1.1.1..
item    #.#.....
query   ....#.#.
target  .......1
        .......1
output  .......1
        .......x""",
    ),
    "n-grams": (
        NGrams(context=2),
        example_of(channels(".0110.."), channels("01101.."), "11111.."),
        channels("11101.."),
        """\
input   .0110
target  01101
output  x1101""",
    ),
    "priority sort": (
        PrioritySort(width=2, surplus=(1, 1)),
        example_of(
            channels("101...", "011...", [-0.5, 0.25, 0, 0, 0, 0], "...1.."),
            channels("....01", "....11"),
            "....11",
        ),
        channels("....11", "....11"),
        """\
input   101...
        011...
rank    312...
delim   ...#..
target  ....01
        ....11
output  ....x1
        ....11""",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_wrong_output_bits_are_marked(name):
    """Outputs at steps that are not scored, or past the end, do not show."""
    task, example, decided, text = EXAMPLES[name]
    assert task.render(example, 2 * decided - 1) == text


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_outputs_only_their_rows_are_missing(name):
    task, example, _, text = EXAMPLES[name]
    lines, is_output = [], False
    for line in text.splitlines():
        is_output = line.startswith("output") or (is_output and line.startswith(" "))
        if not is_output:
            lines.append(line)
    assert task.render(example) == "\n".join(lines)


def test_rows_name_their_first_channel():
    values, shown = np.array([[1, 2], [3, 4], [5, 6]]), [True, False, True]
    wrong = values == 6
    text = render_rows(
        [Rows("some", values, shown, wrong), Rows("mark", values, shown, marker="#")]
    )
    assert text.splitlines() == ["some    1.5", "        2.x", "mark    #.#", "        #.#"]
