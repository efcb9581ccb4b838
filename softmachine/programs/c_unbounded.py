"""C code for unbounded programs: a memory in a hash table, and checks against overflow."""

from __future__ import annotations

import dataclasses

from softmachine.core.errors import SoftmachineError
from softmachine.programs.expressions import Syntax
from softmachine.programs.values import Value

NUMBER_BITS = 40
"""Numbers have at most this many bits, so that a sum of `MOST_SUMMANDS` fits into 64."""
MOST_SUMMANDS = 2**20


def _bounded(text: str, value: Value) -> str:
    """Return a call of ``bounded``, which checks that a sum is not too large."""
    if sum(abs(factor) for _, factor in value.terms) > MOST_SUMMANDS:
        raise SoftmachineError("a sum has too many summands to be written in C")
    return text if value.is_constant else f"bounded(memory, {text})"


def unbounded(syntax: Syntax) -> Syntax:
    """Return the C syntax for unbounded programs; see `Syntax.unbounded`."""
    return dataclasses.replace(
        syntax,
        wrap=_bounded,
        load="load(memory, {})",
        unbounded=True,
        # Two's complement: what is below 0 becomes larger than all others.
        rank="(uint64_t)({})",
        ranked={"MIN": "smaller_rank({}, {})", "MAX": "larger_rank({}, {})"},
    )


HELPERS = {
    "load": """\
static inline int64_t load(const struct memory *memory, int64_t address) {
    if (address >= 0 && address < memory->length) {
        return memory->cells[address];
    }
    return memory->room ? memory->others[place(memory, address)].value : 0;
}""",
    "store": """\
static inline void store(struct memory *memory, int64_t address, int64_t value) {
    if (address >= 0 && address < memory->length) {
        memory->cells[address] = value;
        return;
    }
    if (2 * memory->used >= memory->room && !grow(memory)) {
        memory->status = 3;
        return;
    }
    struct cell *cell = &memory->others[place(memory, address)];
    memory->used += cell->address == 0;
    *cell = (struct cell){address, value};
}""",
    "bounded": """\
/* x, unless it is too large: what follows is then not used. */
static inline int64_t bounded(struct memory *memory, int64_t x) {
    if (x > LARGEST || x < -LARGEST) {
        memory->status = 3;
        return 0;
    }
    return x;
}""",
    "smaller_rank": """\
static inline int64_t smaller_rank(int64_t a, int64_t b) {
    return (uint64_t)a < (uint64_t)b ? a : b;
}""",
    "larger_rank": """\
static inline int64_t larger_rank(int64_t a, int64_t b) {
    return (uint64_t)a > (uint64_t)b ? a : b;
}""",
}

MEMORY = f"""\
#define LARGEST ((int64_t)1 << {NUMBER_BITS})

/* A cell that is not one of the list. No other one has the address 0: that is a free place. */
struct cell {{
    int64_t address, value;
}};

/* The list, and in a hash table all other cells that were stored in; the rest is 0. */
struct memory {{
    int64_t *cells, length;
    struct cell *others;
    size_t room, used;
    int status;
}};

static inline size_t place(const struct memory *memory, int64_t address) {{
    size_t i = (size_t)(((uint64_t)address * 0x9E3779B97F4A7C15u) >> 32);
    for (i &= memory->room - 1; memory->others[i].address; i = (i + 1) & (memory->room - 1)) {{
        if (memory->others[i].address == address) {{
            break;
        }}
    }}
    return i;
}}"""

GROW = """\
static inline int grow(struct memory *memory) {
    struct memory larger = *memory;
    larger.room = memory->room ? 2 * memory->room : 16;
    larger.others = calloc(larger.room, sizeof *larger.others);
    if (!larger.others) {
        return 0;
    }
    for (size_t i = 0; i < memory->room; i++) {
        if (memory->others[i].address) {
            larger.others[place(&larger, memory->others[i].address)] = memory->others[i];
        }
    }
    free(memory->others);
    *memory = larger;
    return 1;
}"""

RUN = """\
/* Changes the list in place and returns 0. Leaves it as it is and returns 1 if it
   is empty or too long, 2 if a cell holds less than 0 or more than LARGEST, 3 if a
   number became larger or there is no more memory.
 */
int run(int64_t *cells, size_t length);

int run(int64_t *cells, size_t length) {
    if (length == 0 || length > ((size_t)-1 >> 8)) {
        return 1;
    }
    for (size_t i = 0; i < length; i++) {
        if (cells[i] < 0 || cells[i] > LARGEST) {
            return 2;
        }
    }
    struct memory memory = {malloc(length * sizeof *cells), (int64_t)length, NULL, 0, 0, 0};
    if (!memory.cells) {
        return 3;
    }
    memcpy(memory.cells, cells, length * sizeof *cells);
    change(&memory);
    if (memory.status == 0) {
        memcpy(cells, memory.cells, length * sizeof *cells);
    }
    free(memory.cells);
    free(memory.others);
    return memory.status;
}"""
