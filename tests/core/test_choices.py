"""Numbers that are no numbers are refused in every field of every configuration."""

import copy
import dataclasses
import inspect
import math
import types
import typing

import pytest

from softmachine.cli.command import COMMANDS
from softmachine.cli.main import main
from softmachine.core.choices import (
    LARGEST_INT,
    Bounds,
    Count,
    check_fields,
    check_value,
)
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.serialization import NAMED
from softmachine.recipes import get_recipe
from softmachine.tasks.memories.given import Given
from softmachine.tasks.memories.trees import WalkBST
from softmachine.tasks.one_shot.folder import Folder
from softmachine.tasks.one_shot.omniglot import Omniglot
from softmachine.tasks.sequences.repeat_copy import RepeatCopy
from softmachine.training.nram.wire_search import WireSearch
from softmachine.training.phases import Restart, Settle

NEEDED = {
    Restart: dict(rules=((10, 0.1),)),
    Settle: dict(validations=3),
    WireSearch: dict(updates=10, error=0.1),
    Folder: dict(path="images"),
    Omniglot: dict(path="omniglot"),
    Given: dict(
        examples="\n".join(f'{{"input": [{a}, 0], "output": [{a}, 0]}}' for a in (1, 2, 3))
    ),
}
"""Fields without a default."""


def parts(hint) -> set[type]:
    """Return all dataclasses that a type is made of."""
    if dataclasses.is_dataclass(hint):
        inner = typing.get_type_hints(hint, include_extras=True)
        fields = {field.name for field in dataclasses.fields(hint)}
        found = [parts(inner[name]) for name in fields]
        return {hint}.union(*found)
    return set().union(*map(parts, typing.get_args(hint)))


REGISTERED = [kind for _, registry in NAMED for kind in registry.values()]
CONFIGS = sorted(
    {
        kind
        for kind in set().union(*map(parts, [Experiment, *REGISTERED])) - {Experiment}
        if not inspect.isabstract(kind)
    },
    key=lambda kind: kind.__name__,
)


def numeric_fields():
    for kind in CONFIGS:
        default = kind(**NEEDED.get(kind, {}))
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in dataclasses.fields(kind):
            value = getattr(default, field.name)
            for made, bounds, whole in placed(hints[field.name], value):
                yield pytest.param(
                    default, field.name, made, bounds, whole, id=f"{kind.__name__}.{field.name}"
                )


def placed(hint, value):
    """For each number that a value of a type has, give what puts another into its place."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (int, float):
        yield (lambda x: x), Bounds(), hint is int
    elif origin is typing.Annotated:
        declared = [extra for extra in inner[1:] if isinstance(extra, Bounds)]
        for made, bounds, whole in placed(inner[0], value):
            yield made, declared[0] if declared else bounds, whole
    elif origin in (typing.Union, types.UnionType):
        for part in inner:
            yield from placed(part, value if value is not None else example(part))
    elif origin is tuple:
        value = example(hint) if value is None else value
        if inner[1:] == (...,):
            inner, value = inner[:1], (value or (example(inner[0]),))[:1]
        for i, part in enumerate(inner):
            for made, bounds, whole in placed(part, value[i]):
                yield (
                    lambda x, i=i, made=made: (*value[:i], made(x), *value[i + 1 :]),
                    bounds,
                    whole,
                )


def example(hint):
    """Return some value of a type with numbers in it."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return example(inner[0])
    return tuple(2 for _ in inner) if origin is tuple else 2


def bad_numbers(bounds, whole):
    yield from (math.nan, math.inf, -math.inf, 10**20, -(10**20), True, "3", None)
    if whole:
        yield from (1.5, LARGEST_INT + 1) if bounds.most is None else (1.5, bounds.most + 1)
    if bounds.least is not None:
        yield bounds.least - 1
    for limit in (bounds.above, bounds.below):
        if limit is not None:
            yield limit


FIELDS = list(numeric_fields())


@pytest.mark.parametrize(("config", "name", "made", "bounds", "whole"), FIELDS)
def test_no_field_takes_a_number_that_is_none(config, name, made, bounds, whole):
    optional = type(None) in typing.get_args(typing.get_type_hints(type(config))[name])
    for bad in bad_numbers(bounds, whole):
        value = made(bad)
        if value is None and optional:
            continue
        changed = copy.copy(config)
        object.__setattr__(changed, name, value)  # in tests types are checked before
        with pytest.raises(ValueError, match=rf"{type(config).__name__}\.{name} must be"):
            changed.__post_init__()


