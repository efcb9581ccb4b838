"""Is the program right? Proof by exhaustion where that is feasible, tests beyond it.

Four questions: does the program do what the hard machine does, for all small memories and for
many larger ones; is the C the same as the Python; does it solve the task, up to a million
items? A program that is right only as long as numbers are small fails the last.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from softmachine.errors import SoftmachineError
from softmachine.machines.nram import NRAM
from softmachine.machines.nram_hard import run_hard_batch
from softmachine.programs.c_code import c_code
from softmachine.programs.program import Program
from softmachine.programs.python_code import python_code
from softmachine.programs.values import LEAST_CELLS
from softmachine.tasks.memory import MemoryTask
from softmachine.tasks.steps import StepRule

Run = Callable[[list[int]], list[int]]
EXHAUSTIVE = 50_000
"""All memories of a size are tried if there are at most so many."""
INPUTS = 10_000
SIZES = (10, 100, 10_000, 1_000_000)
CELLS = (9, 20, 64)
"""Numbers of cells of random memories."""
MOST_SHOWN = 24
"""A counter-example is shown in full if it has at most so many cells."""


class Check(NamedTuple):
    """One thing that was looked at."""

    how: str
    """``proven``, ``tested`` or ``skipped``."""
    what: str
    inputs: int
    counterexample: str | None = None

    def __str__(self) -> str:
        if self.how == "skipped":
            return f"skipped: {self.what}"
        count = f"{self.inputs:,} input{'' if self.inputs == 1 else 's'}"
        if self.counterexample is not None:
            return f"WRONG: {self.what}; {self.counterexample}"
        return f"{self.how}: {self.what} ({count})"


class Report(NamedTuple):
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no counter-example."""
        return all(check.counterexample is None for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the checks, JSON-compatible."""
        return [check._asdict() for check in self.checks]


def verify(
    machine: NRAM,
    task: MemoryTask,
    program: Program,
    *,
    seed: int = 0,
    inputs: int = INPUTS,
    sizes: Sequence[int] = SIZES,
    exhaustive: int = EXHAUSTIVE,
) -> Report:
    """Return what holds of a program.

    Arguments:
        machine: the machine that the program comes from.
        task: what it was trained for.
        program: the program.
        seed: of all random inputs.
        inputs: how many random inputs to compare on, for each question.
        sizes: sizes of examples of the task, beyond the small ones.
        exhaustive: up to how many memories of one number of cells all are tried.
    """
    run = load_python(python_code(program, "A program.", []))
    rng = np.random.default_rng(seed)
    random = _random_memories(task, rng, seed, inputs)
    checks = [
        *_small(machine, program.steps, run, exhaustive),
        _same_as_machine(
            machine,
            program.steps,
            run,
            random,
            how="tested",
            what=f"equal to the hard machine on memories of {min(map(len, random[0]))} to "
            f"{max(len(m) for group in random for m in group)} cells",
        ),
    ]
    with tempfile.TemporaryDirectory() as directory:
        native = load_c(c_code(program, "A program.", []), Path(directory))
        if native is None:
            checks.append(Check("skipped", "the C program: there is no C compiler", 0))
        else:
            every = itertools.chain(_all_memories(exhaustive), itertools.chain(*random))
            checks.append(_same(run, native, every))
        checks += list(_solves(task, run, native, seed, inputs, sizes))
    return Report(tuple(checks))


# Running programs


def load_python(code: str) -> Run:
    """Return the function ``run`` of a Python program."""
    namespace: dict[str, Any] = {}
    exec(compile(code, "<program>", "exec"), namespace)
    return namespace["run"]


def c_compiler() -> str | None:
    """Return the C compiler: what ``CC`` names, ``cc``, ``gcc`` or ``clang``; None if none is."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    return None


def load_c(code: str, directory: Path) -> Run | None:
    """Compile a C program in a directory; return its ``run``, None without a compiler.

    The function takes and returns lists, or arrays of int64, as the Python program does.

    Raises SoftmachineError if the compiler refuses the program.
    """
    compiler = c_compiler()
    if compiler is None:
        return None
    source, library = directory / "program.c", directory / "program.so"
    source.write_text(code)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    done = subprocess.run(
        [compiler, *flags, "-o", str(library), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SoftmachineError(f"{compiler} refused the C program: {done.stderr}")
    function = ctypes.CDLL(str(library)).run
    function.argtypes = [ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t]
    function.restype = ctypes.c_int

    def run(memory: list[int]) -> list[int]:
        cells = np.array(memory, np.int64)
        status = function(cells.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), len(cells))
        if status:
            raise ValueError(f"the C program returned {status}")
        return cells.tolist()

    return run


@eqx.filter_jit
def _run_machine(machine, memories, steps):
    return run_hard_batch(machine, memories, steps).memory


# The questions


def _all_memories(most: int) -> Iterable[list[int]]:
    """Yield all memories of so few cells that there are at most ``most`` of each size."""
    cells = LEAST_CELLS
    while cells**cells <= most:
        yield from map(list, itertools.product(range(cells), repeat=cells))
        cells += 1


def _small(machine: NRAM, rule: StepRule, run: Run, most: int) -> list[Check]:
    """Compare with the hard machine on all small memories."""
    groups = [
        list(group) for _, group in itertools.groupby(_all_memories(most), key=len)
    ]
    if not groups:
        return []
    what = f"equal to the hard machine on every memory of {LEAST_CELLS} to {len(groups[-1][0])}"
    return [
        _same_as_machine(machine, rule, run, groups, how="proven", what=f"{what} cells")
    ]


def _random_memories(
    task: MemoryTask, rng: np.random.Generator, seed: int, count: int
) -> list[list[list[int]]]:
    """Return memories of some sizes, half of them anything, half of them examples."""
    groups, each = [], -(-count // (2 * len(CELLS)))
    for cells in CELLS:
        size = _fitting(task, cells)
        examples = _draw(task, jax.random.key(seed), each, task.smallest, size)
        cells = examples.inputs.shape[1]
        anything = rng.integers(0, cells, (each, cells)).tolist()
        groups.append(anything + np.asarray(examples.inputs).tolist())
    return groups


def _fitting(task: MemoryTask, cells: int) -> int:
    """Return the largest size that needs at most so many cells, if there is one."""
    size = task.smallest
    while task.cells(size + 1) <= cells:
        size += 1
    return size


@functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))
def _draw(task, key, count, smallest, largest):
    """Draw examples with sizes from smallest to largest, in memories for the largest."""
    size_key, key = jax.random.split(key)
    sizes = jax.random.randint(size_key, (count,), smallest, largest + 1)
    keys = jax.random.split(key, count)
    return jax.vmap(lambda k, size: task.sample(k, size, max_size=largest))(keys, sizes)


def _same_as_machine(
    machine: NRAM,
    rule: StepRule,
    run: Run,
    groups: Sequence[list[list[int]]],
    *,
    how: str,
    what: str,
) -> Check:
    """Compare a program and the hard machine on groups of equally large memories."""
    for memories in groups:
        steps = [rule.steps(memory) for memory in memories]
        after = np.asarray(_run_machine(machine, jnp.asarray(memories), jnp.asarray(steps)))
        for memory, expected in zip(memories, after.tolist(), strict=True):
            found = _attempt(run, memory)
            if found != expected:
                return Check(how, what, 0, _difference(memory, expected, found, "the machine"))
    return Check(how, what, sum(map(len, groups)))


def _same(run: Run, native: Run, memories: Iterable[list[int]]) -> Check:
    """Compare the two programs."""
    what, count = "the C program is equal to the Python program", 0
    for memory in memories:
        expected, found = _attempt(run, memory), _attempt(native, memory)
        count += 1
        if found != expected:
            return Check(
                "tested", what, count, _difference(memory, expected, found, "Python")
            )
    return Check("tested", what, count)


def _solves(
    task: MemoryTask,
    run: Run,
    native: Run | None,
    seed: int,
    inputs: int,
    sizes: Sequence[int],
) -> Iterable[Check]:
    """Compare with the task's own answers, small examples first."""
    bounds = [task.smallest + 1, 6, 50]
    key, each = jax.random.key(seed + 1), -(-inputs // len(bounds))
    what = f"solves {type(task).__name__} at sizes {task.smallest} to {bounds[-1]}"
    wrong = None
    for bound in bounds:
        examples = _draw(task, key, each, task.smallest, bound)
        wrong = wrong or _first_wrong(run, examples, rows=range(each))
    yield Check("tested", what, each * len(bounds), wrong)
    for size in sizes:
        count = max(1, min(100, 100_000 // size))
        what = f"solves {type(task).__name__} at size {size:,}"
        if task.largest is not None and size > task.largest:
            yield Check("skipped", f"{what}: the task draws no examples as large as that", 0)
            continue
        wrong = None
        for i in range(count):
            example = _draw(task, jax.random.fold_in(key, i), 1, size, size)
            wrong = wrong or _first_wrong(run, example, rows=[0], native=native)
        yield Check("tested", what, count, wrong)


def _first_wrong(
    run: Run, examples: Any, *, rows: Iterable[int], native: Run | None = None
) -> str | None:
    """Return an account of the first example that is answered wrongly."""
    inputs, targets, mask = (
        np.asarray(x) for x in (examples.inputs, examples.targets, examples.mask > 0)
    )
    for row in rows:
        memory = inputs[row].tolist()
        for name, program in (("", run), ("in C, ", native)):
            if program is None:
                continue
            found = _attempt(program, memory)
            right = isinstance(found, list) and np.array_equal(
                np.asarray(found)[mask[row]], targets[row][mask[row]]
            )
            if not right:
                expected = np.where(mask[row], targets[row], -1).tolist()
                return name + _difference(memory, expected, found, "the task")
    return None


def _attempt(run: Run, memory: list[int]) -> list[int] | str:
    """Return what a program gives, or the error that it raises."""
    try:
        return run(memory)
    except Exception as error:  # whatever it is, it is a counter-example
        return f"{type(error).__name__}: {error}"


def _difference(
    memory: list[int], expected: list[int] | str, found: list[int] | str, who: str
) -> str:
    """Return an account of a difference; -1 is expected where anything is right."""
    shown = str(memory) if len(memory) <= MOST_SHOWN else f"a memory of {len(memory):,} cells"
    if isinstance(found, str) or isinstance(expected, str):
        return f"for {shown} the program gives {found}, {who} {expected}"
    cell = next(
        i for i, (e, f) in enumerate(zip(expected, found, strict=True)) if e not in (-1, f)
    )
    return (
        f"for {shown} cell {cell} becomes {found[cell]}, for {who} {expected[cell]}"
    )

