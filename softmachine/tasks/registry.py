"""The registry of tasks: the names by which files and the command line know them."""

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
        "one-shot": "one_shot.episodes:Episodes",
        "gp-regression": "one_shot.regression:GPRegression",
        "reverse-string": "languages.reverse_string:ReverseString",
        "counting-language": "languages.counting:CountingLanguage",
        "memorisation-language": "languages.memorisation:MemorisationLanguage",
        "addition-language": "languages.addition:AdditionLanguage",
        "transduction": "languages.transductions:Reordering",
        "translation": "languages.translations:Translation",
        "babi": "languages.babi:BAbI",
        "even-pairs": "chomsky.regular:EvenPairs",
        "parity-check": "chomsky.regular:ParityCheck",
        "cycle-navigation": "chomsky.regular:CycleNavigation",
        "modular-arithmetic": "chomsky.regular:ModularArithmetic",
        "stack-manipulation": "chomsky.context_free:StackManipulation",
        "modular-arithmetic-brackets": "chomsky.context_free:ModularArithmeticBrackets",
        "solve-equation": "chomsky.context_free:SolveEquation",
        "duplicate-string": "chomsky.context_sensitive:DuplicateString",
        "missing-duplicate-string": "chomsky.context_sensitive:MissingDuplicateString",
        "odds-first": "chomsky.context_sensitive:OddsFirst",
        "bucket-sort": "chomsky.context_sensitive:BucketSort",
        "binary-addition": "chomsky.numbers:BinaryAddition",
        "binary-multiplication": "chomsky.numbers:BinaryMultiplication",
        "compute-sqrt": "chomsky.numbers:ComputeSqrt",
        "rearrange-symbols": "arithmetic.rearranging:RearrangeSymbols",
        "increment-number": "arithmetic.numbers:IncrementNumber",
        "add-numbers": "arithmetic.numbers:AddNumbers",
        "multiply-numbers": "arithmetic.numbers:MultiplyNumbers",
        "memory-access": "memories.arrays:Access",
        "memory-increment": "memories.arrays:Increment",
        "memory-copy": "memories.arrays:MemoryCopy",
        "memory-reverse": "memories.arrays:Reverse",
        "memory-swap": "memories.permutations:Swap",
        "memory-permutation": "memories.permutations:Permutation",
        "memory-merge": "memories.merge:Merge",
        "list-k": "memories.lists:ListK",
        "list-search": "memories.lists:ListSearch",
        "walk-bst": "memories.trees:WalkBST",
        "given": "memories.given:Given",
        "own-sequences": "own.sequences:OwnSequences",
        "addition": "traced.tasks:Addition",
        "bubble-sort": "traced.tasks:BubbleSort",
        "quicksort": "traced.tasks:QuickSort",
        "topological-sort": "traced.tasks:TopologicalSort",
        "ram-increment": "traced.ram_tasks:RAMIncrement",
        "ram-copy": "traced.ram_tasks:RAMCopy",
        "ram-reverse": "traced.ram_tasks:RAMReverse",
        "several-programs": "traced.tasks:Several",
        "copy-reuse": "sequences.copy_reuse:CopyReuse",
        "key-value": "sequences.key_value:KeyValue",
        "graph-traversal": "sequences.graphs:GraphTraversal",
    },
    base="softmachine.tasks.task:Task",
)
"""Task classes by name; one line for each task of the package."""

task = TASKS.register
"""Decorator that registers a task class under a name, as in ``@task("addition")``."""
