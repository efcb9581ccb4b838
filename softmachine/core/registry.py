"""Names for kinds of machines, tasks and recipes: how files and the command line find them."""

from __future__ import annotations

import contextlib
import importlib
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from softmachine.core.errors import SoftmachineError, close_names

Entry = TypeVar("Entry")
Named = TypeVar("Named")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries by name, loaded when they are asked for.

    They come from a table of the package, from ``register``, and from the entry points that
    other installed packages declare in their ``pyproject.toml``::

        [project.entry-points."softmachine.machines"]
        queue = "queue_machine:QueueConfig"

    Files hold the names alone, never places to import from: what a file names is looked up
    among what is installed. A name of the package's own is never another package's.
    """

    def __init__(
        self,
        what: str,
        group: str,
        table: Mapping[str, str],
        package: str | None = None,
        base: str | None = None,
    ) -> None:
        """Make a registry.

        Arguments:
            what: what an entry is, in a word, for errors.
            group: the group of entry points.
            table: for each name of the package's own ``module:attribute``.
            package: where the table's modules are; by default it is called like the group.
            base: ``module:attribute`` of the class from which entries have to be derived, as
                frozen dataclasses; functions have none.
        """
        self.what, self.group = what, group
        self._table = {name: f"{package or group}.{place}" for name, place in table.items()}
        self._base = base
        self._registered: dict[str, Entry] = {}
        self._others: dict[str, list[EntryPoint]] | None = None

    def register(self, name: str) -> Callable[[Named], Named]:
        """Return a decorator that gives a class or a function its name.

        Raises SoftmachineError if that is no name, such as ``stack-rnn``. The decorator does if
        something else has that name, or if what it decorates cannot be an entry.
        """
        _check_name(name, self.what)

        def named(entry: Named) -> Named:
            self._check_kind(name, entry)
            place, other = _place(entry), self._table.get(name)
            if other is None and name in self._registered:
                other = _place(self._registered[name])
            # The same place again: a module that was loaded anew, as notebooks do.
            if other is not None and other != place:
                raise SoftmachineError(
                    f"{place} cannot be the {self.what} {name!r}: {other} has that name"
                )
            self._registered[name] = cast("Any", entry)
            return entry

        return named

    def homes(self) -> dict[str, str]:
        """Return the module of each class or function of the package's own, by its name."""
        places = (place.split(":") for place in self._table.values())
        return {attribute: module for module, attribute in places}

    def name_of(self, entry: Any) -> str:
        """Return the name of an entry; SoftmachineError if it has none."""
        place = _place(entry)
        for name, found in self._table.items():
            if found == place:
                return name
        # What another process finds comes before what it would have to import first.
        for name, points in self._entry_points().items():
            if [point.value for point in points] == [place]:
                return name
        for name, found in self._registered.items():
            if found is entry:
                return name
        for name in self._entry_points():
            with contextlib.suppress(SoftmachineError):  # another package's fault
                if self[name] is entry:
                    return name
        raise SoftmachineError(
            f"{place} has no name that a file could hold: register it as a {self.what}, or do "
            "without a Run: evaluate, record and a training loop of your own work with it"
        )

    def __getitem__(self, name: str) -> Entry:
        """Return an entry; KeyError if there is none of that name."""
        if name in self._registered:
            return self._usable(name, self._registered[name])
        if name in self._table:
            module, attribute = self._table[name].split(":")
            return getattr(importlib.import_module(module), attribute)
        return self._loaded(self._entry_points()[name])

    def find(self, name: str) -> Entry:
        """Return an entry; SoftmachineError, with close names, if there is none."""
        try:
            return self[name]
        except KeyError:
            close = close_names(name, self)
            raise SoftmachineError(
                f"unknown {self.what} {reprlib.repr(name)}{close}; one of your own has to be "
                "imported first (commands: --from MODULE), or come with an installed package "
                "that declares it"
            ) from None

    def __iter__(self) -> Iterator[str]:
        """Return all names: the package's own first."""
        return iter(dict.fromkeys([*self._table, *self._registered, *self._entry_points()]))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        """Return whether there is an entry of that name, without loading it."""
        own = name in self._table or name in self._registered
        return own or name in self._entry_points()

    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        if self._others is None:
            self._others = {}
            for point in entry_points(group=self.group):
                if point.name not in self._table:
                    self._others.setdefault(point.name, []).append(point)
        return self._others

    def _loaded(self, points: list[EntryPoint]) -> Entry:
        point, *others = points
        if others:
            places = " and ".join(point.value for point in points)
            raise SoftmachineError(
                f"several installed packages have a {self.what} {point.name!r}: {places}"
            )
        _check_name(point.name, self.what)
        try:
            entry = point.load()
        except (Exception, SystemExit) as error:  # whatever a module does when it is imported
            raise SoftmachineError(
                f"the {self.what} {point.name!r} of {point.value!r} cannot be loaded: "
                f"{describe_fault(error)}"
            ) from error
        return self._usable(point.name, entry)

    def _usable(self, name: str, entry: Any) -> Entry:
        """Return an entry; SoftmachineError if files cannot hold what is made of it."""
        self._check_kind(name, entry)
        if self._base is not None:
            parameters = getattr(entry, "__dataclass_params__", None)
            # One's own decorator: that of a base class would not know the fields of this one.
            own = "__dataclass_fields__" in vars(entry)
            if parameters is None or not parameters.frozen or not own:
                raise SoftmachineError(
                    f"{_place(entry)} cannot be the {self.what} {name!r}: it has to be a "
                    "frozen dataclass, @dataclasses.dataclass(frozen=True, kw_only=True)"
                )
        return cast("Entry", entry)

    def _check_kind(self, name: str, entry: Any) -> None:
        """Raise SoftmachineError if something can be no entry of this registry."""
        if self._base is None:
            fits, wanted = callable(entry), "a function"
        else:
            module, attribute = self._base.split(":")
            base = getattr(importlib.import_module(module), attribute)
            fits = isinstance(entry, type) and issubclass(entry, base)
            wanted = f"a class derived from {attribute}"
        if not fits:
            raise SoftmachineError(
                f"{reprlib.repr(entry)} cannot be the {self.what} {name!r}: it is not {wanted}"
            )


def describe_fault(error: BaseException) -> str:
    """Return in words what another package's code has raised."""
    text = str(error).strip().partition("\n")[0]
    if text and isinstance(error, (ValueError, TypeError, ImportError, SoftmachineError)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _check_name(name: Any, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SoftmachineError(
            f"{name!r} cannot be the name of a {what}: letters, digits, '-', '_' and '.' can, "
            "the first a letter or a digit"
        )


def _place(entry: Any) -> str:
    name = getattr(entry, "__qualname__", None)  # a functools.partial has none
    return f"{entry.__module__}:{name}" if name else reprlib.repr(entry)
