"""What a trace shows of an NRAM: names, axes and descriptions of its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from softmachine.core.fields import STOPPING, Field
from softmachine.machines.nram.rows import RowTable

CHOSEN = r"A = (r_1, \dots, r_R, o_1, \dots, o_{i-1})\, \mathrm{softmax}(a_i)"
"""Eq. 1."""
GIVEN = r"P(m(A, B) = c) = \qquad \sum_{a, b} P(A = a)\, P(B = b)\, [m(a, b) = c]"
"""Eq. 2."""
KEPT = r"r_i \leftarrow (r_1, \dots, r_R, o_1, \dots, o_Q)\, \mathrm{softmax}(c_i)"
"""Eq. 3."""


def trace_fields(
    rows: RowTable, shown: Int[np.ndarray, " shown"], registers: int
) -> tuple[Field, ...]:
    """Return the fields of a trace: memory and registers, and the circuit of each step.

    Arguments:
        rows: the choices of a step.
        shown: the numbers of those rows that choose among slots.
        registers: how many registers there are.
    """
    slots, gates = list(rows.slot_names), list(rows.gate_names)
    choices = [rows.names[row] for row in shown]
    sources = "Where arguments of gates and next values of registers come from."

    def values_of(
        name: str, axes: tuple[str, str], group: str, description: str,
        labels: Mapping[str, Sequence[str]], formula: str = "",
    ) -> Field:  # fmt: skip
        return Field(name, "distribution", axes, group, description, labels, formula=formula)

    held, given = "What each register holds.", "What each gate gave."
    named, wired = {"register": slots[:registers]}, {"choice": choices, "source": slots}
    return (
        values_of("memory", ("cell", "value"), "memory", "What each cell holds.", {}),
        values_of("registers", ("register", "value"), "registers", held, named, KEPT),
        values_of("choices", ("choice", "source"), "circuit", sources, wired, CHOSEN),
        values_of("gates", ("gate", "value"), "circuit", given, {"gate": gates}, GIVEN),
        Field("willing", "probability", (), STOPPING, "Willingness to stop after the step."),
        Field("entropy", "scalar", (), STOPPING, "Of all choices, in nats."),
    )
