"""Automata as Python, a function that predicts the next letter, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from softmachine.programs.automata.automaton import (
    ANY,
    EMPTY,
    Rule,
    StackAutomaton,
    table,
    to_json,
)
from softmachine.programs.automata.reading import Checked, Read

WIDTH = 78
"""Of lines of text: as wide as a terminal."""


def python_code(found: Read, origin: Sequence[str] = (), checked: Checked | None = None) -> str:
    """Return a Python module that does what an automaton does.

    Arguments:
        found: the automaton, and what it was read off.
        origin: lines about where the machine comes from.
        checked: the comparison with the machine, if there was one.
    """
    seen = f"What is seen of a stack is told from the top down; {EMPTY}: nothing lies so deep."
    notes = [seen, notes_on(found), *([] if checked is None else [told(checked)]), *origin]
    text = "\n\n".join(
        [
            f"An automaton with stacks: the language {found.language}.",
            table(found.automaton),
            *(textwrap.fill(note, WIDTH, break_on_hyphens=False) for note in notes),
        ]
    )
    return f'"""{text}\n"""\n\n\n{_function(found.automaton)}'


def notes_on(found: Read) -> str:
    """Return in sentences what is known of an automaton."""
    right = "It is right on all of them"
    if found.wrong:
        some = ", ".join(map(str, found.wrong[:5])) + (", ..." if len(found.wrong) > 5 else "")
        right = f"It is wrong on strings of {len(found.wrong):,} sizes ({some})"
    stream = "right, too"
    if found.wrong_in_stream:
        stream = f"wrong after {found.wrong_in_stream:,} letters"
    return (
        f"Read off a hard Stack-RNN that was run on {found.strings:,} strings of sizes 2 to "
        f"{found.largest:,}, each from empty stacks, and on a stream of strings between which "
        f"nothing is emptied. In each of the {found.situations:,} different situations that it "
        f"was in, with {found.values:,} different values on its stacks, the rules do what it "
        f"does. {right}; in the stream it is {stream}."
    )


def told(checked: Checked) -> str:
    """Return in a sentence what a comparison with the machine found."""
    agree = f"all {checked.letters:,} predictions agree"
    if checked.differing:
        agree = f"{checked.differing:,} of {checked.letters:,} predictions differ"
    return f"Held against the machine's own run on {checked.strings} more strings: {agree}."


def json_code(found: Read, checked: Checked | None = None) -> str:
    """Return an automaton and what is known of it as JSON."""
    value = {
        "kind": "stack automaton",
        **found._asdict(),
        "automaton": to_json(found.automaton),
        "checked": None if checked is None else checked._asdict(),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _function(automaton: StackAutomaton) -> str:
    names = [name.replace(" ", "_") for name in automaton.stacks]
    lines = [
        "def run(letters):",
        '    """Yield after each letter the next one; None where that is open."""',
        *(f"    {name} = []" for name in names),
        "    for letter in letters:",
    ]
    for number, rule in enumerate(automaton.rules):
        keyword = "elif" if number else "if"
        lines.append(f"        {keyword} {' and '.join(_conditions(rule, names))}:")
        lines += [f"            {line}" for line in _moves(rule, names)]
        lines.append(
            f"            yield {None if rule.predicts is None else _quoted(rule.predicts)}"
        )
    return "\n".join(
        [
            *lines,
            "        else:",
            '            raise ValueError(f"there is no rule for {letter!r} here")',
            "",
            "",
            "def seen(stack, depth):",
            '    """Return what lies so deep in a stack, the top at depth 0."""',
            f"    return stack[-1 - depth] if len(stack) > depth else {_quoted(EMPTY)}",
            "",
        ]
    )


def _conditions(rule: Rule, names: Sequence[str]) -> list[str]:
    """Return what has to hold for a rule, as expressions."""
    return [f"letter == {_quoted(rule.letter)}"] + [
        f"seen({name}, {depth}) == {_quoted(symbol)}"
        for name, tops in zip(names, rule.tops, strict=True)
        for depth, symbol in enumerate(tops)
        if symbol != ANY
    ]


def _moves(rule: Rule, names: Sequence[str]) -> list[str]:
    """Return what a rule does with the stacks, as statements."""
    moves = zip(names, rule.moves, strict=True)
    done = {"push": "{0}.append({1})", "pop": "del {0}[-1:]"}
    return [
        done[move.action].format(name, _quoted(move.symbol))
        for name, move in moves
        if move.action in done
    ]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
