"""Stories with questions in the files of bAbI (Weston et al. 2015, arXiv 1502.05698).

Each task has a file for training and one for tests, ``qa1_NAME_train.txt`` and
``qa1_NAME_test.txt``. A line is a number and a sentence; numbers begin with 1 in each story. A
question has its answer behind a tab, and behind another the numbers of the lines that it
follows from. An answer of several words has commas between them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from softmachine.core.errors import ExamplesError

TASKS = 20
"""How many tasks bAbI has."""
ANSWER = "-"
"""What is read in place of each word of an answer."""
FETCHING = (
    "bAbI does not come with the package: get tasks_1-20_v1-2.tar.gz, which "
    "https://research.facebook.com/downloads/babi names, unpack it, and give the path of a "
    "folder in it such as tasks_1-20_v1-2/en-10k"
)
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9'-]*[a-z0-9])?|[.?]")


class Story(NamedTuple):
    """A story with its questions, as a machine reads it."""

    words: tuple[str, ...]
    """In lower case; ``.`` and ``?`` are words, and so is ``-``, one for each of an answer."""
    answers: tuple[str | None, ...]
    """For each word what is to be said at it; None unless it is ``-``."""


@lru_cache(maxsize=64)
def read_task(path: str, number: int, part: str) -> tuple[Story, ...]:
    """Return the stories of a task's file.

    Arguments:
        path: of the folder with the files.
        number: of the task, from 1 on.
        part: ``train`` or ``test``.

    Raises ExamplesError if there is no such file, or says what is wrong in which line of it.
    """
    folder = Path(os.path.expanduser(path))  # which leaves the home of nobody as it is
    found = sorted(folder.glob(f"qa{number}_*_{part}.txt"))
    if not found:
        raise ExamplesError(f"{folder} {_lack(folder, f'qa{number}_..._{part}.txt')}")
    if len(found) > 1:
        raise ExamplesError(
            f"{folder} has several files of task {number}: {found[0].name}, {found[1].name}"
        )
    try:
        lines = found[0].read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ExamplesError(f"{found[0]} cannot be read as text: {error}") from error
    stories = _stories(lines, str(found[0]))
    if not stories:
        raise ExamplesError(f"{found[0]} has no story with a question")
    return stories


def words_of(path: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """Return all words of the files of some tasks, those of tests included, in their order."""
    found = {ANSWER, ".", "?"}
    for number in numbers:
        for part in ("train", "test"):
            for story in read_task(path, number, part):
                found.update(story.words, (word for word in story.answers if word))
    return tuple(sorted(found))


def tokens(text: str) -> list[str]:
    """Return the words of a text; ValueError for what is no word.

    >>> tokens("Where is Mary? -")
    ['where', 'is', 'mary', '?', '-']
    """
    found = []
    for piece in text.lower().split():
        place = 0
        while place < len(piece):
            match = _WORD.match(piece, place)
            if match is None and piece[place:] != ANSWER:
                raise ValueError(f"{piece!r} is no word")
            word = match.group() if match else ANSWER
            found.append(word)
            place += len(word)
    return found


def _lack(folder: Path, name: str) -> str:
    """Say that a folder does not have a file, and what can be done about it."""
    if not folder.is_dir():
        return f"is no folder. {FETCHING}"
    inside = sorted({file.parent.name for file in folder.glob("*/qa*_train.txt")})
    if inside:
        return f"has no {name}, but folders that may: {', '.join(inside)}; give one of them"
    return f"has no {name}. {FETCHING}"


def _stories(lines: Sequence[str], file: str) -> tuple[Story, ...]:
    """Return the stories that lines tell; without questions they are left out."""
    stories: list[Story] = []
    words: list[str] = []
    answers: list[str | None] = []
    before = 0

    def end() -> None:
        # What follows the last question changes nothing.
        last = max((i for i, answer in enumerate(answers) if answer), default=-1) + 1
        if last:
            stories.append(Story(tuple(words[:last]), tuple(answers[:last])))
        words.clear()
        answers.clear()

    for number, line in enumerate(lines, 1):
        where = f"{file}, line {number}"
        head, space, rest = line.strip().partition(" ")
        if not (head.isascii() and head.isdigit() and space):
            raise ExamplesError(f"{where} should be a number and a sentence, not {line[:40]!r}")
        if int(head) == 1:
            end()
        elif int(head) != before + 1:
            raise ExamplesError(
                f"{where} has number {head}; {before + 1} goes on, 1 begins a new story"
            )
        before = int(head)
        sentence, said = _sentence(rest, where)
        words.extend([*sentence, *[ANSWER] * len(said)])
        answers.extend([*[None] * len(sentence), *said])
    end()
    return tuple(stories)


def _sentence(text: str, where: str) -> tuple[list[str], list[str]]:
    """Return the words of a sentence, and those of its answer: none unless it is a question."""
    sentence, *more = text.split("\t")
    try:
        words = tokens(sentence)
        answer = [word for part in more[:1] for word in part.split(",")]
        said = [tokens(word) for word in answer]
    except ValueError as error:
        raise ExamplesError(f"{where}: {error}") from error
    if ANSWER in words:
        raise ExamplesError(f"{where} has a {ANSWER!r}, which stands for answers here")
    if not words or (words[-1] == "?") != bool(more):
        raise ExamplesError(
            f"{where} should be a sentence, or a question with a tab and its answer behind it"
        )
    if len(more) > 2 or any(len(word) != 1 or word == [ANSWER] for word in said):
        raise ExamplesError(
            f"{where} should have one answer behind a tab, several words of it with commas "
            "between them, and behind another tab the numbers of lines"
        )
    return words, [word[0] for word in said]
