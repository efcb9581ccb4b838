"""Loops as a person would write them: a variable that counts becomes the loop's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from softmachine.programs.syntax_tree import (
    Assign,
    AssignCell,
    For,
    If,
    Repeat,
    Statement,
    Switch,
    While,
)


class Tidied(NamedTuple):
    """Statements, and the first values of the variables that still have to be set before."""

    statements: list[Statement]
    first: dict[str, int]


def with_counters(found: Sequence[Statement], first: Mapping[str, int]) -> Tidied:
    """Return statements whose loops over steps count in a variable, where there is one.

    That is a variable which every step changes by the same number, and which nothing needs
    after that in the step, nor after the loop. Its value before the loop is known.
    """
    statements, held = list(found), dict(first)
    for place, statement in enumerate(statements):
        if not isinstance(statement, Repeat):
            continue
        for name in _counters(statement.body):
            before, after = statements[:place], statements[place + 1 :]
            start = _value_before(name, before, held)
            if start is None or mentions(after, name):
                continue
            step, body = _without_step(statement.body, name)
            statements[place] = For(name, start, step, statement.taken, body)
            if mentions(before, name):
                # Set in a state before the loop, where nothing else needs it.
                kept = [s for s in before if not (isinstance(s, Assign) and s.name == name)]
                if mentions(kept, name):
                    statements[place] = statement
                    continue
                statements = [*kept, statements[place], *after]
            held.pop(name, None)
            return Tidied(statements, held)
    return Tidied(statements, held)


def inlined(found: Sequence[Statement]) -> list[Statement]:
    """Return statements without variables that only stand for a number or a short sum.

    Of what stands before all loops; such a variable is set once, and what it is made of is
    never set again.
    """
    statements = list(found)
    place = 0
    while place < len(statements):
        statement = statements[place]
        if isinstance(statement, Assign) and _is_short(statement.expression):
            rest = statements[place + 1 :]
            name, text = statement.name, statement.expression
            parts = set(re.findall(r"[a-z_]\w*", text))
            fixed = not assigned(rest) & {name, *parts} and not mentions(
                statements[:place], name
            )
            if fixed and sum(_count(s, name) for s in rest) <= (4 if text.isdigit() else 1):
                whole = text if re.fullmatch(r"\w+|-?\d+", text) else f"({text})"
                statements = statements[:place] + map_texts(
                    rest, lambda x, n=name, w=whole: _plain_sum(re.sub(rf"\b{n}\b", w, x))
                )
                continue
        place += 1
    return statements


def _is_short(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+|\(?-?\w+\)?( [+-] \d+)?|len\(\w+\)( [+-] \d+)?", text))


def _plain_sum(text: str) -> str:
    """Return an expression without brackets around a whole index, argument or expression."""
    text = re.sub(r"\[\(([^()\[\]]+)\)\]", r"[\1]", text)
    text = re.sub(r"([(,] ?)\((-\w+)\)(?=[,)])", r"\1\2", text)
    found = re.fullmatch(r"\(([^()]+)\)", text)
    return found[1] if found else text


def map_texts(found: Sequence[Statement], change: Callable[[str], str]) -> list[Statement]:
    """Return statements with every expression changed."""

    def one(statement: Statement) -> Statement:
        if isinstance(statement, Assign):
            return statement._replace(expression=change(statement.expression))
        if isinstance(statement, AssignCell):
            return statement._replace(
                address=change(statement.address), expression=change(statement.expression)
            )
        if isinstance(statement, If | While):
            return statement._replace(condition=change(statement.condition))
        return statement

    return map_statements(found, one)


def _counters(body: Sequence[Statement]) -> list[str]:
    """Return the variables that a loop may count in, those used most often first."""
    names = []
    for place, statement in enumerate(body):
        if not isinstance(statement, Assign) or not _step_of(statement):
            continue
        name = statement.name
        others = [s for s in body if s is not statement]
        if name not in assigned(others) and not mentions(body[place + 1 :], name):
            names.append(name)
    uses = {name: sum(_count(s, name) for s in body) for name in names}
    return sorted(names, key=lambda name: (-uses[name], name))


def _step_of(statement: Assign) -> int | None:
    """Return by how much an assignment changes its own variable."""
    found = re.fullmatch(rf"{re.escape(statement.name)} ([+-]) (\d+)", statement.expression)
    return int(found[1] + found[2]) if found else None


def _without_step(body: Sequence[Statement], name: str) -> tuple[int, list[Statement]]:
    kept, step = [], 0
    for statement in body:
        if isinstance(statement, Assign) and statement.name == name:
            step = _step_of(statement) or 0
        else:
            kept.append(statement)
    return step, kept


def _value_before(
    name: str, before: Sequence[Statement], first: Mapping[str, int]
) -> int | None:
    """Return the number that a variable holds before a loop, if it is known."""
    value = first.get(name)
    for statement in before:
        if isinstance(statement, Assign) and statement.name == name:
            fixed = re.fullmatch(r"-?\d+", statement.expression)
            step = _step_of(statement)
            if fixed:
                value = int(statement.expression)
            elif step is not None and value is not None:
                value += step
            else:
                return None
        elif name in assigned([statement]):
            return None
    return value


def assigned(found: Sequence[Statement]) -> set[str]:
    """Return the names of all variables that statements assign."""
    return {s.name for s in walk(found) if isinstance(s, Assign | For)}


def mentions(found: Sequence[Statement], name: str) -> bool:
    """Return whether statements use or set a variable."""
    return any(_count(statement, name) for statement in found)


def _count(statement: Statement, name: str) -> int:
    word = re.compile(rf"\b{re.escape(name)}\b")
    return sum(len(word.findall(text)) for s in walk([statement]) for text in texts(s))


def texts(statement: Statement) -> Iterator[str]:
    """Yield the expressions of one statement, without those of statements inside it."""
    if isinstance(statement, Assign):
        yield statement.name
        yield statement.expression
    elif isinstance(statement, AssignCell):
        yield statement.address
        yield statement.expression
    elif isinstance(statement, If | While):
        yield statement.condition


def map_statements(
    found: Sequence[Statement], change: Callable[[Statement], Statement]
) -> list[Statement]:
    """Return statements with each one changed, nested ones too."""

    def inside(statement: Statement) -> Statement:
        if isinstance(statement, If):
            body, otherwise = (map_statements(x, change) for x in statement[1:])
            return statement._replace(body=body, otherwise=otherwise)
        if isinstance(statement, While | Repeat | For):
            return statement._replace(body=map_statements(statement.body, change))
        if isinstance(statement, Switch):
            cases = [(name, map_statements(body, change)) for name, body in statement.cases]
            return Switch(cases)
        return statement

    return [change(inside(statement)) for statement in found]


def walk(found: Sequence[Statement]) -> Iterator[Statement]:
    """Yield all statements, nested ones too."""
    for statement in found:
        yield statement
        if isinstance(statement, If):
            yield from walk([*statement.body, *statement.otherwise])
        elif isinstance(statement, While | Repeat | For):
            yield from walk(statement.body)
        elif isinstance(statement, Switch):
            for _, body in statement.cases:
                yield from walk(body)
