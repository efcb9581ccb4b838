"""The names of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.registry import Registry

if TYPE_CHECKING:
    # The names are to be had without JAX.
    from softmachine.tasks.task import Task

TASKS: Registry[type[Task]] = Registry(
    "task",
    "softmachine.tasks",
    {
        "copy": "sequences.copy:Copy",
        "repeat-copy": "sequences.repeat_copy:RepeatCopy",
        "associative-recall": "sequences.associative_recall:AssociativeRecall",
        "ngrams": "sequences.ngrams:NGrams",
        "priority-sort": "sequences.priority_sort:PrioritySort",
        "reverse-string": "languages.reverse_string:ReverseString",
        "memory-access": "memories.arrays:Access",
        "memory-increment": "memories.arrays:Increment",
        "memory-copy": "memories.arrays:MemoryCopy",
        "memory-reverse": "memories.arrays:Reverse",
        "memory-swap": "memories.arrays:Swap",
        "memory-permutation": "memories.arrays:Permutation",
        "memory-merge": "memories.arrays:Merge",
        "list-k": "memories.lists:ListK",
        "list-search": "memories.lists:ListSearch",
        "walk-bst": "memories.trees:WalkBST",
        "given": "memories.given:Given",
    },
)
"""Tasks by name; a line for each that comes with the package."""

task = TASKS.register
"""Decorator: ``@task("addition")`` gives a task the name that files and the command line know
it by."""
