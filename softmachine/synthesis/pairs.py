"""Examples as people have them: what goes into a function, and what comes out of it.

A *pair* holds the arguments of one call and the answer. Arguments and answers are numbers,
truth values, texts, and lists of one of these; each has one kind in all pairs.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import keyword
import re
from collections.abc import Sequence
from typing import Any, Literal

from softmachine.core.errors import ExamplesError

Kind = Literal["int", "bool", "str", "list[int]", "list[bool]", "list[str]"]
"""The type of an argument or an answer, as it is written in Python."""
LARGEST = 2**40
"""The largest absolute value of a number; the C programs compute with numbers up to that."""
LONGEST = 2_000
"""The largest number of elements of a list."""
MOST_ARGUMENTS = 20
"""The largest number of arguments."""
GENERIC = re.compile(r"(in|i|x|inputs?|args?|arguments?|question|before|given)_?\d*")
"""Names that say nothing of what an argument is."""
RESERVED = frozenset(
    re.findall(
        r"\w+",
        "memory program base steps state end range len min max int list next rank ord chr sum "
        "map str bool all isinstance enumerate defaultdict itertools",
    )
)
"""Names that programs in Python need themselves, besides those of their variables."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """One example: the arguments of a call, and the answer.

    It is equal to itself alone, and to be told from others by that: lines may hold several.
    """

    line: int
    """The number of its line in the file, or of the example, counted from 1: for messages."""
    inputs: tuple[Any, ...]
    output: Any


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Examples of one function, with the names and kinds of its arguments."""

    pairs: tuple[Pair, ...]
    """Without repetitions."""
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    answer: Kind
    repeated: tuple[int, ...] = ()
    """The lines that say what an earlier one says, which are left out."""
    remarks: tuple[str, ...] = ()
    """What a person should know about how the file was read, as sentences."""
    unit: str = "line"
    """What `Pair.line` counts: ``line`` or ``example``."""
    keys: tuple[str, ...] = ("inputs",)
    """Under which keys the arguments stand in the file; one key of several holds a list."""

    table: tuple[str, int] | None = None
    """Of a table: what stands between its columns, and which of them holds the answers."""

    def line_of(self, inputs: Sequence[Any]) -> str:
        """Return a line that asks for the answer: JSON with the file's own keys, or a row."""
        if self.table is not None:
            between, place = self.table
            cells = [x if isinstance(x, str) else json.dumps(x) for x in inputs]
            row = io.StringIO()
            writer = csv.writer(row, delimiter=between, lineterminator="")
            writer.writerow([*cells[:place], "?", *cells[place:]])
            return row.getvalue()
        parts = [*inputs] if len(self.keys) == len(inputs) else [[*inputs]]
        if self.keys == ("inputs",):
            parts = [[*inputs]]
        texts = [
            f"{json.dumps(k)}: {json.dumps(x)}" for k, x in zip(self.keys, parts, strict=True)
        ]
        return f'{{{", ".join(texts)}, "output": ?}}'

    @property
    def signature(self) -> str:
        """The function's first line, ``def program(items: list[int]) -> int``."""
        arguments = ", ".join(f"{n}: {k}" for n, k in zip(self.names, self.kinds, strict=True))
        return f"def program({arguments}) -> {self.answer}"


def make_pairs(
    found: Sequence[tuple[int, Sequence[Any], Any]],
    names: Sequence[str],
    *,
    remarks: Sequence[str] = (),
    unit: str = "line",
    keys: Sequence[str] = ("inputs",),
    table: tuple[str, int] | None = None,
) -> Pairs:
    """Return checked pairs.

    Arguments:
        found: the line, the arguments and the answer of each example; tuples become lists.
        names: what the arguments are called in the file; such as ``input`` say nothing.
        remarks: see `Pairs.remarks`.
        unit: see `Pairs.unit`.
        keys: see `Pairs.keys`.
        table: see `Pairs.table`.

    Raises:
        ExamplesError: naming the line: kinds are mixed, a value is none that programs know, or
            two lines contradict each other.
    """
    if not found:
        raise ExamplesError(f"{unit} 1: there are no examples")
    wanted = len(names)
    if not 1 <= wanted <= MOST_ARGUMENTS:
        raise ExamplesError(
            f"{unit} {found[0][0]}: {_arguments(wanted)}; a function has 1 to {MOST_ARGUMENTS}"
        )
    for line, inputs, _ in found:
        if len(inputs) != wanted:
            raise ExamplesError(
                f"{unit} {line}: {_arguments(len(inputs))}, but {unit} {found[0][0]} has "
                f"{wanted}: all have to have as many"
            )
    found = [(line, [*map(_listed, inputs)], _listed(out)) for line, inputs, out in found]
    columns = [*zip(*(inputs for _, inputs, _ in found), strict=True)]
    told = _spoken(names)
    kinds: tuple[Kind, ...] = tuple(
        _kind_of(
            [(line, value) for (line, *_), value in zip(found, column, strict=True)], name, unit
        )
        for column, name in zip(columns, told, strict=True)
    )
    answer = _kind_of([(line, output) for line, _, output in found], "the answer", unit)
    pairs: dict[str, Pair] = {}
    repeated = []
    for line, inputs, output in found:
        pair = Pair(line, tuple(inputs), output)
        earlier = pairs.setdefault(repr(pair.inputs), pair)
        if earlier is pair:
            continue
        if earlier.output != output:
            raise ExamplesError(
                f"{unit} {line}: contradicts {unit} {earlier.line}: for "
                f"{_shown(inputs)} the answer is {_short(output)} here and "
                f"{_short(earlier.output)} there"
            )
        repeated.append(line)
    return Pairs(
        tuple(pairs.values()),
        _argument_names(names, kinds),
        kinds,
        answer,
        tuple(repeated),
        tuple(remarks),
        unit,
        tuple(keys),
        table,
    )


