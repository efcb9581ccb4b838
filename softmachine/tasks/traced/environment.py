"""Environments of a programmer-interpreter, and programs on them as plain Python.

An environment is a class: what can be observed, primitives that change it, and programs, each a
method that says what is called in which order::

    class Countdown(Environment):
        observations = {"zero": (False, True)}

        def __init__(self, number: int) -> None:
            self.number = number

        def observe(self):
            return (self.number == 0,)

        @primitive
        def decrement(self) -> None:
            self.number -= 1

        @program
        def count(self):
            if self.number == 0:
                return  # a step that only ends
            yield self.decrement()  # a step that calls, and goes on
            return self.count()  # a step that calls, and ends: a tail call

Inside a program nothing is done by calling: ``self.decrement()`` is a `Call`, which whoever
runs the program does when it is handed over (`softmachine.tasks.traced.tracing`). So each
``yield``, and each ``return``, is one step of the core that is to learn the program, and a
program that calls itself at its end runs for ever without deep recursion. What a program
decides must follow from what has been observed since it was called, or nothing could learn it;
`softmachine.tasks.traced.tracing.check_consistent` says so.
"""

from __future__ import annotations

import abc
import functools
import inspect
import typing
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced.own_code import OWN_MISTAKES, OwnCodeError
from softmachine.tasks.traced.vocabulary import NOTHING, Call, Callee, FailureError, Vocabulary

__all__ = [
    "Call",
    "Callee",
    "Environment",
    "FailureError",
    "Picture",
    "PictureRow",
    "Steps",
    "Vocabulary",
    "primitive",
    "program",
]

Steps = Generator[Call, None, Call | None]
"""What a program gives step by step: calls after which it goes on; at its end one, or None."""


def primitive(method: Callable[..., None]) -> Callable[..., Call]:
    """Make a method a primitive: what it does, it does when it is run, not when it is called.

    Each argument's annotation is a ``Literal`` of all values that it can have. The method may
    raise `FailureError`.
    """
    return _callable(method, primitive=True)


def program(method: Callable[..., Steps | Call | None]) -> Callable[..., Call]:
    """Make a method a program: it yields calls after which it goes on, and may return one.

    Arguments are annotated as those of a `primitive`.
    """
    return _callable(method, primitive=False)


def _callable(method: Callable[..., Any], *, primitive: bool) -> Callable[..., Call]:
    name, signature = method.__name__.upper(), inspect.signature(method)
    arity = len(signature.parameters) - 1

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Call:
        if named or len(arguments) != arity:
            try:
                bound = signature.bind(self, *arguments, **named)
            except TypeError as error:
                raise TypeError(f"call of {name}: {error}") from error
            bound.apply_defaults()
            arguments = bound.args[1:]
        return Call(name, arguments)

    call.__dict__["traced"] = primitive
    return call


class Picture(NamedTuple):
    """An environment as rows of cells, for people to look at."""

    rows: tuple[PictureRow, ...]


class PictureRow(NamedTuple):
    """A row of cells with pointers on them."""

    name: str
    cells: tuple[str, ...]
    pointers: Mapping[str, int] = {}
    """For each pointer the cell it is on, from 0; one outside the row is not shown."""


