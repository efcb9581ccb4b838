"""The command of the lessons: write the file of an exercise, and check it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Literal

from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.lessons.lesson import Lesson, check

LESSONS = ("addressing", "pointers", "proofs", "lengths")
"""Modules of `softmachine.lessons`, lesson 1 first."""


def do_lesson(what: Literal["start", "check"], number: int, path: Path | None) -> None:
    """Write the file of a lesson, or check what stands in it now.

    Raises SoftmachineError if there is no such lesson, if the file cannot be written or does
    not run, or if something in it is not right.
    """
    if not 1 <= number <= len(LESSONS):
        raise SoftmachineError(f"there is no lesson {number}: they are 1 to {len(LESSONS)}")
    module = importlib.import_module(f"softmachine.lessons.{LESSONS[number - 1]}")
    lesson: Lesson = module.LESSON
    path = path or Path(f"lesson{number}.py")
    if what == "start":
        _start(lesson, path)
        print(f"Lesson {number}, {lesson.title}: {path}")
        print(f"Write its functions, then: softmachine lesson check {number} {path}")
        return
    if not path.exists():
        raise SoftmachineError(
            f"{path} does not exist: 'softmachine lesson start {number}' writes it"
        )
    print(f"Lesson {number}, {lesson.title}")
    with working("Checking"):
        answers = list(check(lesson, path))
    for answer in answers:
        print(f"  {answer.function}: {answer.wrong or 'right'}")
    wrong = sum(answer.wrong is not None for answer in answers)
    if wrong:
        raise SoftmachineError(f"{len(answers) - wrong} of {len(answers)} right")
    print(f"All {len(answers)} right.")


def _start(lesson: Lesson, path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise SoftmachineError(f"{path} exists: name another file, or check it")
    try:
        with replacing(path) as temporary:
            temporary.write_text(lesson.start, encoding="utf-8")
    except OSError as error:
        raise SoftmachineError(f"cannot write to {path}: {error.strerror}") from error
