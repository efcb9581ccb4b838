"""What a trace shows of an NTM: names, axes and descriptions of its arrays."""

from __future__ import annotations

from softmachine.core.fields import Field
from softmachine.machines.ntm.config import NTMChoices

CONTENT = r"w^c(i) \propto \exp(\beta\, K[k, M(i)]) \qquad \beta = \val{key_strengths}"
"""Eq. 5 and 6."""
GATED = r"w^g(i) = g\, w^c(i) + (1 - g)\, w_{t-1}(i) \qquad g = \val{gates}"
"""Eq. 7."""
SHIFTED = r"\tilde{w}(i) = \sum_j w^g(j)\, s(i - j) \qquad s = \val{shifts}"
"""Eq. 8."""
SHARPENED = (
    r"w(i) = \frac{\tilde{w}(i)^{\gamma}}{\sum_j \tilde{w}(j)^{\gamma}}"
    r" \qquad \gamma = \val{sharpenings}"
)
"""Eq. 9."""


def trace_fields(config: NTMChoices) -> tuple[Field, ...]:
    """Return the fields of a trace: the memory, the reads, and what each head does."""
    read_heads = _numbered("read", config.read_heads)
    write_heads = _numbered("write", config.write_heads)
    moves = [f"{i - config.shifts // 2:+d}".replace("+0", "0") for i in range(config.shifts)]
    heads = {"head": read_heads + write_heads}
    readers, writers = {"read head": read_heads}, {"write head": write_heads}

    does = ("read",) * config.read_heads + ("write",) * config.write_heads

    def of_heads(name, kind, axes, description, labels=heads, **more):
        return Field(name, kind, ("head", *axes), "heads", description, labels, **more)

    def vectors(name, axis, description, labels, **more):
        return Field(name, "vector", (axis, "column"), "heads", description, labels, **more)

    def stage(name, description, formula):
        kind, axes = "weighting", ("head", "row")
        more = {"formula": formula, "aside": True}
        return Field(name, kind, axes, "addressing", description, heads, **more)

    return (
        Field("memory", "matrix", ("row", "column"), "memory", "What each row holds."),
        stage("content", "By content: rows that are like the key.", CONTENT),
        stage("gated", "After the gate: a part of where the head was.", GATED),
        stage("shifted", "After the shift.", SHIFTED),
        of_heads(
            "weightings",
            "weighting",
            ("row",),
            "How much a head attends to a row.",
            does=does,
            formula=SHARPENED,
        ),
        vectors("reads", "read head", "What was read.", readers),
        of_heads("gates", "probability", (), "By content (1) or from where it was (0)."),
        of_heads("key_strengths", "scalar", (), "How much content decides."),
        of_heads(
            "shifts", "distribution", ("shift",), "How far to move.", heads | {"shift": moves}
        ),
        of_heads("sharpenings", "scalar", (), "Exponent of the weighting."),
        vectors("keys", "head", "What content is looked for.", heads, aside=True),
        vectors("erases", "write head", "How much of each column is erased.", writers),
        vectors("adds", "write head", "What is added.", writers),
        Field("controller", "vector", ("hidden",), "controller", "Its output.", aside=True),
    )


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name} {i + 1}" for i in range(count)]
