"""Files as people have them: which pairs they hold, and what is refused, by line."""

import json
import re
import textwrap

import pytest

from softmachine.core.errors import ExamplesError
from softmachine.synthesis.reading import (
    _document,
    holds_memories,
    pairs_in,
    parse_csv,
    read_pairs,
)
from softmachine.synthesis.taking import take
from softmachine.tasks.memories.examples import parse_examples


def lines(*values):
    return "\n".join(map(json.dumps, values))


FORMS = {
    "several arguments": (
        lines({"inputs": [[3, 1, 2], 5], "output": [1, 2, 3]}),
        "def program(items: list[int], k: int) -> list[int]",
        (([3, 1, 2], 5), [1, 2, 3]),
    ),
    "one list": (
        lines({"input": [2, 5], "output": 7}),
        "def program(items: list[int]) -> int",
        (([2, 5],), 7),
    ),
    "one list under the key of several": (
        lines({"inputs": [2, 5], "output": 7}, {"inputs": [1], "output": 1}),
        "def program(items: list[int]) -> int",
        (([2, 5],), 7),
    ),
    "two numbers": (
        lines({"inputs": [2, 5], "output": 7}, {"inputs": [1, 3], "output": 4}),
        "def program(n: int, m: int) -> int",
        ((2, 5), 7),
    ),
    "numbered keys": (
        lines({"input1": [3, 8, 5], "input2": 2, "output1": 5}),
        "def program(items: list[int], k: int) -> int",
        (([3, 8, 5], 2), 5),
    ),
    "names of one's own": (
        lines({"prices": [3, 8], "most": 5, "answer": [3]}),
        "def program(prices: list[int], most: int) -> list[int]",
        (([3, 8], 5), [3]),
    ),
    "named inside": (
        lines({"input": {"a": [1], "b": [2]}, "output": [1, 2], "id": 7}),
        "def program(a: list[int], b: list[int]) -> list[int]",
        (([1], [2]), [1, 2]),
    ),
    "letters": (
        lines({"x": ["a", "b"], "y": "b"}),
        "def program(items: list[str]) -> str",
        ((["a", "b"],), "b"),
    ),
    "texts": (
        lines({"input": "abc", "output": "cba"}),
        "def program(text: str) -> str",
        (("abc",), "cba"),
    ),
    "truth values": (
        lines({"i": [1, 2], "o": True}),
        "def program(items: list[int]) -> bool",
        (([1, 2],), True),
    ),
    "pairs": (
        lines([[3, 1], [1, 3]], [[2], [2]]),
        "def program(items: list[int]) -> list[int]",
        (([3, 1],), [1, 3]),
    ),
    "one array": (
        json.dumps([{"input": [3, 1], "output": 4}, {"input": [], "output": 0}], indent=2),
        "def program(items: list[int]) -> int",
        (([3, 1],), 4),
    ),
    "a problem with its examples": (
        json.dumps({"concept": "third", "examples": [{"i": [2, 5, 7], "o": [7]}]}),
        "def program(items: list[int]) -> list[int]",
        (([2, 5, 7],), [7]),
    ),
    "rows of a picture": (
        json.dumps({"train": [{"input": [[0, 1]], "output": [[1, 0]]}], "test": []}),
        None,
        None,
    ),
}


@pytest.mark.parametrize(("text", "signature", "first"), FORMS.values(), ids=FORMS)
def test_forms_of_json(text, signature, first):
    if signature is None:  # lists in lists are told how to be written
        with pytest.raises(ExamplesError, match=r"line 1: .*list inside a list"):
            pairs_in(text)
        return
    assert not holds_memories(text)
    given = pairs_in(text)
    assert given.signature == signature
    assert (given.pairs[0].inputs, given.pairs[0].output) == first


def test_lines_of_a_document_are_where_examples_begin():
    text = json.dumps([{"i": [n], "o": n} for n in range(3)], indent=1)
    begins = [i for i, line in enumerate(text.split("\n"), 1) if line.strip() == "{"]
    assert [pair.line for pair in pairs_in(text).pairs] == begins


