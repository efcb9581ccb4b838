"""A random-access machine whose every operation is a call, and three programs for it.

What the controller of an NRAM does with gates and registers (Kurach et al. 2016, arXiv
1511.06392), a programmer-interpreter does with one primitive, an operation at a time.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Literal

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced.environment import (
    Call,
    Environment,
    FailureError,
    Picture,
    PictureRow,
    Steps,
    primitive,
    program,
)

Gate = Literal[
    "READ", "ZERO", "ONE", "TWO", "INC", "ADD", "SUB", "DEC", "LT", "LE", "EQ", "MIN", "MAX",
    "WRITE",
]  # fmt: skip
Register = Literal[0, 1, 2, 3, 4]
Target = Literal[0, 1, 2, 3, 4, "None"]
REGISTERS = 5
GATES: dict[str, Callable[[int, int], int]] = {
    "ZERO": lambda x, y: 0,  # noqa: ARG005
    "ONE": lambda x, y: 1,  # noqa: ARG005
    "TWO": lambda x, y: 2,  # noqa: ARG005
    "INC": lambda x, y: x + 1,  # noqa: ARG005
    "ADD": lambda x, y: x + y,
    "SUB": lambda x, y: x - y,
    "DEC": lambda x, y: x - 1,  # noqa: ARG005
    "LT": lambda x, y: int(x < y),
    "LE": lambda x, y: int(x <= y),
    "EQ": lambda x, y: int(x == y),
    "MIN": min,
    "MAX": max,
}
"""The NRAM's gates that only compute, before their results are taken modulo the cells."""
Memory = tuple[int, ...]


class RandomAccess(Environment):
    """A memory of M cells, and five registers that begin at 0; all numbers are modulo M.

    Seen is which registers hold 0, as by the controller of an NRAM: so what is seen does not
    depend on M. Every subclass has all programs, and says which is the main one.
    """

    observations: ClassVar = {f"r{i} is 0": (False, True) for i in range(REGISTERS)}
    main: ClassVar = "INCREMENT"

    def __init__(self, memory: Sequence[int]) -> None:
        """Fill the memory; raises SoftmachineError for numbers that it cannot hold."""
        self.given = tuple(memory)
        if not memory or not all(0 <= x < len(memory) for x in memory):
            raise SoftmachineError(
                f"a memory of {len(memory)} cells holds numbers from 0 to {len(memory) - 1}; "
                f"not {self.given}"
            )
        self.memory, self.registers = list(memory), [0] * REGISTERS

    def observe(self) -> tuple[bool, ...]:
        """Return which registers hold 0."""
        return tuple([x == 0 for x in self.registers])

    @primitive
    def op(self, gate: Gate, x: Register, y: Register, z: Target) -> None:
        """Apply a gate to registers x and y, and put the result in register z.

        READ gives the cell at the address in x. WRITE puts y there, and has no result: z is
        None. What a gate does not use may be any register.
        """
        a, b = self.registers[x], self.registers[y]
        if gate == "WRITE":
            if z != "None":
                raise FailureError("WRITE has no result to put in a register")
            self.memory[a] = b
        elif z == "None":
            raise FailureError(f"the result of {gate} is put in no register")
        elif gate == "READ":
            self.registers[z] = self.memory[a]
        else:
            self.registers[z] = GATES[gate](a, b) % len(self.memory)

    @program
    def increment(self) -> Steps:
        """Add 1 to each cell from register 0 on, up to one that holds 0."""
        yield self.op("READ", 0, 0, 1)
        if self._zero(1):
            return None
        yield self.op("INC", 1, 0, 1)
        yield self.op("WRITE", 0, 1, "None")
        yield self.op("INC", 0, 0, 0)
        return self.increment()

    @program
    def copy(self) -> Steps:
        """Copy the cells behind the first to where the first points."""
        yield self.op("READ", 0, 0, 1)
        yield self.op("READ", 0, 0, 2)
        yield self.op("INC", 0, 0, 0)
        return self.copy_loop()

    @program
    def copy_loop(self) -> Steps:
        """Copy from register 0 to register 1, upwards, until register 0 is at register 2."""
        return (yield from self._copy_on("INC", self.copy_loop))

    @program
    def reverse(self) -> Steps:
        """Copy the cells behind the first to where the first points, in reverse order."""
        yield self.op("READ", 0, 0, 2)
        yield self.op("ADD", 2, 2, 1)
        yield self.op("DEC", 1, 0, 1)
        yield self.op("DEC", 1, 0, 1)
        yield self.op("INC", 0, 0, 0)
        return self.reverse_loop()

    @program
    def reverse_loop(self) -> Steps:
        """Copy upwards from register 0 and downwards to 1, until 0 is at register 2."""
        return (yield from self._copy_on("DEC", self.reverse_loop))

    def _copy_on(self, way: Gate, loop: Callable[[], Call]) -> Steps:
        """Copy one cell, move where the next one goes, and call the loop once more."""
        yield self.op("EQ", 0, 2, 3)
        if not self._zero(3):
            return None
        yield self.op("READ", 0, 0, 3)
        yield self.op("WRITE", 1, 3, "None")
        yield self.op("INC", 0, 0, 0)
        yield self.op(way, 1, 0, 1)
        return loop()

    def _zero(self, register: int) -> bool:
        return self.observe()[register]

    def result(self) -> Memory:
        """Return the memory as it is."""
        return tuple(self.memory)

    def picture(self) -> Picture:
        """Return the memory with all registers as pointers, and the registers."""
        registers = {f"r{i}": x for i, x in enumerate(self.registers)}
        return Picture(
            (
                PictureRow("memory", tuple(map(str, self.memory)), registers),
                PictureRow("registers", tuple(map(str, self.registers))),
            )
        )


