"""Examples that somebody brings: what is understood, what is refused, and with which words."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from softmachine.core.errors import ExamplesError
from softmachine.tasks.memories.examples import MOST_CELLS, parse_examples, read_examples
from softmachine.tasks.memories.remedies import remedy

CELLS = st.lists(st.integers(0, 20), min_size=1, max_size=6)


def line(**fields):
    return json.dumps({"input": [1, 2, 0], "output": [2, 3, 0]} | fields)


def test_what_a_line_leaves_out_has_a_default():
    [example] = parse_examples(line())
    assert example.scored == (True, True, True)
    assert (example.size, example.cells_needed, example.line) == (3, 4, 1)


def test_the_memory_needed_counts_cells_and_values_that_matter():
    full, masked = parse_examples(
        line(output=[2, 3, 9]) + "\n" + line(input=[1, 1, 0], output=[2, 3, 9], mask=[1, 1, 0])
    )
    assert (full.cells_needed, masked.cells_needed) == (10, 4)


def test_blank_lines_and_repetitions_are_left_out():
    text = "\n".join([line(), "", line(), line(size=7), " ", line(input=[3, 3, 0])])
    assert [example.line for example in parse_examples(text)] == [1, 4, 6]


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, st.integers(1, 50)), min_size=1, max_size=5))
def test_examples_survive_being_written(drawn):
    lines = [
        json.dumps({"input": cells, "output": [c + 1 for c in cells], "size": size})
        for cells, size in drawn
    ]
    examples = parse_examples("\n".join(lines))
    again = parse_examples("\n".join(example.to_json() for example in examples))
    strip = [(x.before, x.after, x.scored, x.size) for x in examples]
    assert strip == [(x.before, x.after, x.scored, x.size) for x in again]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{", "not JSON: .* at column 2"),
        ("[1, 2]", r"expected an object with input and output, not \[1, 2\]"),
        ('{"input": [1]}', "the key 'output' is missing"),
        (line(otput=[1]), "unknown key 'otput'; the keys are input, output, mask, size"),
        ('{"input": [1], "input": [1], "output": [1]}', "a key is repeated"),
        (line(output=[1, 2]), "ragged: input has 3 cells, output has 2"),
        (line(mask=[1]), "ragged: input has 3 cells, mask has 1"),
        (line(input=[1, -2, 0]), r"input\[1\] is negative: -2"),
        (line(output=[1, 2.0, 0]), r"output\[1\] must be an integer, not 2.0"),
        (line(input=[1, True, 0]), r"input\[1\] must be an integer, not True"),
        (line(input=[1, "2", 0]), r"input\[1\] must be an integer, not '2'"),
        (line(input=7), "input must be an array of integers, not 7"),
        (line(input=[], output=[]), "input is empty"),
        (line(mask=[1, 2, 0]), "mask must hold only 0 and 1"),
        (line(mask=[0, 0, 0]), "mask scores no cell"),
        (line(size=0), r"size must be an integer in 1\.\.4096, not 0"),
        (line(size=2.5), r"size must be an integer in 1\.\.4096, not 2.5"),
        (line(input=[1, MOST_CELLS, 0]), "too big: it needs a memory of 4097 cells"),
        (line(input=[10**30, 2, 0]), "too big: it needs .* more than 18 digits"),
        ('{"input": [NaN], "output": [1]}', "NaN is not a number"),
        ("[" * 100_000, "nested too deep|not JSON"),
        ('{"input": [' + "9" * 5000 + '], "output": [1]}', "huge: a number has thousands"),
    ],
)
def test_malformed_lines_are_refused_with_their_number(bad, words):
    with pytest.raises(ExamplesError, match=f"^line 3: .*({words})"):
        parse_examples(f"{line()}\n\n{bad}\n{line(size=5)}")


def test_contradictions_name_both_lines_and_the_cell():
    text = line() + "\n" + line(output=[2, 4, 0])
    with pytest.raises(
        ExamplesError, match=r"line 2: contradicts line 1: .* cell 1 .* is 4 here and 3 there"
    ):
        parse_examples(text)
    # Zeros at the end of a memory make no other memory.
    with pytest.raises(ExamplesError, match="line 2: contradicts line 1"):
        parse_examples(line() + "\n" + line(input=[1, 2], output=[2, 4]))
    parse_examples(line() + "\n" + line(output=[2, 4, 0], mask=[1, 0, 1]))


@pytest.mark.parametrize("other", ["mask", "size"])
def test_many_lines_of_one_input_are_compared_with_what_is_told_of_it(other):
    """Not each with all before: 4,096 took more than 20 seconds."""
    bits = range(12)
    masks = [[1, *((i >> bit) & 1 for bit in bits)] for i in range(4096)]
    cells = [1, *[2] * 12]
    told = [
        json.dumps(
            {"input": cells, "output": cells, other: masks[i] if other == "mask" else i + 1}
        )
        for i in range(4096)
    ]
    assert len(parse_examples("\n".join(told))) == 4096
    last = json.dumps({"input": cells, "output": [*cells[:-1], 3]})
    with pytest.raises(ExamplesError, match=r"line 4097: contradicts line \d+: .* cell 12"):
        parse_examples("\n".join([*told, last]))


# --- files as people have them --------------------------------------------------------------

NATURAL = {
    "one answer of a list": (
        {"input": [2, 5, 7, 8], "output": [7]},
        {"input": [1, 2, 5, 7, 8, 0], "output": [7, 2, 5, 7, 8, 0], "size": 4},
        [1, 0, 0, 0, 0, 0],
    ),
    "a number as answer": (
        {"input": [2, 5, 7], "output": 14},
        {"input": [1, 2, 5, 7, 0], "output": [14, 2, 5, 7, 0], "size": 3},
        [1, 0, 0, 0, 0],
    ),
    "below 0": (
        {"input": [3, -1, 5], "output": [3, 0, 5]},
        {"input": [5, 1, 7, 0], "output": [5, 2, 7, 0], "size": 3},
        [1, 1, 1, 0],
    ),
    "two inputs": (
        {"input1": [3, 8, 5], "input2": 2, "output1": 5},
        {"input": [2, 3, 8, 5, 0], "output": [5, 3, 8, 5, 0], "size": 3},
        [1, 0, 0, 0, 0],
    ),
    "some of a list": (
        {"input": [4, 7, 2, 9], "output": [4, 2]},
        {"input": [4, 7, 2, 9, 0], "output": [4, 2, 0, 9, 0], "size": 4},
        [1, 1, 1, 0, 0],
    ),
    "letters": (
        {"input": ["a", "b", "c"], "output": ["c", "b", "a"]},
        {"input": [1, 2, 3, 0], "output": [3, 2, 1, 0], "size": 3},
        [1, 1, 1, 0],
    ),
    "a list problem": (
        {"concept": "third", "examples": [{"i": [2, 5, 7, 8], "o": [7]}, {"i": [], "o": []}]},
        {"input": [1, 2, 5, 7, 8, 0], "output": [7, 2, 5, 7, 8, 0], "size": 4},
        [1, 0, 0, 0, 0, 0],
    ),
    "more than went in": (
        {"input": [2, 3], "output": [2, 3, 2, 3, 2]},
        {"input": [2, 3, 0, 0, 0], "output": [2, 3, 2, 3, 2], "size": 2},
        [1, 1, 1, 1, 1],
    ),
}


@pytest.mark.parametrize(("said", "proposed", "mask"), NATURAL.values(), ids=NATURAL)
def test_a_refusal_shows_the_line_as_it_could_be_written(said, proposed, mask):
    with pytest.raises(ExamplesError) as caught:
        parse_examples(json.dumps(said))
    message = str(caught.value)
    assert "\n" not in message
    found = message[message.index('{"input"') :]
    assert json.JSONDecoder().raw_decode(found)[0] == proposed | {"mask": mask}
    [example] = parse_examples(json.dumps(proposed | {"mask": mask}))
    assert example.size == proposed["size"]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_json_value_over_all_lines_is_told_to_be_that(indent):
    pair = {"input": [3, 1, 2], "output": [2, 1, 3]}
    with pytest.raises(ExamplesError) as caught:
        parse_examples(json.dumps([pair, pair], indent=indent))
    assert str(caught.value).startswith("line 1: ")
    if indent:
        assert "one object a line, without commas" in str(caught.value)
        assert '{"input":[3,1,2],"output":[2,1,3],"mask":[1,1,1],"size":3}' in str(caught.value)


SHAPES = st.one_of(
    st.integers(-3, 9),
    st.lists(st.integers(-3, 9), max_size=5),
    st.lists(st.text(max_size=2), max_size=4),
    st.lists(st.one_of(st.none(), st.floats(), st.booleans()), max_size=3),
    st.text(max_size=3),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["input", "a", "b", "output", "y", "o"]), SHAPES))
def test_what_a_refusal_proposes_can_be_read(said):
    text, _ = json.JSONDecoder().raw_decode(remedy(said))
    [example] = parse_examples(json.dumps(text))
    assert example.cells_needed <= MOST_CELLS


@pytest.mark.parametrize("content", [b"", b"\n \n\n"])
def test_without_examples_there_is_nothing_to_do(tmp_path, content):
    path = tmp_path / "examples.jsonl"
    path.write_bytes(content)
    with pytest.raises(ExamplesError, match=r"examples.jsonl, line 1: there are no examples"):
        read_examples(path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ExamplesError, match="cannot be read: No such file"):
        read_examples(tmp_path / "missing.jsonl")
    path = tmp_path / "bytes.jsonl"
    path.write_bytes(line().encode() + b"\n\xff\xfe\n")
    with pytest.raises(ExamplesError, match="line 2: not UTF-8"):
        read_examples(path)