THREE = [{"i": [n], "o": n} for n in range(3)]
SHARED_LINES = {
    "one line": json.dumps(THREE),
    "inside a problem": json.dumps({"concept": "it", "examples": THREE}),
    "two on a line": "[{},\n {}, {}]".format(*map(json.dumps, THREE)),
}


@pytest.mark.parametrize("text", SHARED_LINES.values(), ids=SHARED_LINES)
def test_where_a_line_holds_several_examples_are_counted(text):
    given = pairs_in(text)
    assert given.unit == "example"
    assert [(pair.line, pair.output) for pair in given.pairs] == [(1, 0), (2, 1), (3, 2)]
    again = pairs_in(text.replace(json.dumps(THREE[2]), json.dumps(THREE[0])))
    assert again.repeated == (3,)
    for bad, words in (
        ({"i": [0], "o": 7}, "^example 3: contradicts example 1: "),
        ({"i": [1.5], "o": 7}, "^example 3: .*floats cannot be said"),
        ({"i": "a", "o": 7}, "^example 3: mixed types: .* in example 1"),
        ({"i": [2]}, "^example 3: there is no output"),
        (5, "^example 3: expected an object"),
    ):
        with pytest.raises(ExamplesError, match=words):
            pairs_in(text.replace(json.dumps(THREE[2]), json.dumps(bad)))


def test_behind_what_is_no_object_lines_are_still_those_of_the_file():
    found = _document('[\n5,\n{"i": [2], "o": 2},\n\n{"i": [3], "o": 3}\n]')
    assert [record.line for record in found] == [1, 3, 5]


@pytest.mark.parametrize(
    ("text", "signature", "first"),
    [
        (
            "items,k,output\n3 1 2,5,1 2 3\n4,1,4\n",
            "(items: list[int], k: int) -> list[int]",
            (([3, 1, 2], 5), [1, 2, 3]),
        ),
        ('"3,1",4\n"2,2",4\n', "(items: list[int]) -> int", (([3, 1],), 4)),
        ("[3, 1];4\n[2, 2];4\n", "(items: list[int]) -> int", (([3, 1],), 4)),
        ("total,a,b\n5,2,3\n9,4,5\n", "(total: int, a: int) -> int", ((5, 2), 3)),
        ("result,a,b\n5,2,3\n9,4,5\n", "(a: int, b: int) -> int", ((2, 3), 5)),
        ("text,output\nabc,c\nde,e\n", "(text: str) -> str", (("abc",), "c")),
        ("a\tb\n1\t2\n3\t4\n", "(a: int) -> int", ((1,), 2)),
        (
            "1st,price (EUR),output\n1,2,3\n3,4,7\n",
            "(n: int, price_eur: int) -> int",
            ((1, 2), 3),
        ),
        ("x,y,output\n1,2,3\n3,4,7\n", "(n: int, y: int) -> int", ((1, 2), 3)),
        ("numbers,output\n,0\n4,4\n1 2,3\n", "(numbers: list[int]) -> int", (([],), 0)),
    ],
)
def test_tables(text, signature, first):
    given = parse_csv(text)
    assert given.signature == f"def program{signature}"
    assert (given.pairs[0].inputs, given.pairs[0].output) == first


@pytest.mark.parametrize(
    ("text", "inputs", "line"),
    [
        ("items,k,output\n3 1 2,5,1\n4,2,4\n", ([7, 8], 2), '"[7, 8]",2,?'),
        ("answer;text;n\na;ab;1\nc;c;2\n", ("x;y", 3), '?;"x;y";3'),
        ("1\t2\t3\n4\t5\t9\n", (6, 7), "6\t7\t?"),
    ],
)
def test_a_table_is_asked_for_one_more_row(text, inputs, line):
    assert parse_csv(text).line_of(inputs) == line
    answer = "z" if "answer" in text else "4"
    more = parse_csv(f"{text}{line.replace('?', answer)}\n")
    assert more.pairs[-1].inputs == inputs


