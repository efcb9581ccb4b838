"""The four tasks of recursive programmer-interpreters: addition and three kinds of sorting.

Source: Cai, Shin & Song 2017 (arXiv 1704.06611), sections 3.2 and 4. Addition, quicksort and
topological sort are learned from as many problems as there; bubble sort from six rows
instead of a hundred of up to two numbers.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from softmachine.core.choices import Count, check_fields
from softmachine.tasks.published import PaperTest
from softmachine.tasks.registry import TASKS, task
from softmachine.tasks.traced import addition, bubble_sort, quicksort, topological_sort
from softmachine.tasks.traced.environment import Environment
from softmachine.tasks.traced.published import run_tests
from softmachine.tasks.traced.task import TracedProblems, TracedTask
from softmachine.tasks.traced.tracing import Calls


@task("addition")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Addition(TracedProblems):
    """Add two numbers, column by column, on a scratch pad.

    >>> Addition().pose(((9, 6), (1, 2, 5))).expected()
    (2, 2, 1)
    """

    problems: Count = 200
    numbers: Literal["equal", "any"] = "equal"
    """Whether numbers are equally long, without leading zeros, as in the papers, or any."""

    forms: ClassVar[Mapping[str, type[Environment]]] = {
        "recursive": addition.Addition,
        "loop": addition.AdditionByLoop,
    }

    @property
    def domain(self) -> str:
        """Whether that is all numbers, or those that are equally long."""
        if self.numbers == "any":
            return "every two numbers"
        return "every two numbers of the same length without leading zeros"

    def training_problems(self, rng: random.Random) -> Iterable[addition.Problem]:
        """Return numbers of up to three digits."""
        return addition.training_problems(self.problems, rng)

    def proving_problems(self) -> Iterable[addition.Problem]:
        """Return problems whose calls are all that can occur."""
        if self.numbers == "any":
            return addition.proving_problems_of_any_length()
        return addition.proving_problems()

    def random_problem(self, size: int, rng: random.Random) -> addition.Problem:
        """Return two numbers of ``size`` digits."""
        return addition.random_problem(size, rng)

    def published_tests(self) -> list[PaperTest]:
        """Return runs on numbers of up to 5,000 digits."""
        percent = {"recursive": (100, 100, 100), "loop": (100, 100, 100)}
        return run_tests(self, "digits", (10, 100, 5000), percent)

    problem_form: ClassVar[str] = "two numbers, such as 196 + 125"

    def read_problem(self, text: str) -> addition.Problem:
        """Return the digits of two numbers, as they are written."""
        words = re.split(r"[\s,+]+", text.strip())
        if len(words) != 2 or not all(re.fullmatch(r"[0-9]+", word) for word in words):
            raise ValueError(f"write {self.problem_form}")
        first, second = (tuple(map(int, word)) for word in words)
        return first, second

    def write_problem(self, problem: addition.Problem) -> str:
        """Return two numbers with a plus between them."""
        return " + ".join("".join(map(str, digits)) for digits in problem)


class OfNumbers(TracedProblems):
    """A task on a row of numbers."""

    smallest_problem: ClassVar[int] = 0

    def random_problem(self, size: int, rng: random.Random) -> tuple[bubble_sort.Numbers]:
        """Return ``size`` numbers from 0 to 9."""
        return (bubble_sort.random_numbers(size, rng),)

    problem_form: ClassVar[str] = "numbers, such as 3 1 2"

    def read_problem(self, text: str) -> tuple[bubble_sort.Numbers]:
        """Return the numbers of a text."""
        words = list(filter(None, re.split(r"[\s,;\[\]]+", text)))
        if not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words):
            raise ValueError(f"write {self.problem_form}, each from 0 to 999,999,999")
        return (tuple(map(int, words)),)

    def write_problem(self, problem: tuple[bubble_sort.Numbers]) -> str:
        """Return the numbers, with spaces between them."""
        return " ".join(map(str, problem[0]))


@task("bubble-sort")
@dataclasses.dataclass(frozen=True, kw_only=True)
class BubbleSort(OfNumbers):
    """Sort numbers by exchanging neighbours.

    >>> BubbleSort().pose(((9, 2, 5),)).expected()
    (2, 5, 9)
    """

    problems: Count = 6

    forms: ClassVar[Mapping[str, type[Environment]]] = {
        "recursive": bubble_sort.BubbleSort,
        "partial": bubble_sort.BubbleSortPartly,
        "loop": bubble_sort.BubbleSortByLoop,
    }

    def training_problems(self, rng: random.Random) -> Iterable[tuple[bubble_sort.Numbers]]:
        """Return rows of up to five numbers."""
        return ((x,) for x in bubble_sort.training_numbers(self.problems, rng))

    def proving_problems(self) -> Iterable[tuple[bubble_sort.Numbers]]:
        """Return rows whose calls are all that can occur."""
        return ((x,) for x in bubble_sort.proving_numbers())

    def published_tests(self) -> list[PaperTest]:
        """Return runs on up to 20 numbers; the paper's go on to 90, as they end at 20."""
        percent = {
            "recursive": (100,) * 5,
            "partial": (100, 23, 10, 0, 0),
            "loop": (100, 6.7, 10, 0, 0),
        }
        return run_tests(self, "numbers", (2, 3, 4, 8, 20), percent)