def _listed(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


def _spoken(names: Sequence[str]) -> list[str]:
    """Return how the arguments are called in messages."""
    if len(names) == 1:
        return ["the input" if GENERIC.fullmatch(names[0].lower()) else names[0]]
    return [
        f"argument {i + 1}" if GENERIC.fullmatch(name.lower()) else name
        for i, name in enumerate(names)
    ]


def _kind_of(values: Sequence[tuple[int, Any]], name: str, unit: str) -> Kind:
    """Return the kind that all values have; ExamplesError if there is none."""
    first: tuple[int, str] | None = None
    for line, value in values:
        try:
            kind = _kind(value, name)
        except ValueError as error:
            raise ExamplesError(f"{unit} {line}: {error}") from error
        if kind == "list[]":
            kind = first[1] if first and first[1].startswith("list[") else kind
        if first is None or (first[1] == "list[]" and kind.startswith("list[")):
            first = (line, kind)
        elif kind != first[1]:
            raise ExamplesError(
                f"{unit} {line}: mixed types: {name} is {_called(kind)} here and "
                f"{_called(first[1])} in {unit} {first[0]}; it has to be one of them in all"
            )
    assert first is not None
    return "list[int]" if first[1] == "list[]" else first[1]  # pyright: ignore


def _called(kind: str) -> str:
    names = {"int": "number", "bool": "truth value", "str": "text", "": "value"}
    if kind.startswith("list["):
        return f"a list of {names[kind[5:-1]]}s"
    return f"a {names[kind]}"


def _kind(value: Any, name: str) -> str:
    """Return the kind of one value; ``list[]`` for an empty list, which fits all lists."""
    if isinstance(value, list):
        if len(value) > LONGEST:
            raise ValueError(
                f"{name} has {len(value):,} elements; at most {LONGEST:,} are taken"
            )
        nested = [i for i, part in enumerate(value) if isinstance(part, list | tuple)]
        if nested:
            raise ValueError(
                f"{name}[{nested[0]}] is a list inside a list: a machine's memory is one row "
                "of cells; give each row as an argument of its own, or one list of all elements"
            )
        kinds = [_kind(part, f"{name}[{i}]") for i, part in enumerate(value)]
        for i, kind in enumerate(kinds):
            if kind != kinds[0]:
                raise ValueError(
                    f"mixed types: {name}[{i}] is {_called(kind)}, {name}[0] "
                    f"{_called(kinds[0])}"
                )
        if kinds and kinds[0] == "str" and any(len(part) != 1 for part in value):
            place = next(i for i, part in enumerate(value) if len(part) != 1)
            raise ValueError(
                f"{name}[{place}] is {_short(value[place])}: of texts, lists may hold single "
                "letters only, as a cell holds one number; number the words"
            )
        return f"list[{kinds[0]}]" if kinds else "list[]"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"{name} has a letter with the code 0, which ends texts")
        if half := re.search("[\ud800-\udfff]", value):
            raise ValueError(
                f"{name} has {half[0]!r}, which is one half of a letter and no text by itself"
            )
        return "str"
    if isinstance(value, int):
        if abs(value) > LARGEST:
            digits = len(str(abs(value))) if abs(value) < 10**4000 else "thousands of"
            raise ValueError(
                f"huge: {name} has {digits} digits; numbers go up to 2**40 ({LARGEST:,})"
            )
        return "int"
    if isinstance(value, float):
        raise ValueError(
            f"{name} is {value!r}: floats cannot be said in this machine, whose cells and "
            "registers hold integers; scale them, 1.5 as 15 tenths"
        )
    what = "null" if value is None else "an object" if isinstance(value, dict) else repr(value)
    raise ValueError(
        f"{name} is {what}: numbers, texts, truth values and lists of these can be"
    )


def _argument_names(names: Sequence[str], kinds: Sequence[Kind]) -> tuple[str, ...]:
    """Return names for the arguments that Python and C accept: the person's, or by kind."""
    fresh = {
        "list": ["items", "others", "more"],
        "str": ["text", "other"],
        "int": ["n", "m"],
        "bool": ["flag"],
    }
    if any(kind.startswith("list") or kind == "str" for kind in kinds):
        fresh["int"] = ["k", "m"]
    taken: list[str] = []
    for name, kind in zip(names, kinds, strict=True):
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
        usable = (
            re.fullmatch(r"[a-z][a-z0-9_]*", plain)
            and not GENERIC.fullmatch(plain)
            and not keyword.iskeyword(plain)
            and plain not in (*RESERVED, *taken)
        )
        first, *others = fresh["list" if kind[0] == "l" else kind]
        numbered = (f"{first}{i}" for i in itertools.count(len(others) + 2))
        free = (x for x in itertools.chain([first, *others], numbered) if x not in taken)
        taken.append(plain if usable else next(free))
    return tuple(taken)


def _short(value: Any, most: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def _shown(inputs: Sequence[Any]) -> str:
    """Return the arguments of a call as text."""
    return ", ".join(map(_short, inputs))