def test_what_an_earlier_line_says_counts_once():
    given = pairs_in(lines(*[{"i": [1], "o": 1}, {"i": [2], "o": 2}, {"i": [1], "o": 1}]))
    assert ([pair.line for pair in given.pairs], given.repeated) == ([1, 2], (3,))


GOOD = {"input": [1, 2], "output": [2, 1]}
BAD = {
    "no JSON": ("{", "line 2: not JSON: .* at column 2"),
    "no output": ('{"input": [1]}', "line 2: there is no output; its keys are 'input'"),
    "no input": ('{"output": [1]}', "line 2: there is an output, and no input"),
    "two outputs": ('{"input": [1], "output": 1, "y": 2}', "line 2: .* one answer"),
    "a float": ('{"input": [1.5], "output": [1]}', r"line 2: .*\[0\] is 1.5: floats cannot be"),
    "null": ('{"input": [null], "output": [1]}', "line 2: .* is null"),
    "NaN": ('{"input": [NaN], "output": [1]}', "line 2: NaN is not a number"),
    "nested": ('{"input": [1, [2]], "output": [1]}', "line 2: "),
    "a huge number": (
        '{"input": [%s], "output": [1]}' % ("9" * 30),
        "line 2: huge: .* has 30 digits; numbers go up to 2..40",
    ),
    "mixed in a list": (
        '{"input": [1, "a"], "output": [1]}',
        "line 2: mixed types: .* is a text",
    ),
    "mixed in lines": (
        '{"input": 3, "output": [1]}',
        "line 2: mixed types: the input is a number here and a list of numbers in line 1",
    ),
    "words": ('{"input": ["ab"], "output": ["ab"]}', "line 2: .* single letters only"),
    "contradictory": (
        '{"input": [1, 2], "output": [1, 2]}',
        r"line 2: contradicts line 1: for \[1, 2\] the answer is \[1, 2\] here and \[2, 1\]",
    ),
    "other arguments": ('{"inputs": [[1], 2], "output": [1]}', "line 2: "),
    "a list": ("[1, 2, 3]", "line 2: expected an input and an output, not 3 values"),
    "a list in lists in lists": (
        '{"input": %s, "output": 1}' % ("[" * 900 + "1" + "]" * 900),
        r"line 2: the input\[0\] is a list inside a list",
    ),
    "half a letter": ('{"input": ["\\ud800"], "output": 1}', r"line 2: .*\\ud800.* half of a"),
    "thousands of digits": (
        '{"input": [1%s], "output": 1}' % ("0" * 5_000),
        "line 2: huge: a number has thousands of digits$",
    ),
    "a key twice": ('{"input": [1], "input": [2], "output": 1}', "line 2: a key is repeated"),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD)
def test_malformed_lines_are_refused_with_their_number(tmp_path, bad, words):
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{lines(GOOD)}\n{bad}\n{lines({'input': [5], 'output': [5]})}")
    with pytest.raises(ExamplesError, match=words) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}, line ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3\n", "line 3: ragged: it has 1 columns, line 1 has 2"),
        ("a,b\n1,2\n1,3\n", "line 3|contradicts"),
        ("a,b\n1,2\n1.5,3\n", "line 3: a is 1.5: floats"),
        ("a,b\n1,2\nx,3\n", "line 3: mixed types: a is a text here and a number in line 2"),
        ("1\n2\n", "line 1: one column"),
        ("", "line 1: there are no examples"),
        (f"a,b\n1,{'9' * 40}\n", "line 2: huge"),
        (f"a,b\n1,{'9' * 5_000}\n", "line 2: huge: .* thousands of digits"),
        ("a,output\n", "line 1: names of columns, and no examples"),
        ("a,a,output\n1,2,3\n", "line 1: two columns are called 'a'"),
        ("a,output,result\n1,2,3\n", "line 1: 'output' and 'result' are both outputs"),
        ("a,b,output\n1,2,3\n1,,3\n4,5,9\n", "line 3: the cell of b is empty"),
    ],
)
def test_malformed_tables_are_refused_with_their_line(text, words):
    with pytest.raises(ExamplesError, match=words):
        parse_csv(text)