@task("quicksort")
@dataclasses.dataclass(frozen=True, kw_only=True)
class QuickSort(OfNumbers):
    """Sort numbers by parting them at one of them, and each part in turn.

    >>> QuickSort().pose(((2, 3, 1),)).expected()
    (1, 2, 3)
    """

    problems: Count = 4

    forms: ClassVar[Mapping[str, type[Environment]]] = {
        "recursive": quicksort.QuickSort,
        "loop": quicksort.QuickSortByLoop,
    }

    def training_problems(self, rng: random.Random) -> Iterable[tuple[bubble_sort.Numbers]]:
        """Return rows of five numbers."""
        return ((x,) for x in quicksort.training_numbers(self.problems, rng))

    def proving_problems(self) -> Iterable[tuple[bubble_sort.Numbers]]:
        """Return the row whose calls are all that can occur."""
        return ((x,) for x in quicksort.proving_numbers())

    def published_tests(self) -> list[PaperTest]:
        """Return runs on up to 70 numbers."""
        percent = {
            "recursive": (100,) * 8,
            "loop": (100, 73.3, 60, 30, 20, 3.3, 3.3, 0),
        }
        return run_tests(self, "numbers", (7, 11, 15, 20, 22, 25, 30, 70), percent)


@task("topological-sort")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TopologicalSort(TracedProblems):
    """Put the vertices of a graph in an order in which no edge points back.

    >>> TopologicalSort().pose((3, ((1, 2), (3, 1)))).expected()
    (3, 1, 2)
    """

    problems: Count = 6

    forms: ClassVar[Mapping[str, type[Environment]]] = {
        "recursive": topological_sort.TopologicalSort,
        "loop": topological_sort.TopologicalSortByLoop,
    }

    def training_problems(self, rng: random.Random) -> Iterable[topological_sort.Graph]:
        """Return the published graph of five vertices, and random ones of seven."""
        return topological_sort.training_graphs(self.problems, rng)

    def proving_problems(self) -> Iterable[topological_sort.Graph]:
        """Return graphs whose calls are all that can occur."""
        return topological_sort.proving_graphs()

    def random_problem(self, size: int, rng: random.Random) -> topological_sort.Graph:
        """Return a graph of ``size`` vertices."""
        return topological_sort.random_graph(size, rng)

    def published_tests(self) -> list[PaperTest]:
        """Return runs on graphs of up to 70 vertices.

        Figures of programs with loops are of those learned from one graph; from six, the
        paper's were right on all up to 120 vertices.
        """
        of_one = (6.7, 6.7, 3.3, 0, 0) if self.problems == 1 else (100,) * 5
        percent = {"recursive": (100,) * 5, "loop": of_one}
        return run_tests(self, "vertices", (5, 6, 7, 8, 70), percent)

    problem_form: ClassVar[str] = (
        "the number of vertices, a colon, and edges from one to another: 4: 1-2 3-1 2-4"
    )

    def read_problem(self, text: str) -> topological_sort.Graph:
        """Return a graph."""
        edge = r"[0-9]{1,5}-[0-9]{1,5}(?![0-9])"  # so that 1-12-3 is not 1-1 and 2-3
        found = re.fullmatch(rf"\s*([0-9]{{1,5}})\s*:((?:[\s,]*{edge})*)[\s,]*", text)
        if found is None:
            raise ValueError(f"write {self.problem_form}")
        edges = re.findall(r"([0-9]+)-([0-9]+)", found[2])
        return int(found[1]), tuple((int(a), int(b)) for a, b in edges)

    def write_problem(self, problem: topological_sort.Graph) -> str:
        """Return the number of vertices, and the edges."""
        vertices, edges = problem
        return " ".join([f"{vertices}:", *(f"{a}-{b}" for a, b in edges)])


@task("several-programs")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Several(TracedTask):
    """Several tasks for one core.

    >>> sorted(Several().kinds)
    ['addition', 'bubble-sort', 'quicksort', 'topological-sort']
    """

    tasks: tuple[TracedProblems, ...] = (
        Addition(),
        BubbleSort(),
        QuickSort(),
        TopologicalSort(),
    )

    def __post_init__(self) -> None:
        """Check that there are tasks, each of another kind."""
        check_fields(self)
        kinds = [type(task) for task in self.tasks]
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError("several programs are one or more tasks, each of another kind")

    @property
    def kinds(self) -> Mapping[str, type[Environment]]:
        """The kinds of environments of all tasks."""
        return {_name(task): task.environment for task in self.tasks}

    @property
    def parts(self) -> Mapping[str, TracedProblems]:
        """The tasks by their names."""
        return {_name(task): task for task in self.tasks}

    def traced_calls(self) -> Mapping[str, Calls]:
        """Return the calls of all tasks."""
        return {
            _name(task): calls for task in self.tasks for calls in task.traced_calls().values()
        }

    def held_out(self, *, larger: bool = False) -> Several:
        """Return the calls held out of all tasks."""
        tasks = tuple(task.held_out(larger=larger) for task in self.tasks)
        return dataclasses.replace(self, tasks=tasks)


def _name(task: TracedProblems) -> str:
    return TASKS.name_of(type(task))
