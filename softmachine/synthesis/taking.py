"""Examples from Python: pairs, objects, a function with a doctest, or a file's path."""

from __future__ import annotations

import ast
import doctest
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from softmachine.core.errors import ExamplesError
from softmachine.synthesis.pairs import Pairs, make_pairs
from softmachine.synthesis.reading import Record, pairs_of, read_pairs

UNIT = "example"


def take(examples: Any) -> Pairs:
    """Return the pairs that somebody gives in Python.

    >>> take([([3, 1, 2], 6), ([4], 4)]).signature
    'def program(items: list[int]) -> int'
    >>> take([(([3, 1, 2], 1), 1)]).signature
    'def program(items: list[int], k: int) -> int'

    Raises ExamplesError if that is nothing of what `softmachine.synthesize` takes.
    """
    if isinstance(examples, Pairs):
        return examples
    if isinstance(examples, str | Path):
        return read_pairs(Path(examples))
    if callable(examples):
        return of_function(examples)
    if not isinstance(examples, Sequence):
        raise ExamplesError(
            f"examples are a list of pairs, a function with a doctest, or a path, not "
            f"{type(examples).__name__}"
        )
    if all(isinstance(example, Mapping) for example in examples):
        records = [Record(i, dict(example)) for i, example in enumerate(examples, 1)]
        return pairs_of(records, UNIT)
    found = []
    for i, example in enumerate(examples, 1):
        if not isinstance(example, Sequence) or isinstance(example, str) or len(example) != 2:
            raise ExamplesError(f"example {i}: expected a pair, an input and an answer")
        inputs, output = example
        found.append((i, inputs if isinstance(inputs, tuple) else (inputs,), output))
    names = [f"input{i + 1}" for i in range(len(found[0][1]))] if found else []
    return make_pairs(found, names, unit=UNIT)


def of_function(function: Callable[..., Any]) -> Pairs:
    """Return the examples in a function's docstring, with the names of its arguments.

    >>> def clip(items, most):
    ...     '''Make no element larger than another number.
    ...
    ...     >>> clip([3, 1, 4], 2)
    ...     [2, 1, 2]
    ...     '''
    >>> take(clip).signature
    'def program(items: list[int], most: int) -> list[int]'
    """
    text = inspect.getdoc(function) or ""
    names = list(inspect.signature(function).parameters)
    called = function.__name__
    found = []
    for i, example in enumerate(doctest.DocTestParser().get_examples(text), 1):
        try:
            expression = ast.parse(example.source.strip(), mode="eval").body
            output = ast.literal_eval(example.want.strip())
            if not isinstance(expression, ast.Call) or ast.unparse(expression.func) != called:
                raise ValueError
            values = dict(zip(names, map(ast.literal_eval, expression.args), strict=False))
            values |= {str(k.arg): ast.literal_eval(k.value) for k in expression.keywords}
            inputs = [values[name] for name in names]
        except (SyntaxError, ValueError, KeyError) as error:
            raise ExamplesError(
                f"example {i}: {example.source.strip()[:60]!r} is not a call of {called} with "
                "literal arguments and a literal answer"
            ) from error
        found.append((i, inputs, output))
    if not found:
        raise ExamplesError(
            f"{called} has no examples in its docstring, such as >>> {called}(...) and "
            "the answer"
        )
    return make_pairs(found, names, unit=UNIT)