class Environment(abc.ABC):
    """What programs act on. See the top of this module for how to write one."""

    observations: ClassVar[Mapping[str, tuple[Any, ...]]]
    """What can be observed: for each variable the values that it can have."""
    main: ClassVar[str]
    """The name, in capitals, of the program that is run first."""
    vocabulary: ClassVar[Vocabulary]
    """What can be called: made of the class's programs and primitives."""
    _indices: ClassVar[tuple[Mapping[Any, int], ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Collect programs and primitives; check their annotations."""
        super().__init_subclass__(**options)
        _check_replaced(cls)
        callees = [_callee(cls, getattr(cls, name)) for name in _traced_names(cls)]
        if callees:
            _check_declared(cls, callees)
            # Primitives first: programs of other forms are then numbered alike.
            cls.vocabulary = Vocabulary(sorted(callees, key=lambda c: not c.primitive))
            cls._indices = tuple(
                {value: i for i, value in enumerate(values)}
                for values in cls.observations.values()
            )

    @abc.abstractmethod
    def observe(self) -> Sequence[Any]:
        """Return the value of each variable of `observations`, in their order."""

    @abc.abstractmethod
    def result(self) -> Any:
        """Return what the main program leaves, in a form to compare with `expected`."""

    @abc.abstractmethod
    def expected(self) -> Any:
        """Return the right result, worked out without any of the programs."""

    def picture(self) -> Picture:
        """Return what people see; by default what can be observed."""
        seen = zip(self.observations, self.observe(), strict=True)
        cells = tuple(f"{name}: {x}" for name, x in seen)
        return Picture((PictureRow("observed", cells),))

    def right(self) -> bool:
        """Return whether the result is right.

        Raises SoftmachineError if it cannot be compared, as arrays cannot.
        """
        result, expected = self.result(), self.expected()
        try:
            return bool(result == expected)
        except ValueError as error:
            raise SoftmachineError(
                f"{type(self).__name__}: result() and expected() are compared with ==, as "
                f"numbers, texts and tuples can be; not {result!r} and {expected!r}"
            ) from error

    def seen(self) -> tuple[int, ...]:
        """Return what is observed as indices of values.

        Raises SoftmachineError for a value that is not among those declared, and if `observe`
        fails.
        """
        try:
            observed = self.observe()
        except OWN_MISTAKES as error:
            raise OwnCodeError(
                f"{type(self).__name__}.observe() fails: {type(error).__name__}: {error}"
            ) from error
        try:
            return tuple([known[x] for known, x in zip(self._indices, observed, strict=True)])
        except (KeyError, ValueError, TypeError) as error:
            raise SoftmachineError(
                f"{type(self).__name__}.observe() gives {observed!r}; declared are "
                f"{', '.join(f'{n}: {v}' for n, v in self.observations.items())}"
            ) from error

    def perform(self, program: int, arguments: Sequence[int]) -> None:
        """Do what a primitive does, given by the numbers of `vocabulary`.

        Raises FailureError if it cannot be done, and SoftmachineError if it fails otherwise.
        """
        call = self.vocabulary.decode(program, arguments)
        function = self.vocabulary.callees[program].function
        assert function is not None
        try:
            function(self, *call.arguments)
        except OWN_MISTAKES as error:
            raise OwnCodeError(
                f"{type(self).__name__}: {call} fails: {type(error).__name__}: {error}; a "
                "primitive raises FailureError for what cannot be done"
            ) from error

    def begin(self, call: Call) -> Generator[Any, None, Any]:
        """Return the steps of a program, as a generator."""
        function = self.vocabulary.callees[self.vocabulary.number(call.program)].function
        assert function is not None
        steps = function(self, *call.arguments)
        return steps if isinstance(steps, Generator) else _ends(steps)


def _ends(call: Any) -> Generator[Any, None, Any]:
    """Return the steps of a program that has only one, the last."""
    yield from ()
    return call


def _traced_names(cls: type) -> list[str]:
    """Return the names of a class's programs and primitives, those of base classes first."""
    return list(
        {
            name: None
            for base in reversed(cls.__mro__)
            for name, value in vars(base).items()
            if hasattr(value, "traced")
        }
    )


def _check_replaced(cls: type) -> None:
    """Raise TypeError if a program or primitive replaces what is none, or is replaced by it."""
    for name, method in vars(cls).items():
        replaced = [vars(base)[name] for base in cls.__mro__[1:] if name in vars(base)]
        if not replaced or hasattr(replaced[0], "traced") == hasattr(method, "traced"):
            continue
        if hasattr(method, "traced"):
            raise TypeError(
                f"{cls.__name__}.{name} replaces what is no program or primitive: choose "
                "another name"
            )
        raise TypeError(
            f"{cls.__name__}.{name} replaces a program or a primitive: mark it with @program "
            "or @primitive"
        )


def _check_declared(cls: type[Environment], callees: Sequence[Callee]) -> None:
    """Raise TypeError unless what a class declares can be seen, and called by name."""
    observations = getattr(cls, "observations", None)
    if not isinstance(observations, Mapping) or not observations:
        raise TypeError(
            f"{cls.__name__} needs observations = {{name: (value, ...), ...}}: what is observed"
        )
    for name, values in observations.items():
        if (
            not isinstance(values, tuple | list)
            or not values
            or len({*map(str, values)}) < len(values)
        ):
            raise TypeError(
                f"{cls.__name__}.observations: {name!r} needs a tuple of values that differ "
                f"when they are written out; not {values!r}"
            )
    names = [callee.name for callee in callees]
    twice = {name for name in names if names.count(name) > 1 or name == NOTHING}
    if twice:
        raise TypeError(
            f"{cls.__name__}: programs and primitives are called by their names in capitals, "
            f"which differ and are not {NOTHING}; not so {', '.join(sorted(twice))}"
        )
    mains = [c.name for c in callees if not (c.primitive or c.values)]
    if getattr(cls, "main", None) not in mains:
        raise TypeError(
            f"{cls.__name__}.main needs the name, in capitals, of a program without arguments: "
            f"{', '.join(mains) or 'there is none'}"
        )


def _callee(cls: type, method: Callable[..., Any]) -> Callee:
    function = inspect.unwrap(method)
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise TypeError(
            f"{cls.__name__}.{function.__name__}: {error}; write its annotation out, "
            "or define it in the module"
        ) from error
    values = []
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        hint = hints.get(name)
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise TypeError(
                f"{cls.__name__}.{function.__name__}: argument {parameter} has no place of its "
                "own; a core gives arguments one after another"
            )
        if typing.get_origin(hint) is not typing.Literal:
            raise TypeError(
                f"{cls.__name__}.{function.__name__}: argument {name} needs an annotation "
                f"Literal[...] with all values that it can have"
            )
        if not all(isinstance(x, str | int | None) for x in typing.get_args(hint)):
            raise TypeError(
                f"{cls.__name__}.{function.__name__}: values of argument {name} are texts, "
                f"whole numbers, truth values or None; not {hint}"
            )
        values.append(typing.get_args(hint))
    return Callee(function.__name__.upper(), vars(method)["traced"], tuple(values), function)