def test_the_walk_meets_all_parts_and_every_whole_number_has_a_least():
    met = {type(param.values[0]) for param in FIELDS}
    assert len(met) >= 20
    assert met >= {WireSearch, Settle, Restart, Given, WalkBST, RepeatCopy}
    without = {
        param.id for param in FIELDS if param.values[4] and param.values[3].least is None
    }
    assert without == {"RepeatCopy.normalized_over"}


def typed_fields():
    for kind in [*CONFIGS, Experiment]:
        default = get_recipe("ntm-copy") if kind is Experiment else kind(**NEEDED.get(kind, {}))
        for field in dataclasses.fields(kind):
            yield pytest.param(default, field.name, id=f"{kind.__name__}.{field.name}")


@pytest.mark.parametrize(("config", "name"), list(typed_fields()))
def test_no_field_takes_a_value_of_another_type(config, name):
    of_class = type(getattr(config, name))
    for bad in (object(), of_class, [1, 2], {}, b"1"):
        changed = copy.copy(config)
        object.__setattr__(changed, name, bad)
        with pytest.raises(ValueError, match=rf"^{type(config).__name__}\.{name} must be"):
            changed.__post_init__()


def test_parts_of_a_tuple_are_checked_and_how_many_there_are():
    for bad in (((1,),), ((1, 2, 3),), ((1, "2"),), (3,), "12", [(1, 2.0)]):
        with pytest.raises(ValueError, match=r"^--x must (be|have) .*, not "):
            check_value(tuple[tuple[int, float], ...], bad, "--x")
    check_value(tuple[tuple[int, float], ...], ((1, 2.0), (3, 4)), "--x")


def test_numbers_of_other_types_are_taken():
    import numpy as np

    @dataclasses.dataclass
    class Some:
        a: Count | None
        b: tuple[float, ...]

    for a, b in ((None, ()), (np.int64(3), (1, np.float32(2.5))), (LARGEST_INT, (-1e9,))):
        check_fields(Some(a, b))
    for a, b in ((np.float32(3), ()), (np.int64(0), ()), (None, (np.float32("nan"),))):
        with pytest.raises(ValueError, match=r"Some\.[ab] must be"):
            check_fields(Some(a, b))
    check_value(str | bool | None, "x", "--x")
    with pytest.raises(ValueError, match=r"^--x must be one of 1, 2; not 3$"):
        check_value(typing.Literal[1, 2], 3, "--x")


def command_options():
    for name, command in COMMANDS.items():
        if name == "train":  # its options are those of its recipe
            continue
        hints = typing.get_type_hints(inspect.unwrap(command), include_extras=True)
        for option, hint in hints.items():
            for _, bounds, whole in placed(hint, None):
                yield pytest.param(name, option, bounds, whole, id=f"{name}-{option}")


OPTIONS = list(command_options())


@pytest.mark.parametrize(("command", "option", "bounds", "whole"), OPTIONS)
def test_no_option_takes_a_number_that_is_none(command, option, bounds, whole, capsys):
    # Whose options are the machine's, too, opens the machine first.
    trained = "zoo:ntm-copy"
    arguments = {
        "trace": [trained, "--out", "x"],
        **{name: [trained] for name in ("evaluate", "omniglot-runs", "plot")},
        "lesson": ["start"],
    }
    positional = command == "lesson"
    flag = [] if positional else [f"--{option.replace('_', '-')}"]
    for bad in bad_numbers(bounds, whole):
        if isinstance(bad, (int, float)) and not isinstance(bad, bool):
            with pytest.raises(SystemExit) as stop:
                main([command, *arguments.get(command, ["run"]), *flag, str(bad)])
            error = capsys.readouterr().err
            assert (stop.value.code, error.count("\n")) == (2, 1)
            assert (
                (f" {option} must" in error or " N: " in error)
                if positional
                else flag[0] in error
            )


def test_the_walk_meets_the_options():
    assert len(OPTIONS) >= 30
    missing = {p.id for p in OPTIONS if p.values[2] == Bounds()}
    assert not missing