class Increment(RandomAccess):
    """Numbers from 1 on, then zeros: each is to be one larger.

    The largest number has to be less than the last that the memory can hold.
    """

    main: ClassVar = "INCREMENT"

    def __init__(self, memory: Sequence[int]) -> None:
        """Fill the memory; raises SoftmachineError for one that is laid out otherwise."""
        super().__init__(memory)
        if 0 not in self.given or max(self.given) >= len(memory) - 1:
            raise SoftmachineError(
                "numbers to increment are less than the last that the memory can hold, "
                f"{len(memory) - 1}, and end before a 0; not {self.given}"
            )

    def expected(self) -> Memory:
        """Return the memory with the numbers before the first 0 one larger."""
        length = self.given.index(0)
        return (*(x + 1 for x in self.given[:length]), *self.given[length:])

    teaching: ClassVar[Memory] = (2, 1, 0, 0)
    """A memory whose trace shows all calls that arrays of the paper cause."""

    @staticmethod
    def random_memory(size: int, rng: random.Random, smallest: int = 1) -> Memory:
        """Return ``size`` numbers and two zeros; the numbers are from 1 on in any case."""
        del smallest
        return (*(rng.randint(1, size) for _ in range(size)), 0, 0)

    @staticmethod
    def proving_memories(smallest: int = 1) -> Iterator[Memory]:
        """Return memories whose calls are all that can occur; of 0 also the empty array."""
        yield (1, 1, 0, 0)
        if not smallest:
            yield (0, 0)


class Copy(RandomAccess):
    """A pointer to the first free cell, numbers, as many free cells or more: copy the numbers.

    There is at least one. The arrays of the paper hold no 0.
    """

    main: ClassVar = "COPY"

    def __init__(self, memory: Sequence[int]) -> None:
        """Fill the memory; raises SoftmachineError for one that is laid out otherwise."""
        super().__init__(memory)
        first = self.given[0]
        if not 2 <= first <= len(memory) - first + 1:
            raise SoftmachineError(
                "numbers to copy stand behind the address of the first free cell, 2 or more, "
                f"and before as many free cells or more; not {self.given}"
            )

    def expected(self) -> Memory:
        """Return the memory with the numbers twice."""
        return self._with(self.given[1 : self.given[0]])

    def _with(self, numbers: Memory) -> Memory:
        """Return the memory with numbers written to where its first cell points."""
        first = self.given[0]
        return self.given[:first] + numbers + self.given[first + len(numbers) :]

    teaching: ClassVar[Memory] = (4, 3, 2, 1, 0, 0, 0, 0)
    """A memory whose trace shows 4 of the 7 calls that arrays of the paper cause; if any number
    may be 0 there are 13. With a cell to spare: without one register 1 is 0 at the end, and a
    core may learn to end by that."""

    @staticmethod
    def random_memory(size: int, rng: random.Random, smallest: int = 1) -> Memory:
        """Return a pointer, ``size`` numbers from ``smallest`` on, and as many zeros."""
        numbers = [rng.randint(smallest, 2 * size) for _ in range(size)]
        return (size + 1, *numbers, *[0] * size)

    @staticmethod
    def proving_memories(smallest: int = 1) -> Iterator[Memory]:
        """Return memories whose calls are all that can occur with numbers from 0, or 1, on.

        It matters which numbers are 0, and how far the last cell is from what is written, since
        the address after it is 0 again.
        """
        for size, more in itertools.product((1, 2, 3), (0, 1, 2)):
            for numbers in itertools.product(range(smallest, 2), repeat=size):
                yield (size + 1, *numbers, *[0] * (size + more))


class Reverse(Copy):
    """A pointer to the first free cell, numbers, free cells: copy the numbers reversed."""

    main: ClassVar = "REVERSE"
    teaching: ClassVar[Memory] = (4, 3, 2, 1, 0, 0, 0)
    """A memory whose trace shows 4 of the 6 calls that arrays of the paper cause; if any number
    may be 0 there are 9."""

    def expected(self) -> Memory:
        """Return the memory with the numbers, and then the numbers reversed."""
        return self._with(self.given[self.given[0] - 1 : 0 : -1])