def test_memories_are_told_from_functions():
    plain = lines({"input": [3, 1], "output": [1, 3]}, {"input": [2], "output": [2]})
    ended = lines(
        {"input": [3, 1, 0], "output": [1, 3, 0]}, {"input": [2, 0], "output": [2, 0]}
    )
    masked = lines({"input": [3, 1], "output": [1, 3], "mask": [1, 0]})
    sized = lines({"input": [3, 1], "output": [1, 3], "size": 2})
    texts = (plain, ended, masked, sized)
    assert [holds_memories(text) for text in texts] == [False, True, True, True]
    argument = lines({"items": [3, 1], "size": 1, "output": [3]})
    assert not holds_memories(argument)
    assert pairs_in(argument).names == ("items", "size")


@pytest.mark.parametrize("between", [",", ",\n"])
def test_an_array_of_memories_is_not_taken_for_a_function(between):
    """Its mask would count for nothing: what it is told is how to write it as lines."""
    examples = [
        {"input": [3, 1], "output": [1, 3], "mask": [1, 0]},
        {"input": [2], "output": [2]},
    ]
    text = f"[{between.join(map(json.dumps, examples))}]"
    assert holds_memories(text)
    with pytest.raises(ExamplesError, match=r"jq -c \.\[\] FILE"):
        parse_examples(text)
    assert not holds_memories(text.replace(', "mask": [1, 0]', ""))


def test_from_python():
    given = take([(([3, 1], 2), [3, 1]), (([4], 1), [4])])
    assert given.signature == "def program(items: list[int], k: int) -> list[int]"
    assert take([{"inputs": [[1], 2], "output": 3}]).kinds == ("list[int]", "int")
    listed = take([([1, 2], (2, 1)), (((1, 2),), [2, 1]), ([3], (3,))])
    assert [(pair.inputs, pair.output) for pair in listed.pairs] == [
        (([1, 2],), [2, 1]),
        (([3],), [3]),
    ]

    def clip(values, most):
        """Make none larger.

        >>> clip([3, 1, 4], 2)
        [2, 1, 2]
        >>> clip(most=1, values=[5])
        [1]
        """
        return [min(value, most) for value in values]

    found = take(clip)
    assert found.signature == "def program(values: list[int], most: int) -> list[int]"
    assert [pair.inputs for pair in found.pairs] == [([3, 1, 4], 2), ([5], 1)]


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([([1], 1), 3], "example 2: expected a pair"),
        (5, "not int"),
        ([], "example 1: there are no examples"),
        (len, "len has no examples in its docstring"),
        ([([1], 1.5), ([2], 2.5)], "1: the answer is 1.5: floats"),
    ],
)
def test_what_python_gives_is_checked_too(examples, words):
    with pytest.raises(ExamplesError, match=re.escape(words)):
        take(examples)


def test_names_that_programs_need_are_not_arguments():
    text = textwrap.dedent('{"memory": [1], "range": 2, "class": 3, "output": 1}')
    assert pairs_in(text).names == ("items", "k", "m")


def test_letters_are_arguments_where_there_are_others():
    text = lines({"x": [1, 2], "n": 3, "output": 2}, {"x": [4], "n": 1, "output": 4})
    assert pairs_in(text).pairs[0].inputs == ([1, 2], 3)
    both = pairs_in(lines({"x": 1, "y": 2, "output": 3}))
    assert (both.pairs[0].inputs, both.pairs[0].output, both.remarks) == ((1, 2), 3, ())


def test_a_function_has_arguments_but_not_any_number():
    many = {f"input{i}": i for i in range(20)}
    assert len(set(pairs_in(lines(many | {"output": 1})).names)) == 20
    for line in (many | {"input20": 20}, {"inputs": []}, {"input": {}}):
        with pytest.raises(ExamplesError, match=r"^line 1: .*(1 to 20|no input)"):
            pairs_in(lines(line | {"output": 1}))
