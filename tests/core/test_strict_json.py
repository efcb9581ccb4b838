"""JSON as all of the project reads it: what Python would let pass is refused."""

import json

import pytest

from softmachine.core.files import parse_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "a key is repeated"),
        ('[{"b": {"a": 1, "a": 2}}]', "a key is repeated"),
        ("[NaN]", "NaN is not a number"),
        ("[1, -Infinity]", "-Infinity is not a number"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_strict_json_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse_json(text)


def test_a_mistake_is_told_with_its_place():
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_json('{"a": 1,\n "b" 2}')
    assert (caught.value.lineno, caught.value.colno) == (2, 6)


def test_all_else_is_what_python_reads():
    text = '{"a": [1, -2.5, null, true, "\\u00e9"], "b": {"a": {}}}'
    assert parse_json(text) == json.loads(text) == parse_json(text.encode())
