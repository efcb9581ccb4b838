"""Families of examples on which machines are trained and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names
from softmachine.tasks.registry import TASKS as TASKS

_HOMES = TASKS.homes() | {
    "Bits": "softmachine.core.specs.bits",
    "Cells": "softmachine.core.specs.cells",
    "Example": "softmachine.core.example",
    "Folder": "softmachine.tasks.one_shot.folder",
    "Gaussians": "softmachine.core.specs.gaussians",
    "Glyphs": "softmachine.tasks.one_shot.glyphs",
    "ImageSource": "softmachine.tasks.one_shot.images",
    "Images": "softmachine.tasks.one_shot.images",
    "Last": "softmachine.core.specs.spec",
    "MemoryTask": "softmachine.tasks.memory",
    "Omniglot": "softmachine.tasks.one_shot.omniglot",
    "PaperTest": "softmachine.tasks.published",
    "Ratio": "softmachine.core.specs.spec",
    "SequenceTask": "softmachine.tasks.task",
    "Spec": "softmachine.core.specs.spec",
    "Stream": "softmachine.core.specs.spec",
    "StreamTask": "softmachine.tasks.languages.streams",
    "StringTask": "softmachine.tasks.languages.strings",
    "Symbols": "softmachine.core.specs.symbols",
    "Task": "softmachine.tasks.task",
    "Transduction": "softmachine.tasks.languages.transductions",
    "Whole": "softmachine.core.specs.spec",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.core.example import Example as Example
    from softmachine.core.specs.bits import Bits as Bits
    from softmachine.core.specs.cells import Cells as Cells
    from softmachine.core.specs.gaussians import Gaussians as Gaussians
    from softmachine.core.specs.spec import Last as Last
    from softmachine.core.specs.spec import Ratio as Ratio
    from softmachine.core.specs.spec import Spec as Spec
    from softmachine.core.specs.spec import Stream as Stream
    from softmachine.core.specs.spec import Whole as Whole
    from softmachine.core.specs.symbols import Symbols as Symbols
    from softmachine.tasks.arithmetic.numbers import AddNumbers as AddNumbers
    from softmachine.tasks.arithmetic.numbers import IncrementNumber as IncrementNumber
    from softmachine.tasks.arithmetic.numbers import MultiplyNumbers as MultiplyNumbers
    from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols as RearrangeSymbols
    from softmachine.tasks.chomsky.context_free import (
        ModularArithmeticBrackets as ModularArithmeticBrackets,
    )
    from softmachine.tasks.chomsky.context_free import SolveEquation as SolveEquation
    from softmachine.tasks.chomsky.context_free import StackManipulation as StackManipulation
    from softmachine.tasks.chomsky.context_sensitive import BucketSort as BucketSort
    from softmachine.tasks.chomsky.context_sensitive import DuplicateString as DuplicateString
    from softmachine.tasks.chomsky.context_sensitive import (
        MissingDuplicateString as MissingDuplicateString,
    )
    from softmachine.tasks.chomsky.context_sensitive import OddsFirst as OddsFirst
    from softmachine.tasks.chomsky.numbers import BinaryAddition as BinaryAddition
    from softmachine.tasks.chomsky.numbers import BinaryMultiplication as BinaryMultiplication
    from softmachine.tasks.chomsky.numbers import ComputeSqrt as ComputeSqrt
    from softmachine.tasks.chomsky.regular import CycleNavigation as CycleNavigation
    from softmachine.tasks.chomsky.regular import EvenPairs as EvenPairs
    from softmachine.tasks.chomsky.regular import ModularArithmetic as ModularArithmetic
    from softmachine.tasks.chomsky.regular import ParityCheck as ParityCheck
    from softmachine.tasks.languages.addition import AdditionLanguage as AdditionLanguage
    from softmachine.tasks.languages.babi import BAbI as BAbI
    from softmachine.tasks.languages.counting import CountingLanguage as CountingLanguage
    from softmachine.tasks.languages.memorisation import (
        MemorisationLanguage as MemorisationLanguage,
    )
    from softmachine.tasks.languages.reverse_string import ReverseString as ReverseString
    from softmachine.tasks.languages.streams import StreamTask as StreamTask
    from softmachine.tasks.languages.strings import StringTask as StringTask
    from softmachine.tasks.languages.transductions import Reordering as Reordering
    from softmachine.tasks.languages.transductions import Transduction as Transduction
    from softmachine.tasks.languages.translations import Translation as Translation
    from softmachine.tasks.memories.arrays import Access as Access
    from softmachine.tasks.memories.arrays import Increment as Increment
    from softmachine.tasks.memories.arrays import MemoryCopy as MemoryCopy
    from softmachine.tasks.memories.arrays import Reverse as Reverse
    from softmachine.tasks.memories.given import Given as Given
    from softmachine.tasks.memories.lists import ListK as ListK
    from softmachine.tasks.memories.lists import ListSearch as ListSearch
    from softmachine.tasks.memories.merge import Merge as Merge
    from softmachine.tasks.memories.permutations import Permutation as Permutation
    from softmachine.tasks.memories.permutations import Swap as Swap
    from softmachine.tasks.memories.trees import WalkBST as WalkBST
    from softmachine.tasks.memory import MemoryTask as MemoryTask
    from softmachine.tasks.one_shot.episodes import Episodes as Episodes
    from softmachine.tasks.one_shot.folder import Folder as Folder
    from softmachine.tasks.one_shot.glyphs import Glyphs as Glyphs
    from softmachine.tasks.one_shot.images import Images as Images
    from softmachine.tasks.one_shot.images import ImageSource as ImageSource
    from softmachine.tasks.one_shot.omniglot import Omniglot as Omniglot
    from softmachine.tasks.one_shot.regression import GPRegression as GPRegression
    from softmachine.tasks.own.sequences import OwnSequences as OwnSequences
    from softmachine.tasks.published import PaperTest as PaperTest
    from softmachine.tasks.sequences.associative_recall import (
        AssociativeRecall as AssociativeRecall,
    )
    from softmachine.tasks.sequences.copy import Copy as Copy
    from softmachine.tasks.sequences.copy_reuse import CopyReuse as CopyReuse
    from softmachine.tasks.sequences.graphs import GraphTraversal as GraphTraversal
    from softmachine.tasks.sequences.key_value import KeyValue as KeyValue
    from softmachine.tasks.sequences.ngrams import NGrams as NGrams
    from softmachine.tasks.sequences.priority_sort import PrioritySort as PrioritySort
    from softmachine.tasks.sequences.repeat_copy import RepeatCopy as RepeatCopy
    from softmachine.tasks.task import SequenceTask as SequenceTask
    from softmachine.tasks.task import Task as Task
    from softmachine.tasks.traced.ram_tasks import RAMCopy as RAMCopy
    from softmachine.tasks.traced.ram_tasks import RAMIncrement as RAMIncrement
    from softmachine.tasks.traced.ram_tasks import RAMReverse as RAMReverse
    from softmachine.tasks.traced.tasks import Addition as Addition
    from softmachine.tasks.traced.tasks import BubbleSort as BubbleSort
    from softmachine.tasks.traced.tasks import QuickSort as QuickSort
    from softmachine.tasks.traced.tasks import Several as Several
    from softmachine.tasks.traced.tasks import TopologicalSort as TopologicalSort
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)
